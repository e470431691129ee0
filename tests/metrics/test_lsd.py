from __future__ import annotations

import numpy as np
import pytest

from snacbench.metrics.lsd import HOP, METRICS, POWER_FLOOR, WINDOW
from snacbench.types import Audio

(LSD,) = METRICS
RATE_HZ = 44_100


def by_librosa(x: Audio, y: Audio) -> float:
    """The definition on librosa's transform."""
    import librosa

    def power_db(audio: Audio) -> np.ndarray:
        spectrum = librosa.stft(
            audio.samples[0].astype(np.float64), n_fft=WINDOW, hop_length=HOP, center=False
        )
        return librosa.power_to_db(np.abs(spectrum) ** 2, amin=POWER_FLOOR, top_db=None)

    return float(np.mean(np.sqrt(np.mean((power_db(x) - power_db(y)) ** 2, axis=0))))


def test_equals_librosa(pairs):
    for name, (x, y) in pairs(RATE_HZ).items():
        assert LSD(reference=x, degraded=y) == pytest.approx(by_librosa(x, y), rel=1e-6), name


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_gain_is_at_the_distance_of_its_decibels(gain_db):
    noise = np.random.default_rng(0).standard_normal((1, RATE_HZ)) * 0.05
    x = Audio(noise.astype(np.float32), RATE_HZ)
    y = Audio((noise * 10 ** (gain_db / 20)).astype(np.float32), RATE_HZ)
    assert LSD(reference=x, degraded=y) == pytest.approx(abs(gain_db), abs=1e-4)
