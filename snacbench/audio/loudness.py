"""Programme loudness after ITU-R BS.1770-4 (pyloudnorm), and the peak."""

from __future__ import annotations

import math

import numpy as np

from snacbench.types import Audio

_BLOCK_S = 0.4
_HOP_S = 0.1
_MOST_CHANNELS = 5
_LEAST_RATE_HZ = 4_000  # K-weighting turns at 1.7 kHz
# pyloudnorm's default filters are 0.06 dB off the Recommendation at 48 kHz and 0.2 dB at 8 kHz;
# De Man's reproduce its coefficients and stay within 0.06 dB at every rate.
_FILTERS = "DeMan"


def loudness_lufs(audio: Audio) -> float | None:
    """Integrated loudness, LUFS (ITU-R BS.1770-4: K-weighting, gates at -70 LUFS and -10 LU).

    Mono is one channel, not two: the same signal in both channels of a stereo file is 3.01 LU
    louder. Channels are taken in the order left, right, centre and the two surrounds.

    Returns
    -------
    float or None
        None if the clip is shorter than one gating block (0.4 s), no block passes the gates,
        there are more than the five channels that the Recommendation weighs, or the rate is
        under 4 kHz.
    """
    if audio.channels > _MOST_CHANNELS or audio.rate_hz < _LEAST_RATE_HZ:
        return None
    blocks = math.floor((audio.duration_s - _BLOCK_S) / _HOP_S + 1e-9) + 1
    if blocks < 1:
        return None
    # Whole blocks only: pyloudnorm would count a last, incomplete one as if it were full.
    length = min(math.ceil((_BLOCK_S + (blocks - 1) * _HOP_S) * audio.rate_hz), audio.num_samples)
    from pyloudnorm import Meter  # brings scipy.signal, which few verbs need

    meter = Meter(audio.rate_hz, filter_class=_FILTERS)
    value = float(meter.integrated_loudness(audio.samples[:, :length].T.astype(np.float64)))
    return value if math.isfinite(value) else None


def peak_dbfs(audio: Audio) -> float | None:
    """Largest sample, dB relative to full scale; None for digital silence.

    Sample peak, not true peak: what lies between the samples is not looked at.
    """
    peak = float(np.abs(audio.samples).max())
    return 20 * math.log10(peak) if peak > 0 else None
