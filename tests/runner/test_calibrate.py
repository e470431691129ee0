"""The residual delay is found once per codec, on broadband material."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.audio.resample import resample
from snacbench.rows import Calibration
from snacbench.runner.calibrate import _material, calibrate, residual_delay
from snacbench.runner.plan import PlannedCodec
from snacbench.selectors import select
from snacbench.types import Audio
from tests.conftest import broadband


def material() -> list[Audio]:
    """The excerpts at one rate, so that shifts of samples are the same time for all."""
    return [resample(excerpt, 48_000) for excerpt in _material()]


def samples_at_48k(row: Calibration) -> int:
    return round(row.delay_s * 48_000)


def handle(selector: str) -> PlannedCodec:
    ((model, spec),) = select(selector)
    return PlannedCodec(model.name, spec, None, "cpu")


@pytest.mark.parametrize("selector", ["identity", "lowpass@3.5kHz", "noise@10dB", "opus@64"])
def test_codecs_without_delay(selector: str) -> None:
    row = calibrate(handle(selector))
    assert (row.delay_s, row.found, row.inverted) == (0.0, True, False)


def test_opus_is_late_by_a_few_samples_where_silk_codes() -> None:
    row = calibrate(handle("opus@8"))
    assert row.found
    assert 3 <= row.delay_s * 48_000 <= 5


@pytest.mark.parametrize("delay", [-8, 8, 100, 1200, -4800, 24_000, -24_000])
def test_a_known_delay_is_found_in_spite_of_noise_and_pitch(delay: int) -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for excerpt in material():
        noise = 0.3 * excerpt.samples.std() * rng.standard_normal(excerpt.samples.shape)
        shifted = advanced(excerpt, -delay).samples + noise
        pairs.append((excerpt, Audio(shifted.astype(np.float32), excerpt.rate_hz)))
    row = residual_delay("test", pairs)
    assert (samples_at_48k(row), row.found) == (delay, True)


def test_unrelated_signals_have_no_delay() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (e, Audio(rng.standard_normal(e.samples.shape).astype(np.float32), e.rate_hz))
        for e in material()
    ]
    row = residual_delay("test", pairs)
    assert (row.delay_s, row.found) == (0.0, False)


def test_material_covers_three_domains() -> None:
    assert len(material()) == 9
    assert all(excerpt.duration_s == 1.0 for excerpt in material())


def test_a_minority_that_locks_onto_a_pitch_does_not_decide() -> None:
    pairs = []
    for index, excerpt in enumerate(material()):
        wrong = 200 if index < 3 else 5
        shifted = np.roll(excerpt.samples, wrong, axis=1)
        pairs.append((excerpt, Audio(np.ascontiguousarray(shifted), excerpt.rate_hz)))
    row = residual_delay("test", pairs)
    assert (samples_at_48k(row), row.found) == (5, True)
    assert 0.5 < row.agreement < 0.8


def test_excerpts_that_do_not_agree_give_no_delay() -> None:
    pairs = []
    for index, excerpt in enumerate(material()):
        shifted = np.roll(excerpt.samples, 40 * index, axis=1)
        pairs.append((excerpt, Audio(np.ascontiguousarray(shifted), excerpt.rate_hz)))
    row = residual_delay("test", pairs)
    assert (row.delay_s, row.found) == (0.0, False)
    assert row.correlation > 0.5


def test_no_pairs_give_no_delay() -> None:
    row = residual_delay("test", [])
    assert (row.delay_s, row.correlation, row.found) == (0.0, 0.0, False)


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
