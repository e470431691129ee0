"""Tables as text, one function per format: Markdown, CSV, JSON, HTML, LaTeX, and the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from snacbench.tables.table_model import (
    NOTHING,
    Cell,
    Column,
    Row,
    Table,
    shared_footnotes,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA = 2
"""Of CSV and JSON; docs/tables.md says what it holds."""
_ENDS, _MEAN = ("_low", "_high"), ("_low", "_high", "_n", "_marks")
_EXTRAS: Mapping[str, tuple[str, ...]] = {"estimate": _ENDS, "mean": _MEAN}
_GAP = 3  # spaces between the columns of a terminal table


def to_markdown(tables: Sequence[Table]) -> str:
    """GitHub's Markdown: best in bold, second underlined; what all tables say comes last."""
    from tabulate import tabulate

    shared = shared_footnotes(tables)
    parts = []
    for table in tables:
        columns = table.shown_columns
        headings = [escaped(h) for h in (table.label_heading, *(c.title for c in columns))]
        lines: list[list[str]] = []
        for heading, row in table.headed():
            if heading:
                lines.append([f"*{escaped(heading)}*", *("" for _ in columns)])
            label = f"*{escaped(row.title)}*" if row.source else escaped(row.title)
            label += _raised(table, row, "<sup>{}</sup>")
            lines.append([label, *(_markdown_cell(table, row, column) for column in columns)])
        align = ["left", *("left" if c.kind == "text" else "right" for c in columns)]
        grid = tabulate(lines, headings, tablefmt="pipe", colalign=align, disable_numparse=True)
        notes = [f"- {escaped(note)}" for note in table.footnotes if note not in shared]
        notes += [f"- <sup>{letter}</sup> {escaped(n)}" for n, letter in table.letters.items()]
        title = f"### {escaped(table.title)}" if table.title else ""
        parts += [part for part in (title, grid, "\n".join(notes)) if part]
    if shared:
        parts.append("\n".join(f"- {escaped(note)}" for note in shared))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def _markdown_cell(table: Table, row: Row, column: Column) -> str:
    cell = table.cell(row, column)
    around = {"best": "**{}**", "second": "<ins>{}</ins>"}.get(cell.place, "{}")
    text = around.format(escaped(cell.number(column))) + escaped(cell.behind)
    text += _raised(table, cell, "<sup>{}</sup>")
    return f"{text} {escaped(cell.ends(column))}".rstrip()


def _raised(table: Table, noted: Cell | Row, form: str) -> str:
    letters = table.letters_of(noted)
    return form.replace("{}", letters) if letters else ""


def records_of(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """A record per table and row, all with the same keys; what a cell lacks is None.

    First ``table``, ``codec`` (the row's label), ``domain``, ``source`` and ``beside`` (of
    published rows); then of each column its value and what its kind has (`Column.kind`); last
    ``notes``. Numbers are numbers, at full precision, ends of intervals at 12 digits; what is no
    number is in the notes.
    """
    columns = {column.key: column for table in tables for column in table.columns}
    keys = ["table", "codec", "domain", "source", "beside"]
    for column in columns.values():
        keys += [column.key, *(column.key + extra for extra in _EXTRAS.get(column.kind, ()))]
    records = []
    for table in tables:
        for row in table.rows:
            record: dict[str, Any] = dict.fromkeys([*keys, "notes"])
            record |= {"table": table.title, "codec": row.label, "domain": table.domain}
            record |= {"source": row.source, "beside": row.beside}
            notes = list(row.notes)
            for column in table.columns:
                cell, key = table.cell(row, column), column.key
                known = cell.value is not None and not math.isnan(cell.value)
                ends = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
                # Digits beyond these depend on the order of sums, and so on the other codecs.
                low, high = (None if end is None else float(f"{end:.12g}") for end in ends)
                said = (cell.text,) if cell.text and column.kind != "text" and not known else ()
                notes += [f"{key}: {note}" for note in (*said, *cell.notes)]
                number: float | None = float(cell.value or 0.0) if known else None
                if number is not None and not column.digits and number.is_integer():
                    number = int(number)
                found = {
                    key: cell.text if column.kind == "text" and not known else number,
                    f"{key}_low": low,
                    f"{key}_high": high,
                    f"{key}_n": cell.n,
                    f"{key}_marks": " ".join(cell.marks),
                }
                record |= {name: value for name, value in found.items() if name in record}
            record["notes"] = " | ".join(notes)
            records.append(record)
    return records


def to_csv(tables: Sequence[Table]) -> str:
    """One CSV of all tables: `SCHEMA` in the first column, then `records_of`; missing is empty."""
    records = records_of(tables)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["schema", *(records[0] if records else ())])
    writer.writerows([SCHEMA, *record.values()] for record in records)
    return out.getvalue()


