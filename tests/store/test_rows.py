"""Rows as lines, and the ledger of what is on disk."""

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench import rows
from snacbench.errors import StoreError
from snacbench.request import FromRecipe, Request
from snacbench.store.jsonl import from_json, line_of
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import RunFolder
from snacbench.types import Clip, CodecSpec, Measures, MetricSpec, Stream, WeightsInfo
from tests.support.synthetic_runs import RUN

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**40)


def through_json(row):
    return from_json(line_of(row), type(row), origin="here")


STREAMS = (Stream(Fraction(44_100, 512), 1024), Stream(Fraction(75), 4096))
SPEC = CodecSpec(
    "x@1kbps", "x", "x", 44_100, (1, 2), STREAMS, nominal_kbps=1.0, params_m=1.5,
    settings={"codebooks": 2, "vbr": "on"},
    weights=WeightsInfo("folder", "/w", "main", {"a.bin": "00"}, verified=False),
)  # fmt: skip
RECIPE = FromRecipe("r", overridden={"seed": 3})
FULL_RUN = replace(
    RUN,
    request=Request("x@1", limit=None, segment_s=2.5, from_recipe=RECIPE),
    codecs=(SPEC, replace(SPEC, name="y", rate_hz=None, streams=(), weights=WeightsInfo())),
    metrics=(MetricSpec("m", "dB", "higher", (0.0, 9.0), 44_100, "nobody", domains=("music",)),),
)
CODED = rows.Coded("c", "x", "ok")


@pytest.mark.parametrize("row", [
    FULL_RUN,
    Clip("set/ä", Path("/tmp/ä b.wav"), "ab", 48_000, 2, 9, 5, "music", 'say "hi"', "c", True),
    rows.Calibration("x", -3 / 48_000, 0.5, 0.75, found=True),
    rows.Delay("c", "x", -3 / 44_100, 44_100, -0.3, True, False, None, "why"),
    rows.Speed("x", "cpu", "fp32", "a machine", 3.0, (0.1, 0.2), (0.3, 0.4), load=0.1),
    rows.Cost("x", "cpu", 16_000, 1, 10.0, {"encoder": 1.5e9}, {"decoder": 0.5}, {}, 3.5, 320),
    replace(CODED, bits=rows.Bits(1, 2, 3), duration_s=0.1, seed=2**63, clipped_samples=0),
], ids=lambda row: type(row).__name__)  # fmt: skip
def test_a_row_comes_back_equal(row):
    assert through_json(row) == row


def histogram(counts):
    codes, values = np.array(sorted(counts.items()), np.int64).reshape(-1, 2).T
    return rows.CodeHistogram("c", "x", 1, 4096, codes.astype(np.int32), values)


ANY_BITS, ANY_SEED = st.builds(rows.Bits, COUNTS, COUNTS, COUNTS), st.integers(0, 2**64 - 1)
CODINGS = {"duration_s": NUMBERS, "bits": ANY_BITS, "seed": ANY_SEED}
SCORES = st.builds(rows.Score, value=st.none() | NUMBERS, reason=st.text())
COUNTED = st.dictionaries(st.integers(0, 4095), st.integers(1, 2**32 - 1)).map(histogram)


@given(SCORES | COUNTED | st.builds(rows.Coded, **{k: st.none() | v for k, v in CODINGS.items()}))
def test_every_row_comes_back_to_the_last_bit(row):
    back = through_json(row)
    assert all(np.array_equal(getattr(back, f.name), getattr(row, f.name)) for f in fields(row))


PACKED = '{"clip":"c","codec":"x","stream":0,"codebook_size":4%s}'


@pytest.mark.parametrize(("line", "row_type", "why"), [
    ("not json", rows.Score, "Invalid JSON"),
    ("{}", rows.Score, "clip: Field required"),
    (PACKED % "", rows.CodeHistogram, "packed: Field required"),
    (PACKED % ',"packed":"AAAA"', rows.CodeHistogram, "damaged histogram"),
    ("", rows.Score, "0 rows in a line, expected 1"),
])  # fmt: skip
def test_what_is_not_such_a_row_says_where_and_why(line, row_type, why):
    text = rf"scores, line 3 is not a {row_type.__name__} row \(.*{why}.*\); the file was changed"
    with pytest.raises(StoreError, match=text):
        from_json(line, row_type, origin="scores, line 3")


X, Y = (CodecSpec(name, name, "f", None, (1,)) for name in "xy")
UP = MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody")
DOWN = replace(UP, name="down", version="2")
MEASURES = rows.ClipMeasures("a", Measures(8000.0, -23.0, -1.0, 0))
DELAY = rows.Delay("a", "x", 0.0, 8000, 0.9, inverted=False, found=True, own_lag_s=0.0)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", replace(RUN, codecs=(X, Y)), [])


def ledger_of(folder):
    return Ledger(folder, (X, Y), (UP, DOWN))


def coded(clip, codec):
    return rows.Coded(clip, codec, "ok", decoded=f"{codec}/{clip}")


def score(clip, codec, metric):
    return rows.Score(clip, codec, metric.name, metric.version, "ok", 1.0)


@pytest.mark.parametrize("reread", [False, True], ids=["as appended", "as read again"])
def test_it_knows_what_is_on_disk(folder, reread):
    ledger = ledger_of(folder)
    failed = rows.Coded("d", "y", "failed", "why")
    ledger.append([coded("a", "x"), coded("b", "x"), MEASURES, failed])
    assert ledger.worked == {"x"}
    ledger.append(iter([coded("a", "y"), score("a", "x", UP), DELAY]))
    if reread:
        ledger = ledger_of(folder)
    assert ledger.worked == {"x", "y"}
    assert list(ledger.clips()) == ["a", "b", "d"]
    assert [ledger.is_coded(clip, "x") for clip in "abc"] == [True, True, False]
    assert [ledger.is_coded_by_all(clip) for clip in "abc"] == [True, False, False]
    assert [ledger.is_coded_by_any(clip) for clip in "abc"] == [True, True, False]
    assert [ledger.is_measured(clip) for clip in "abc"] == [True, False, False]
    delays = [ledger.knows_delay(clip, codec) for clip, codec in ("ax", "ay", "cx")]
    assert delays == [True, False, False]
    assert ledger.unscored("a") == [(coded("a", "x"), ("down",)), (coded("a", "y"), ("up", "down"))]


def test_a_clip_lacks_scores_until_each_coding_has_one_of_each_metrics_version(folder):
    ledger = ledger_of(folder)
    ledger.append([coded("a", "x"), replace(coded("a", "x"), decoded="later"), score("a", "x", UP)])
    ledger.append([score("a", "x", replace(DOWN, version="1"))])
    assert ledger.lacks_scores("a")
    assert ledger.unscored("a") == [(replace(coded("a", "x"), decoded="later"), ("down",))]
    ledger.append([score("a", "x", DOWN)])
    assert (ledger.lacks_scores("a"), ledger.unscored("a")) == (False, [])
