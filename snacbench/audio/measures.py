"""What is measured on a clip before any codec sees it."""

from __future__ import annotations

import numpy as np

from snacbench.audio.bandwidth import effective_bandwidth
from snacbench.audio.clipping import clipped_samples
from snacbench.audio.loudness import loudness_lufs, peak_dbfs
from snacbench.types import Audio, Measures

# An overshoot of a decoder or resampler, cut to full scale, is rarely three samples long; it is
# not counted as clipping of the recording, but sprays over the spectrum all the same.
_FULL_SCALE = 1 - 2.0**-13
_MOST_DBFS = 120.0  # squares and sums of larger numbers leave the range of float32


def measure(audio: Audio) -> Measures:
    """Effective bandwidth, loudness, peak and clipping of a clip, over all its channels.

    Takes 1 to 5 ms per second of audio; never raises. Of numbers that are no audio at any level
    only the peak is measured.
    """
    peak = peak_dbfs(audio)
    if peak is not None and peak > _MOST_DBFS:
        return Measures(None, None, peak, 0)
    clipped = clipped_samples(audio)
    spoilt = np.any(clipped | (np.abs(audio.samples) >= _FULL_SCALE), axis=0)
    band = effective_bandwidth(audio, spoilt=spoilt)
    return Measures(
        bandwidth_hz=band.hz,
        loudness_lufs=loudness_lufs(audio),
        peak_dbfs=peak,
        clipped_samples=int(clipped.sum()),
        brickwall=band.brickwall,
    )
