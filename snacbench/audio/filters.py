"""The one low-pass: of anchors, of reference conditions, and wherever a band is cut off."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Audio


@cache
def low_pass_taps(
    cutoff_hz: float, rate_hz: int, *, transition_hz: float = 600.0, stop_db: float = 65.0
) -> NDArray[np.float64]:
    """Impulse response of the low-pass: a windowed sinc (Kaiser).

    By default it fulfils what ITU-R BS.1534-3 asks of anchors: a ripple within +-0.1 dB up to the
    cut-off, at least 25 dB at 0.5 kHz above it and at least 50 dB at 1 kHz above it.

    Parameters
    ----------
    cutoff_hz : float
        Up to where the band is flat.
    rate_hz : int
        Sampling rate.
    transition_hz : float
        How far above the cut-off the stop band begins.
    stop_db : float
        Attenuation there.

    Returns
    -------
    array, shape (taps,)
        Symmetric and of odd length: the delay is a whole number of samples, half of it.
    """
    from scipy.signal import firwin, kaiserord  # a third of a second, which --help need not wait

    length, beta = kaiserord(stop_db, transition_hz / (rate_hz / 2))
    middle_hz = cutoff_hz + transition_hz / 2
    taps = firwin(int(length) | 1, middle_hz, window=("kaiser", beta), fs=rate_hz)
    return np.asarray(taps, dtype=np.float64)


def low_pass(
    audio: Audio, cutoff_hz: float, *, transition_hz: float = 600.0, stop_db: float = 65.0
) -> Audio:
    """A signal without what lies above a cut-off, in time with it and of its length.

    Parameters are those of `low_pass_taps`. A signal whose band ends below the stop band passes
    unchanged.
    """
    if cutoff_hz + transition_hz >= audio.rate_hz / 2:
        return audio
    from scipy.signal import oaconvolve

    taps = low_pass_taps(cutoff_hz, audio.rate_hz, transition_hz=transition_hz, stop_db=stop_db)
    full = oaconvolve(audio.samples.astype(np.float64), taps[None], axes=1)
    delay = len(taps) // 2
    cut = full[:, delay : delay + audio.num_samples]
    return Audio(cut.astype(np.float32), audio.rate_hz)
