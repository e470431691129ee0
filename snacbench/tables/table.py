"""A table before it has a format: columns, rows of cells, footnotes.

Layouts build these from runs, renderers write them. A cell keeps its number at full precision; how
many digits are shown is its column's, so that what is marked as best is best as shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from snacbench.stats.intervals import Interval

NOTHING = "–"
FEWER_DIGITS_FROM = 1000
ARROWS = {"higher": "↑", "lower": "↓"}

Mark = Literal["best", "second", "significant"]
SIGNIFICANT = "*"
_PUBLISHED_ONLY = "published, not in these runs"


@dataclass(frozen=True)
class Column:
    """One column: what it shows, in which unit, which way is better.

    Attributes
    ----------
    key : str
        Its name in CSV and JSON.
    better : {"higher", "lower"} or None
        None: no order, so nothing in it is best.
    digits : int
        Digits after the point.
    """

    key: str
    heading: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    digits: int = 2

    @property
    def title(self) -> str:
        """Heading with unit and arrow: ``SI-SDR (dB) ↑``."""
        unit = f" ({self.unit})" if self.unit else ""
        arrow = f" {ARROWS[self.better]}" if self.better else ""
        return f"{self.heading}{unit}{arrow}"


@dataclass(frozen=True)
class Cell:
    """One number with all that is said about it.

    Attributes
    ----------
    value : float or None
        None: there is none; `text` may say something instead.
    interval : Interval or None
    n : int or None
        Clips that the value rests on.
    marks : tuple of str
        ``best``, ``second``, ``significant``.
    text : str
        Shown where there is no value.
    notes : tuple of str
        What a footnote says of this cell alone.
    """

    value: float | None = None
    interval: Interval | None = None
    n: int | None = None
    marks: tuple[Mark, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()

    def number(self, digits: int) -> str:
        """The value as shown, without interval and marks."""
        if self.value is None or math.isnan(self.value):
            return self.text or NOTHING
        return shown(self.value, digits)

    def ends(self, digits: int) -> str:
        """The interval as shown, ``[3.80, 4.01]``; empty where there is none."""
        if self.interval is None or self.interval.low is None or self.interval.high is None:
            return ""
        return f"[{shown(self.interval.low, digits)}, {shown(self.interval.high, digits)}]"


def shown(value: float, digits: int) -> str:
    """A number as text; from 1,000 on with one digit after the point at most."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.{_digits_for(value, digits)}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _digits_for(value: float, digits: int) -> int:
    return digits if abs(value) < FEWER_DIGITS_FROM else min(1, digits)


@dataclass(frozen=True)
class Row:
    """One codec, or one line of a publication.

    Attributes
    ----------
    cells : mapping of str to Cell
        By the key of the column.
    ranked : bool
        Whether its numbers compete for best and second.
    source : str
        The publication that it is quoted from; empty: measured in the runs.
    beside : str
        Label of the measured row of the same codec and setting, which it follows.
    notes : tuple of str
        What a footnote says of this row alone.
    """

    label: str
    cells: Mapping[str, Cell]
    ranked: bool = True
    source: str = ""
    beside: str = ""
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The label as shown: ``↳ Opus, published`` below the row that it stands beside."""
        return f"↳ {self.label}, published" if self.beside else self.label

    @property
    def heading(self) -> str:
        """Over the rows of its kind; those of the runs and what stands beside them need none."""
        return _PUBLISHED_ONLY if self.source and not self.beside else ""


@dataclass(frozen=True)
class Table:
    """A table that any renderer can write.

    Attributes
    ----------
    title : str
    columns : tuple of Column
        Without the first one, the rows' labels.
    footnotes : tuple of str
        On the table as a whole; those of single rows and cells are in these.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...] = ()
    label_heading: str = "codec"
    letters: Mapping[str, str] = field(default_factory=dict)

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row in a column; an empty one where the row has none."""
        return row.cells.get(column.key, Cell())

    def headed(self) -> Iterator[tuple[str, Row]]:
        """Every row, with the heading that is to stand over it, mostly none."""
        above = ""
        for row in self.rows:
            yield row.heading if row.heading != above else "", row
            above = row.heading

    def letters_of(self, noted: Cell | Row) -> str:
        """Letters of a cell's or a row's own footnotes: ``a,b``."""
        return ",".join(self.letters[note] for note in noted.notes)

    def lettered(self) -> Table:
        """The same table with a letter for every note of a row or a cell, in reading order."""
        noted: list[Cell | Row] = []
        for row in self.rows:
            noted += [row, *(self.cell(row, column) for column in self.columns)]
        notes = dict.fromkeys(note for one in noted for note in one.notes)
        return replace(self, letters={note: _letter(i) for i, note in enumerate(notes)})


def _letter(index: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    first, last = divmod(index, 26)
    return (_letter(first - 1) if first else "") + chr(ord("a") + last)


def ranked(table: Table) -> Table:
    """The same table with the best and the second best of each column marked, as shown.

    Values that read the same are equally good: nobody could see why one of them is marked. A
    column with a single number has no best. A mean over fewer clips than the others' is out of
    the competition: who fails on the hard clips would win it.
    """
    marks: dict[tuple[int, str], Mark] = {}
    for column in table.columns:
        marks.update({(row, column.key): mark for row, mark in _podium(table, column)})
    rows = (
        replace(row, cells={k: _marked(c, marks.get((i, k))) for k, c in row.cells.items()})
        for i, row in enumerate(table.rows)
    )
    return replace(table, rows=tuple(rows))


def _podium(table: Table, column: Column) -> Iterator[tuple[int, Mark]]:
    if column.better is None:
        return
    cells = {i: table.cell(row, column) for i, row in enumerate(table.rows) if row.ranked}
    most = max((cell.n or 0 for cell in cells.values()), default=0)
    values: dict[int, float] = {}
    for index, cell in cells.items():
        value = cell.value
        if value is not None and not math.isnan(value) and (cell.n or 0) == most:
            values[index] = round(value, _digits_for(value, column.digits))
    if len(values) < 2:
        return
    order = sorted(set(values.values()), reverse=column.better == "higher")
    places: tuple[Mark, Mark] = ("best", "second")
    for value, mark in zip(order, places, strict=False):
        yield from ((index, mark) for index, v in values.items() if v == value)


def _marked(cell: Cell, mark: Mark | None) -> Cell:
    return cell if mark is None else replace(cell, marks=(mark, *cell.marks))


def shared_footnotes(tables: Iterable[Table]) -> list[str]:
    """Footnotes that all of several tables have, to be said once below them."""
    several = list(tables)
    if len(several) < 2:
        return []
    return [n for n in several[0].footnotes if all(n in t.footnotes for t in several)]
