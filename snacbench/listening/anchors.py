"""The low anchors: the reference through a low-pass at 3.5 and at 7 kHz.

ITU-R BS.1534-3 asks of the filter a ripple within +-0.1 dB up to the cut-off, at least 25 dB at
0.5 kHz above it and at least 50 dB at 1 kHz above it. A linear-phase filter whose delay is removed
keeps anchors in time with the reference to the sample, so that switching does not give them away.
"""

from __future__ import annotations

import math

import numpy as np

from snacbench.audio.filters import low_pass
from snacbench.errors import AudioError
from snacbench.listening.test import RATE_HZ
from snacbench.types import Audio

RIPPLE_DB = 0.1
MASK_DB = {500: 25.0, 1_000: 50.0}
"""Hz above the cut-off -> least attenuation in dB."""

NEARLY_TRANSPARENT_DB = -40.0
"""An anchor that takes away less than this share of the reference's energy may pass for it."""


def anchor(reference: Audio, cutoff_hz: int) -> Audio:
    """The reference without what lies above a cut-off, in time with it and of its length.

    Raises
    ------
    AudioError
        If the reference is not at 48 kHz.
    """
    if reference.rate_hz != RATE_HZ:
        raise AudioError(
            f"anchors are made at {RATE_HZ} Hz, found {reference.rate_hz} Hz; resample first"
        )
    return low_pass(reference, cutoff_hz)


def energy_above_db(audio: Audio, cutoff_hz: float) -> float:
    """Energy above a frequency, dB relative to all of it without the mean; higher is more.

    Minus infinity where there is none at all.
    """
    power = (np.abs(np.fft.rfft(audio.samples.astype(np.float64), axis=1)) ** 2).sum(axis=0)
    power[0] = 0.0
    hertz = np.fft.rfftfreq(audio.num_samples, 1 / audio.rate_hz)
    above, total = float(power[hertz > cutoff_hz].sum()), float(power.sum())
    return 10 * math.log10(above / total) if above > 0 else -math.inf
