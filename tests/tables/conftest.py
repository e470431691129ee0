"""A tiny run folder, written by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from snacbench.request import Request
from snacbench.rows import Bits, Coded, CodeHistogram, Run, Score, Speed
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows
from snacbench.types import CodecSpec, MetricSpec, Stream, WeightsInfo

NEURAL = CodecSpec(
    name="neural@0.1kbps",
    model="neural",
    family="f",
    rate_hz=8000,
    channels=(1,),
    streams=(Stream(Fraction(10), 4), Stream(Fraction(20), 16)),
    nominal_kbps=0.1,
    params_m=1.5,
    truncated=True,
    demonstration=True,
    weights=WeightsInfo("folder"),
)
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
    return [
        CodeHistogram(
            clip, NEURAL.name, i, size, np.arange(len(n), dtype=np.int32), np.array(n, np.int64)
        )
        for i, (size, n) in enumerate([(4, first), (16, second)])
    ]


SPEED = Speed(
    NEURAL.name, "cpu", "fp32", "a machine", 2.0, (1.2, 0.9, 1.0), (2.1, 2.0, 2.0)
)  # fmt: skip
ROWS = [
    SPEED,
    replace(SPEED, codec="plain"),
    coded("a", "speech", 1.0, Bits(codes=100, side_info=8)),
    coded("b", "music", 3.0, Bits(codes=180, side_info=0)),
    Coded("c", NEURAL.name, "failed", "broken", "music"),
    coded("a", "speech", 1.0, Bits(payload=8000), codec="plain"),
    score("a", "up", 10.0),
    score("b", "up", 20.0),
    score("a", "down", 3.0),
    score("b", "down", None),
    score("c", "up", 1e6),
    score("a", "up", -4.0, codec="plain"),
    *histograms("a", [10, 10], [20]),
    *histograms("b", [10, 10], [20]),
]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path / "run", RUN, [])
    made.append(ROWS)
    return made


@pytest.fixture
def rows(folder: RunFolder) -> RunRows:
    return RunRows.load(folder)
