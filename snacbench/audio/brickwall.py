"""Brickwall: the steep end of a spectrum that resamplers and lossy encoders leave.

The fall is taken from the median level over a fifth of the frequency to the loudest band of the
kilohertz beyond, across a tenth of the frequency: 20 dB there are more than 130 dB an octave, far
more than sounds, rooms, microphones and tape have. Calls of birds and whistles may end as steeply,
but the hiss under them goes on; a brickwall cuts the hiss as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.bands import Bands

_FEWEST_FRAMES = 8  # 0.2 s: in one drum hit anything may end steeply
_LOWEST_HZ = 2_500.0  # telephones cut at 3.4 kHz
_LEAKAGE_DB = 95.0  # further below the loudest band lie the skirts of its tones, steep as well
_BEFORE, _TRANSITION = 0.2, 0.1  # shares of the frequency
_LEAST_TRANSITION_HZ, _BEYOND_HZ = 300.0, 1_000.0

_FALL_DB = 20.0  # where nothing above holds signal
_DEEP_FALL_DB = 40.0  # where something does, but all of it this far below: skirts, spray
_SPURS = 0.02  # share of the bands above that may be louder
_HISS_FALL_DB = 6.0

_EDGE_DB = 20.0  # the edge lies where the level has fallen by this much,
_EDGE_SHARE = 0.6  # or by this share of a lesser fall


def brickwall(bands: Bands, *, top: int) -> int | None:
    """The last band before the deepest steep fall; None if none falls so, or the clip is short.

    Parameters
    ----------
    bands : Bands
    top : int
        The highest band with signal.
    """
    if bands.frames < _FEWEST_FRAMES:
        return None
    level = np.maximum(bands.level_db, max(bands.dither_db, bands.loudest_db - _LEAKAGE_DB))
    deepest, found = 0.0, None
    for band in range(int(_LOWEST_HZ / bands.width_hz), len(level)):
        before, beyond = _sides(bands, band)
        if beyond.start > len(level) - 2:
            break
        plateau = float(np.median(level[before]))
        fall = plateau - float(level[beyond].max())
        if fall < _FALL_DB or fall <= deepest:
            continue
        above = float(np.quantile(level[beyond.start :], 1 - _SPURS))
        nothing_above = beyond.start >= top or plateau - above >= _DEEP_FALL_DB
        if nothing_above and _cuts_hiss(bands, before, beyond):
            deepest, found = fall, band
    return None if found is None else _edge(bands, level, found, deepest)


def _sides(bands: Bands, band: int) -> tuple[slice, slice]:
    """The bands up to one, and those beyond a transition."""
    transition = _transition(bands, band)
    width = max(int(_BEYOND_HZ / bands.width_hz), 2 * transition)
    first, start = int(band * (1 - _BEFORE)), band + transition
    return slice(first, band + 1), slice(start, start + width)


def _transition(bands: Bands, band: int) -> int:
    return max(int(np.ceil(_TRANSITION * band)), int(_LEAST_TRANSITION_HZ / bands.width_hz))


def _cuts_hiss(bands: Bands, before: slice, beyond: slice) -> bool:
    """Whether quiet moments fall as well, or nothing is left that could be hiss."""
    if bands.level_db[beyond].max() <= bands.dither_db + _HISS_FALL_DB:
        return True
    fall = float(np.median(bands.quiet_db[before]) - np.median(bands.quiet_db[beyond]))
    return fall >= _HISS_FALL_DB


def _edge(bands: Bands, level: NDArray[np.float64], band: int, fall_db: float) -> int:
    """The last band of the transition that has not fallen yet."""
    plateau = float(np.median(level[_sides(bands, band)[0]]))
    transition = _transition(bands, band)
    start = max(band - transition, 1)
    fallen = min(_EDGE_DB, _EDGE_SHARE * fall_db)
    still_up = np.flatnonzero(level[start : band + transition] >= plateau - fallen)
    return start + int(still_up[-1]) if still_up.size else band
