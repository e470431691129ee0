"""Delay, precision and speed of a codec, measured once."""

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.errors import WeightsMismatch
from snacbench.request import Request
from snacbench.rows import Calibration, Speed
from snacbench.runner import measured_cost as speed
from snacbench.runner import preparing
from snacbench.runner.loading import LoadedCodec, load, unload
from snacbench.runner.measured_cost import SpeedJob, load_between, why_unstable
from snacbench.runner.plan import PlannedCodec, make_plan, with_weights
from snacbench.runner.pool import run_all
from snacbench.runner.preparing import PreparationJob, agreement, excerpts_for, residual_delay
from snacbench.selectors import select
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.failing_codecs import SPEC, BatchingToy, loaded_toy


def planned(name, **changes):
    plan = with_weights(make_plan(Request(codecs=name, weights=("embedded",), limit=1)))
    return replace(plan.codecs[0], **changes)


MATERIAL = list(excerpts_for(replace(SPEC, rate_hz=48_000)))


def delay_found(*changes):
    """The delay in samples at 48 kHz of excerpts that were changed; found; inverted."""
    pairs = [(e, changes[i % len(changes)](e)) for i, e in enumerate(MATERIAL)]
    row = residual_delay("test", pairs)
    return round(row.delay_s * 48_000), row.found, row.inverted


def rolled(shift):
    return lambda e: Audio(np.roll(e.samples, shift, axis=1), 48_000)


def test_codecs_without_delay_and_opus_a_few_samples_late_where_silk_codes():
    assert [excerpt.duration_s for excerpt in MATERIAL] == [1.0] * 9
    for selector, samples in (("identity", (0,)), ("opus@64", (0,)), ("opus@8", (3, 4, 5))):
        (row,) = PreparationJob(Request(), delays=((planned(selector), ("a",)),)).run()
        assert (row.found, row.inverted) == (True, False)
        assert round(row.delay_s * 48_000) in samples


@pytest.mark.parametrize("delay", [-8, 1200, 24_000])
def test_a_known_delay_is_found_in_spite_of_noise_pitch_and_polarity(delay):
    def change(excerpt):
        noise = 0.3 * excerpt.samples.std() * rng.standard_normal(excerpt.samples.shape)
        return Audio((advanced(excerpt, -delay).samples + noise).astype(np.float32), 48_000)

    rng = np.random.default_rng(0)
    assert delay_found(change) == (delay, True, False)
    assert delay_found(lambda e: Audio(-change(e).samples, 48_000)) == (delay, True, True)


def test_what_is_no_majority_does_not_decide():
    assert delay_found(rolled(200), rolled(5), rolled(5)) == (5, True, False)
    assert delay_found(*map(rolled, range(0, 360, 40))) == (0, False, False)
    white = np.random.default_rng(0).standard_normal((1, 48_000)).astype(np.float32)
    assert delay_found(lambda e: Audio(white, 48_000)) == (0, False, False)
    assert residual_delay("test", []) == Calibration("test", 0.0, 0.0, 0.0, found=False)


@pytest.mark.parametrize("precision", ["tf32", "fp32", "bf16"])
def test_precision_is_what_was_asked_for_and_only_while_it_is_held(precision):
    torch = pytest.importorskip("torch")
    codec, a = replace(planned("identity"), precision=precision), torch.ones(2, 2)
    with LoadedCodec(None, codec, on_torch=True).computing():
        for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
            assert backend.allow_tf32 is (precision == "tf32")
        assert ((a @ a).dtype == torch.bfloat16) == (precision == "bf16")
    assert (a @ a).dtype == torch.float32


def test_bf16_changes_some_codes_and_the_same_precision_none(monkeypatch):
    short = [Audio(e.samples[:, :12_000], 48_000) for e in MATERIAL[::3]]
    monkeypatch.setattr(preparing, "_material", lambda: short)
    row = agreement(planned("encodec-mini@3", precision="bf16"))
    assert (row.computed, row.baseline, row.snr_db is None) == ("cpu bf16", "cpu fp32", False)
    assert 0.01 < row.share < 1  # 0.03 where the processor multiplies bf16 by AMX
    row = agreement(planned("encodec-mini@1.5"))
    assert (row.equal, row.share, row.snr_db) == (row.tokens, 1.0, None)
    row = agreement(planned("identity"))
    assert (row.tokens, row.share, row.snr_db) == (0, None, None)
    unload()


