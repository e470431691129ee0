"""Speeds in the page's tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snacbench.report.summary import Cell, domain_tables
from snacbench.rows import Bits
from snacbench.store.folder import RunFolder
from snacbench.tables.run_rows import RunRows
from tests.support.written_runs import NEURAL, RUN, SPEED, coded


def test_speeds_stand_with_their_range_and_say_where_they_are_unstable(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", RUN, [])
    for codec in (NEURAL.name, "plain"):
        folder.append([coded("a", "speech", 1.0, Bits(8), codec=codec)])
    folder.append([SPEED])
    without, of = (cells_of(folder, codec) for codec in ("plain", NEURAL.name))
    assert of == [
        Cell("0.500", interval="0.450 to 0.600"),
        Cell("1.000", interval="1.000 to 1.050"),
    ]
    assert without == [Cell("–"), Cell("–")]
    folder.append([replace(SPEED, unstable="why")])
    assert [cell.note for cell in cells_of(folder, NEURAL.name)] == ["unstable", "unstable"]


def cells_of(folder: RunFolder, codec: str) -> list[Cell]:
    (table,) = (t for t in domain_tables(RunRows.load(folder)) if t.domain == "all")
    (cells,) = (cells for name, _, cells in table.rows if name == codec)
    headed = zip(table.headings, cells, strict=True)
    return [cell for heading, cell in headed if heading.text.startswith("RTF")]
