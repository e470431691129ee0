"""Log-spectral distance: how far apart the power spectra are, in dB.

With P(x) the power |STFT|^2 of x, at least 1e-7, over F bins and T frames::

    d = 1/T sum_t sqrt( 1/F sum_f ( 10 log10 P_tf(x) - 10 log10 P_tf(y) )^2 )

Gray, Markel: "Distance Measures for Speech Processing", IEEE TASSP 24(5), 1976, section III
(their d_2, of power spectra instead of models). Hann windows of 2048 samples, 512 apart.
"""

from dataclasses import replace
from functools import partial

from snacbench.later import np
from snacbench.metrics._guards import DISTANCE, guarded
from snacbench.types import Audio, Floats

WINDOW = 2048
HOP = 512
# A sine of amplitude 1 has a power of 54 dB in its bin, the rounding to 16 bits one of -72 dB. With
# a lower floor the distance would be that of silences which no file of 16 bits can hold.
POWER_FLOOR = 1e-7

LSD = replace(
    DISTANCE, name="lsd", unit="dB", citation="Gray and Markel, IEEE TASSP 24(5), 1976, section III"
)


def _distance_db(reference_db: Floats, degraded: Audio) -> float:
    difference = reference_db - _power_db(degraded)
    return float(np.sqrt(np.mean(difference**2, axis=1)).mean())


def _power_db(audio: Audio) -> Floats:
    """Power in dB of whole frames, shape (frames, 1025)."""
    frames = np.lib.stride_tricks.sliding_window_view(audio.samples[0], WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1]  # periodic
    spectra = np.fft.rfft(frames * window)
    power = spectra.real**2 + spectra.imag**2
    return np.asarray(10 * np.log10(np.maximum(power, POWER_FLOOR)))


METRICS = (
    guarded(
        LSD, lambda reference: partial(_distance_db, _power_db(reference)),
        min_s=WINDOW / LSD.rate_hz, silence_has_score=True,
    ),
)  # fmt: skip
