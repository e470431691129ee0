"""Clipping: tops that a converter, a limiter or an overflow has cut flat; and our own limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Audio, FloatSamples

_HIGHEST = 1 - 2.0**-23  # of 24-bit PCM, in which decodes are kept; the lowest is -1
_MIN_RUN = 3  # a pure tone can repeat its extreme twice (at a quarter of the rate), never thrice
_MIN_LEVEL = 0.1  # 20 dB under full scale nothing clips, and coarse steps repeat by themselves
_STEP_16_BIT = 2.0**-15
_GRID_TOLERANCE = 0.02
_FLAT_STEPS = 2.0  # what dither adds to a flat top
_STEEP_STEPS = 10.0  # a low note's own round top falls by at most 6 steps beside such a run


def limited(audio: Audio) -> Audio:
    """A signal limited to full scale: what float files and decoders put beyond it is cut.

    Decodes are kept in 24 bits, which end there; so a source ends there, too, before any codec or
    metric sees it, and a codec that returns its input is exact.
    """
    if beyond_full_scale(audio) == 0:
        return audio
    return Audio(np.clip(audio.samples, np.float32(-1), np.float32(_HIGHEST)), audio.rate_hz)


def beyond_full_scale(audio: Audio) -> int:
    """How many samples `limited` changes."""
    return int(np.count_nonzero((audio.samples < -1) | (audio.samples > _HIGHEST)))


def clipped_samples(audio: Audio) -> NDArray[np.bool_]:
    """Which samples belong to flat tops: at least three in a row at their channel's extreme.

    A flat top ends steeply: the sample beside it lies at least ten quantisation steps below,
    unlike the round top of a low note in a normalised file. The extreme may lie below full scale,
    so that a file that was clipped and then turned down is found as well. Runs of one and two
    samples do not count, so the number of samples found is a lower bound.

    Returns
    -------
    array, shape (channels, time), bool
    """
    mask = np.zeros(audio.samples.shape, dtype=bool)
    for channel, samples in enumerate(audio.samples):
        step = _step(samples)
        for sign in (1, -1):
            for start, stop in _flat_tops(samples * np.float32(sign), step):
                mask[channel, start:stop] = True
    return mask


def _step(samples: FloatSamples) -> float:
    """Quantisation step: that of 16 bits, or a coarser grid that all samples lie on."""
    change = np.abs(np.diff(samples))
    grid = float(change.min(initial=1.0, where=change > 0))
    if grid < 2 * _STEP_16_BIT:
        return _STEP_16_BIT
    position = samples / np.float32(grid)
    on_grid = np.abs(position - np.rint(position)).max() < _GRID_TOLERANCE
    return grid if on_grid else _STEP_16_BIT


def _flat_tops(samples: FloatSamples, step: float) -> list[tuple[int, int]]:
    """First and one past the last index of every flat top at the largest value."""
    extreme = float(samples.max())
    if extreme < _MIN_LEVEL:
        return []
    at_top = np.concatenate([[False], samples >= extreme - _FLAT_STEPS * step, [False]])
    edges = np.flatnonzero(at_top[1:] != at_top[:-1])
    starts, stops = edges[::2], edges[1::2]
    long_enough = stops - starts >= _MIN_RUN
    tops = zip(starts[long_enough].tolist(), stops[long_enough].tolist(), strict=True)
    return [(a, b) for a, b in tops if extreme - _beside(samples, a, b) >= _STEEP_STEPS * step]


def _beside(samples: FloatSamples, start: int, stop: int) -> float:
    """The lower one of a run's two neighbours; the run's own value if it fills the clip."""
    return float(samples[max(start - 1, 0) : stop + 1].min())
