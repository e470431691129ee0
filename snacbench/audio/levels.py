"""Levels: loudness after ITU-R BS.1770-4 (pyloudnorm), peak, full scale, and flat tops."""

import math

from snacbench.later import NDArray, np
from snacbench.types import Audio

_BLOCK_S = 0.4
_HOP_S = 0.1
# pyloudnorm's default filters are 0.06 dB off the Recommendation at 48 kHz and 0.2 dB at 8 kHz;
# De Man's reproduce its coefficients and stay within 0.06 dB at every rate.
_FILTERS = "DeMan"

_HIGHEST = 1 - 2.0**-23  # of 24-bit PCM, in which decodes are kept; the lowest is -1
_MIN_RUN = 3  # a pure tone can repeat its extreme twice (at a quarter of the rate), never thrice
_MIN_LEVEL = 0.1  # 20 dB under full scale nothing clips, and coarse steps repeat by themselves
_STEP_16_BIT = 2.0**-15
_FLAT_STEPS = 2.0  # what dither adds to a flat top
_STEEP_STEPS = 10.0  # a low note's own round top falls by at most 6 steps beside such a run


def loudness_lufs(audio: Audio) -> float | None:
    """Integrated loudness, LUFS (ITU-R BS.1770-4: K-weighting, gates at -70 LUFS and -10 LU).

    Mono is one channel, not two: the same signal in both channels of a stereo file is 3.01 LU
    louder. Channels are taken in the order left, right, centre and the two surrounds. None if the
    clip is shorter than one gating block (0.4 s), no block passes the gates, there are more than
    the five channels that the Recommendation weighs, or the rate is under 4 kHz.
    """
    if audio.channels > 5 or audio.rate_hz < 4_000:  # K-weighting turns at 1.7 kHz
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


def clipped_samples(audio: Audio) -> "NDArray[np.bool_]":
    """Which samples belong to flat tops: at least three in a row at their channel's extreme.

    A flat top ends steeply: the sample beside it lies at least ten quantisation steps (of 16 bits,
    or of a coarser grid that all samples lie on) below, unlike the round top of a low note in a
    normalised file. The extreme may lie below full scale, so that a file that was clipped and then
    turned down is found as well. Shorter runs do not count: the number found is a lower bound.
    """
    mask = np.zeros(audio.samples.shape, dtype=bool)
    for channel, one in enumerate(audio.samples):
        change = np.abs(np.diff(one))
        grid = float(change.min(initial=1.0, where=change > 0))
        step = _STEP_16_BIT
        if grid >= 2 * step:
            position = one / np.float32(grid)
            step = grid if np.abs(position - np.rint(position)).max() < 0.02 else step
        for samples in (one, -one):
            extreme = float(samples.max())
            if extreme < _MIN_LEVEL:
                continue
            at_top = np.concatenate([[False], samples >= extreme - _FLAT_STEPS * step, [False]])
            edges = np.flatnonzero(at_top[1:] != at_top[:-1])
            for start, stop in edges.reshape(-1, 2).tolist():
                beside = float(samples[max(start - 1, 0) : stop + 1].min())
                if stop - start >= _MIN_RUN and extreme - beside >= _STEEP_STEPS * step:
                    mask[channel, start:stop] = True
    return mask
