"""Tables as one CSV: a row per table and codec, numbers at full precision."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from snacbench.tables.table import Cell, Column, Table


def to_csv(tables: Sequence[Table]) -> str:
    """Columns as in the tables, then what is known of each: ends of interval, n, marks.

    What no cell of a column has gets no column; what a cell lacks is empty. With published rows
    come their `source`, and the codec that they stand `beside`.
    """
    columns = {column.key: column for table in tables for column in table.columns}
    extras = {
        (key, extra)
        for table in tables
        for row in table.rows
        for key, cell in row.cells.items()
        for extra, value in _extras(cell)
        if value != ""
    }
    headings = ["table", "codec"]
    if any(row.source for table in tables for row in table.rows):
        headings += ["source", "beside"]
    headings += [h for column in columns.values() for h in _headings(column, extras)]
    out = io.StringIO()
    writer = csv.DictWriter(out, headings, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            record = {"table": table.title, "codec": row.label}
            record |= {"source": row.source, "beside": row.beside}
            for column in table.columns:
                cell = table.cell(row, column)
                found = [("", _number(cell.value) or cell.text), *_extras(cell)]
                record |= {column.key + extra: value for extra, value in found}
            writer.writerow({key: value for key, value in record.items() if key in headings})
    return out.getvalue()


def _headings(column: Column, extras: set[tuple[str, str]]) -> Iterator[str]:
    yield column.key
    yield from (column.key + extra for extra, _ in _extras(Cell()) if (column.key, extra) in extras)


def _extras(cell: Cell) -> list[tuple[str, str]]:
    interval = cell.interval
    return [
        ("_low", _number(interval.low) if interval else ""),
        ("_high", _number(interval.high) if interval else ""),
        ("_n", "" if cell.n is None else str(cell.n)),
        ("_marks", " ".join(cell.marks)),
    ]


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(float(value))
