"""The residual delay is found once per codec, on broadband material; precision is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.errors import UserError, WeightsMismatch
from snacbench.request import Request
from snacbench.rows import Calibration
from snacbench.runner import calibrate as measuring
from snacbench.runner.calibrate import (
    agreement,
    agreements,
    calibrate,
    excerpts_for,
    residual_delay,
)
from snacbench.runner.loading import LoadedCodec, load, unload
from snacbench.runner.plan import make_plan, with_weights
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.failing_codecs import SPEC


def planned(name, **changes):
    plan = with_weights(make_plan(Request(codecs=name, weights=("embedded",), limit=1)))
    return replace(plan.codecs[0], **changes)


MATERIAL = list(excerpts_for(replace(SPEC, rate_hz=48_000)))


def measured(*changes):
    """The delay in samples at 48 kHz of excerpts that were changed; found; inverted."""
    pairs = [(e, changes[i % len(changes)](e)) for i, e in enumerate(MATERIAL)]
    row = residual_delay("test", pairs)
    return round(row.delay_s * 48_000), row.found, row.inverted


def rolled(shift):
    return lambda e: Audio(np.roll(e.samples, shift, axis=1), 48_000)


def test_codecs_without_delay_and_opus_a_few_samples_late_where_silk_codes():
    assert [excerpt.duration_s for excerpt in MATERIAL] == [1.0] * 9
    for selector in ("identity", "opus@64"):
        row = calibrate(planned(selector))
        assert (row.delay_s, row.found, row.inverted) == (0.0, True, False), selector
    row = calibrate(planned("opus@8"))
    assert row.found
    assert 3 <= row.delay_s * 48_000 <= 5


@pytest.mark.parametrize("delay", [-8, 1200, 24_000])
def test_a_known_delay_is_found_in_spite_of_noise_pitch_and_polarity(delay):
    def change(excerpt):
        noise = 0.3 * excerpt.samples.std() * rng.standard_normal(excerpt.samples.shape)
        return Audio((advanced(excerpt, -delay).samples + noise).astype(np.float32), 48_000)

    rng = np.random.default_rng(0)
    assert measured(change) == (delay, True, False)
    assert measured(lambda e: Audio(-change(e).samples, 48_000)) == (delay, True, True)


def test_what_is_no_majority_does_not_decide():
    assert measured(rolled(200), rolled(5), rolled(5)) == (5, True, False)
    assert measured(*(rolled(shift) for shift in range(0, 360, 40))) == (0, False, False)
    white = np.random.default_rng(0).standard_normal((1, 48_000)).astype(np.float32)
    assert measured(lambda e: Audio(white, 48_000)) == (0, False, False)
    assert residual_delay("test", []) == Calibration("test", 0.0, 0.0, 0.0, found=False)


@pytest.mark.parametrize("precision", ["tf32", "fp32", "bf16"])
def test_precision_is_what_was_asked_for_and_only_while_it_is_held(precision):
    torch = pytest.importorskip("torch")
    codec = replace(planned("identity"), precision=precision)
    a = torch.ones(2, 2)
    with LoadedCodec(None, codec, on_torch=True).computing():
        assert torch.backends.cuda.matmul.allow_tf32 is (precision == "tf32")
        assert torch.backends.cudnn.allow_tf32 is (precision == "tf32")
        assert ((a @ a).dtype == torch.bfloat16) == (precision == "bf16")
    assert (a @ a).dtype == torch.float32


def test_bf16_changes_some_codes_and_the_same_precision_none(monkeypatch):
    short = [Audio(e.samples[:, :12_000], 48_000) for e in MATERIAL[::3]]
    monkeypatch.setattr(measuring, "_material", lambda: short)
    row = agreement(planned("encodec-mini@3", precision="bf16"))
    assert (row.computed, row.baseline) == ("cpu bf16", "cpu fp32")
    assert row.share is not None
    assert 0.05 < row.share < 1
    assert row.snr_db is not None
    row = agreement(planned("encodec-mini@1.5"))
    assert (row.equal, row.share, row.snr_db) == (row.tokens, 1.0, None)
    row = agreement(planned("identity"))
    assert (row.tokens, row.share, row.snr_db) == (0, None, None)
    unload()
    plan = make_plan(Request(codecs="identity", limit=1))
    with pytest.raises(UserError, match="what is compared runs on the CPU in fp32"):
        list(agreements(plan))


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
    assert again.codec.spec.name == planned(high).spec.name
    more = again.codec.encode(audio)
    assert len(more.codes) == len(again.codec.spec.streams) > len(fewer.codes)
    assert all(np.array_equal(a, b) for a, b in zip(fewer.codes, more.codes, strict=False))
    assert load(planned(high, precision="bf16")).codec.model is not network
    assert load(planned("noise@20dB")).codec.spec.name == "noise@20dB"
    assert load(planned(low)).codec.model is not network
    unload()
