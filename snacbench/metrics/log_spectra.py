"""How far apart the logarithms of two signals' spectra are, in dB: bin by bin, and as envelopes.

`lsd`, the log-spectral distance. With P(x) the power |STFT|^2 of x, at least 1e-7, over F bins and
T frames::

    d = 1/T sum_t sqrt( 1/F sum_f ( 10 log10 P_tf(x) - 10 log10 P_tf(y) )^2 )

Gray, Markel: "Distance Measures for Speech Processing", IEEE TASSP 24(5), 1976, section III
(their d_2, of power spectra instead of models). Hann windows of 2048 samples, 512 apart.

`mcd`, mel-cepstral distortion: of the spectral envelopes of speech. With c_m the orthonormal cosine
transform of the energies in B mel bands, in dB, and the mean over the frames in which the reference
speaks (within 40 dB of its loudest)::

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

LSD_WINDOW, LSD_HOP = 2048, 512
# A sine of amplitude 1 has a power of 54 dB in its bin, the rounding to 16 bits one of -72 dB. With
# a lower floor the distance would be that of silences which no file of 16 bits can hold.
POWER_FLOOR = 1e-7
MCD_WINDOW, MCD_HOP = 512, 128
BANDS, COEFFICIENTS = 40, 24
ENERGY_FLOOR = 1e-10

LSD = replace(
    DISTANCE, name="lsd", unit="dB", citation="Gray and Markel, IEEE TASSP 24(5), 1976, section III"
)
MCD = replace(
    DISTANCE, name="mcd", unit="dB", rate_hz=16_000, domains=("speech",),
    citation="Kubichek, IEEE PACRIM 1993, equation 1; 24 coefficients of 40 mel bands",
    requires=("librosa",),
)  # fmt: skip


def _power(audio: Audio, window: int, hop: int) -> Floats:
    """Power of whole frames under a periodic Hann window, shape (frames, window / 2 + 1)."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.samples[0], window)[::hop]
    spectra = np.fft.rfft(frames * np.hanning(window + 1)[:-1])
    return np.asarray(spectra.real**2 + spectra.imag**2)


def _db(power: "Floats | np.float64", floor: float) -> Floats:
    return np.asarray(10 * np.log10(np.maximum(power, floor)))


def _prepare_lsd(reference: Audio) -> Callable[[Audio], float]:
    reference_db = _db(_power(reference, LSD_WINDOW, LSD_HOP), POWER_FLOOR)

    def compare(degraded: Audio) -> float:
        difference = reference_db - _db(_power(degraded, LSD_WINDOW, LSD_HOP), POWER_FLOOR)
        return float(np.sqrt(np.mean(difference**2, axis=1)).mean())

    return compare


def _prepare_mcd(reference: Audio) -> Callable[[Audio], float]:
    energies = _power(reference, MCD_WINDOW, MCD_HOP) @ _mel_filters()
    level_db = _db(energies.sum(axis=1), ENERGY_FLOOR)
    if level_db.max() <= _db(np.float64(ENERGY_FLOOR), ENERGY_FLOOR):
        raise Undefined(
            "the reference is so quiet that all its mel bands are at the floor of -100 dB; a "
            "louder one is needed"
        )
    speaks = level_db > level_db.max() - 40.0
    of_reference = _cepstra(energies[speaks])

    def compare(degraded: Audio) -> float:
        energies = _power(degraded, MCD_WINDOW, MCD_HOP) @ _mel_filters()
        difference = of_reference - _cepstra(energies[speaks])
        return float(np.sqrt(np.sum(difference**2, axis=1) / BANDS).mean())

    return compare


def _cepstra(energies: Floats) -> Floats:
    """Coefficients 1 to 24, without c_0, of mel energies in dB, shape (frames, 24)."""
    band, m = np.arange(BANDS)[:, None], np.arange(1, COEFFICIENTS + 1)
    cosines = math.sqrt(2 / BANDS) * np.cos(math.pi * m * (band + 0.5) / BANDS)
    return np.asarray(_db(energies, ENERGY_FLOOR) @ cosines)


@functools.cache
def _mel_filters() -> Floats:
    """Slaney's mel filters of unit area up to 8 kHz, shape (257, 40)."""
    mel, rate_hz = librosa.filters.mel, MCD.rate_hz
    return np.asarray(mel(sr=rate_hz, n_fft=MCD_WINDOW, n_mels=BANDS, dtype=np.float64).T)


METRICS = (
    guarded(LSD, _prepare_lsd, min_s=LSD_WINDOW / LSD.rate_hz, silence_has_score=True),
    guarded(
        MCD, _prepare_mcd, versions_of("librosa"),
        min_s=MCD_WINDOW / MCD.rate_hz, silence_has_score=True,
    ),
)  # fmt: skip
