"""Real-time factors from the rows that measured them, and what must be said beside them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from snacbench.rows import Speed
from snacbench.tables.run import RunRows

UNSTABLE = "!"
_OUTSIDE = "outside"  # the family of decodes that were made elsewhere
_TOLD_ONE_BY_ONE = 2  # unstable speeds, each in a sentence

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


def speeds_of(runs: Sequence[RunRows]) -> list[Speed]:
    """The rows of all operating points that could be timed."""
    found = (codec.speed for rows in runs for codec in rows.codecs)
    return [speed for speed in found if speed and speed.encode_s]


def speed_notes(runs: Sequence[RunRows]) -> Iterator[str]:
    """How speeds were measured, which are unstable, and which are not there."""
    speeds = speeds_of(runs)
    if speeds:
        repeats = _span(len(speed.encode_s) for speed in speeds)
        seconds = _span(speed.duration_s for speed in speeds)
        yield (
            "RTF: seconds of computing per second of audio, lower is faster: median [least, "
            f"greatest] of {repeats} repeats on {seconds} s of the same audio, measured apart in "
            f"one process, one numerical thread. {places(speeds)}"
        )
    batches = {s.codec: s.batch for s in speeds if s.batch > 1}
    if batches:
        text = ", ".join(f"{codec} ({batch})" for codec, batch in batches.items())
        yield f"RTF in batches: so many signals at once, which says nothing of one alone: {text}."
    if starting := [speed.codec for speed in speeds if speed.starts_process]:
        yield f"RTF with the start of a program for every call: {', '.join(starting)}."
    unstable = [speed for speed in speeds if speed.unstable]
    if len(unstable) > _TOLD_ONE_BY_ONE:
        names = ", ".join(speed.codec for speed in unstable)
        yield f"{UNSTABLE} RTF is unstable: {names}; rtf_unstable in summary.csv says why of each."
    else:
        yield from (f"{UNSTABLE} RTF of {s.codec} is unstable: {s.unstable}." for s in unstable)
    yield from _missing(runs)


def places(speeds: Sequence[Speed]) -> str:
    """On what speeds were measured, in a sentence; different machines do not compare."""
    on: dict[tuple[str, str], list[str]] = {}
    for speed in speeds:
        computed = speed.device + ("" if speed.precision == "fp32" else f" in {speed.precision}")
        on.setdefault((speed.machine, computed), []).append(speed.codec)
    if len({machine for machine, _ in on}) > 1:
        parts = [f"{', '.join(codecs)} on {c}, {m}" for (m, c), codecs in on.items()]
        return f"MEASURED ON DIFFERENT MACHINES, do not compare: {'; '.join(parts)}."
    ((machine, computed), _), *others = on.items()
    if not others:
        return f"On {computed}, {machine}."
    return f"On {machine}: " + "; ".join(f"{', '.join(n)} on {c}" for (_, c), n in on.items()) + "."


def _missing(runs: Sequence[RunRows]) -> Iterator[str]:
    codecs = [codec for rows in runs for codec in rows.codecs]
    for codec in codecs:
        if codec.speed and not codec.speed.encode_s:
            yield f"Speed of {codec.spec.name} could not be measured: {codec.speed.reason}."
    outside = [c.spec.name for c in codecs if not c.speed and c.spec.family == _OUTSIDE]
    if outside:
        yield f"No speed of {', '.join(outside)}: decoded elsewhere."
    without = [c.spec.name for c in codecs if not c.speed and c.spec.family != _OUTSIDE]
    if without:
        whose = "" if len(without) == len(codecs) else f" of {', '.join(without)}"
        yield f"Speed{whose} was not measured; 'snacbench speed RUN' does."


def _span(values: Iterable[float]) -> str:
    """``3``, or ``3 to 10``."""
    found = sorted(set(values))
    return " to ".join(f"{value:g}" for value in dict.fromkeys((found[0], found[-1])))