def to_json(tables: Sequence[Table]) -> str:
    """A list of tables: columns with units and directions, rows of cells by column, footnotes.

    A number that does not exist is null, an infinite one ``"inf"`` or ``"-inf"``.
    """

    def given(**values: str | tuple[str, ...]) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v}

    def cell_of(cell: Cell) -> dict[str, Any]:
        found: dict[str, Any] = {"value": json_number(cell.value)}
        if i := cell.interval:
            found["interval"] = {
                "low": json_number(i.low),
                "high": json_number(i.high),
                "level": i.level,
                "clusters": i.clusters,
                "method": i.method,
                "independence_assumed": i.independence_assumed,
                "these_clusters_only": i.these_clusters_only,
            }
        if cell.n is not None:
            found["n"] = cell.n
        return found | given(marks=cell.marks, text=cell.text, notes=cell.notes)

    found = [
        {
            "title": table.title,
            **given(domain=table.domain),
            "columns": [
                {"key": c.key, "heading": c.heading, "unit": c.unit, "better": c.better}
                for c in table.columns
            ],
            "rows": [
                {
                    "codec": row.label,
                    **given(source=row.source, beside=row.beside, notes=row.notes),
                    "cells": {c.key: cell_of(table.cell(row, c)) for c in table.columns},
                }
                for row in table.rows
            ],
            "footnotes": list(table.footnotes),
        }
        for table in tables
    ]
    described = {"schema": SCHEMA, "tables": found}
    return json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def json_number(value: float | None) -> float | str | None:
    """A number as JSON has it: none is null, infinities are ``"inf"`` and ``"-inf"``."""
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


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
    parts = []
    for table in tables:
        columns = table.shown_columns
        head = f'<th scope="col">{escape(table.label_heading)}</th>'
        for column in columns:
            unit = f'<br><span class="unit">{escape(column.unit)}</span>' if column.unit else ""
            title = f"{column.heading} {column.arrow}".rstrip()
            head += f'<th scope="col">{escape(title)}{unit}</th>'
        lines = []
        for heading, row in table.headed():
            if heading:
                span = f'colspan="{len(columns) + 1}" scope="rowgroup"'
                lines.append(f'<tr class="heading"><th {span}>{escape(heading)}</th></tr>')
            cells = "".join(_html_cell(table, row, column) for column in columns)
            label = escape(row.title) + _raised(table, row, "<sup>{}</sup>")
            kind = ' class="published"' if row.source else ""
            lines.append(f'<tr{kind}><th scope="row">{label}</th>{cells}</tr>')
        body, title = "\n".join(lines), escape(table.title)
        parts.append(
            f'<div class="scroll"><table>\n'
            f"{f'<caption>{title}</caption>' if title else ''}\n"
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
        )
        notes = [escape(note) for note in table.footnotes if note not in shared]
        notes += [f"<sup>{letter}</sup> {escape(note)}" for note, letter in table.letters.items()]
        parts += _html_notes(notes)
    return "\n".join([*parts, *_html_notes([escape(note) for note in shared])])


def _html_cell(table: Table, row: Row, column: Column) -> str:
    cell = table.cell(row, column)
    text = escape(cell.number(column))
    text = f'<span class="{cell.place}">{text}</span>' if cell.place else text
    ends = escape(cell.ends(column))
    ends = f' <span class="ends">{ends}</span>' if ends else ""
    return f"<td>{text}{cell.behind}{_raised(table, cell, '<sup>{}</sup>')}{ends}</td>"


def _html_notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield '<ul class="notes">\n' + "\n".join(f"<li>{n}</li>" for n in notes) + "\n</ul>"


_PACKAGES = r"\usepackage{booktabs,graphicx}"
_DOCUMENT = (
    "\\documentclass[10pt]{article}\n\\usepackage[a4paper,margin=2cm]{geometry}\n"
    f"{_PACKAGES}\n\\begin{{document}}\n"
)
_TABLE_END = r"\end{table}"


