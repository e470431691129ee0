from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.mcd import BANDS, COEFFICIENTS, HOP, METRICS, RATE_HZ, WINDOW
from snacbench.types import Audio

(MCD,) = METRICS


def by_librosa(x: Audio, y: Audio) -> float:
    """The definition put together from librosa's spectrogram, filters and MFCC, in its floats."""
    import librosa

    def cepstra(audio: Audio) -> tuple[np.ndarray, np.ndarray]:
        mel = librosa.feature.melspectrogram(
            y=audio.samples[0].astype(np.float64),
            sr=RATE_HZ,
            n_fft=WINDOW,
            hop_length=HOP,
            n_mels=BANDS,
            center=False,
        )
        level_db = librosa.power_to_db(mel, amin=1e-10, top_db=None)
        mfcc = librosa.feature.mfcc(S=level_db, n_mfcc=COEFFICIENTS + 1, dct_type=2, norm="ortho")
        return mfcc[1:], mel.sum(axis=0)

    of_x, energy = cepstra(x)
    of_y, _ = cepstra(y)
    speaks = 10 * np.log10(energy) > 10 * np.log10(energy.max()) - 40
    return float(np.mean(np.sqrt(np.sum((of_x - of_y) ** 2, axis=0) / BANDS)[speaks]))


def test_equals_librosa(pairs):
    for name, (x, y) in pairs(RATE_HZ, speech_only=True).items():
        assert MCD(reference=x, degraded=y) == pytest.approx(by_librosa(x, y), rel=1e-6), name


def test_equals_kubichek_with_cepstra_of_natural_logarithms(make_voice, add_noise):
    x = make_voice(RATE_HZ)
    y = add_noise(x, 20)
    to_kubichek = np.log(10) / (10 * np.sqrt(2 * BANDS))
    per_coefficient = MCD(reference=x, degraded=y) * np.sqrt(BANDS) * to_kubichek
    kubichek = 10 * np.sqrt(2) / np.log(10) * per_coefficient
    assert kubichek == pytest.approx(MCD(reference=x, degraded=y))


def test_level_makes_no_difference(make_voice):
    x = make_voice(RATE_HZ)
    louder = Audio(3 * x.samples, RATE_HZ)
    assert MCD(reference=x, degraded=louder) < 1e-4


def test_a_reference_under_the_floor(make_voice):
    x = make_voice(RATE_HZ)
    with pytest.raises(Undefined, match="all its mel bands are at the floor"):
        MCD.prepare(Audio(x.samples * np.float32(1e-12), RATE_HZ))
