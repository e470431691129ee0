"""What is known of a codec apart from metrics, as a record: rates, entropy, speed, size.

Rates are totals over the clips' total duration, so that short clips with much padding do not
weigh more than they cost.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from snacbench.rate.entropy import Value, bitrate_efficiency, entropy_kbps
from snacbench.rows import Speed
from snacbench.tables.run_rows import STATIC, Cells, CodecColumns, Coder
from snacbench.tables.side_by_side import Entry
from snacbench.units import kbps

RANGES = {
    "entropy_kbps": ("entropy_low_kbps", "entropy_high_kbps"),
    "efficiency": ("efficiency_low", "efficiency_high"),
}
"""Figures that are missing where only a range is known, and those that are its ends."""
SPREADS = {
    "rtf_encode": ("rtf_encode_low", "rtf_encode_high"),
    "rtf_decode": ("rtf_decode_low", "rtf_decode_high"),
}
"""Figures that are a median, and those that are the least and the greatest repeat."""

FIGURES = (
    "codec", "domain", "n", "nominal_kbps", "actual_kbps", "entropy_kbps", *RANGES["entropy_kbps"],
    "efficiency", *RANGES["efficiency"], "bitrate_efficiency", "tokens_per_s", "rtf_encode",
    *SPREADS["rtf_encode"], "rtf_decode", *SPREADS["rtf_decode"], "rtf_batch", "rtf_unstable",
    "params_m",
)  # fmt: skip
"""Keys of a record that `from_runs.summary` has as columns."""

Part = Literal["encode", "decode", "both"]


@dataclass(frozen=True)
class RealTimeFactor:
    """Seconds of computing per second of audio: median, least and greatest of the repeats."""

    median: float
    low: float
    high: float


def real_time_factor(speed: Speed | None, part: Part) -> RealTimeFactor | None:
    """Of encoding, decoding, or both together; None where it was not measured."""
    if speed is None or not speed.encode_s:
        return None
    both = tuple(a + b for a, b in zip(speed.encode_s, speed.decode_s, strict=True))
    seconds = {"encode": speed.encode_s, "decode": speed.decode_s, "both": both}[part]
    audio_s = speed.duration_s * speed.batch
    median, low, high = statistics.median(seconds), min(seconds), max(seconds)
    return RealTimeFactor(median / audio_s, low / audio_s, high / audio_s)


def record_of(entry: Entry, domain: str, clips: Collection[str]) -> dict[str, Any]:
    """All figures of a codec that are no means of metrics; what does not apply is missing or None.

    Parameters
    ----------
    clips : collection of str
        The coded clips that its rates are taken over; none: it has no rates, and ``n`` is how many
        it coded.

    Returns
    -------
    dict
        ``codec``, ``domain``, ``n``, ``*_kbps`` (1000 bit/s), ``efficiency`` (share, corrected) and
        ``bitrate_efficiency`` (of plug-in entropies, as the DAC paper has it), or `RANGES` where
        some codebook has fewer tokens than entries; ``tokens_per_s``, ``params_m`` (millions);
        ``rtf_*`` in seconds of computing per second of audio, the same in every domain since they
        were measured apart: ``rtf_batch`` signals went through at once, ``rtf_unstable`` says why a
        figure is not to be relied on; ``coded_kbps`` and ``conditional_kbps`` are of bytes that
        entropy coders wrote, without a context and by the best context model.
    """
    spec, ok = entry.columns.spec, np.array(entry.rows.numbers_of(clips), int)
    record: dict[str, Any] = {
        "codec": entry.label,
        "domain": domain,
        "n": len(ok) or len(entry.columns.ok(domain)),
        "nominal_kbps": spec.nominal_kbps,
        "tokens_per_s": spec.tokens_per_s,
        "params_m": spec.params_m,
    }
    speed = entry.columns.speed
    for column, part in (("rtf_encode", "encode"), ("rtf_decode", "decode")):
        if speed and (rtf := real_time_factor(speed, part)):  # type: ignore[arg-type]
            low, high = SPREADS[column]
            record |= {column: rtf.median, low: rtf.low, high: rtf.high}
            record |= {"rtf_batch": speed.batch, "rtf_unstable": speed.unstable}
    coded = entry.columns.coded[ok]
    duration_s, bits = math.fsum(coded["duration_s"]), math.fsum(coded["bits"])
    if duration_s and not math.isnan(bits):
        record["actual_kbps"] = kbps(bits, duration_s)
        record |= _entropy(entry.columns, domain, ok, duration_s)
        record |= _coded(entry.columns, ok, duration_s)
    return record


def _entropy(
    columns: CodecColumns, domain: str, clips: Cells, duration_s: float
) -> dict[str, float]:
    """Order-0 entropy and efficiency: numbers, or the ends of a range."""
    books = columns.entropies(domain, clips)
    if not books:
        return {}
    side_bits = int(math.fsum(columns.coded[clips]["side_info_bits"]))
    values: tuple[Value, Value] = ("lowest", "highest")
    rates = [
        entropy_kbps(books, duration_s=duration_s, other_bits=side_bits, value=v) for v in values
    ]
    shares = [bitrate_efficiency(books, columns.spec, value=value) for value in values]
    found = {"bitrate_efficiency": bitrate_efficiency(books, columns.spec)}
    for column, ends in (("entropy_kbps", rates), ("efficiency", shares)):
        if any(book.range_only for book in books):
            found.update(zip(RANGES[column], ends, strict=True))
        else:
            found[column] = ends[0]
    return found


def _coded(columns: CodecColumns, clips: Cells, duration_s: float) -> dict[str, float]:
    """Rates of coders that wrote all of the clips: without a context, and the best with one."""
    side_bits = math.fsum(columns.coded[clips]["side_info_bits"])
    rates = {
        coder: kbps(math.fsum(columns.written_bits(coder, clips)) + side_bits, duration_s)
        for coder in columns.written
        if not coder.shuffled and len(columns.written_clips(coder, clips)) == len(clips)
    }
    conditional = [rate for coder, rate in rates.items() if coder.conditional]
    found = {
        "coded_kbps": rates.get(Coder(STATIC)),
        "conditional_kbps": min(conditional, default=None),
    }
    return {column: rate for column, rate in found.items() if rate is not None}
