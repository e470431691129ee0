"""The import table of docs/architecture.md, held by walking the code's own imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import snacbench

PACKAGE = Path(snacbench.__file__).parent
BASE = {"errors", "units", "types", "models", "rows", "settings", "yamlfile", "textfile"}
BASE |= {"packages", "files", "progress", "request", "later"}
MAY_IMPORT: dict[str, set[str]] = {
    "audio": set(),
    "rate": set(),
    "bitstream": {"rate"},
    "stats": set(),
    "plugins": set(),
    "selectors": {"plugins"},
    "download": set(),
    "store": set(),
    "weights": {"audio", "download"},
    "codecs": {"audio", "weights"},
    "metrics": {"audio"},
    "testsets": {"audio", "download", "plugins"},
    "runner": {"audio", "rate", "bitstream", "store", "testsets", "weights"}
    | {"plugins", "selectors"},
    "tables": {"store", "rate", "stats", "plugins", "selectors"},
    "recipes": set(),
    "plots": {"store", "stats", "tables", "plugins"},
    "report": {"audio", "store", "stats", "tables", "plots"},
    "listening": {"audio", "store", "stats", "tables", "plots", "selectors"},
}
ALONE = {"codecs", "metrics"}  # plugins know nothing of each other


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            if node.module in ("snacbench", "snacbench.weights", "snacbench.codecs"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "snacbench" and len(parts) > 1 else None


def forbidden(path: Path) -> Iterator[str]:
    """Imports of one module that the table does not allow."""
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in ("cli", "__main__", "__init__"):
        return
    if own == "api":
        yield from (f"{path.name} imports {m}" for m in imported(path) if layer_of(m) == "cli")
        return
    allowed = BASE if own in BASE else {own, *BASE, *MAY_IMPORT.get(own, set()), "__version__"}
    for module in imported(path):
        layer = layer_of(module)
        if layer is not None and layer not in allowed:
            yield f"{path.relative_to(PACKAGE)} imports {module}"


def test_imports_follow_the_table() -> None:
    found = [line for path in modules() for line in forbidden(path)]
    assert not found, "\n".join(found)


def test_an_import_that_the_table_does_not_allow_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats" / "means.py").write_text("import numpy, snacbench.tables.run_rows\n")
    (tmp_path / "units.py").write_text("from snacbench import stats\nimport snacbench.errors\n")
    assert [line for path in modules() for line in forbidden(path)] == [
        "stats/means.py imports snacbench.tables.run_rows",
        "units.py imports snacbench.stats",
    ]


@pytest.mark.parametrize("kind", sorted(ALONE))
def test_plugins_do_not_import_each_other(kind: str) -> None:
    for path in sorted((PACKAGE / kind).glob("*.py")):
        for module in imported(path):
            parts = module.split(".")
            if parts[:2] == ["snacbench", kind] and len(parts) > 2 and path.stem != parts[2]:
                assert parts[2].startswith("_"), f"{path.name} imports {module}"


def test_a_file_name_means_one_thing() -> None:
    names = [path.stem.lstrip("_") for path in modules() if not path.stem.startswith("__")]
    assert {name for name in names if names.count(name) > 1} == set()


def test_modules_import_each_other_in_no_circle() -> None:
    """Of what is imported when a module is: imports inside functions come later."""
    known = {
        ".".join(("snacbench", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in modules()
    }
    known = {name.removesuffix(".__init__"): path for name, path in known.items()}
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        found = graph[name] = set()
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in known else node.module for one in named} & known.keys()
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


def test_every_layer_is_in_the_table() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert folders - {"api", "cli"} <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["mushra", "--help"]]
    + [["list", what] for what in ("codecs", "metrics", "sets", "recipes")],
    ids=" ".join,
)
def test_light_verbs_load_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"torch", "matplotlib", "visqol", "numba", "pandas", "av", "numpy", "scipy"}
    heavy |= {"soundfile", "soxr"}
    program = (
        "import sys; from snacbench.cli.main import main\n"
        f"sys.argv = ['snacbench', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = {heavy!r} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
