from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import StoreError
from snacbench.request import FromRecipe, Request
from snacbench.rows import Bits, Calibration, Coded, CodeHistogram, Delay, Score, Speed
from snacbench.store.jsonl import from_json, line_of
from snacbench.types import Clip, CodecSpec, MetricSpec, Stream, WeightsInfo
from tests.support.synthetic_runs import RUN

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**40)


def through_json(row):
    return from_json(line_of(row), type(row), origin="here")


SPEC = CodecSpec(
    name="x@1kbps",
    model="x",
    family="x",
    rate_hz=44_100,
    channels=(1, 2),
    streams=(Stream(Fraction(44_100, 512), 1024), Stream(Fraction(75), 4096)),
    nominal_kbps=1.0,
    latency_s=None,
    settings={"codebooks": 2, "vbr": "on"},
    params_m=1.5,
    weights=WeightsInfo("folder", "/w", "main", {"a.bin": "00"}, verified=False),
)
FULL_RUN = replace(
    RUN,
    request=Request(
        "x@1", limit=None, segment_s=2.5, from_recipe=FromRecipe("r", overridden={"seed": 3})
    ),
    codecs=(SPEC, replace(SPEC, name="y", rate_hz=None, streams=(), weights=WeightsInfo())),
    metrics=(MetricSpec("m", "dB", "higher", (0.0, 9.0), 44_100, "nobody", domains=("music",)),),
)


@pytest.mark.parametrize(
    "row",
    [
        FULL_RUN,
        Clip("set/ä", Path("/tmp/ä b.wav"), "ab", 48_000, 2, 9, 5, "music", 'say "hi"', "c", True),
        Calibration("x", -3 / 48_000, 0.5, 0.75, found=True),
        Delay("c", "x", -3 / 44_100, 44_100, -0.3, True, False, None, "why"),
        Speed("x", "cpu", "fp32", "a machine", 3.0, (0.1, 0.2), (0.3, 0.4), load=0.1),
        Coded("c", "x", "ok", bits=Bits(1, 2, 3), duration_s=0.1, seed=2**63, clipped_samples=0),
    ],
    ids=lambda row: type(row).__name__,
)
def test_a_row_comes_back_equal(row):
    assert through_json(row) == row


@given(
    st.builds(Score, value=st.none() | NUMBERS, reason=st.text()),
    st.builds(
        Coded,
        duration_s=st.none() | NUMBERS,
        bits=st.none() | st.builds(Bits, COUNTS, COUNTS, COUNTS),
        seed=st.none() | st.integers(0, 2**64 - 1),
    ),
)
def test_every_row_comes_back_to_the_last_bit(score, coded):
    assert through_json(score) == score
    assert through_json(coded) == coded


@given(st.dictionaries(st.integers(0, 4095), st.integers(1, 2**32 - 1)))
def test_every_histogram_comes_back_equal(counts):
    codes = np.array(sorted(counts), np.int32)
    values = np.array([counts[int(c)] for c in codes], np.int64)
    row = CodeHistogram("c", "x", 1, 4096, codes, values)
    back = through_json(row)
    assert all(np.array_equal(getattr(back, f.name), getattr(row, f.name)) for f in fields(row))
    assert (back.codes.dtype, back.counts.dtype) == (np.int32, np.int64)


PACKED = '{"clip":"c","codec":"x","stream":0,"codebook_size":4%s}'


@pytest.mark.parametrize(
    ("line", "row_type", "why"),
    [
        ("not json", Score, "1 validation error"),
        ("{}", Score, "5 validation errors"),
        ('{"clip":"c","codec":"x","status":"great"}', Coded, "1 validation error"),
        (PACKED % "", CodeHistogram, "1 validation"),
        (PACKED % ',"packed":"AAAA"', CodeHistogram, "damaged histogram"),
        (PACKED % ',"packed":"A"', CodeHistogram, "base64"),
        ("", Score, "0 rows in a line, expected 1"),
    ],
)
def test_what_is_not_such_a_row_says_where_and_why(line, row_type, why):
    text = rf"scores, line 3 is not a {row_type.__name__} row \(.*{why}.*\); the file was changed"
    with pytest.raises(StoreError, match=text):
        from_json(line, row_type, origin="scores, line 3")
