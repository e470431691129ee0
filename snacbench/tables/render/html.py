"""Tables as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from snacbench.tables.table import SIGNIFICANT, Cell, Column, Row, Table, shared_footnotes

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem; color: #1b1b1f; background: #fff }
.scroll { overflow-x: auto; margin-top: 1.8rem }
table { border-collapse: collapse; border-block: 2px solid #1b1b1f;
  font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding-bottom: .5rem }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; font-weight: 400 }
thead th { font-weight: 600; border-bottom: 1px solid #1b1b1f; vertical-align: bottom }
th:first-child { text-align: left; padding-left: .2rem }
.heading th { font-style: italic; border-top: 1px solid #999 }
.published { color: #5a5a66 }
.published th { font-style: italic }
.best { font-weight: 700 }
.second { text-decoration: underline; text-underline-offset: 3px }
.unit { font-weight: 400 }
.ends, .unit { color: #5a5a66; font-size: .82em }
sup { font-size: .7em; line-height: 0 }
.notes { font-size: .85em; color: #44444d; padding-left: 1.2rem; max-width: 60rem }
""".strip()


def to_html(tables: Sequence[Table]) -> str:
    """A page with all tables, styled in itself."""
    title = tables[0].title if len(tables) == 1 else "snacbench"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"{html_fragment(tables)}\n</body>\n</html>\n"
    )


def html_fragment(tables: Sequence[Table]) -> str:
    """The tables alone, for a page that brings its own style."""
    shared = shared_footnotes(tables)
    parts = [_table(table, shared) for table in tables]
    if shared:
        parts.append(_notes([escape(note) for note in shared]))
    return "\n".join(parts)


def _table(table: Table, shared: Sequence[str]) -> str:
    headings = [escape(table.label_heading), *map(_heading, table.columns)]
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    lines = []
    for heading, row in table.headed():
        if heading:
            span = f'colspan="{len(table.columns) + 1}" scope="rowgroup"'
            lines.append(f'<tr class="heading"><th {span}>{escape(heading)}</th></tr>')
        lines.append(_row(table, row))
    notes = [escape(note) for note in table.footnotes if note not in shared]
    notes += [f"<sup>{letter}</sup> {escape(note)}" for note, letter in table.letters.items()]
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table>\n<caption>{escape(table.title)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n"
        + _notes(notes)
    )


def _heading(column: Column) -> str:
    title = replace(column, unit="").title
    unit = f'<br><span class="unit">{escape(column.unit)}</span>' if column.unit else ""
    return escape(title) + unit


def _row(table: Table, row: Row) -> str:
    cells = (_cell(table, table.cell(row, column), column) for column in table.columns)
    label = f'<th scope="row">{escape(row.title)}{_raised(table, row)}</th>'
    kind = ' class="published"' if row.source else ""
    return f"<tr{kind}>{label}{''.join(cells)}</tr>"


def _raised(table: Table, noted: Cell | Row) -> str:
    letters = table.letters_of(noted)
    return f"<sup>{letters}</sup>" if letters else ""


def _cell(table: Table, cell: Cell, column: Column) -> str:
    place = next((mark for mark in cell.marks if mark != "significant"), "")
    text = escape(cell.number(column.digits))
    text = f'<span class="{place}">{text}</span>' if place else text
    star = SIGNIFICANT if "significant" in cell.marks else ""
    ends = cell.ends(column.digits)
    shown_ends = f' <span class="ends">{escape(ends)}</span>' if ends else ""
    return f"<td>{text}{star}{_raised(table, cell)}{shown_ends}</td>"


def _notes(notes: Sequence[str]) -> str:
    return (
        '<ul class="notes">\n' + "\n".join(f"<li>{note}</li>" for note in notes) + "\n</ul>"
        if notes
        else ""
    )
