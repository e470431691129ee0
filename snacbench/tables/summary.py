"""The tidy summary of runs: one row per codec and domain, every mean beside its n.

Rates are totals over the clips' total duration, so that short clips with much padding do not
weigh more than they cost. A mean is taken over ``ok`` scores only and says how many those are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snacbench.rate.entropy import Value, bitrate_efficiency, entropy_kbps
from snacbench.rows import Speed
from snacbench.tables.coders import STATIC, Coder
from snacbench.tables.columns import Cells, CodecColumns
from snacbench.tables.run import RunRows
from snacbench.tables.speeds import real_time_factor
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
        Columns `FIXED_COLUMNS`, then for each metric its mean and ``n_`` of it; what does not
        apply is missing. Rates in kbps (1000 bit/s), ``rtf_*`` in seconds of computing per
        second of audio (lower is faster), the same in every domain since they were measured apart;
        ``rtf_batch`` signals went through at once, and ``rtf_unstable`` says why a figure is not
        to be relied on. Where some codebook has fewer tokens than
        entries, a range stands in place of entropy and efficiency (`RANGES`).
        ``bitrate_efficiency`` is of plug-in entropies, as the DAC paper has it.
    """
    import pandas as pd

    metrics = list(dict.fromkeys(name for rows in runs for name in rows.metrics))
    headings = [*FIXED_COLUMNS, *(c for name in metrics for c in (name, f"n_{name}"))]
    records = [
        record_of(columns, domain, metrics)
        for rows in runs
        for columns in rows.codecs
        for domain in rows.domains
        if len(columns.tried(domain))
    ]
    return pd.DataFrame.from_records(records, columns=headings)


def record_of(columns: CodecColumns, domain: str, metrics: Sequence[str]) -> dict[str, Any]:
    """One row of `summary`; what does not apply is missing or None."""
    spec, ok = columns.spec, columns.ok(domain)
    record: dict[str, Any] = {
        "codec": spec.name,
        "domain": domain,
        "n": len(ok),
        "nominal_kbps": spec.nominal_kbps,
        "tokens_per_s": spec.tokens_per_s,
        "params_m": spec.params_m,
    }
    record.update(_speed(columns.speed))
    record.update(_rates(columns, domain, columns.coded[ok]))
    for name in metrics:
        values = columns.values(name, ok)
        record[f"n_{name}"] = len(values)
        record[name] = math.fsum(values) / len(values) if values else None
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


def _rates(columns: CodecColumns, domain: str, ok: Cells) -> dict[str, float]:
    duration_s = math.fsum(ok["duration_s"])
    if not duration_s:
        return {}
    bits = math.fsum(ok["bits"])
    if math.isnan(bits):
        return {}
    found = {"actual_kbps": kbps(bits, duration_s)}
    found.update(_entropy(columns, domain, ok, duration_s))
    found.update(_coded(columns, domain, ok, duration_s))
    return found


def _entropy(columns: CodecColumns, domain: str, ok: Cells, duration_s: float) -> dict[str, float]:
    """Order-0 entropy and efficiency: numbers, or the ends of a range."""
    books = columns.entropies(domain)
    if not books:
        return {}
    side_bits = int(math.fsum(ok["side_info_bits"]))
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


def _coded(columns: CodecColumns, domain: str, ok: Cells, duration_s: float) -> dict[str, float]:
    """Rates of bytes written by entropy coders: without a context, and by the best context model.

    Not among the summary's columns, since coders run apart; plots take them from here.
    """
    clips, written = columns.ok(domain), columns.written
    chosen = {"coded_kbps": Coder(STATIC), "conditional_kbps": written.best_conditional(clips)}
    side_bits = math.fsum(ok["side_info_bits"])
    found: dict[str, float] = {}
    for column, coder in chosen.items():
        bits = None if coder is None else written.bits(coder, clips)
        if bits is not None:
            found[column] = kbps(bits + side_bits, duration_s)
    return found
