from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.f0 import METRICS, pitch_hz, rmse_cents, voicing_error
from snacbench.types import Audio

pytest.importorskip("parselmouth")
RMSE, VOICING = METRICS
RATE_HZ = 16_000


def vowel(pitch: float, duration_s: float = 1.5, voiced_s: float = 1.0) -> Audio:
    """Harmonics of one pitch, then breath."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    harmonics = sum(np.sin(2 * np.pi * k * pitch * time_s) / k for k in range(1, 12))
    breath = np.random.default_rng(0).standard_normal(len(time_s))
    samples = 0.1 * harmonics * (time_s < voiced_s) + 0.003 * breath
    return Audio(samples.astype(np.float32)[None], RATE_HZ)


@pytest.mark.parametrize("pitch", [80.0, 150.0, 320.0])
def test_finds_a_pitch_that_is_known(pitch):
    found = pitch_hz(vowel(pitch))
    assert np.median(found[found > 0]) == pytest.approx(pitch, rel=2e-3)
    assert np.mean(found > 0) == pytest.approx(2 / 3, abs=0.04)


@pytest.mark.parametrize("cents", [-100, 20, 300])
def test_a_pitch_moved_by_cents_is_off_by_these(cents):
    x, y = vowel(150.0), vowel(150.0 * 2 ** (cents / 1200))
    assert RMSE(reference=x, degraded=y) == pytest.approx(abs(cents), abs=2)


def test_voicing_that_ends_early_is_an_error_of_its_share():
    x, y = vowel(150.0), vowel(150.0, voiced_s=0.7)
    assert VOICING(reference=x, degraded=y) == pytest.approx(0.2, abs=0.03)


def test_definitions():
    x = np.array([0.0, 100.0, 100.0, 100.0, 0.0])
    y = np.array([90.0, 200.0, 100.0, 0.0, 0.0])
    assert rmse_cents(x, y) == pytest.approx(1200 / np.sqrt(2))
    assert voicing_error(x, y) == pytest.approx(2 / 5)


@pytest.mark.parametrize("metric", METRICS, ids=["rmse", "voicing"])
def test_a_reference_without_voice(metric):
    breath = vowel(150.0, voiced_s=0.0)
    with pytest.raises(Undefined, match="no frame of the reference is voiced"):
        metric.prepare(breath)


def test_a_voice_that_was_lost():
    x, whispered = vowel(150.0), vowel(150.0, voiced_s=0.0)
    with pytest.raises(Undefined, match="no frame is voiced in both signals"):
        RMSE(reference=x, degraded=whispered)
    assert VOICING(reference=x, degraded=whispered) == pytest.approx(2 / 3, abs=0.04)
