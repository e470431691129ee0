"""The summary as CSV, as Markdown and for the terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.notes import notes
from snacbench.tables.run import RunRows
from snacbench.tables.speeds import UNSTABLE
from snacbench.tables.summary import FIXED_COLUMNS, RANGES, SPREADS, summary

__all__ = ["notes", "to_csv", "to_markdown", "to_terminal"]

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

_DIGITS = {
    "nominal_kbps": 2, "actual_kbps": 2, "entropy_kbps": 2, "efficiency": 3,
    "bitrate_efficiency": 3, "tokens_per_s": 1,
    "rtf_encode": 3, "rtf_decode": 3, "rtf_batch": 0, "params_m": 1,
}  # fmt: skip
# The ends of a range or a spread are shown in the cell of what they belong to.
_ENDS = (
    *(end for ends in (*RANGES.values(), *SPREADS.values()) for end in ends),
    "rtf_unstable",
)
_RATE_COLUMNS = tuple(c for c in FIXED_COLUMNS if c not in ("domain", *_ENDS))
_SHORT = {
    "nominal_kbps": "nominal\nkbps", "actual_kbps": "actual\nkbps", "entropy_kbps": "entropy\nkbps",
    "efficiency": "effi-\nciency", "bitrate_efficiency": "plug-in\nefficiency",
    "tokens_per_s": "tokens\n/s", "rtf_encode": "RTF\nencode",
    "rtf_decode": "RTF\ndecode", "rtf_batch": "RTF in\nbatches of", "params_m": "params\nM",
}  # fmt: skip
_NOTHING = "–"
_FEWER_DIGITS_FROM = 1000
_ARROWS = {"higher": "↑", "lower": "↓"}


def to_csv(runs: Sequence[RunRows]) -> str:
    """The tidy summary as CSV, numbers at full precision, missing ones empty."""
    out = io.StringIO()
    summary(runs).to_csv(out, index=False)
    return out.getvalue()


def to_markdown(runs: Sequence[RunRows]) -> str:
    """One Markdown table per domain, each with the notes that belong to it."""
    frame = summary(runs)
    parts = []
    for domain, rows in _by_domain(frame):
        shown = rows.drop(columns=["domain", *_ENDS])
        cells = [[_cell(record, c) for c in shown] for record in rows.to_dict("records")]
        parts += [f"### {domain}", "", _markdown_table([str(c) for c in shown], cells), ""]
    return "\n".join([*parts, *(f"- {note}" for note in notes(runs))]).rstrip() + "\n"


def to_terminal(runs: Sequence[RunRows], *, width: int) -> list[Table]:
    """Tables for the terminal: rates and speed over all clips, then quality per domain.

    A metric's n is shown where it is not the row's; arrows point to the better end. Metrics that
    do not fit beside each other go into a table of their own, so that no number is cut.
    """
    frame = summary(runs)
    everything = frame[frame["domain"] == ALL_DOMAINS]
    known = [c for c in FIXED_COLUMNS if not everything[c].isna().all()]
    rates = [c for c in _RATE_COLUMNS[1:] if c in known or RANGES.get(c, (c,))[0] in known]
    if not (everything["rtf_batch"] > 1).any():
        rates = [c for c in rates if c != "rtf_batch"]
    better = {m.name: m.better for r in runs for m in r.run.metrics}
    heading = {name: f"{name} {_ARROWS[direction]}" for name, direction in better.items()}
    metrics = [c for c in frame if c not in FIXED_COLUMNS and not str(c).startswith("n_")]
    title, codecs = "rates and speed, all clips", _columns(everything, ["codec"])
    tables = _tables(title, codecs, _columns(everything, rates), width)
    for domain, rows in _by_domain(frame):
        used = [str(m) for m in metrics if rows[f"n_{m}"].sum() > 0]
        first = _columns(rows, ["codec", "n", "actual_kbps"])
        scores = [_score_column(rows, m, heading.get(m, m)) for m in used]
        tables += _tables(domain, first, scores, width)
    return tables


# A column of a terminal table: its heading, in several lines, and its cells.
_Column = tuple[str, list[str]]


def _columns(rows: pd.DataFrame, names: Sequence[str]) -> list[_Column]:
    records = rows.to_dict("records")
    return [(_SHORT.get(name, name), [_cell(r, name) for r in records]) for name in names]


def _score_column(rows: pd.DataFrame, metric: str, heading: str) -> _Column:
    cells = [_with_n(record, metric) for record in rows.to_dict("records")]
    return heading.replace("_", "\n"), cells


def _width(column: _Column) -> int:
    return max(map(len, [*column[0].split("\n"), *column[1]])) + 3


def _tables(
    title: str, first: Sequence[_Column], others: Sequence[_Column], width: int
) -> list[Table]:
    groups = _fitting(others, width - sum(map(_width, first)))
    return [_terminal_table(title, [*first, *group]) for group in groups]


def _fitting(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Columns in groups, each as many as fit into `width`, and at least one."""
    group: list[_Column] = []
    for column in columns:
        if group and sum(map(_width, [*group, column])) > width:
            yield group
            group = []
        group.append(column)
    yield group


def _terminal_table(title: str, columns: Sequence[_Column]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.pad_edge = False
    table.add_column(columns[0][0], overflow="fold")  # names give way where numbers must not
    for column in columns[1:]:
        table.add_column(column[0], justify="right", no_wrap=True)
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*cells)
    return table


def _by_domain(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for domain in dict.fromkeys([*frame["domain"], ALL_DOMAINS]):
        rows = frame[frame["domain"] == domain]
        others = frame["domain"].nunique() > 2 or domain != ALL_DOMAINS
        if len(rows) and others:
            yield str(domain), rows


def _cell(record: Mapping[Any, Any], column: Any) -> str:
    value = record[column]
    if isinstance(value, str) or column == "n" or str(column).startswith("n_"):
        return str(value)
    if not _missing(value):
        return _number(value, column) + _spread(record, column)
    ends = [record[end] for end in RANGES.get(column, ())]
    if not ends or any(map(_missing, ends)):
        return _NOTHING
    return " to ".join(_number(end, column) for end in ends)


def _spread(record: Mapping[Any, Any], column: Any) -> str:
    """What follows a speed: least and greatest, and a mark where it is unstable."""
    if column not in SPREADS:
        return ""
    low, high = (_number(record[end], column) for end in SPREADS[column])
    return f" [{low}, {high}]{UNSTABLE if record['rtf_unstable'] else ''}"


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: float, column: Any) -> str:
    digits = _DIGITS.get(column, 3) if abs(value) < _FEWER_DIGITS_FROM else 1
    return f"{float(value):.{digits}f}"


def _with_n(record: Mapping[Any, Any], metric: str) -> str:
    n = record[f"n_{metric}"]
    note = "" if n == record["n"] else f" ({n})"
    return f"{_cell(record, metric)}{note}"


def _markdown_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    from tabulate import tabulate

    align = ["left" if column == "codec" else "right" for column in columns]
    return tabulate(cells, columns, tablefmt="pipe", colalign=align, disable_numparse=True)
