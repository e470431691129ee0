from __future__ import annotations

from dataclasses import replace

import pytest

from snacbench.rows import ClipMeasures, Coded, Delay, Score
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import RunFolder
from snacbench.types import CodecSpec, Measures, MetricSpec
from tests.support.synthetic_runs import RUN

X, Y = (CodecSpec(name, name, "f", None, (1,)) for name in "xy")
UP = MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody")
DOWN = replace(UP, name="down", version="2")
MEASURES = ClipMeasures("a", Measures(8000.0, -23.0, -1.0, 0))

DELAY = Delay("a", "x", 0.0, 8000, 0.9, inverted=False, found=True, own_lag_s=0.0)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", replace(RUN, codecs=(X, Y)), [])


def ledger_of(folder: RunFolder) -> Ledger:
    return Ledger(folder, (X, Y), (UP, DOWN))


def coded(clip: str, codec: str) -> Coded:
    return Coded(clip, codec, "ok", decoded=f"{codec}/{clip}")


def score(clip: str, codec: str, metric: MetricSpec) -> Score:
    return Score(clip, codec, metric.name, metric.version, "ok", 1.0)


@pytest.mark.parametrize("reread", [False, True], ids=["as appended", "as read again"])
def test_it_knows_what_is_on_disk(folder, reread):
    ledger = ledger_of(folder)
    ledger.append([coded("a", "x"), coded("b", "x"), MEASURES])
    ledger.append(iter([coded("a", "y"), score("a", "x", UP), DELAY]))
    if reread:
        ledger = ledger_of(folder)
    assert list(ledger.clips()) == ["a", "b"]
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
    assert (ledger.lacks_scores("b"), ledger.unscored("b")) == (False, [])


def test_a_codec_has_worked_once_it_has_coded_a_clip(folder):
    ledger = ledger_of(folder)
    ledger.append([coded("a", "x"), Coded("a", "y", "failed", "why")])
    assert ledger.worked == ledger_of(folder).worked == {"x"}
