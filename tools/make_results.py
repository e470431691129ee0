"""The reference runs under ``results/``: made here, without audio and without what names a machine.

::

    python -m tools.make_results                    # all of them, some minutes on two cores
    python -m tools.make_results debian-speech      # one
    python -m tools.make_results --from RUN NAME    # keep a run of one's own as results/NAME

Lyra takes part where ``SNACBENCH_LYRA_DIR`` names its models.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
CODECS = "opus@8,14,24,encodec-mini@1.5,3,6,dac-mini@2q,3q,6q,9q,snac-mini"
LYRA = "lyra-v2@3.2,6,9.2"
LIMITS = {"quick": 3, "debian-speech": 5, "debian-music": 5}  # clips per domain
MOST_BYTES = 1_000_000
_NOT_KEPT = {"decoded", "workers.log", ".lock", "summary.csv"}
_ABSOLUTE = re.compile(r'"(/[^"]*)"')


def make(name: str) -> Path:
    """Run the codecs on a set and keep what a table needs."""
    codecs = f"{CODECS},{LYRA}" if os.environ.get("SNACBENCH_LYRA_DIR") else CODECS
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / name
        command = [sys.executable, "-m", "snacbench", "run", "--codecs", codecs, "--data", name]
        command += ["--limit", str(LIMITS[name]), "--weights", "embedded", "-o", str(run)]
        subprocess.run(command, check=True, cwd=ROOT)
        return keep(run, RESULTS / name)


def keep(run: Path, target: Path) -> Path:
    """Copy a run's rows without audio, absolute paths and log.

    Raises
    ------
    SystemExit
        If something is left that names a place on this disk or its user, or it is too large.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source in sorted(p for p in run.iterdir() if p.name not in _NOT_KEPT and p.is_file()):
        text = source.read_text("utf-8")
        if source.suffix == ".json":
            described = _portable(json.loads(text))
            if system := described["machine"].get("system"):
                described["machine"]["system"] = system.split()[0]  # without the kernel's build
            text = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        elif source.suffix == ".jsonl":
            rows = (_portable(json.loads(line)) for line in text.splitlines())
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (target / source.name).write_text(text, "utf-8")
    if found := list(revealing(target)):
        shutil.rmtree(target)
        sys.exit(f"{run}: not kept, it names this machine: {', '.join(found[:5])}")
    size = sum(path.stat().st_size for path in target.iterdir())
    if size > MOST_BYTES:
        shutil.rmtree(target)
        sys.exit(f"{run}: not kept, {size} bytes of rows, at most {MOST_BYTES}; take fewer clips")
    print(f"{target}: {size} bytes")
    return target


def _portable(value: Any) -> Any:
    """Every text that is an absolute path, or ends in one after '=', by its last part."""
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    if not isinstance(value, str):
        return value
    head, equals, tail = value.rpartition("=")
    if tail.startswith("/"):
        return f"{head}{equals}{Path(tail).name}"
    return value.replace(f"{ROOT}/", "").replace(str(Path.home()), "~")


def revealing(folder: Path) -> Iterator[str]:
    """Absolute paths that are left, and the user's name where it is one."""
    user = getpass.getuser()
    names = [user] if user not in ("root", "user", "runner") else []
    for path in sorted(folder.iterdir()):
        text = path.read_text("utf-8")
        yield from (f"{path.name}: {found}" for found in _ABSOLUTE.findall(text))
        yield from (f"{path.name}: {name}" for name in names if name in text)


def main() -> None:
    """Make the runs that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(LIMITS)}, or the name to keep")
    parser.add_argument("--from", dest="run", type=Path, help="keep this run")
    arguments = parser.parse_args()
    if arguments.run:
        (name,) = arguments.names or [arguments.run.name]
        keep(arguments.run, RESULTS / name)
        return
    for name in arguments.names or LIMITS:
        if name not in LIMITS:
            parser.error(f"no reference run {name!r}; there are {', '.join(LIMITS)}")
        make(name)


if __name__ == "__main__":
    main()
