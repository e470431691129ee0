"""The residual delay of a codec, measured before a run.

Only delay that a codec declares is taken out of its decoded audio. What is left (8 samples in
some of DAC's models, 3 to 5 in Opus' SILK modes) hardly matters to listeners and ruins SI-SDR.
It is measured on broadband material, over several excerpts, because the correlation of a single
clip may lock onto the pitch of its voice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np

from snacbench.audio.align import cross_correlation
from snacbench.audio.channels import downmix, upmix
from snacbench.audio.clipping import limited
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.rows import Calibration
from snacbench.runner.loading import CodecHandle, load
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, CodecSpec

_MAX_DELAY_S = 0.02
_EXCERPT_S = 1.0
_EXCERPTS_PER_DOMAIN = 3
_BELIEVED_CORRELATION = 0.1
_BELIEVED_AGREEMENT = 0.5
_CLOSE_SAMPLES = 2
_MATERIAL_RATE_HZ = 48_000


def calibrate(handle: CodecHandle) -> Calibration:
    """Measure how late a codec's decoded audio comes.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
    spec = handle.spec
    loaded = load(handle)
    pairs = []
    for excerpt in excerpts_for(spec):
        with loaded.computing():
            decoded = loaded.codec.decode(loaded.codec.encode(excerpt), seed=0)
        pairs.append((downmix(excerpt), downmix(decoded)))
    loaded.warm = True
    return residual_delay(spec.name, pairs, spec.rate_hz or _MATERIAL_RATE_HZ)


def excerpts_for(spec: CodecSpec) -> Iterator[Audio]:
    """Broadband excerpts of three domains at a codec's rate and channels."""
    channels = 1 if 1 in (spec.channels or (1,)) else min(spec.channels)
    for excerpt in _material():
        yield upmix(resample(excerpt, spec.rate_hz or _MATERIAL_RATE_HZ), channels)


def residual_delay(codec: str, pairs: Iterable[tuple[Audio, Audio]], rate_hz: int) -> Calibration:
    """The weighted median of the lags at which each (reference, degraded) pair correlates best.

    A median, because some excerpts lock onto a pitch, and because Opus' delay depends on the
    mode that it chooses for each: the lag of most is right for most, that of a joint peak for none.
    """
    max_lag = round(_MAX_DELAY_S * rate_hz)
    lags, heights = [], []
    for reference, degraded in pairs:
        curve = cross_correlation(reference=reference, degraded=degraded, max_lag=max_lag)
        lags.append(int(np.argmax(curve)) - max_lag)
        heights.append(max(float(curve.max()), 0.0))
    if not sum(heights):
        return Calibration(codec, 0, rate_hz, 0.0, 0.0, found=False)
    delay = _weighted_median(lags, heights)
    close = [h for lag, h in zip(lags, heights, strict=True) if abs(lag - delay) <= _CLOSE_SAMPLES]
    correlation, agreement = sum(heights) / len(heights), sum(close) / sum(heights)
    found = correlation >= _BELIEVED_CORRELATION and agreement >= _BELIEVED_AGREEMENT
    return Calibration(codec, delay if found else 0, rate_hz, correlation, agreement, found)


def _weighted_median(values: Sequence[int], weights: Sequence[float]) -> int:
    """The value at which half of the weight lies on either side."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(np.asarray(weights)[order])
    middle = int(np.searchsorted(cumulated, cumulated[-1] / 2))
    return int(np.asarray(values)[order][middle])


@cache
def _material() -> tuple[Audio, ...]:
    """Excerpts of the embedded set, one per domain, mono."""
    return tuple(_excerpts())


def _excerpts() -> Iterator[Audio]:
    clips = NAMED_SETS["quick"].build().clips
    for domain in sorted({clip.domain for clip in clips}):
        of_domain = [clip for clip in clips if clip.domain == domain]
        for clip in sorted(of_domain, key=lambda c: -c.rate_hz)[:_EXCERPTS_PER_DOMAIN]:
            length = min(clip.num_samples, round(_EXCERPT_S * clip.rate_hz))
            start = (clip.num_samples - length) // 2
            yield downmix(limited(read(clip.path, start=start, num_samples=length)))
