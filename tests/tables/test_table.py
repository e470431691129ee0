from __future__ import annotations

import math

import pytest

from snacbench.stats.intervals import mean_interval
from snacbench.tables.table import Cell, Column, Row, Table, ranked, shared_footnotes, shown

UP, DOWN, FREE = Column("u", "U", "dB", "higher"), Column("d", "D", "", "lower"), Column("f", "F")


def table(*values: float | None, column: Column = UP, out: tuple[int, ...] = ()) -> Table:
    rows = [
        Row(f"r{i}", {column.key: Cell(value)}, ranked=i not in out)
        for i, value in enumerate(values)
    ]
    return Table("t", (column,), tuple(rows))


def marks(found: Table) -> list[str]:
    return ["".join(found.cell(row, found.columns[0]).marks) for row in found.rows]


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        ((1, 3, 2), UP, ["", "best", "second"]),
        ((1, 3, 2), DOWN, ["best", "", "second"]),
        ((1, 3, 2), FREE, ["", "", ""]),
        ((1.001, 1.004, 0.9), UP, ["best", "best", "second"]),
        ((3, 1, 1.0), UP, ["best", "second", "second"]),
        ((2, None), UP, ["", ""]),
        ((2, math.nan, 1), UP, ["best", "", "second"]),
        ((math.inf, 1), UP, ["best", "second"]),
        ((1234.56, 1234.58, 1000), UP, ["best", "best", "second"]),
    ],
)
def test_best_and_second_are_those_as_shown(values, column, expected):
    assert marks(ranked(table(*values, column=column))) == expected


def test_rows_out_of_competition_are_never_best():
    assert marks(ranked(table(9, 1, 2, out=(0,)))) == ["", "second", "best"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.005, 1, "1.0"),
        (-0.001, 2, "0.00"),
        (-0.006, 2, "-0.01"),
        (12345.678, 3, "12345.7"),
        (12345.678, 0, "12346"),
        (math.inf, 2, "∞"),
        (-math.inf, 2, "-∞"),
    ],
)
def test_numbers_as_shown(value, digits, text):
    assert shown(value, digits) == text


def test_a_cell_without_value_shows_its_text_or_a_dash():
    assert [Cell().number(2), Cell(math.nan).number(2), Cell(text="x").number(2)] == ["–", "–", "x"]


def test_ends_of_an_interval_have_the_columns_digits():
    interval = mean_interval([1.0, 2.0, 3.0])
    assert Cell(2.0, interval).ends(2) == "[-0.48, 4.48]"  # t(.975, 2) / sqrt(3) = 2.484
    assert Cell(2.0, mean_interval([1.0])).ends(2) == ""


def test_heading_has_unit_and_arrow():
    assert [c.title for c in (UP, DOWN, FREE)] == ["U (dB) ↑", "D ↓", "F"]


def test_letters_follow_reading_order_and_equal_notes_share_one():
    cells = [Cell(1, notes=("x",)), Cell(1, notes=("y", "x")), Cell(1)]
    made = Table("t", (UP,), tuple(Row(str(i), {"u": c}) for i, c in enumerate(cells))).lettered()
    assert [made.letters_of(cell) for cell in cells] == ["a", "b,a", ""]


def test_after_z_comes_aa():
    cells = {f"{i}": Cell(1, notes=(f"n{i}",)) for i in range(28)}
    made = Table("t", tuple(Column(k, k) for k in cells), (Row("r", cells),)).lettered()
    assert list(made.letters.values())[-3:] == ["z", "aa", "ab"]


def test_shared_footnotes_are_those_of_all_tables():
    one, two = (Table("t", (), (), notes) for notes in (("a", "b"), ("b", "c")))
    assert shared_footnotes([one, two]) == ["b"]
    assert shared_footnotes([one]) == []
