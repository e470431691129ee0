"""Tables as text, one function per format: Markdown, CSV, JSON, HTML, LaTeX, and the terminal."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from html import escape
from typing import Any

from rich import box, markup
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text
from tabulate import tabulate

from snacbench.tables.table_model import SIGNS, Cell, Column, Row, Table

SCHEMA = 2
"""Of CSV and JSON; docs/tables.md says what it holds."""
_ENDS = ("_low", "_high")
_EXTRAS: Mapping[str, tuple[str, ...]] = {"estimate": _ENDS, "mean": (*_ENDS, "_n", "_marks")}
_GAP = 3  # spaces between the columns of a terminal table


@dataclass(frozen=True)
class _Form:
    """How a format writes what a cell and a note have; ``{}`` is the text.

    What is said about a number follows it, or its interval where it is to stand `after` that.
    """

    escape: Callable[[str], str]
    best: str
    second: str
    ends: str
    raised: str
    after: str = ""
    minus: str = "-"

    def text(self, text: str) -> str:
        """A number, with this format's minus sign, or a word in its place."""
        minus = self.minus if text.startswith("-") else ""
        return minus + self.escape(text.removeprefix("-"))

    def cell(self, table: Table, row: Row, column: Column) -> str:
        """The number with its place, its interval, and what else is said about it."""
        cell = table.cell(row, column)
        number, ends = self.text(cell.number(column)), cell.ends(column)
        for mark, around in (("best", self.best), ("second", self.second)):
            number = around.format(number) if mark in cell.marks else number
        if ends:
            ends = self.ends.format(", ".join(map(self.text, ends.strip("[]").split(", "))))
        letters = ",".join(table.letters[note] for note in cell.notes)
        signs = "".join(SIGNS.get(mark, "") for mark in cell.marks)
        said = self.escape(signs) + (self.raised.format(letters) if letters else "")
        if said and self.after:
            return number + ends + self.after.format(said)
        return number + said + ends

    def notes(self, table: Table, shared: Sequence[str] = ()) -> list[str]:
        """Its footnotes but for those that all tables share, and what its letters say."""
        own = [self.escape(note) for note in table.footnotes if note not in shared]
        lettered = table.letters.items()
        return own + [
            f"{self.raised.format(k)} {self.escape(note)}".strip() for note, k in lettered
        ]


def _shared(tables: Sequence[Table]) -> list[str]:
    """Footnotes that all of several tables have, to be said once below them."""
    notes = tables[0].footnotes if len(tables) > 1 else ()
    return [note for note in notes if all(note in table.footnotes for table in tables)]


def to_markdown(tables: Sequence[Table]) -> str:
    """GitHub's Markdown: best in bold, second underlined; what all tables say comes last."""
    form = _Form(escaped, "**{}**", "<ins>{}</ins>", r" \[{}\]", "<sup>{}</sup>")
    shared = _shared(tables)
    parts = []
    for table in tables:
        columns = table.shown_columns
        lines: list[list[str]] = []
        for heading, row in table.headed():
            if heading:
                lines.append([f"*{escaped(heading)}*", *("" for _ in columns)])
            lines.append([form.escape(row.label), *(form.cell(table, row, c) for c in columns)])
        headings = [escaped(h) for h in (table.label_heading, *(c.title for c in columns))]
        align = ["left", *("left" if c.kind == "text" else "right" for c in columns)]
        grid = tabulate(lines, headings, tablefmt="pipe", colalign=align, disable_numparse=True)
        title = f"### {escaped(table.title)}" if table.title else ""
        above = (f"**{escaped(text)}**" for text in table.above)
        notes = "\n".join(f"- {note}" for note in form.notes(table, shared))
        parts += [part for part in (title, *above, grid, notes) if part]
    if shared:
        parts.append("\n".join(f"- {escaped(note)}" for note in shared))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))


