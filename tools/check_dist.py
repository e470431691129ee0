"""What a release would publish: every file of the package is in the wheel, and in the sdist."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from snacbench import __version__


def main(folder: Path) -> None:
    """Compare a wheel and an sdist with the files that git tracks.

    Raises
    ------
    SystemExit
        If a file is missing, or version or description are not the project's.
    """
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    tracked = subprocess.run(
        ["git", "ls-files", "snacbench"], check=True, capture_output=True, text=True
    ).stdout.split()
    # In the checkout the recipes lie beside the package, behind a link.
    wanted = {name for name in tracked if name != "snacbench/recipes/shipped"}
    wanted |= {f"snacbench/recipes/shipped/{path.name}" for path in Path("recipes").glob("*.yaml")}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
        metadata = archive.read(f"snacbench-{__version__}.dist-info/METADATA").decode()
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    if missing := sorted(wanted - in_wheel):
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    lacking = {"README.md", "LICENSE", "pyproject.toml", "constraints.txt", *tracked} - in_sdist
    if lacking := lacking - {"snacbench/recipes/shipped"}:
        sys.exit(f"{sdist.name} lacks {', '.join(sorted(lacking))}")
    if f"\nVersion: {__version__}\n" not in metadata or "\n# snacbench\n" not in metadata:
        sys.exit(f"{wheel.name} states another version, or not the README")
    print(f"{wheel.name}, {sdist.name}: {len(wanted)} files of the package, complete")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
