"""Levels of narrow bands over a clip, and which of them hold signal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.spectrum import Spectrogram

_BAND_HZ = 100.0

# A lone click (a splice, a lost sample) lies in two half-overlapping frames; it says nothing of
# what the recording holds. In every band the two loudest frames are left out.
_CLICK_FRAMES = 2
_FEWEST_FRAMES_PER_CLICK = 8

_RUMBLE_DB = 20.0
_STEADY_RANGE_DB = 50.0  # steady bands down to here under the loudest are signal: rain, engines
_MOVING_RANGE_DB = 85.0  # bands that come and go: fricatives, the last partials
_STEADY_FLOOR_DBFS = -88.0  # noise-shaped dither of 16 bits reaches -92
_DITHER_DBFS = -96.3  # triangular dither and rounding to 16 bits, over the whole spectrum
_ABOVE_DITHER_DB = 4.0

_MOVING_DB = 5.0  # mean over quiet moments; steady noise has about 1
_QUIET_PERCENTILE = 20
_SMOOTHED_BANDS = 5


@dataclass(frozen=True, eq=False)
class Bands:
    """Bands of equal width from 0 Hz upwards.

    Attributes
    ----------
    level_db : array, shape (bands,)
        Mean power over frames, dB relative to a mean square of 1.
    quiet_db : array, shape (bands,)
        Power that a fifth of the frames stay under, smoothed over neighbouring bands.
    moving_db : array, shape (bands,)
        How far the mean is above quiet moments.
    width_hz : float
    rate_hz : int
        Sampling rate of the clip.
    frames : int
        How many frames the levels rest on.
    """

    level_db: NDArray[np.float64]
    quiet_db: NDArray[np.float64]
    moving_db: NDArray[np.float64]
    width_hz: float
    rate_hz: int
    frames: int

    def upper_hz(self, band: int) -> float:
        """Upper edge of a band."""
        return min((band + 1) * self.width_hz, self.rate_hz / 2)

    def up_to(self, limit_hz: float) -> Bands:
        """The bands below a frequency."""
        count = max(1, round(limit_hz / self.width_hz))
        return replace(
            self,
            level_db=self.level_db[:count],
            quiet_db=self.quiet_db[:count],
            moving_db=self.moving_db[:count],
        )

    @property
    def loudest_db(self) -> float:
        """Level of the loudest band; rumble in the lowest must not hide what is above it."""
        return float(max(self.level_db[0] - _RUMBLE_DB, *self.level_db[1:]))

    @property
    def dither_db(self) -> float:
        """Level that the dither of 16 bits stays under."""
        share = 2 * self.width_hz / self.rate_hz
        return float(_DITHER_DBFS + _ABOVE_DITHER_DB + 10 * np.log10(share))

    def hold_signal(self) -> NDArray[np.bool_]:
        """Which bands hold signal: loud ones, and fainter ones that come and go as sounds do."""
        steady = self.level_db > max(self.loudest_db - _STEADY_RANGE_DB, _STEADY_FLOOR_DBFS)
        audible = self.level_db > max(self.loudest_db - _MOVING_RANGE_DB, self.dither_db)
        return np.asarray(audible & (steady | (self.moving_db > _MOVING_DB)))


def bands_of(spectra: Spectrogram) -> Bands:
    """Bands of about 100 Hz."""
    per_band = max(1, round(_BAND_HZ / spectra.bin_hz))
    count = spectra.power.shape[1] // per_band
    power = spectra.power[:, : count * per_band].reshape(-1, count, per_band).sum(axis=2)
    frames = len(power)
    kept = frames - min(_CLICK_FRAMES, frames // _FEWEST_FRAMES_PER_CLICK)
    power = np.partition(power, kept - 1, axis=0)[:kept].astype(np.float64)
    smooth = _smoothed(power)
    quiet_db = _db(np.percentile(smooth, _QUIET_PERCENTILE, axis=0))
    return Bands(
        level_db=_db(power.mean(axis=0)),
        quiet_db=quiet_db,
        moving_db=_db(smooth.mean(axis=0)) - quiet_db,
        width_hz=per_band * spectra.bin_hz,
        rate_hz=spectra.rate_hz,
        frames=frames,
    )


def _smoothed(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over five neighbouring bands, over fewer at both ends."""
    total = np.cumsum(power, axis=1)
    total = np.concatenate([np.zeros((len(power), 1)), total], axis=1)
    at = np.arange(power.shape[1])
    low = np.maximum(at - _SMOOTHED_BANDS // 2, 0)
    high = np.minimum(at + _SMOOTHED_BANDS // 2 + 1, power.shape[1])
    return np.asarray(np.maximum(total[:, high] - total[:, low], 0) / (high - low))


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(power + 1e-20))
