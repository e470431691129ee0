"""The residual delay of a codec, measured before a run.

Only delay that a codec declares is taken out of its decoded audio. What is left (8 samples in
some of DAC's models, 3 to 5 in Opus' SILK modes) hardly matters to listeners and ruins SI-SDR.
It is measured on broadband material, over several excerpts, because the correlation of a single
clip may lock onto the pitch of its voice. Each clip's own lag is then looked for close to it
(`runner.delays`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.align import (
    MAX_DELAY_S,
    PLAINLY_ALIKE,
    WINDOW_S,
    best_lag,
    cross_correlation,
    strongest,
)
from snacbench.audio.channels import downmix, upmix
from snacbench.audio.io import read
from snacbench.audio.levels import limited
from snacbench.audio.resample import resample
from snacbench.rows import Calibration
from snacbench.runner.loading import CodecHandle, load
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio, CodecSpec

_EXCERPT_S = 1.0
_EXCERPTS_PER_DOMAIN = 3
_BELIEVED_SHARE = 0.5
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
    return residual_delay(spec.name, pairs)


def excerpts_for(spec: CodecSpec) -> Iterator[Audio]:
    """Broadband excerpts of three domains at a codec's rate and channels."""
    channels = 1 if 1 in (spec.channels or (1,)) else min(spec.channels)
    for excerpt in _material():
        yield upmix(resample(excerpt, spec.rate_hz or _MATERIAL_RATE_HZ), channels)


def residual_delay(codec: str, pairs: Iterable[tuple[Audio, Audio]]) -> Calibration:
    """The weighted median of the lags at which each (reference, degraded) pair correlates best.

    Each pair has one rate, and pairs may differ in it. A median, because some excerpts lock onto a
    pitch, and because Opus' delay depends on the mode that it chooses for each.
    """
    lags_s, heights, believed = [], [], []
    for reference, degraded in pairs:
        max_lag = round(MAX_DELAY_S * degraded.rate_hz)
        curve = cross_correlation(reference=reference, degraded=degraded, max_lag=max_lag)
        match = strongest(curve)
        lags_s.append(match.lag / degraded.rate_hz)
        heights.append(match.correlation)
        plain = best_lag(reference=reference, degraded=degraded, around=match.lag, reach=0)
        believed.append(match.stands_out or abs(plain.correlation) >= PLAINLY_ALIKE)
    weights = np.abs(heights)
    if not weights.sum():
        return Calibration(codec, 0.0, 0.0, 0.0, found=False)
    delay_s = _weighted_median(lags_s, weights)
    close = np.abs(np.subtract(lags_s, delay_s)) <= WINDOW_S
    correlation, agreement = float(weights.mean()), float(weights[close].sum() / weights.sum())
    found = bool(weights[close & believed].sum() >= _BELIEVED_SHARE * weights.sum())
    inverted = found and float(np.sum(heights)) < 0
    return Calibration(codec, delay_s if found else 0.0, correlation, agreement, found, inverted)


def _weighted_median(values: Sequence[float], weights: NDArray[np.float64]) -> float:
    """The value at which half of the weight lies on either side."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    middle = int(np.searchsorted(cumulated, cumulated[-1] / 2))
    return float(np.asarray(values)[order][middle])


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
