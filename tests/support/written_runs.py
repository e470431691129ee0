"""Two run folders written by hand: a tiny one, and one whose table can be worked out by hand."""

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.console import Console

from snacbench.request import Request
from snacbench.rows import Bits, Coded, CodeHistogram, Run, Score, Speed
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows
from snacbench.tables.table_model import Table
from snacbench.tables.writers import to_terminal
from snacbench.types import Clip, CodecSpec, MetricSpec, Stream, WeightsInfo
from tests.support.synthetic_runs import System, rows_of

NEURAL = CodecSpec(
    "neural@0.1kbps", "neural", "f", 8000, (1,),
    (Stream(Fraction(10), 4), Stream(Fraction(20), 16)), nominal_kbps=0.1, params_m=1.5,
    truncated=True, demonstration=True, weights=WeightsInfo("folder"),
)  # fmt: skip
PLAIN = CodecSpec("plain", "plain", "f", None, (1,))
UP = MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody")
DOWN = replace(UP, name="down", better="lower")
RUN = Run("r", "now", "1.2", 2, Request(), 7, "cpu", "tiny", "ab" * 32, (NEURAL, PLAIN), (UP, DOWN))


def coded(clip: str, domain: str, seconds: float, bits: Bits, *, codec: str = NEURAL.name) -> Coded:
    return Coded(clip, codec, "ok", "", domain, seconds, bits, encode_s=0.5, decode_s=1.0)


def score(clip: str, metric: str, value: float | None, *, codec: str = NEURAL.name) -> Score:
    status, reason = ("ok", "") if value is not None else ("undefined", "silent")
    return Score(clip, codec, metric, "1", status, value, reason)


def histograms(clip: str, first: list[int], second: list[int]) -> list[CodeHistogram]:
    """Counts of codes 0, 1, ... in the two streams of the neural codec."""
    counts = ((4, np.array(first, np.int64)), (16, np.array(second, np.int64)))
    return [CodeHistogram(clip, NEURAL.name, i, size, np.arange(len(n), dtype=np.int32), n)
            for i, (size, n) in enumerate(counts)]  # fmt: skip


SPEED = Speed(NEURAL.name, "cpu", "fp32", "a machine", 2.0, (1.2, 0.9, 1.0), (2.1, 2.0, 2.0))
ROWS = [
    SPEED,
    replace(SPEED, codec="plain"),
    coded("a", "speech", 1.0, Bits(codes=100, side_info=8)),
    coded("b", "music", 3.0, Bits(codes=180, side_info=0)),
    Coded("c", NEURAL.name, "failed", "broken", "music"),
    coded("a", "speech", 1.0, Bits(payload=8000), codec="plain"),
    *(score(*of) for of in (("a", "up", 10.0), ("b", "up", 20.0), ("c", "up", 1e6))),
    *(score(*of) for of in (("a", "down", 3.0), ("b", "down", None))),
    score("a", "up", -4.0, codec="plain"),
    *(row for clip in "ab" for row in histograms(clip, [10, 10], [20])),
]


def tiny(path: Path) -> RunFolder:
    """Two codecs on three clips, with a failure, an undefined score and a score without coding."""
    made = RunFolder.create(path, RUN, [])
    made.append(ROWS)
    return made


def of(path: Path, rows: Sequence[object] = (), **run: object) -> RunFolder:
    """A run of the tiny one's codecs and metrics, or of others, with other rows."""
    made = RunFolder.create(path, replace(RUN, **run), [])
    made.append(rows)
    return made


def printed(tables: Sequence[Table], width: int = 120) -> str:
    """What a terminal of that width shows, without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for part in to_terminal(tables, width=width):
        console.print(part)
    return str(console.file.getvalue())


SI_SDR = MetricSpec("si_sdr", "dB", "higher", (-1e9, 1e9), 44_100, "someone")
MEL = MetricSpec("mel_dac7", "log10", "lower", (0, 1e9), 44_100, "someone")
STOI = MetricSpec("stoi", "", "higher", (0, 1), 10_000, "someone")


def spec(name: str, **options: object) -> CodecSpec:
    made = CodecSpec(name, name, "f", 24_000, (1,), (Stream(Fraction(75), 1024),), 0.75)
    return replace(made, **options)


LOW = spec("low", rate_hz=None, streams=(), settings={"cutoff_hz": 3500.0}, anchor=True)
CODECS = (spec("one"), spec("two"), spec("three_3%&", demonstration=True), LOW)
CLIPS = [f"set/{i}" for i in range(12)]
SPEAKERS = [f"speaker {i // 2}" for i in range(12)]
# Added to `one`: its differences from `two` average -1 per speaker pair, with some spread.
OFFSETS = [0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.05, -0.05, 0.15, 0.1, -0.15, -0.1]
TURNS = [2.0, 2.0, -2.0, -2.0] * 3


def values() -> dict[str, list[float]]:
    two = [10.0 + i for i in range(12)]
    one = [v - 1 + o for v, o in zip(two, OFFSETS, strict=True)]
    three = [v - 0.25 + t for v, t in zip(two, TURNS, strict=True)]
    return {"one": one, "two": two, "three_3%&": three, "low": [99.0] * 12}


def competition(path: Path, *, lost: int = 0, clusters: bool = True) -> RunRows:
    """Three codecs, a yardstick, six speakers with two clips; `three` lacks `lost` scores."""
    run = replace(RUN, id="night", codecs=CODECS, metrics=(SI_SDR, MEL, STOI))
    clips = [
        Clip(c, Path(c), "0" * 64, 24_000, 1, 24_000, domain="speech",
             cluster=s if clusters else None)
        for c, s in zip(CLIPS, SPEAKERS, strict=True)
    ]  # fmt: skip
    folder = RunFolder.create(path, run, clips)
    for codec, scores in values().items():
        gone = lost if codec.startswith("three") else 0
        si_sdr = np.array([np.nan] * gone + scores[gone:])
        system = System({"si_sdr": si_sdr, "stoi": np.full(12, 0.5)}, kbps=0.76)
        folder.append(rows_of(codec, system, clips))
    return RunRows.load(folder)
