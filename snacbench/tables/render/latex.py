"""Tables as LaTeX with booktabs, that compiles as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from snacbench.tables.render.latex_text import escaped
from snacbench.tables.table import NOTHING, Cell, Column, Row, Table

_PACKAGES = r"\usepackage{booktabs,graphicx}"
_DOCUMENT = (
    rf"""\documentclass[10pt]{{article}}
\usepackage[a4paper,margin=2cm]{{geometry}}
{_PACKAGES}
\begin{{document}}
""",
    "\\end{document}\n",
)


def to_latex(tables: Sequence[Table], *, standalone: bool = False) -> str:
    """One ``table`` environment each, with all of its notes, as each may land on its own page.

    Parameters
    ----------
    standalone : bool
        A complete document; else a snippet that names the packages it needs in a comment.
    """
    body = "\n".join(map(_table, tables))
    if standalone:
        # A page each: floats that wait for room are limited in number.
        return _DOCUMENT[0] + body.replace(_END, _END + "\n\\clearpage") + _DOCUMENT[1]
    return f"% needs: {_PACKAGES}\n{body}"


_END = r"\end{table}"


def _table(table: Table) -> str:
    split = _annotated(table)
    headings = " & ".join(_heading(column, column.key in split) for column in table.columns)
    # What is said about a number stands in a column of its own, so that the numbers line up.
    kinds = "".join("r@{}l" if column.key in split else "r" for column in table.columns)
    lines = []
    for heading, row in table.headed():
        if heading:
            span = len(table.columns) + len(split) + 1
            title = rf"\multicolumn{{{span}}}{{l}}{{\textit{{{escaped(heading)}}}}} \\"
            lines += [r"\midrule", title]
        lines.append(_row(table, row, split))
    notes = [escaped(note) for note in table.footnotes]
    notes += [rf"\textsuperscript{{{k}}} {escaped(note)}" for note, k in table.letters.items()]
    # Wider than the text: scaled to it; else left as it is.
    fitted = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    return "\n".join(
        [
            r"\begin{table}[tbp]",
            r"\centering",
            r"\small",
            rf"\caption{{{escaped(table.title)}}}",
            fitted,
            rf"\begin{{tabular}}{{l{kinds}}}",
            r"\toprule",
            rf"{escaped(table.label_heading)} & {headings} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
            "\\par\n".join(notes),
            r"\end{minipage}",
            _END,
            "",
        ]
    )


def _annotated(table: Table) -> set[str]:
    """Keys of the columns in which something is said about a number."""
    return {
        column.key
        for column in table.columns
        for cell in (table.cell(row, column) for row in table.rows)
        if cell.notes or "significant" in cell.marks or cell.ends(column.digits)
    }


def _heading(column: Column, split: bool) -> str:
    """Heading over its unit, so that columns stay narrow."""
    stacked = _stacked(column)
    return rf"\multicolumn{{2}}{{c}}{{{stacked}}}" if split else stacked


def _stacked(column: Column) -> str:
    arrow = column.title.rpartition(" ")[2] if column.better else ""
    top = f"{escaped(column.heading)}{f' {escaped(arrow)}' if arrow else ''}"
    if not column.unit:
        return top
    lower = rf"\scriptsize {escaped(column.unit)}"
    return rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{top} \\ {lower}\end{{tabular}}"


def _row(table: Table, row: Row, split: set[str]) -> str:
    cells = (
        _cell(table, table.cell(row, column), column, column.key in split)
        for column in table.columns
    )
    title = rf"\textit{{{escaped(row.title)}}}" if row.source else escaped(row.title)
    return rf"{title}{_raised(table, row)} & {' & '.join(cells)} \\"


def _raised(table: Table, noted: Cell | Row) -> str:
    letters = table.letters_of(noted)
    return rf"\textsuperscript{{{letters}}}" if letters else ""


def _cell(table: Table, cell: Cell, column: Column, split: bool) -> str:
    text = _number(cell.number(column.digits))
    if "best" in cell.marks:
        text = rf"\textbf{{{text}}}"
    elif "second" in cell.marks:
        text = rf"\underline{{{text}}}"
    if not split:
        return text
    said = "$^{*}$" if "significant" in cell.marks else ""
    said += _raised(table, cell)
    if ends := cell.ends(column.digits):
        # As wide with a mark as without, so that the intervals line up too.
        said = rf"\makebox[{0.6 + 0.4 * len(table.letters_of(cell)):.1f}em][l]{{{said}}}"
        said += rf"{{\scriptsize {_ends(ends)}}}"
    return f"{text} & {said}"


def _number(text: str) -> str:
    """A number with a true minus sign; the text font's own would be a bitmap."""
    if text == NOTHING or not text.startswith("-"):
        return escaped(text)
    return f"$-${escaped(text[1:])}"


def _ends(text: str) -> str:
    return ", ".join(map(_number, text.strip("[]").split(", "))).join(("{[}", "{]}"))
