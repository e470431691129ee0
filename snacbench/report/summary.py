"""The summary as cells of an HTML table, one table per domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from snacbench.stats.intervals import Interval
from snacbench.tables.from_runs import summary
from snacbench.tables.records import RANGES, SPREADS
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows
from snacbench.tables.side_by_side import block_of, entries_of

_RATES = {
    "actual_kbps": ("kbps", "actual rate in kbps: all bits a decoder needs, over duration", 2),
    "nominal_kbps": ("nominal", "rate that the authors would state, in kbps", 2),
    "entropy_kbps": ("entropy", "rate in kbps after ideal entropy coding of the codes", 2),
    "tokens_per_s": ("tokens/s", "code indices per second", 1),
    "rtf_encode": ("RTF enc", "median seconds of encoding per second of audio, lower is faster", 3),
    "rtf_decode": ("RTF dec", "median seconds of decoding per second of audio, lower is faster", 3),
    "params_m": ("params M", "parameters in millions", 1),
}  # fmt: skip
_FIRST = "actual_kbps"
_SCORE_DIGITS = 3


@dataclass(frozen=True)
class Heading:
    """The head of a column: what it says, what it means, where the better end is, a common n."""

    text: str
    meaning: str
    arrow: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, its own n where that is not the row's, and whether it is the best.

    `interval` is the 95 % interval of a mean, its ends written out.
    """

    text: str
    note: str = ""
    best: bool = False
    interval: str = ""


@dataclass(frozen=True)
class DomainTable:
    """The summary of one domain: `rows` are codec, n, and a cell per heading.

    `footnotes` say what the intervals rest on, a sentence for each way in which they were made.
    """

    domain: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]
    footnotes: tuple[str, ...] = ()


def domain_tables(rows: RunRows) -> list[DomainTable]:
    """All domains together first, then each, where there is more than one."""
    frame = summary([rows])
    domains = list(dict.fromkeys(frame["domain"]))
    single = len(domains) <= 2
    order = [ALL_DOMAINS] if single else [ALL_DOMAINS, *(d for d in domains if d != ALL_DOMAINS)]
    return [
        _table(rows, domain, frame[frame["domain"] == domain].to_dict("records"))
        for domain in order
        if domain in domains
    ]


def _table(rows: RunRows, domain: str, records: Sequence[Mapping[Any, Any]]) -> DomainTable:
    rate, *others = [c for c in _RATES if any(_is_there(r, c) for r in records)] or [_FIRST]
    metrics = [m for m in rows.metrics if any(r[f"n_{m}"] for r in records)]
    common = {m: _common_n(m, records) for m in metrics}
    headings = [
        Heading(*_RATES[rate][:2]),
        *(replace(_metric_heading(rows, m), note=common[m]) for m in metrics),
        *(Heading(*_RATES[c][:2]) for c in others),
    ]
    best = {m: _best(rows, m, records) for m in metrics}
    means = block_of(entries_of([rows]), metrics, domain, ci=True).cells
    intervals = {key: cell.interval for key, cell in means.items() if cell.interval}
    cells = [
        (
            str(r["codec"]),
            int(r["n"]),
            (
                Cell(_text(r[rate], _RATES[rate][2])),
                *(
                    _with_interval(
                        _score_cell(r, m, best[m], noted=bool(common[m])),
                        intervals.get((str(r["codec"]), m)),
                    )
                    for m in metrics
                ),
                *(_rate_cell(r, c) for c in others),
            ),
        )
        for r in records
    ]
    methods = dict.fromkeys(interval.method for interval in intervals.values())
    footnotes = tuple(f"In small type: 95 % interval of the mean, {method}." for method in methods)
    return DomainTable(domain, tuple(headings), tuple(cells), footnotes)


def _is_there(record: Mapping[Any, Any], column: str) -> bool:
    return all(_known(record[c]) for c in RANGES.get(column, (column,))) or _known(record[column])


def _rate_cell(record: Mapping[Any, Any], column: str) -> Cell:
    """A rate; a speed with least and greatest repeat, and marked where it is unstable."""
    cell = Cell(_rate_text(record, column))
    if column not in SPREADS or not _known(record[column]):
        return cell
    low, high = (_text(record[end], _RATES[column][2]) for end in SPREADS[column])
    note = "unstable" if record["rtf_unstable"] else ""
    return replace(cell, note=note, interval=f"{low} to {high}")


def _rate_text(record: Mapping[Any, Any], column: str) -> str:
    """A rate, or the range that stands in its place."""
    digits = _RATES[column][2]
    if _known(record[column]) or not _is_there(record, column):
        return _text(record[column], digits)
    low, high = (_text(record[end], digits) for end in RANGES[column])
    return f"{low} to {high}"


def _metric_heading(rows: RunRows, name: str) -> Heading:
    spec = next((m for m in rows.run.metrics if m.name == name), None)
    if spec is None:
        return Heading(name, name)
    direction = f"{spec.better} is better"
    meaning = f"{spec.unit}; {direction}" if spec.unit else direction
    return Heading(name, meaning, {"higher": "↑", "lower": "↓"}[spec.better])


def _best(rows: RunRows, name: str, records: Sequence[Mapping[Any, Any]]) -> float | None:
    """The best mean among codecs that were scored on all clips of the domain."""
    spec = next((m for m in rows.run.metrics if m.name == name), None)
    most = max(r[f"n_{name}"] for r in records)
    anchors = {c.spec.name for c in rows.codecs if c.spec.anchor}
    values = [
        float(r[name])
        for r in records
        if _known(r[name]) and r[f"n_{name}"] == most and r["codec"] not in anchors
    ]
    if spec is None or len(values) < 2:
        return None
    return max(values) if spec.better == "higher" else min(values)


def _common_n(metric: str, records: Sequence[Mapping[Any, Any]]) -> str:
    """A metric's n where it is one for all codecs, and not that of the rows: said once."""
    found = {(r[f"n_{metric}"], r["n"]) for r in records}
    (n, of_row), *others = found
    return f"n = {n}" if not others and n != of_row else ""


def _score_cell(record: Mapping[Any, Any], metric: str, best: float | None, *, noted: bool) -> Cell:
    value, n = record[metric], record[f"n_{metric}"]
    note = "" if noted or n == record["n"] else f"n = {n}"
    return Cell(_text(value, _SCORE_DIGITS), note, best is not None and value == best)


def _with_interval(cell: Cell, interval: Interval | None) -> Cell:
    if interval is None or interval.low is None or interval.high is None:
        return cell
    low, high = _text(interval.low, _SCORE_DIGITS), _text(interval.high, _SCORE_DIGITS)
    return replace(cell, interval=f"{low} to {high}")


def _text(value: Any, digits: int) -> str:
    return f"{float(value):,.{digits}f}".replace("-", "−") if _known(value) else "–"


def _known(value: Any) -> bool:
    return value is not None and not math.isnan(value)
