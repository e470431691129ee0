"""Mel-cepstral distortion: how far apart the spectral envelopes of speech are, in dB.

With c_m the orthonormal cosine transform of the energies in B mel bands, in dB, and the mean over
the frames in which the reference speaks (within 40 dB of its loudest)::

    d = 1/T sum_t sqrt( 1/B sum_{m=1..24} ( c_m(x) - c_m(y) )^2 )

Kubichek: "Mel-Cepstral Distance Measure for Objective Speech Quality Assessment", IEEE PACRIM 1993,
equation 1. Frames are compared as they stand: codecs keep time.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

from snacbench.errors import Undefined
from snacbench.later import librosa, np
from snacbench.metrics._guards import DISTANCE, guarded, versions_of
from snacbench.types import Audio, Floats

RATE_HZ = 16_000
WINDOW, HOP = 512, 128
BANDS, COEFFICIENTS = 40, 24
ENERGY_FLOOR = 1e-10

MCD = replace(
    DISTANCE, name="mcd", unit="dB", rate_hz=RATE_HZ, domains=("speech",),
    citation="Kubichek, IEEE PACRIM 1993, equation 1; 24 coefficients of 40 mel bands",
    requires=("librosa",),
)  # fmt: skip


def _prepare(reference: Audio) -> Callable[[Audio], float]:
    energies = _mel_energies(reference)
    level_db = _db(energies.sum(axis=1))
    if level_db.max() <= _db(np.float64(ENERGY_FLOOR)):
        raise Undefined(
            "the reference is so quiet that all its mel bands are at the floor of -100 dB; a "
            "louder one is needed"
        )
    speaks = level_db > level_db.max() - 40.0
    of_reference = _cepstra(energies[speaks])

    def compare(degraded: Audio) -> float:
        difference = of_reference - _cepstra(_mel_energies(degraded)[speaks])
        return float(np.sqrt(np.sum(difference**2, axis=1) / BANDS).mean())

    return compare


def _cepstra(energies: Floats) -> Floats:
    """Coefficients 1 to 24, without c_0, of mel energies in dB, shape (frames, 24)."""
    band, m = np.arange(BANDS)[:, None], np.arange(1, COEFFICIENTS + 1)
    cosines = math.sqrt(2 / BANDS) * np.cos(math.pi * m * (band + 0.5) / BANDS)
    return np.asarray(_db(energies) @ cosines)


def _db(energy: "Floats | np.float64") -> Floats:
    return np.asarray(10 * np.log10(np.maximum(energy, ENERGY_FLOOR)))


def _mel_energies(audio: Audio) -> Floats:
    """Energies in mel bands under a periodic Hann window, whole frames, shape (frames, 40)."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.samples[0], WINDOW)[::HOP]
    spectra = np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1])
    return np.asarray((spectra.real**2 + spectra.imag**2) @ _mel_filters())


@functools.cache
def _mel_filters() -> Floats:
    """Slaney's mel filters of unit area up to 8 kHz, shape (257, 40)."""
    found: Floats = librosa.filters.mel(sr=RATE_HZ, n_fft=WINDOW, n_mels=BANDS, dtype=np.float64).T
    return found


METRICS = (
    guarded(MCD, _prepare, versions_of("librosa"), min_s=WINDOW / RATE_HZ, silence_has_score=True),
)