def records_of(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """A record per table and row, all with the same keys; what a cell lacks is None.

    First ``table``, ``codec`` (the row's label), ``domain``, and two that are always empty; then of
    each column its value and what its kind has (`Column.kind`); last ``notes``. Numbers are
    numbers, at full precision, ends of intervals at 12 digits; what is no number is in the notes.
    Groups of clips have a column of what they are grouped by, after the domain; where rows are
    means over checkpoints, their number follows, and each figure's standard deviation, ``_sd``.
    """
    columns = {column.key: column for table in tables for column in table.columns}
    rows = [(table, row) for table in tables for row in table.rows if not row.source]
    seeds = any(row.checkpoints for _, row in rows)
    keys = ["table", "codec", "domain", *dict.fromkeys(t.group[0] for t in tables if t.group)]
    keys += ["source", "beside"]  # of older files
    keys += ["checkpoints"] if seeds else []
    for column in columns.values():
        keys += [column.key, *(column.key + extra for extra in _EXTRAS.get(column.kind, ()))]
        keys += [f"{column.key}_sd"] if seeds else []
    records = []
    for table, row in rows:
        record: dict[str, Any] = dict.fromkeys([*keys, "notes"])
        record |= {"table": table.title, "codec": row.label, "domain": table.domain}
        record |= dict([table.group]) if table.group else {}
        record |= {"checkpoints": row.checkpoints or None} if seeds else {}
        notes: list[str] = []
        for column in table.columns:
            cell, key = table.cell(row, column), column.key
            number: float | str | None = cell.value
            if cell.value is None or math.isnan(cell.value):
                number = cell.text if column.kind == "text" else None
                notes += [f"{key}: {cell.text}"] if cell.text and number is None else []
            else:
                whole = not column.digits and float(cell.value).is_integer()
                number = int(cell.value) if whole else float(cell.value)
            notes += [f"{key}: {note}" for note in cell.notes]
            ends = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
            # Digits beyond these depend on the order of sums, and so on the other codecs.
            low, high = (None if end is None else float(f"{end:.12g}") for end in ends)
            found = (number, low, high, cell.n, " ".join(cell.marks))
            extras = ("", *_EXTRAS.get(column.kind, ()))
            record |= {key + extra: said for extra, said in zip(extras, found, strict=False)}
            record |= {f"{key}_sd": cell.spread} if seeds else {}
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


def finite(value: Any) -> Any:
    """For JSON: an infinite number as ``"inf"`` or ``"-inf"``, null where there is none."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(float(value))
    return value


def to_json(tables: Sequence[Table]) -> str:
    """A list of tables: columns with units and directions, rows of cells by column, footnotes.

    Of a cell, what it lacks is left out, but for its value, which is null.
    """

    def cell_of(cell: Cell) -> dict[str, Any]:
        told = {key: found for key, found in asdict(cell).items() if found not in (None, "", ())}
        return told | {"value": None if cell.value is None else float(cell.value)}

    found = [
        {
            "title": table.title,
            **({"above": table.above} if table.above else {}),
            "domain": table.domain,
            **(dict([table.group]) if table.group else {}),
            "columns": [
                {"key": c.key, "heading": c.heading, "unit": c.unit, "better": c.better}
                for c in table.columns
            ],
            "rows": [
                {
                    "codec": row.label,
                    **({"published": row.source} if row.source else {}),
                    **({"checkpoints": row.checkpoints} if row.checkpoints else {}),
                    "cells": {c.key: cell_of(table.cell(row, c)) for c in table.columns},
                }
                for row in table.rows
            ],
            "footnotes": table.footnotes,
        }
        for table in tables
    ]  # fmt: skip
    described = finite({"schema": SCHEMA, "tables": found})
    return json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def html_fragment(tables: Sequence[Table]) -> str:
    """The tables for a page that brings its own style, if any."""
    best, second, ends = (
        f'<span class="{kind}">{{}}</span>' for kind in ("best", "second", "ends")
    )
    form = _Form(escape, best, second, f" {ends}".replace("{}", "[{}]"), "<sup>{}</sup>")
    shared = _shared(tables)

    def listed(notes: Sequence[str]) -> list[str]:
        items = "\n".join(f"<li>{note}</li>" for note in notes)
        return [f'<ul class="notes">\n{items}\n</ul>'] if notes else []

    parts = []
    for table in tables:
        columns = table.shown_columns
        head = f'<th scope="col">{escape(table.label_heading)}</th>'
        for column in columns:
            unit = f'<br><span class="unit">{escape(column.unit)}</span>' if column.unit else ""
            title = escape(f"{column.heading} {column.arrow}".rstrip())
            head += f'<th scope="col">{title}{unit}</th>'
        lines = []
        for heading, row in table.headed():
            if heading:
                span = f'colspan="{len(columns) + 1}" scope="rowgroup"'
                lines.append(f'<tr class="heading"><th {span}>{escape(heading)}</th></tr>')
            cells = "".join(f"<td>{form.cell(table, row, column)}</td>" for column in columns)
            lines.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>')
        title = f"<caption>{escape(table.title)}</caption>" if table.title else ""
        parts += [f'<p class="above"><strong>{escape(text)}</strong></p>' for text in table.above]
        parts.append(
            f'<div class="scroll"><table>\n{title}\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
            + "\n".join([*lines, "</tbody>", "</table></div>"])
        )
        parts += listed(form.notes(table, shared))
    return "\n".join([*parts, *listed([escape(note) for note in shared])])


# Wider than the text: scaled to it; else left as it is.
_FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def to_latex(tables: Sequence[Table]) -> str:
    """LaTeX with booktabs: one ``table`` each, with all of its notes, as each may have a page."""
    body = "\n".join(map(_latex_table, tables))
    return "% needs: \\usepackage{booktabs,graphicx}\n" + body


def _latex_table(table: Table) -> str:
    form = _Form(
        latex_escaped, r"\textbf{{{}}}", r"\underline{{{}}}", r" & {{\scriptsize {{[}}{}{{]}}}}",
        r"\textsuperscript{{{}}}",
        r"\rlap{{{}}}",  # without room of its own, so that the numbers line up
        "$-$",  # the text font's own would be a bitmap
    )  # fmt: skip
    columns = table.shown_columns
    # Intervals stand in columns of their own, so that the numbers line up beside them too.
    split = {c.key for c in columns if any(table.cell(row, c).ends(c) for row in table.rows)}
    kinds, headings = "", latex_escaped(table.label_heading)
    for column in columns:
        kinds += "l" if column.kind == "text" else "r@{ }l" if column.key in split else "r"
        text = latex_escaped(f"{column.heading} {column.arrow}")
        if column.unit:  # below its heading, so that columns stay narrow
            text = rf"\shortstack{{{text} \\ \scriptsize {latex_escaped(column.unit)}}}"
        headings += rf" & \multicolumn{{2}}{{c}}{{{text}}}" if column.key in split else f" & {text}"
    lines = []
    for heading, row in table.headed():
        if heading:
            span = rf"\multicolumn{{{len(columns) + len(split) + 1}}}{{l}}"
            lines += [r"\midrule", rf"{span}{{\textit{{{latex_escaped(heading)}}}}} \\"]
        line = form.escape(row.label)
        for column in columns:
            alone = column.key in split and not table.cell(row, column).ends(column)
            line += f" & {form.cell(table, row, column)}{' & ' * alone}"
        lines.append(rf"{line} \\")
    caption = [rf"\caption{{{latex_escaped(table.title)}}}"] if table.title else []
    above = [r"\begin{table}[tbp]", r"\centering", r"\small", *caption]
    above += [rf"\parbox{{\linewidth}}{{\textbf{{{latex_escaped(t)}}}}}\par" for t in table.above]
    above += [_FITTED]
    grid = [rf"\begin{{tabular}}{{l{kinds}}}", r"\toprule", rf"{headings} \\", r"\midrule", *lines]
    below = [r"\bottomrule", r"\end{tabular}}", r"\par\smallskip"]
    small = [r"\begin{minipage}{\linewidth}\scriptsize\raggedright"]
    small += ["\\par\n".join(form.notes(table)), r"\end{minipage}", r"\end{table}", ""]
    return "\n".join([*above, *grid, *below, *small])


_LATEX: Mapping[str, str] = {
    **{character: f"\\{character}" for character in "{}$&#_%"},
    **{character: f"{character}{{}}" for character in "-'"},  # two would join
    # At the start of a row, brackets and a star belong to the line break before it.
    **{character: f"{{{character}}}" for character in "[]*"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{"`": r"\`{}", '"': r"\char34{}", "–": "--", "—": "---", "−": "$-$", "…": r"\dots{}"},
    **{"↑": r"$\uparrow$", "↓": r"$\downarrow$", "↳": r"$\hookrightarrow$", "→": r"$\to$"},
    **{"∞": r"$\infty$", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$"},
    **dict.fromkeys("µμ", r"$\mu$"),
}


def latex_escaped(text: str) -> str:
    """Text as LaTeX that prints it, signs and arrows with nothing but the default fonts."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def to_terminal(tables: Sequence[Table], *, width: int) -> Iterator[RenderableType]:
    """What a rich console prints: tables, each followed by its notes, and those of all.

    Columns that do not fit beside each other into `width` characters go below, with the labels
    repeated, so that neither a number nor a word is cut.
    """
    bold, line = "[bold]{}[/bold]", "[underline]{}[/underline]"
    form = _Form(markup.escape, bold, line, r" [dim]\[{}][/dim]", " ({})")
    shared = _shared(tables)
    for table in tables:
        yield from (Text(text, style="bold red") for text in table.above)
        yield from _grids(table, form, width)
        yield from (Text.from_markup(f"- {n}", emoji=False) for n in form.notes(table, shared))
        yield Text("")
    yield from (Text(f"- {note}") for note in shared)


def _grids(table: Table, form: _Form, width: int) -> Iterator[RenderableType]:
    columns, headings, widths = table.shown_columns, [], []
    marked = partial(Text.from_markup, emoji=False)
    labels = [Text(row.label) for row in table.rows]
    lines = [[marked(form.cell(table, row, column)) for column in columns] for row in table.rows]
    for i, column in enumerate(columns):  # headings in lines as short as their words
        above = re.split("[ _]", column.heading.strip())
        above[-1] = f"{above[-1]} {column.arrow}".rstrip()
        above += [f"({column.unit})"] if column.unit not in ("", "1") else []
        texts = [*above, *(line[i].plain for line in lines)]
        parts = [part for t in texts for part in (t.split() if column.kind == "text" else [t])]
        widths.append(max(map(len, parts)) + _GAP)
        headings.append(Text("\n".join(above)))
    most = max(width // 2, width - max(widths, default=0))
    label_width = min(max([len(table.label_heading), *map(len, labels)]) + _GAP, most)
    start = 0
    for end in range(1, max(len(widths), 1) + 1):
        if end < len(widths) and sum(widths[start : end + 1]) <= width - label_width:
            continue
        title = Text(table.title) if table.title and not start else None
        grid = Grid(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        grid.pad_edge = False
        grid.add_column(table.label_heading, overflow="fold")  # names give way, numbers must not
        for i in range(start, min(end, len(widths))):
            if columns[i].kind == "text":
                grid.add_column(headings[i], min_width=widths[i] - _GAP)
            else:
                grid.add_column(headings[i], justify="right", no_wrap=True)
        for (heading, _), label, line in zip(table.headed(), labels, lines, strict=True):
            if heading:
                grid.add_section()
                grid.add_row(Text(heading, "italic"))
            grid.add_row(label, *line[start:end])
        yield grid
        start = end


WRITERS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "markdown": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    # As a file of its own it says no encoding.
    "html": lambda tables: html_fragment(tables).encode("ascii", "xmlcharrefreplace").decode(),
    "json": to_json,
}
