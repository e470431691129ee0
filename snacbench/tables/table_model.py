"""The one model of a table: columns, rows of cells, footnotes; `writers` has a function per format.

A cell keeps its number at full precision; how many digits are shown is its column's, so that what
is marked as best is best as shown.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, product
from string import ascii_lowercase
from typing import Literal

from snacbench.stats.intervals import Interval

NOTHING = "–"
FEWER_DIGITS_FROM = 1000
ARROWS = {"higher": "↑", "lower": "↓"}
SIGNIFICANT, UNSTABLE = "*", "!"

Better = Literal["higher", "lower"]
Mark = Literal["best", "second", "significant", "unstable"]
Kind = Literal["value", "estimate", "mean", "text"]
SIGNS: Mapping[str, str] = {"significant": SIGNIFICANT, "unstable": UNSTABLE}
"""By mark, what follows the number."""


@dataclass(frozen=True)
class Column:
    """One column: what it shows, in which unit, which way is better.

    `key` is its name in CSV and JSON, where an estimate has ends, a mean also its n and marks.
    Nothing is best in a column without `better`. Readers see it always, never, or where it has
    anything to `show`; CSV and JSON have it.
    """

    key: str
    heading: str
    unit: str = ""
    better: Better | None = None
    digits: int = 2
    kind: Kind = "value"
    signed: bool = False
    show: Literal["always", "filled", "never"] = "always"

    @property
    def arrow(self) -> str:
        """Which way is better: ``↑``, ``↓`` or nothing."""
        return ARROWS[self.better] if self.better else ""

    @property
    def title(self) -> str:
        """Heading with unit and arrow: ``SI-SDR (dB) ↑``."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.heading}{unit} {self.arrow}".rstrip()


@dataclass(frozen=True)
class Cell:
    """One number with all that is said about it; `text` is shown where there is none.

    `n` is how many clips the value rests on; `notes` become footnotes of this cell alone. Of a mean
    over checkpoints, `spread` is the standard deviation over them.
    """

    value: float | None = None
    interval: Interval | None = None
    n: int | None = None
    marks: tuple[Mark, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()
    spread: float | None = None

    def number(self, column: Column) -> str:
        """The value as shown, with its spread, without interval and marks.

        Of figures that are no means of scores, no spread is shown where there is none.
        """
        if self.value is None or math.isnan(self.value):
            return self.text or NOTHING
        text = shown(self.value, column.digits, signed=column.signed)
        if self.spread is None or not (self.spread or column.kind == "mean"):
            return text
        return f"{text} ± {shown(self.spread, _digits_for(self.value, column.digits))}"

    def ends(self, column: Column) -> str:
        """The interval as shown, ``[3.80, 4.01]``; empty where there is none."""
        if self.interval is None or self.interval.low is None or self.interval.high is None:
            return ""
        ends = (self.interval.low, self.interval.high)
        return f"[{', '.join(shown(e, column.digits, signed=column.signed) for e in ends)}]"


def shown(value: float, digits: int, *, signed: bool = False) -> str:
    """A number as text; from 1,000 on with one digit after the point at most."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:{'+' if signed else ''}.{_digits_for(value, digits)}f}"
    return text.removeprefix("-") if float(text) == 0 and not signed else text


def _digits_for(value: float, digits: int) -> int:
    return digits if abs(value) < FEWER_DIGITS_FROM else min(1, digits)


@dataclass(frozen=True)
class Row:
    """One codec; its cells by the key of the column.

    Only `ranked` rows compete for best and second. `group` stands once over rows that share it. A
    row with a `source` repeats figures published there, which nobody measured here: no data file
    has it. `checkpoints` is over how many of them it is a mean, where it is one.
    """

    label: str
    cells: Mapping[str, Cell]
    ranked: bool = True
    group: str = ""
    source: str = ""
    checkpoints: int = 0

    @classmethod
    def of(
        cls, label: str, columns: Sequence[Column], *cells: Cell | float | None, group: str = ""
    ) -> "Row":
        """A row with a cell, or a number alone, for each column, in their order."""
        keys = (column.key for column in columns)
        filled = (cell if isinstance(cell, Cell) else Cell(cell) for cell in cells)
        return cls(label, dict(zip(keys, filled, strict=True)), group=group)


@dataclass(frozen=True)
class Table:
    """A table that any writer can write: columns beside the rows' labels, notes on the whole of it.

    `letters` are of notes on single cells, `domain` of the clips that the numbers rest on, and
    `group` by what these were chosen within it, with the group's name. What stands `above` must be
    known before any number is believed.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...] = ()
    label_heading: str = "codec"
    letters: Mapping[str, str] = field(default_factory=dict)
    domain: str = ""
    group: tuple[str, str] | None = None
    above: tuple[str, ...] = ()

    def cell(self, row: Row, column: Column) -> Cell:
        """The cell of a row in a column; an empty one where the row has none."""
        return row.cells.get(column.key, Cell())

    @property
    def shown_columns(self) -> list[Column]:
        """Those that a reader sees."""
        filled = {key for row in self.rows for key, cell in row.cells.items() if cell != Cell()}
        return [
            column
            for column in self.columns
            if column.show == "always" or (column.show == "filled" and column.key in filled)
        ]

    def headed(self) -> Iterator[tuple[str, Row]]:
        """Every row, with the heading that is to stand over it, mostly none."""
        for above, row in zip(("", *(row.group for row in self.rows)), self.rows, strict=False):
            yield row.group * (row.group != above), row

    def lettered(self) -> "Table":
        """The same table with a letter for every note of a cell, in reading order."""
        cells = (self.cell(row, column) for row in self.rows for column in self.columns)
        notes = dict.fromkeys(note for cell in cells for note in cell.notes)
        letters = (product(ascii_lowercase, repeat=size) for size in count(1))  # a, b, ... z, aa
        named = map("".join, chain.from_iterable(letters))
        return replace(self, letters=dict(zip(notes, named, strict=False)))

    def ranked(self) -> "Table":
        """The same table with the best and the second best of each column marked, as shown.

        Values that read the same are equally good: nobody could see why one of them is marked. A
        column with a single number has no best. A mean over fewer clips than the others' is out of
        the competition: who fails on the hard clips would win it.
        """
        cells_of = [dict(row.cells) for row in self.rows]
        for column in self.columns:
            cells = {i: self.cell(row, column) for i, row in enumerate(self.rows) if row.ranked}
            most = max((cell.n or 0 for cell in cells.values()), default=0)
            values = {
                i: round(cell.value, _digits_for(cell.value, column.digits))
                for i, cell in cells.items()
                if cell.value is not None and not math.isnan(cell.value) and (cell.n or 0) == most
            }
            order = sorted(set(values.values()), reverse=column.better == "higher")
            marks: tuple[Mark, Mark] = ("best", "second")
            for value, mark in zip(order, marks, strict=False) if column.better else ():
                for i in (i for i in values if values[i] == value and len(values) > 1):
                    cells_of[i][column.key] = replace(cells[i], marks=(mark, *cells[i].marks))
        rows = (replace(row, cells=of) for row, of in zip(self.rows, cells_of, strict=True))
        return replace(self, rows=tuple(rows))
