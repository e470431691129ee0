"""The residual delay is found once per codec, on broadband material; precision is measured."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.audio.resample import resample
from snacbench.errors import UserError, WeightsMismatch
from snacbench.request import Request
from snacbench.rows import Calibration
from snacbench.runner.calibrate import (
    agreement,
    agreements,
    calibrate,
    excerpts_for,
    residual_delay,
)
from snacbench.runner.loading import LoadedCodec, load, unload
from snacbench.runner.plan import PlannedCodec, make_plan, with_weights
from snacbench.types import Audio
from tests.conftest import broadband
from tests.runner.toys import SPEC

Pairs = list[tuple[Audio, Audio]]


def planned(name: str, **changes: object) -> PlannedCodec:
    plan = with_weights(make_plan(Request(codecs=name, weights=("embedded",), limit=1)))
    return replace(plan.codecs[0], **changes)  # type: ignore[arg-type]


def material() -> list[Audio]:
    """The excerpts at one rate, so that shifts of samples are the same time for all."""
    return list(excerpts_for(replace(SPEC, rate_hz=48_000)))


def rolled(*shifts: int) -> Pairs:
    """Each excerpt with itself, turned by so many samples."""
    pairs = zip(material(), shifts, strict=True)
    return [(e, Audio(np.roll(e.samples, shift, axis=1), 48_000)) for e, shift in pairs]


def samples_at_48k(row: Calibration) -> int:
    return round(row.delay_s * 48_000)


@pytest.mark.parametrize("selector", ["identity", "lowpass@3.5kHz", "noise@10dB", "opus@64"])
def test_codecs_without_delay(selector: str) -> None:
    row = calibrate(planned(selector))
    assert (row.delay_s, row.found, row.inverted) == (0.0, True, False)


def test_opus_is_late_by_a_few_samples_where_silk_codes() -> None:
    row = calibrate(planned("opus@8"))
    assert row.found
    assert 3 <= row.delay_s * 48_000 <= 5


@pytest.mark.parametrize("delay", [-8, 100, 1200, 24_000, -24_000])
def test_a_known_delay_is_found_in_spite_of_noise_and_pitch(delay: int) -> None:
    rng, pairs = np.random.default_rng(0), []
    for excerpt in material():
        noise = 0.3 * excerpt.samples.std() * rng.standard_normal(excerpt.samples.shape)
        shifted = advanced(excerpt, -delay).samples + noise
        pairs.append((excerpt, Audio(shifted.astype(np.float32), excerpt.rate_hz)))
    row = residual_delay("test", pairs)
    assert (samples_at_48k(row), row.found) == (delay, True)


def test_material_covers_three_domains() -> None:
    assert [excerpt.duration_s for excerpt in material()] == [1.0] * 9


def test_a_minority_that_locks_onto_a_pitch_does_not_decide() -> None:
    row = residual_delay("test", rolled(*[200] * 3, *[5] * 6))
    assert (samples_at_48k(row), row.found) == (5, True)
    assert 0.5 < row.agreement < 0.8


def test_what_does_not_agree_or_is_unrelated_gives_no_delay() -> None:
    row = residual_delay("test", rolled(*range(0, 360, 40)))
    assert (row.delay_s, row.found) == (0.0, False)
    assert row.correlation > 0.5
    rng = np.random.default_rng(0)
    unrelated = [
        (e, Audio(rng.standard_normal(e.samples.shape).astype(np.float32), e.rate_hz))
        for e in material()
    ]
    assert not residual_delay("test", unrelated).found
    assert residual_delay("test", []) == Calibration("test", 0.0, 0.0, 0.0, found=False)


def test_files_of_different_rates_agree_on_a_delay_in_seconds() -> None:
    pairs = []
    for index, excerpt in enumerate(material()):
        rate_hz = (8_000, 44_100, 48_000)[index % 3]
        source = resample(excerpt, rate_hz)
        pairs.append((source, advanced(source, -round(0.03 * rate_hz))))
    row = residual_delay("test", pairs)
    assert row.found
    assert row.delay_s == pytest.approx(0.03, abs=1e-9)


def test_inverted_polarity_is_told() -> None:
    pairs = [(e, Audio(-advanced(e, -480).samples, e.rate_hz)) for e in material()]
    row = residual_delay("test", pairs)
    assert (samples_at_48k(row), row.found, row.inverted) == (480, True, True)


def test_a_rumble_in_white_noise_whose_half_whitened_peak_is_low_has_a_delay() -> None:
    source = resample(broadband(2.2, 48_000, seed=15), 8_000)
    noise = np.random.default_rng(0).standard_normal(source.samples.shape)
    noisy = source.samples + 0.6 * float(source.samples.std()) * noise
    early = advanced(Audio(noisy.astype(np.float32), 8_000), 4_000)
    row = residual_delay("test", [(source, early)])
    assert row.correlation < 0.1
    assert (row.delay_s, row.found) == (-0.5, True)


# ------------------------------------------------------------------------ precision and loading


def computing(precision: str) -> AbstractContextManager[None]:
    codec = replace(planned("identity"), precision=precision)  # type: ignore[arg-type]
    return LoadedCodec(None, codec, on_torch=True).computing()  # type: ignore[arg-type]


def test_precision_is_what_was_asked_for_and_only_while_it_is_held() -> None:
    torch = pytest.importorskip("torch")
    for precision, allowed in (("tf32", True), ("fp32", False)):
        with computing(precision):
            assert torch.backends.cuda.matmul.allow_tf32 is allowed
            assert torch.backends.cudnn.allow_tf32 is allowed
    a = torch.ones(2, 2)
    with computing("bf16"):
        assert (a @ a).dtype == torch.bfloat16
    assert (a @ a).dtype == torch.float32


@pytest.mark.parametrize("name", ["snac-mini", "dac-mini@3q", "encodec-mini@3"])
def test_bf16_changes_some_codes_and_not_all(name: str) -> None:
    row = agreement(planned(name, precision="bf16"))
    assert (row.computed, row.baseline) == ("cpu bf16", "cpu fp32")
    assert row.tokens > 300
    assert row.share is not None
    assert 0.05 < row.share < 1
    assert row.snr_db is not None
    unload()


def test_the_same_precision_agrees_in_everything() -> None:
    row = agreement(planned("encodec-mini@1.5"))
    assert (row.equal, row.share, row.snr_db) == (row.tokens, 1.0, None)
    row = agreement(planned("identity"))
    assert (row.tokens, row.share, row.snr_db) == (0, None, None)
    unload()


def test_comparing_the_baseline_with_itself_is_refused() -> None:
    plan = make_plan(Request(codecs="identity", limit=1))
    with pytest.raises(UserError, match="what is compared runs on the CPU in fp32"):
        list(agreements(plan))


@pytest.mark.parametrize(
    ("low", "high"), [("dac-mini@2q", "dac-mini@9q"), ("encodec-mini@1.5", "encodec-mini@6")]
)
def test_a_network_is_loaded_once_for_all_its_points(low: str, high: str) -> None:
    audio = broadband(0.5, 24_000)
    first = load(planned(low))
    network = first.codec.model  # type: ignore[attr-defined]
    fewer = first.codec.encode(audio)
    with pytest.raises(WeightsMismatch, match=f"which is not {low.partition('@')[0]}"):
        first.codec.at(replace(first.codec.spec, settings={"codebooks": 99, "bandwidth_kbps": 99}))  # type: ignore[attr-defined]
    again = load(planned(high))
    assert again.codec.model is network  # type: ignore[attr-defined]
    assert again.codec.spec.name == planned(high).spec.name
    more = again.codec.encode(audio)
    assert len(more.codes) == len(again.codec.spec.streams) > len(fewer.codes)
    assert all(np.array_equal(a, b) for a, b in zip(fewer.codes, more.codes, strict=False))
    assert load(planned(high, precision="bf16")).codec.model is not network  # type: ignore[attr-defined]
    unload()


def test_a_worker_holds_one_codec() -> None:
    first = load(planned("identity"))
    assert load(planned("identity")) is first
    second = load(planned("noise@20dB"))
    assert load(planned("identity")) is not first
    assert second.codec.spec.name == "noise@20dB"
    unload()
    unload()
