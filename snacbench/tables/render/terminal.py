"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from snacbench.tables.table import SIGNIFICANT, Cell, Column, Row, Table, shared_footnotes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


def to_terminal(tables: Sequence[Table]) -> Iterator[RenderableType]:
    """What a rich console prints: tables, each followed by its notes, and those of all."""
    from rich.text import Text

    shared = shared_footnotes(tables)
    for table in tables:
        yield _table(table)
        yield from (Text(f"- {note}") for note in table.footnotes if note not in shared)
        yield from (Text(f"- {letter}: {note}") for note, letter in table.letters.items())
        yield Text("")
    yield from (Text(f"- {note}") for note in shared)


def _table(table: Table) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(
        title=Text(table.title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold"
    )
    grid.pad_edge = False
    grid.add_column(table.label_heading, overflow="fold")
    for column in table.columns:
        grid.add_column(Text(column.title.replace(" ", "\n", 1)), justify="right")
    for heading, row in table.headed():
        if heading:
            grid.add_section()
            grid.add_row(Text(heading, "italic"))
        cells = (_cell(table, table.cell(row, column), column) for column in table.columns)
        label = Text(row.title, "italic" if row.source else "")
        grid.add_row(label.append(_letters(table, row)), *cells)
    return grid


def _letters(table: Table, noted: Cell | Row) -> str:
    letters = table.letters_of(noted)
    return f" ({letters})" if letters else ""


def _cell(table: Table, cell: Cell, column: Column) -> Text:
    from rich.text import Text

    style = {"best": "bold", "second": "underline"}
    text = Text()
    number = cell.number(column.digits)
    text.append(number, next((style[m] for m in cell.marks if m in style), ""))
    text.append(SIGNIFICANT if "significant" in cell.marks else "")
    text.append(_letters(table, cell))
    if ends := cell.ends(column.digits):
        text.append(f"\n{ends}", "dim")
    return text
