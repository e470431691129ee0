"""Tables as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from snacbench.tables.table import SIGNIFICANT, Cell, Column, Row, Table, shared_footnotes

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def to_markdown(tables: Sequence[Table]) -> str:
    """Best in bold, second underlined, letters for footnotes; what all tables say comes last."""
    shared = shared_footnotes(tables)
    parts = [_table(table, shared) for table in tables]
    if shared:
        parts.append("\n".join(f"- {escaped(note)}" for note in shared))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(table: Table, shared: Sequence[str]) -> str:
    from tabulate import tabulate

    headings = [escaped(h) for h in (table.label_heading, *(c.title for c in table.columns))]
    lines: list[list[str]] = []
    for heading, row in table.headed():
        if heading:
            lines.append([f"*{escaped(heading)}*", *("" for _ in table.columns)])
        cells = [_cell(table, table.cell(row, column), column) for column in table.columns]
        lines.append([_label(table, row), *cells])
    align = ["left", *("right" for _ in table.columns)]
    grid = tabulate(lines, headings, tablefmt="pipe", colalign=align, disable_numparse=True)
    notes = [f"- {escaped(note)}" for note in table.footnotes if note not in shared]
    notes += [f"- <sup>{letter}</sup> {escaped(n)}" for n, letter in table.letters.items()]
    return "\n\n".join(p for p in (f"### {escaped(table.title)}", grid, "\n".join(notes)) if p)


def _label(table: Table, row: Row) -> str:
    title = f"*{escaped(row.title)}*" if row.source else escaped(row.title)
    return title + _raised(table, row)


def _raised(table: Table, noted: Cell | Row) -> str:
    letters = table.letters_of(noted)
    return f"<sup>{letters}</sup>" if letters else ""


def _cell(table: Table, cell: Cell, column: Column) -> str:
    text = escaped(cell.number(column.digits))
    if "best" in cell.marks:
        text = f"**{text}**"
    elif "second" in cell.marks:
        text = f"<ins>{text}</ins>"
    if "significant" in cell.marks:
        text += escaped(SIGNIFICANT)
    text += _raised(table, cell)
    ends = cell.ends(column.digits)
    return f"{text} {escaped(ends)}" if ends else text
