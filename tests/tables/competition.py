"""A run whose table can be worked out by hand: three codecs, six speakers with two clips each.

Codec ``one`` is exactly 1 dB below ``two`` on every clip but for an offset that alternates, and
``three`` equals ``two`` on average.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from snacbench.rows import Bits, Coded, Score
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows
from snacbench.types import Clip, CodecSpec, MetricSpec, Stream
from tests.tables.conftest import RUN

SI_SDR = MetricSpec("si_sdr", "dB", "higher", (-1e9, 1e9), 44_100, "someone")
MEL = MetricSpec("mel_dac7", "log10", "lower", (0, 1e9), 44_100, "someone")
STOI = MetricSpec("stoi", "", "higher", (0, 1), 10_000, "someone")


def spec(name: str, **options: object) -> CodecSpec:
    made = CodecSpec(name, name, "f", 24_000, (1,), (Stream(Fraction(75), 1024),), 0.75)
    return replace(made, **options)


CODECS = (
    spec("one"),
    spec("two"),
    spec("three_3%&", demonstration=True),
    spec("low", rate_hz=None, streams=(), settings={"cutoff_hz": 3500.0}, anchor=True),
)
CLIPS = [f"set/{i}" for i in range(12)]
SPEAKERS = [f"speaker {i // 2}" for i in range(12)]
# Added to `one`: its differences from `two` average -1 per speaker pair, with some spread.
OFFSETS = [0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.05, -0.05, 0.15, 0.1, -0.15, -0.1]
TURNS = [2.0, 2.0, -2.0, -2.0] * 3


def values() -> dict[str, list[float]]:
    two = [10.0 + i for i in range(12)]
    return {
        "one": [v - 1 + o for v, o in zip(two, OFFSETS, strict=True)],
        "two": two,
        "three_3%&": [v - 0.25 + t for v, t in zip(two, TURNS, strict=True)],
        "low": [99.0] * 12,
    }


def make(path: Path, *, lost: int = 0, clusters: bool = True) -> RunRows:
    """The run; `three` has no score on the first `lost` clips."""
    run = replace(RUN, id="night", codecs=CODECS, metrics=(SI_SDR, MEL, STOI))
    clips = [
        Clip(c, Path(c), "0" * 64, 24_000, 1, 24_000, domain="speech",
             cluster=s if clusters else None)
        for c, s in zip(CLIPS, SPEAKERS, strict=True)
    ]  # fmt: skip
    folder = RunFolder.create(path, run, clips)
    rows: list[object] = []
    for codec, scores in values().items():
        for i, (clip, value) in enumerate(zip(CLIPS, scores, strict=True)):
            rows.append(Coded(clip, codec, "ok", "", "speech", 1.0, Bits(codes=760)))
            gone = codec.startswith("three") and i < lost
            status, shown = ("undefined", None) if gone else ("ok", value)
            rows.append(Score(clip, codec, "si_sdr", "1", status, shown))
            rows.append(Score(clip, codec, "stoi", "1", "ok", 0.5))
    folder.append(rows)
    return RunRows.load(folder)
