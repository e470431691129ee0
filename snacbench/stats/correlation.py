"""Do two metrics rank the same things alike? Rank correlation over clips and codecs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snacbench.stats.clusters import Clusters, Scores, cluster_clips, labels_of
from snacbench.stats.intervals import jackknife_interval

_MOST_UNITS = 500  # more are left out in so many groups: each costs two rankings
_MOST = 1 - 1e-12  # of a correlation whose inverse hyperbolic tangent is finite


@dataclass(frozen=True)
class RankCorrelation:
    """How alike two metrics rank the same decoded clips: `value`, -1 to 1, None if undefined.

    `n` counts pairs of values, one per clip and codec that both metrics scored; `low` and `high`
    are a 95 % interval, made as `method` says; `reason` says why there is no value or no interval.
    """

    n: int
    clips: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    reason: str = ""


def rank_correlation(
    first: Mapping[str, Scores], second: Mapping[str, Scores], clusters: Clusters | None = None
) -> RankCorrelation:
    """Spearman's rho of two metrics over clips x codecs (codec -> clip -> value), -1 to 1.

    Ties share their mean rank; what only one metric has, or is not finite, is left out. Put both
    the same way round, or expect a negative value. The interval is the jackknife's on Fisher's
    scale, ``atanh rho``: each cluster, below 5 each clip, is left out with all codecs of its clips,
    and the others are ranked anew.
    """
    scored = [(codec, clip) for codec in first if codec in second for clip in first[codec]]
    both = [
        (codec, clip)
        for codec, clip in scored
        if math.isfinite(first[codec][clip]) and math.isfinite(second[codec].get(clip, math.nan))
    ]
    of_clips = [clip for _, clip in both]
    pairs = np.array([[side[codec][clip] for codec, clip in both] for side in (first, second)])
    names = {clip: i for i, clip in enumerate(dict.fromkeys(of_clips))}
    unit_of = np.array([names[clip] for clip in of_clips], np.intp)
    clustering = cluster_clips(labels_of(list(names), clusters))
    if not clustering.few:
        unit_of = clustering.index[unit_of] % _MOST_UNITS
    found = RankCorrelation(len(of_clips), len(names))
    if found.n < 3 or (np.ptp(pairs, axis=1) == 0).any():
        return replace(found, reason="fewer than three pairs, or a metric without any spread")

    def fisher(kept: NDArray[np.bool_]) -> float:
        ranks = stats.rankdata(pairs[:, kept], axis=1)
        spread = len(ranks[0]) > 1 and (np.ptp(ranks, axis=1) > 0).all()
        rho = np.corrcoef(ranks)[0, 1] if spread else 0.0
        return float(np.arctanh(np.clip(rho, -_MOST, _MOST)))

    whole, sizes = fisher(np.ones(found.n, bool)), np.bincount(unit_of)
    interval = jackknife_interval(
        whole,
        [fisher(unit_of != unit) for unit in range(len(sizes))] if len(sizes) > 1 else [],
        sizes if len(sizes) > 1 else [],
        n=len(names),
        clusters=clustering.count,
        these_clusters_only=clustering.few,
    )
    found = replace(found, value=float(np.tanh(whole)))
    if interval.low is None or interval.high is None:
        return replace(found, reason="one cluster: no interval")
    low, high = float(np.tanh(interval.low)), float(np.tanh(interval.high))
    return replace(found, low=low, high=high, method=interval.method)