@pytest.mark.parametrize(
    ("low", "high"), [("dac-mini@2q", "dac-mini@9q"), ("encodec-mini@1.5", "encodec-mini@6")]
)
def test_a_worker_holds_one_network_for_all_its_points(low, high):
    audio = broadband(0.1, 24_000)
    first = load(planned(low))
    assert load(planned(low)) is first
    network, fewer = first.codec.model, first.codec.encode(audio)
    with pytest.raises(WeightsMismatch, match=f"which is not {low.partition('@')[0]}"):
        first.codec.at(replace(first.codec.spec, settings={"codebooks": 99, "bandwidth_kbps": 99}))
    again = load(planned(high))
    assert again.codec.model is network
    more = again.codec.encode(audio)
    assert len(more.codes) == len(again.codec.spec.streams) > len(fewer.codes)
    assert all(np.array_equal(a, b) for a, b in zip(fewer.codes, more.codes, strict=False))
    assert load(planned(high, precision="bf16")).codec.model is not network
    assert load(planned(low)).codec.model is not network
    unload()


ROW = Speed("toy", "cpu", "fp32", "a machine", 3.0, (1.0, 1.0, 1.0), (2.0, 2.0, 2.0))


@dataclass
class Slow(BatchingToy):
    """Takes `rtf` seconds per second of audio to encode and `later` more for each call so far."""

    rtf: float = 0.01
    later: float = 0.0
    clock_s: float = 0.0
    lengths: list[float] = field(default_factory=list)

    def encode_batch(self, signals):
        self.lengths.append(sum(signal.duration_s for signal in signals))
        cold_s = 0.5 if self.lengths.count(self.lengths[-1]) == 1 else 0.0
        self.clock_s += cold_s + self.lengths[-1] * self.rtf + self.later * len(self.lengths)
        return super().encode_batch(signals)

    def decode_batch(self, encoded, *, seeds):
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
        (row,) = SpeedJob(handle, "mono", budget_s).run()
        return row

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


def test_what_goes_through_at_once_is_timed_as_one(timed):
    timed(codec := Slow())
    (stereo,) = SpeedJob(PlannedCodec("toy", SPEC), "stereo", 4.0).run()
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


@pytest.mark.parametrize(("changes", "load", "why"), [
    ({}, 1.05, ""),
    ({}, 1.2, r"other processes kept 1\.2 of 2 processors busy"),
    ({"encode_s": (1.0, 1.0, 1.3)}, 0.0, "standard deviation of encoding 16% of its mean"),
    ({"encode_s": (2e-4, 9e-4, 1.0)}, 0.0, "encoding takes less than 1 ms"),
    ({"encode_s": (1.0,), "decode_s": (1.0,)}, 0.0, "1 repeats within the budget"),
])  # fmt: skip
def test_unstable_is_what_pyperf_calls_so_and_what_others_interfered_with(changes, load, why):
    found = why_unstable(replace(ROW, load=load, **changes), processors=2)
    assert re.match(why, found)
    assert bool(found) == bool(why)


def test_load_is_that_of_other_processes():
    assert load_between((10.0, 100.0), (12.0, 103.0)) == 1.5
    assert load_between((10.0, 100.0), (10.01, 100.0)) is load_between(None, (1.0, 1.0)) is None


def test_one_process_times_one_point_after_another(tmp_path):
    points = [PlannedCodec(spec.model, spec) for _, spec in select("identity,noise@20dB")]
    jobs = [SpeedJob(point, "mono", 0.5) for point in points]
    rows = [row for (row,) in run_all(jobs, log=tmp_path / "log")]  # with this machine's clocks
    assert [row.codec for row in rows] == ["identity", "noise@20dB"]
    assert all(row.encode_s and min(row.decode_s) > 0 for row in rows)
