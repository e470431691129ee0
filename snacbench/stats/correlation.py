"""Do two metrics rank the same things alike? Rank correlation over clips and codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snacbench.stats.clusters import (
    MANY_CLUSTERS,
    Clustering,
    Clusters,
    Floats,
    Scores,
    check_finite,
    cluster_clips,
    labels_of,
    moments_of,
)
from snacbench.stats.intervals import bootstrap_counts, bootstrap_interval, check_level, widened_z

DRAWS = 1_999
_CHUNK_VALUES = 2**21
# The acceleration falls with the root of the number of clusters; from here on it moves no digit
# that is printed, and leaving out every cluster once would cost more than all draws.
_MOST_UNITS_FOR_ACCELERATION = 500


@dataclass(frozen=True)
class RankCorrelation:
    """How alike two metrics rank the same decoded clips: `value`, -1 to 1, None if undefined.

    `n` counts pairs of values, one per clip and codec that both metrics scored; `low` and `high`
    are an interval by bootstrap over clusters, made as `method` says; `reason` says why there is no
    value or no interval. `independence_assumed` and `these_clusters_only` are those of `Interval`.
    """

    level: float
    n: int
    clips: int
    clusters: int
    independence_assumed: bool
    these_clusters_only: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    reason: str = ""


def rank_correlation(  # noqa: PLR0913 - keyword-only options of one analysis
    first: Mapping[str, Scores],
    second: Mapping[str, Scores],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's rho of two metrics over clips x codecs (codec -> clip -> value), -1 to 1.

    Ties share their mean rank, and what only one metric has is left out. Put both the same way
    round, or expect a negative value. The interval resamples clusters with everything in them, all
    codecs of a clip included, and ranks anew in every draw: BCa from 20 clusters on, widened
    percentiles below, clips within clusters below 5.

    Raises
    ------
    ValueError
        If the level is unknown, or a value is not finite.
    """
    check_level(level)
    columns, of_clips = [], []
    for codec in (codec for codec in first if codec in second):
        clips = [clip for clip in first[codec] if clip in second[codec]]
        both = np.array([[side[codec][clip] for clip in clips] for side in (first, second)])
        for values in both:
            check_finite(codec, clips, values)
        columns.append(both)
        of_clips += clips
    x, y = np.concatenate(columns, axis=1) if columns else np.zeros((2, 0))
    names = {clip: i for i, clip in enumerate(dict.fromkeys(of_clips))}
    clip_of = np.array([names[clip] for clip in of_clips], np.intp)
    clustering = cluster_clips(labels_of(list(names), clusters), clips=len(names))
    facts = (clustering.count, clustering.independence_assumed, clustering.few)
    result = RankCorrelation(level, len(x), len(names), *facts)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return replace(result, reason="fewer than three pairs, or a metric without any spread")
    value = float(stats.spearmanr(x, y).statistic)
    result = replace(result, value=value)
    # What is resampled: clusters, or clips inside their clusters if those are few.
    units, unit_of = clustering.count, clustering.index[clip_of]
    groups = [np.arange(units)]
    if clustering.few:
        units, unit_of = len(names), clip_of
        groups = [np.flatnonzero(clustering.index == c) for c in range(clustering.count)]
    if units < 2:
        return replace(result, reason="one cluster: no interval")
    times = np.empty((draws, units))
    for i, members in enumerate(groups):
        counts = bootstrap_counts(len(members), draws=draws, seed=seed + i)
        times[:, members] = np.concatenate(list(counts))
    weighted = weighted_spearman(x, y, unit_of)
    drawn = weighted(times)
    # A draw may hold one clip many times and nothing else: no ranks, no correlation.
    drawn = np.where(np.isfinite(drawn), drawn, np.nan)
    left = None
    if MANY_CLUSTERS <= units <= _MOST_UNITS_FOR_ACCELERATION:
        left = weighted(1.0 - np.eye(units))
    if clustering.few:
        freedom = units - clustering.count
        z = np.sqrt(units / freedom) * stats.t.ppf((1 + level) / 2, freedom)
    else:
        ranks = np.stack([stats.rankdata(x), stats.rankdata(y)], axis=1)
        pairs = Clustering(unit_of, units, np.zeros(len(unit_of), bool))
        z = widened_z(moments_of(ranks, pairs), level).max()
    low, high, method = bootstrap_interval(value, drawn, left, float(z), clustering)
    return replace(result, low=low, high=high, method=method)


def weighted_spearman(
    x: Floats, y: Floats, unit_of: NDArray[np.intp]
) -> Callable[[Floats], Floats]:
    """Spearman's rho when each unit counts several times, shape (draws, units) -> (draws,)."""
    rows = max(1, _CHUNK_VALUES // len(x))
    sides = []
    for values in (x, y):
        order = np.argsort(values, kind="stable")
        _, starts, group = np.unique(values[order], return_index=True, return_inverse=True)
        group_of = np.empty_like(order)
        group_of[order] = group
        sides.append((order, starts, group_of))

    def compute(times: Floats) -> Floats:
        weights = times[:, unit_of]
        total = weights.sum(axis=1, keepdims=True)
        centred = []
        for order, starts, group_of in sides:
            size = np.add.reduceat(weights[:, order], starts, axis=1)
            ranks = (np.cumsum(size, axis=1) - (size - 1) / 2)[:, group_of]
            centred.append(ranks - (total + 1) / 2)  # mean ranks, whatever the ties
        a, b = centred
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = (weights * a * b).sum(axis=1)
            variances = (weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)
            return np.asarray(covariance / np.sqrt(variances))

    return lambda times: np.concatenate(
        [compute(times[i : i + rows]) for i in range(0, len(times), rows)]
    )
