"""The import table of docs/architecture.md, held by walking the code's own imports."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import snacbench

PACKAGE = Path(snacbench.__file__).parent
BASE = {"errors", "units", "types", "models", "rows", "settings", "yamlfile", "textfile"}
BASE |= {"packages", "files", "progress", "request", "later", "forms"}
ALONE = {"codecs", "metrics"}  # plugins know nothing of each other
HEAVY = {"torch", "matplotlib", "visqol", "numba", "pandas", "av", "numpy", "scipy"}
HEAVY |= {"soundfile", "soxr"}


def may_import() -> dict[str, set[str]]:
    """What each folder may import beside BASE and itself, as the page has it."""
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text("utf-8")
    (table,) = re.findall(r"## Who may import whom\n\n```\n(.*?)```", text, re.DOTALL)
    lines = re.sub(r",\s+", ", ", table).splitlines()
    rows = [[side.split(", ") for side in re.split(r" +-> ", line)] for line in lines]
    return {name: {*found} - {"BASE"} for names, found in rows for name in names}


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module of a package by its name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(("snacbench", *parts)).removesuffix(".__init__")] = path
    return found


def imported(nodes: Iterator[ast.AST], known: dict[str, Path]) -> Iterator[str]:
    """What is imported: of modules of the package, those that are meant."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            folder = node.module in ("snacbench", "snacbench.weights", "snacbench.codecs")
            yield from (one if one in known or folder else str(node.module) for one in named)


def forbidden(package: Path = PACKAGE) -> Iterator[str]:
    """Imports that the table does not allow, and of plugins by each other."""
    known, table = modules(package), may_import()
    for name, path in known.items():
        own, *inner = [*name.split(".")[1:], ""]
        if own in ("", "cli", "__main__"):
            continue
        allowed = BASE | table.get(own, set()) | {own, "__version__", ""}
        for module in imported(ast.walk(ast.parse(path.read_text("utf-8"))), known):
            top, layer, part, *_ = [*module.split("."), "", ""]
            stranger = own in ALONE and layer == own and part not in ("", inner[0])
            wrong = layer not in allowed or (stranger and not part.startswith("_"))
            if top == "snacbench" and (layer == "cli" if own == "api" else wrong):
                yield f"{name} imports {module}"


def test_imports_follow_the_table(tmp_path: Path) -> None:
    assert list(forbidden()) == []
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert folders - {"api", "cli"} <= set(may_import())
    for name, text in (
        ("stats/means", "import numpy, snacbench.tables.run_rows"),
        ("codecs/one", "from snacbench.codecs import _shared, two\nimport snacbench.codecs.one"),
        ("api/run", "from snacbench.cli import verbs\nfrom snacbench import tables"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    assert list(forbidden(tmp_path)) == [
        "snacbench.api.run imports snacbench.cli",
        "snacbench.codecs.one imports snacbench.codecs.two",
        "snacbench.stats.means imports snacbench.tables.run_rows",
    ]


def test_a_file_name_means_one_thing() -> None:
    stems = [path.stem.lstrip("_") for path in modules().values() if path.stem[:2] != "__"]
    assert {name for name in stems if stems.count(name) > 1} == set()


def test_modules_import_each_other_in_no_circle() -> None:
    """Of what is imported when a module is: imports inside functions come later."""
    known = modules()
    graph = {
        name: set(imported(iter(ast.parse(path.read_text("utf-8")).body), known)) & known.keys()
        for name, path in known.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize(
    "arguments",
    ["", "--help", "mushra --help", "list codecs", "list metrics", "list sets", "list recipes"],
)
def test_light_verbs_load_nothing_heavy(arguments: str) -> None:
    program = (
        "import sys; import snacbench; from snacbench.cli.main import main\n"
        f"sys.argv = ['snacbench', *{arguments.split()!r}]\n"
        "try: len(sys.argv) == 1 or main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
