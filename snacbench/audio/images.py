"""Mirror images: what a resampler without a proper filter leaves above the old half rate.

A signal at rate R that is interpolated linearly, by repeated samples or through too short a filter
has above R/2 a fainter copy of what is below, mirrored. The copy follows the original in every
detail of time and frequency, which nothing natural does: the fine structure of the bands at
R/2 + d and R/2 - d is compared over all distances d.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.spectrum import Spectrogram

STANDARD_RATES_HZ = (
    8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000
)  # fmt: skip

_BAND_HZ = 94.0
_LEAST_DISTANCE_HZ, _LEAST_DISTANCE = 200.0, 0.05  # nearer, the two bands leak into each other
_MOST_DISTANCE = 0.9  # beyond, one looks at the image of rumble
_FLOOR = 3e-13  # -125 dBFS a band: under the dither of 16 bits
# Correlation of 60 unspoilt real clips at every rate: 0.10 at most; of linear interpolation: 0.32
# at least. Chance alone reaches a few times one over the root of the number of values.
_CORRELATION = 0.2
_CHANCE = 8.0
_LEAST_STRUCTURE_DB = 1.0  # steady tones and clicks have none, and are symmetric by themselves


def imaged_from_hz(spectra: Spectrogram) -> float | None:
    """Half of the lowest standard rate around which the spectrum is mirrored, Hz, else None."""
    total = np.cumsum(spectra.power, axis=1, dtype=np.float64)
    total = np.concatenate([np.zeros((len(total), 1)), total], axis=1)
    for rate_hz in STANDARD_RATES_HZ:
        if rate_hz >= 0.95 * spectra.rate_hz:
            return None
        if _is_mirrored(total, spectra, rate_hz / 2):
            return rate_hz / 2
    return None


def _is_mirrored(total: NDArray[np.float64], spectra: Spectrogram, mirror_hz: float) -> bool:
    least = max(_LEAST_DISTANCE_HZ, _LEAST_DISTANCE * mirror_hz)
    most = min(_MOST_DISTANCE * mirror_hz, spectra.rate_hz / 2 - mirror_hz)
    distance_hz = np.arange(least, most, _BAND_HZ)
    if len(distance_hz) < 3 or len(total) < 2:
        return False
    above = _cumulated(total, mirror_hz + distance_hz, spectra.bin_hz)
    below = -_cumulated(total, mirror_hz - distance_hz, spectra.bin_hz)
    a, b = _fine_structure(above), _fine_structure(below)
    rms_db = np.sqrt((a * a).mean()), np.sqrt((b * b).mean())
    if min(rms_db) < _LEAST_STRUCTURE_DB:
        return False
    correlation = float((a * b).mean() / (rms_db[0] * rms_db[1]))
    return correlation > max(_CORRELATION, _CHANCE / float(np.sqrt(a.size)))


def _cumulated(
    total: NDArray[np.float64], frequency_hz: NDArray[np.float64], bin_hz: float
) -> NDArray[np.float64]:
    """Power from 0 Hz up to some frequencies, which may lie within a bin."""
    position = frequency_hz / bin_hz + 0.5
    whole = np.minimum(position.astype(int), total.shape[1] - 2)
    part = position - whole
    return np.asarray(total[:, whole] + part * (total[:, whole + 1] - total[:, whole]))


def _fine_structure(cumulated: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels of the bands between cumulated powers, less what neighbours have in common."""
    level_db = 10 * np.log10(np.maximum(np.diff(cumulated, axis=1), _FLOOR))
    return np.asarray(np.diff(np.diff(level_db, axis=0), axis=1))
