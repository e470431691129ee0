"""The summary as CSV, as Markdown and for the terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from snacbench.rows import Agreement
from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.summary import FIXED_COLUMNS, RunRows, summary

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

_DIGITS = {
    "nominal_kbps": 2, "actual_kbps": 2, "entropy_kbps": 2, "efficiency": 3, "tokens_per_s": 1,
    "rtf_encode": 3, "rtf_decode": 3, "rtf_batch": 0, "params_m": 1,
}  # fmt: skip
_RATE_COLUMNS = tuple(column for column in FIXED_COLUMNS if column != "domain")
_SHORT = {
    "nominal_kbps": "nominal\nkbps", "actual_kbps": "actual\nkbps", "entropy_kbps": "entropy\nkbps",
    "efficiency": "effi-\nciency", "tokens_per_s": "tokens\n/s", "rtf_encode": "RTF\nencode",
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
        shown = rows.drop(columns=["domain"])
        cells = [[_cell(record, c) for c in shown] for record in shown.to_dict("records")]
        parts += [f"### {domain}", "", _markdown_table([str(c) for c in shown], cells), ""]
    return "\n".join([*parts, *(f"- {note}" for note in notes(runs))]).rstrip() + "\n"


def to_terminal(runs: Sequence[RunRows], *, width: int) -> list[Table]:
    """Tables for the terminal: rates and speed over all clips, then quality per domain.

    A metric's n is shown where it is not the row's; arrows point to the better end. Metrics that
    do not fit beside each other go into a table of their own, so that no number is cut.
    """
    frame = summary(runs)
    everything = frame[frame["domain"] == ALL_DOMAINS]
    rates = [c for c in _RATE_COLUMNS[1:] if not everything[c].isna().all()]
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


def notes(runs: Sequence[RunRows]) -> list[str]:
    """What a reader of the numbers must know, one sentence each."""
    return [note for rows in runs for note in _notes(rows)]


def _notes(rows: RunRows) -> Iterator[str]:
    run = rows.run
    yield (
        f"Test set {run.test_set} (sha256 {run.set_sha256[:12]}), seed {run.seed}, "
        f"{run.recipe.get('channels', 'mono')}, snacbench {run.snacbench_version}."
    )
    demonstration = sorted({spec.model for spec in run.codecs if spec.demonstration})
    if demonstration:
        yield (
            f"{', '.join(demonstration)}: embedded demonstration models, not the published "
            "codecs; their numbers show that the machine works."
        )
    if truncated := [spec.name for spec in run.codecs if spec.truncated]:
        yield f"{', '.join(truncated)}: truncated to a depth the model was not trained for."
    if unverified := [s.name for s in run.codecs if s.weights.source == "folder"]:
        yield f"{', '.join(unverified)}: weights from a local folder, see run.json for sha256."
    own = [
        s.name
        for s in run.codecs
        if s.weights.source == "own" and s.weights.origin != "snacbench package"
    ]
    if own:
        yield f"{', '.join(own)}: files of the user's own, see run.json for paths and sha256."
    small = [codec.spec.name for codec in rows.codecs if _is_small(codec)]
    if small:
        yield (
            f"Entropy of {', '.join(small)} rests on fewer than 3 tokens per codebook entry "
            "over all clips; per domain on fewer still."
        )
    yield from _computing_notes(rows)
    undefined = {
        m for codec in rows.codecs for m, c in codec.scores.items() if c["undefined"].any()
    }
    if undefined:
        metrics = ", ".join(sorted(undefined))
        yield f"Undefined for some clips, see their reasons in scores.jsonl: {metrics}."
    tried = sum(len(codec.tried(ALL_DOMAINS)) for codec in rows.codecs)
    failed = tried - sum(len(codec.ok(ALL_DOMAINS)) for codec in rows.codecs)
    if failed:
        yield (
            f"{failed} of {tried} codings (clips times codecs) failed; means are over the others."
        )


def _computing_notes(rows: RunRows) -> Iterator[str]:
    if any((codec.coded["batch"] > 1).any() for codec in rows.codecs):
        yield (
            "RTF in batches: each clip is charged its share of its batch, which says nothing of "
            "one clip alone."
        )
    yield from map(_agreement_note, rows.agreements)


def _agreement_note(row: Agreement) -> str:
    share = "no codes to compare" if row.share is None else f"{row.share:.2%} of the codes equal"
    audio = "the same audio" if row.snr_db is None else f"audio at {row.snr_db:.1f} dB SNR"
    return f"{row.codec} in {row.computed} against {row.baseline}: {share}, {audio}."


def _is_small(codec: CodecColumns) -> bool:
    return any(not book.reliable for book in codec.entropies(ALL_DOMAINS))


def _by_domain(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for domain in dict.fromkeys([*frame["domain"], ALL_DOMAINS]):
        rows = frame[frame["domain"] == domain]
        others = frame["domain"].nunique() > 2 or domain != ALL_DOMAINS
        if len(rows) and others:
            yield str(domain), rows


def _cell(record: Mapping[Any, Any], column: Any) -> str:
    value = record[column]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _NOTHING
    if isinstance(value, str) or column == "n" or str(column).startswith("n_"):
        return str(value)
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