def to_latex(tables: Sequence[Table], *, standalone: bool = False) -> str:
    """LaTeX with booktabs: one ``table`` each, with all of its notes, as each may have a page.

    Parameters
    ----------
    standalone : bool
        A complete document; else a snippet that names the packages it needs in a comment.
    """
    body = "\n".join(map(_latex_table, tables))
    if standalone:
        # A page each: floats that wait for room are limited in number.
        pages = body.replace(_TABLE_END, _TABLE_END + "\n\\clearpage")
        return f"{_DOCUMENT}{pages}\\end{{document}}\n"
    return f"% needs: {_PACKAGES}\n{body}"


def _latex_table(table: Table) -> str:
    columns = table.shown_columns
    # What is said about a number stands in a column of its own, so that the numbers line up.
    split = {
        column.key
        for column in columns
        for cell in (table.cell(row, column) for row in table.rows)
        if cell.notes or cell.behind or cell.ends(column)
    }
    headings = " & ".join(_latex_heading(column, split=column.key in split) for column in columns)
    kinds = "".join(
        "l" if column.kind == "text" else "r@{}l" if column.key in split else "r"
        for column in columns
    )
    lines = []
    for heading, row in table.headed():
        if heading:
            span = len(columns) + len(split) + 1
            title = rf"\multicolumn{{{span}}}{{l}}{{\textit{{{latex_escaped(heading)}}}}} \\"
            lines += [r"\midrule", title]
        cells = (_latex_cell(table, row, column, split=column.key in split) for column in columns)
        label = latex_escaped(row.title)
        label = rf"\textit{{{label}}}" if row.source else label
        label += _raised(table, row, r"\textsuperscript{{}}")
        lines.append(rf"{label} & {' & '.join(cells)} \\")
    notes = [latex_escaped(note) for note in table.footnotes]
    notes += [
        rf"\textsuperscript{{{k}}} {latex_escaped(note)}" for note, k in table.letters.items()
    ]
    caption = [rf"\caption{{{latex_escaped(table.title)}}}"] if table.title else []
    # Wider than the text: scaled to it; else left as it is.
    fitted = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    return "\n".join(
        [
            r"\begin{table}[tbp]",
            r"\centering",
            r"\small",
            *caption,
            fitted,
            rf"\begin{{tabular}}{{l{kinds}}}",
            r"\toprule",
            rf"{latex_escaped(table.label_heading)} & {headings} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
            "\\par\n".join(notes),
            r"\end{minipage}",
            _TABLE_END,
            "",
        ]
    )


def _latex_heading(column: Column, *, split: bool) -> str:
    """Heading over its unit, so that columns stay narrow."""
    text = latex_escaped(f"{column.heading} {column.arrow}")
    if column.unit:
        lower = rf"\scriptsize {latex_escaped(column.unit)}"
        text = rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{text} \\ {lower}\end{{tabular}}"
    return rf"\multicolumn{{2}}{{c}}{{{text}}}" if split else text


def _latex_cell(table: Table, row: Row, column: Column, *, split: bool) -> str:
    def number(text: str) -> str:
        """With a true minus sign; the text font's own would be a bitmap."""
        if text == NOTHING or not text.startswith("-"):
            return latex_escaped(text)
        return f"$-${latex_escaped(text[1:])}"

    cell = table.cell(row, column)
    around = {"best": r"\textbf", "second": r"\underline"}.get(cell.place)
    text = number(cell.number(column))
    text = f"{around}{{{text}}}" if around else text
    if not split:
        return text
    said = "$^{*}$" if "significant" in cell.marks else ""
    said += "!" if "unstable" in cell.marks else ""
    letters = table.letters_of(cell)
    said += rf"\textsuperscript{{{letters}}}" if letters else ""
    if ends := cell.ends(column):
        # As wide with a mark as without, so that the intervals line up too.
        said = rf"\makebox[{0.6 + 0.4 * len(letters):.1f}em][l]{{{said}}}"
        shown = ", ".join(map(number, ends.strip("[]").split(", ")))
        said += rf"{{\scriptsize {{[}}{shown}{{]}}}}"
    return f"{text} & {said}"


_LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\`{}",
    '"': r"\char34{}",
    "-": r"-{}",  # two of them would join to a dash
    "[": "{[}",  # at the start of a row it would be an option of the line break before it
    "]": "{]}",
    "*": "{*}",
    "'": "'{}",
    **{"–": "--", "—": "---", "−": "$-$", "…": r"\dots{}"},
    **{"↑": r"$\uparrow$", "↓": r"$\downarrow$", "↳": r"$\hookrightarrow$", "→": r"$\to$"},
    **{"∞": r"$\infty$", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$"},
    **dict.fromkeys("µμ", r"$\mu$"),
}
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")


def latex_escaped(text: str) -> str:
    """Text as LaTeX that prints it with nothing but the default fonts.

    Letters that these lack become plain ones, or their code point.
    """

    def escaped_character(character: str) -> str:
        if character in _LATEX:
            return _LATEX[character]
        if (character.isascii() and character.isprintable()) or character in _LETTERS:
            return character
        plain = [
            c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
        ]
        if plain and all(c.isascii() and c.isprintable() for c in plain):
            return "".join(_LATEX.get(c, c) for c in plain)
        return f"{{[}}U+{ord(character):04X}{{]}}"

    return "".join(map(escaped_character, " ".join(text.split())))


def to_terminal(tables: Sequence[Table], *, width: int) -> Iterator[RenderableType]:
    """What a rich console prints: tables, each followed by its notes, and those of all.

    Columns that do not fit beside each other into `width` characters go below, with the labels
    repeated, so that neither a number nor a word is cut.
    """
    from rich.text import Text

    shared = shared_footnotes(tables)
    for table in tables:
        yield from _grids(table, width)
        yield from (Text(f"- {note}") for note in table.footnotes if note not in shared)
        yield from (Text(f"- {letter}: {note}") for note, letter in table.letters.items())
        yield Text("")
    yield from (Text(f"- {note}") for note in shared)


def _grids(table: Table, width: int) -> Iterator[RenderableType]:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    labels = [row.title + _raised(table, row, " ({})") for row in table.rows]
    columns = [(c, _terminal_heading(c)) for c in table.shown_columns]
    lines = [[_terminal_cell(table, row, c) for c, _ in columns] for row in table.rows]
    words = [re.split(r"[ \n]", h) if c.kind == "text" else h.split("\n") for c, h in columns]
    widths = [
        max(len(part) for cell in (*heading, *(line[i].plain for line in lines))
            for part in (cell.split() if c.kind == "text" else [cell])) + _GAP
        for i, ((c, _), heading) in enumerate(zip(columns, words, strict=True))
    ]  # fmt: skip
    label_width = max([len(table.label_heading), *map(len, labels)]) + _GAP
    label_width = max(
        min(label_width, width // 2), min(label_width, width - max(widths, default=0))
    )
    room, start = width - label_width, 0
    for end in range(1, max(len(widths), 1) + 1):
        if end < len(widths) and sum(widths[start : end + 1]) <= room:
            continue
        title = Text(table.title) if table.title and not start else None
        grid = Grid(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        grid.pad_edge = False
        grid.add_column(table.label_heading, overflow="fold")  # names give way, numbers must not
        for (column, heading), least in list(zip(columns, widths, strict=True))[start:end]:
            if column.kind == "text":
                grid.add_column(Text(heading), min_width=least - _GAP)
            else:
                grid.add_column(Text(heading), justify="right", no_wrap=True)
        for (heading, row), label, line in zip(table.headed(), labels, lines, strict=True):
            if heading:
                grid.add_section()
                grid.add_row(Text(heading, "italic"))
            grid.add_row(Text(label, "italic" if row.source else ""), *line[start:end])
        yield grid
        start = end


def _terminal_heading(column: Column) -> str:
    """In lines as short as its words; without the unit of what has none."""
    lines = re.split("[ _]", f"{column.heading.strip()}")
    lines[-1] = f"{lines[-1]} {column.arrow}".rstrip()
    return "\n".join([*lines, *([f"({column.unit})"] if column.unit not in ("", "1") else [])])


def _terminal_cell(table: Table, row: Row, column: Column) -> Any:
    from rich.text import Text

    cell = table.cell(row, column)
    text = Text(cell.number(column), {"best": "bold", "second": "underline"}.get(cell.place, ""))
    text.append(cell.behind + _raised(table, cell, " ({})"), "not bold not underline")
    if ends := cell.ends(column):
        text.append(f" {ends}", "dim not bold not underline")
    return text


WRITERS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "markdown": to_markdown, "csv": to_csv, "latex": to_latex, "html": to_html, "json": to_json,
}  # fmt: skip
