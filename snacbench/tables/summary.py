"""The tidy summary of runs: one row per codec and domain, every mean beside its n.

Rates are totals over the clips' total duration, so that short clips with much padding do not
weigh more than they cost. Rates and means are over the clips that all codecs have (`together`), and
say how many those are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snacbench.rate.entropy import Value, bitrate_efficiency, entropy_kbps
from snacbench.rows import Speed
from snacbench.tables.coders import STATIC, Coder
from snacbench.tables.columns import Cells, CodecColumns
from snacbench.tables.entries import Entry, entries_of
from snacbench.tables.run import RunRows
from snacbench.tables.speeds import real_time_factor
from snacbench.tables.together import coded_together, scored_together
from snacbench.units import kbps

if TYPE_CHECKING:
    import pandas as pd

FIXED_COLUMNS = (
    "codec", "domain", "n", "nominal_kbps", "actual_kbps",
    "entropy_kbps", "entropy_low_kbps", "entropy_high_kbps",
    "efficiency", "efficiency_low", "efficiency_high", "bitrate_efficiency",
    "tokens_per_s", "rtf_encode", "rtf_encode_low", "rtf_encode_high",
    "rtf_decode", "rtf_decode_low", "rtf_decode_high", "rtf_batch", "rtf_unstable", "params_m",
)  # fmt: skip
RANGES = {
    "entropy_kbps": ("entropy_low_kbps", "entropy_high_kbps"),
    "efficiency": ("efficiency_low", "efficiency_high"),
}
"""Columns that hold nothing where only a range is known, and those that hold its ends."""
SPREADS = {
    "rtf_encode": ("rtf_encode_low", "rtf_encode_high"),
    "rtf_decode": ("rtf_decode_low", "rtf_decode_high"),
}
"""Columns that hold a median, and those that hold the least and the greatest repeat."""


def summary(runs: Sequence[RunRows]) -> pd.DataFrame:
    """The tidy summary of runs, one row per codec and domain, and ``all`` domains together.

    Returns
    -------
    DataFrame
        Columns `FIXED_COLUMNS` (``codec`` with the run's name where several runs have it), then for
        each metric its mean and ``n_`` of it; what does not apply is missing. Rates in kbps (1000
        bit/s), ``rtf_*`` in seconds of computing per second of audio (lower is faster), the same in
        every domain since they were measured apart; ``rtf_batch`` signals went through at once, and
        ``rtf_unstable`` says why a figure is not to be relied on. Where some codebook has fewer
        tokens than entries, a range stands in place of entropy and efficiency (`RANGES`).
        ``bitrate_efficiency`` is of plug-in entropies, as the DAC paper has it.
    """
    import pandas as pd

    metrics = list(dict.fromkeys(name for rows in runs for name in rows.metrics))
    headings = [*FIXED_COLUMNS, *(c for name in metrics for c in (name, f"n_{name}"))]
    entries = entries_of(runs)
    domains = dict.fromkeys(domain for rows in runs for domain in rows.domains)
    coded = {domain: coded_together(entries, domain) for domain in domains}
    means = {
        (domain, name): _means(scored_together(entries, name, domain)[0])
        for domain in domains
        for name in metrics
    }
    records = [
        {
            **record_of(entry, domain, coded[domain].clips.get(entry.label, ())),
            **{name: means[domain, name].get(entry.label, (None, 0))[0] for name in metrics},
            **{f"n_{name}": means[domain, name].get(entry.label, (None, 0))[1] for name in metrics},
        }
        for entry in entries
        for domain in entry.rows.domains
        if len(entry.columns.tried(domain))
    ]
    return pd.DataFrame.from_records(records, columns=headings)


def _means(scores: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, int]]:
    """Mean over clips, and their number, of every codec that has a value."""
    return {
        label: (math.fsum(values.values()) / len(values), len(values))
        for label, values in scores.items()
    }


def record_of(entry: Entry, domain: str, clips: Collection[str]) -> dict[str, Any]:
    """What `summary` says of a codec apart from metrics; what does not apply is missing or None.

    Parameters
    ----------
    clips : collection of str
        The coded clips that its rates are taken over; none: it has no rates, and ``n`` is how many
        it coded.
    """
    spec, ok = entry.columns.spec, entry.rows.numbers_of(clips)
    record: dict[str, Any] = {
        "codec": entry.label,
        "domain": domain,
        "n": len(ok) or len(entry.columns.ok(domain)),
        "nominal_kbps": spec.nominal_kbps,
        "tokens_per_s": spec.tokens_per_s,
        "params_m": spec.params_m,
    }
    record.update(_speed(entry.columns.speed))
    record.update(_rates(entry.columns, domain, np.array(ok, int)))
    return record


def _speed(speed: Speed | None) -> dict[str, float | str]:
    encode, decode = real_time_factor(speed, "encode"), real_time_factor(speed, "decode")
    if speed is None or encode is None or decode is None:
        return {}
    found: dict[str, float | str] = {"rtf_batch": speed.batch, "rtf_unstable": speed.unstable}
    for column, rtf in (("rtf_encode", encode), ("rtf_decode", decode)):
        low, high = SPREADS[column]
        found |= {column: rtf.median, low: rtf.low, high: rtf.high}
    return found


def _rates(columns: CodecColumns, domain: str, clips: Cells) -> dict[str, float]:
    ok = columns.coded[clips]
    duration_s = math.fsum(ok["duration_s"])
    if not duration_s:
        return {}
    bits = math.fsum(ok["bits"])
    if math.isnan(bits):
        return {}
    found = {"actual_kbps": kbps(bits, duration_s)}
    found.update(_entropy(columns, domain, clips, duration_s))
    found.update(_coded(columns, clips, duration_s))
    return found


def _entropy(
    columns: CodecColumns, domain: str, clips: Cells, duration_s: float
) -> dict[str, float]:
    """Order-0 entropy and efficiency: numbers, or the ends of a range."""
    books = columns.entropies(domain, clips)
    if not books:
        return {}
    side_bits = int(math.fsum(columns.coded[clips]["side_info_bits"]))
    values: tuple[Value, Value] = ("lowest", "highest")
    kbps_ends = [
        entropy_kbps(books, duration_s=duration_s, other_bits=side_bits, value=value)
        for value in values
    ]
    shares = [bitrate_efficiency(books, columns.spec, value=value) for value in values]
    found = {"bitrate_efficiency": bitrate_efficiency(books, columns.spec)}
    for column, ends in (("entropy_kbps", kbps_ends), ("efficiency", shares)):
        if any(book.range_only for book in books):
            found.update(zip(RANGES[column], ends, strict=True))
        else:
            found[column] = ends[0]
    return found


def _coded(columns: CodecColumns, clips: Cells, duration_s: float) -> dict[str, float]:
    """Rates of bytes written by entropy coders: without a context, and by the best context model.

    Not among the summary's columns, since coders run apart; plots take them from here.
    """
    written = columns.written
    chosen = {"coded_kbps": Coder(STATIC), "conditional_kbps": written.best_conditional(clips)}
    side_bits = math.fsum(columns.coded[clips]["side_info_bits"])
    found: dict[str, float] = {}
    for column, coder in chosen.items():
        bits = None if coder is None else written.bits(coder, clips)
        if bits is not None:
            found[column] = kbps(bits + side_bits, duration_s)
    return found
