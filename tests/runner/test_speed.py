"""Timing operating points: by a clock that only the codec moves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from snacbench.rows import Speed
from snacbench.runner import measured_speed as speed
from snacbench.runner.measured_speed import SpeedJob, load_between, measured, speed_of, why_unstable
from snacbench.runner.plan import PlannedCodec
from snacbench.selectors import select
from snacbench.types import Audio, Encoded
from tests.support.failing_codecs import SPEC, BatchingToy, loaded_toy

ROW = Speed("toy", "cpu", "fp32", "a machine", 3.0, (1.0, 1.0, 1.0), (2.0, 2.0, 2.0))


@dataclass
class Slow(BatchingToy):
    """Takes `rtf` seconds per second of audio to encode and `later` more for each call so far."""

    rtf: float = 0.01
    later: float = 0.0
    clock_s: float = 0.0
    lengths: list[float] = field(default_factory=list)

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        self.lengths.append(sum(signal.duration_s for signal in signals))
        cold_s = 0.5 if self.lengths.count(self.lengths[-1]) == 1 else 0.0
        self.clock_s += cold_s + self.lengths[-1] * self.rtf + self.later * len(self.lengths)
        return super().encode_batch(signals)

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        self.clock_s += 0.01
        return super().decode_batch(encoded, seeds=seeds)


@pytest.fixture
def timed(monkeypatch):
    """``timed(codec, budget_s)`` is the row of a codec under its own clock."""

    def of(codec, budget_s=4.0, batch=None):
        monkeypatch.setattr(speed, "load", lambda handle: loaded_toy(codec))
        monkeypatch.setattr(speed, "now", lambda loaded: codec.clock_s)
        monkeypatch.setattr(speed, "processor_seconds", lambda: (codec.clock_s, 0.0))
        handle = PlannedCodec("toy", codec.spec, None, "cpu", batch=batch)
        return speed_of(SpeedJob(handle, "mono", budget_s))

    return of


@pytest.mark.parametrize(
    ("rtf", "seconds", "repeats"), [(0.01, 3.0, 10), (0.4, 1.0, 7), (0.8, 1.0, 3), (5.0, 1.0, 1)]
)
def test_repeats_are_warm_and_as_many_as_the_budget_holds(timed, rtf, seconds, repeats):
    row = timed(codec := Slow(rtf=rtf))
    assert row.encode_s == pytest.approx([rtf * seconds] * repeats)
    assert row.decode_s == pytest.approx([0.01] * repeats)
    assert (row.duration_s, row.threads, row.batch) == (seconds, 1, 1)
    few = f"{repeats} repeats within the budget, fewer than 3"
    assert row.unstable == (few if repeats < 3 else "")
    assert codec.clock_s <= max(4.0, 0.5 + 2 * (rtf + 0.01) + 1e-9)
    assert "cores" in row.machine


def test_what_goes_through_at_once_is_timed_as_one(timed):
    timed(codec := Slow())
    stereo = speed_of(SpeedJob(PlannedCodec("toy", SPEC), "stereo", 4.0))
    assert stereo.encode_s[-1] == pytest.approx(0.06)
    assert (stereo.duration_s, codec.lengths[-1]) == (3.0, 3.0)
    row = timed(codec := Slow(), batch=4)
    assert (row.batch, row.duration_s, row.encode_s[0]) == (4, 3.0, pytest.approx(0.12))
    assert set(codec.batches) == {4}
    assert "standard deviation of encoding" in timed(Slow(later=0.005)).unstable  # a drift
    failed = timed(Slow(most=0))
    assert (failed.encode_s, failed.reason) == ((), "OutOfMemoryError: CUDA out of memory")
    (lost,) = SpeedJob(PlannedCodec("toy", SPEC), "mono", 4.0).lost("why")
    assert (lost.codec, lost.reason, lost.encode_s) == ("toy", "why", ())


@pytest.mark.parametrize(
    ("changes", "load", "why"),
    [
        ({}, 1.05, ""),
        ({}, None, ""),
        ({}, 1.2, r"other processes kept 1\.2 of 2 processors busy"),
        ({"encode_s": (1.0, 1.0, 1.3)}, 0.0, "standard deviation of encoding 16% of its mean"),
        ({"decode_s": (*[2.0] * 80, 3.2)}, 0.0, "a repeat of decoding 59% off its mean"),
        ({"encode_s": (2e-4, 9e-4, 1.0)}, 0.0, "encoding takes less than 1 ms"),
        ({"encode_s": (1.0,), "decode_s": (1.0,)}, 0.0, "1 repeats within the budget"),
    ],
)
def test_unstable_is_what_pyperf_calls_so_and_what_others_interfered_with(changes, load, why):
    found = why_unstable(replace(ROW, load=load, **changes), processors=2)
    assert re.match(why, found)
    assert bool(found) == bool(why)


def test_load_is_that_of_other_processes():
    assert load_between((10.0, 100.0), (12.0, 103.0)) == 1.5
    assert load_between((10.0, 100.0), (10.01, 100.0)) is load_between(None, (1.0, 1.0)) is None
    (then, others), (later, more) = speed.processor_seconds(), speed.processor_seconds()
    assert later >= then
    assert more > others - 1


def test_one_process_times_one_point_after_another(tmp_path):
    points = [PlannedCodec(spec.model, spec) for _, spec in select("identity,noise@20dB")]
    jobs = [SpeedJob(point, "mono", 0.5) for point in points]
    rows = list(measured(jobs, log=tmp_path / "log"))
    assert [row.codec for row in rows] == ["identity", "noise@20dB"]
    assert all(row.encode_s and min(row.decode_s) > 0 for row in rows)
