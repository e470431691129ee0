"""Do two metrics rank the same things alike? Rank correlation over clips and codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snacbench.stats.bca import acceleration_of, bca_ends, percentile_ends
from snacbench.stats.clusters import (
    FEW_CLUSTERS,
    MANY_CLUSTERS,
    Clustering,
    Clusters,
    cluster_clips,
    labels_of,
)
from snacbench.stats.intervals import check_level
from snacbench.stats.moments import Floats, moments_of
from snacbench.stats.resample import times_drawn, widened_z
from snacbench.stats.scores import Scores

Kind = Literal["spearman", "kendall"]

DRAWS = 1_999
_CHUNK_VALUES = 2**21
# The acceleration falls with the root of the number of clusters; from here on it moves no digit
# that is printed, and leaving out every cluster once would cost more than all draws.
_MOST_UNITS_FOR_ACCELERATION = 500
# Kendall's interval keeps three tables of clusters x clusters.
_MOST_UNITS_FOR_KENDALL = 5_000


@dataclass(frozen=True)
class RankCorrelation:
    """How alike two metrics rank the same decoded clips.

    Attributes
    ----------
    kind : {"spearman", "kendall"}
    value : float or None
        -1 to 1; None where it is undefined.
    low, high : float or None
        Interval by bootstrap over clusters; None without one.
    level : float
    n : int
        Pairs of values, one per clip and codec that both metrics scored.
    clips, clusters : int
    method, reason : str
        How the interval was made; why there is no value or no interval.
    independence_assumed, these_clusters_only : bool
        As in `intervals.Interval`.
    """

    kind: Kind
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    clips: int
    clusters: int
    method: str
    reason: str
    independence_assumed: bool
    these_clusters_only: bool


def rank_correlation(  # noqa: PLR0913 - keyword-only options of one analysis
    first: Mapping[str, Scores],
    second: Mapping[str, Scores],
    clusters: Clusters | None = None,
    *,
    kind: Kind = "spearman",
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> RankCorrelation:
    """Rank correlation of two metrics over clips x codecs, -1 to 1.

    Spearman's rho: correlation of the ranks, ties sharing their mean rank. Kendall's tau-b: pairs
    ranked alike minus pairs ranked unlike, over the geometric mean of the pairs not tied in either
    (Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945). The interval
    resamples clusters with everything in them, all codecs of a clip included, and ranks anew in
    every draw: BCa from 20 clusters on, widened percentiles below, clips within clusters below 5.

    Parameters
    ----------
    first, second : mapping of str to mapping of str to float
        Codec -> clip -> value of the one metric and of the other. What only one has is left out.
        Put all metrics the same way round, or expect a negative value.
    clusters : mapping of str to str or None, or None
        Clip -> speaker or track; where not known, a clip is taken as independent.
    kind : {"spearman", "kendall"}
        Kendall's interval costs the square of the number of values: seconds for 30,000.
    level : float
    draws, seed : int

    Raises
    ------
    ValueError
        If the kind or the level is unknown, or a value is not finite.
    """
    if kind not in ("spearman", "kendall"):
        raise ValueError(f"kind must be 'spearman' or 'kendall', found {kind!r}")
    check_level(level)
    x, y, clips = _matched(first, second)
    names = list(dict.fromkeys(clips))
    clustering = cluster_clips(labels_of(names, clusters), clips=len(names))
    few = clustering.count < FEW_CLUSTERS and not clustering.one_clip_each
    result = RankCorrelation(
        kind=kind,
        value=None,
        low=None,
        high=None,
        level=level,
        n=len(x),
        clips=len(names),
        clusters=clustering.count,
        method="",
        reason="",
        independence_assumed=clustering.independence_assumed,
        these_clusters_only=few,
    )
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return replace(result, reason="fewer than three pairs, or a metric without any spread")
    number = {clip: i for i, clip in enumerate(names)}
    clip_of = np.array([number[clip] for clip in clips])
    return _with_interval(result, _Sample(x, y, clip_of, clustering, few), draws, seed)


def _matched(
    first: Mapping[str, Scores], second: Mapping[str, Scores]
) -> tuple[Floats, Floats, list[str]]:
    keys = [
        (codec, clip)
        for codec, scores in first.items()
        if codec in second
        for clip in scores
        if clip in second[codec]
    ]
    x, y = (np.array([side[codec][clip] for codec, clip in keys]) for side in (first, second))
    for values in (x, y):
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            codec, clip = keys[int(wrong[0])]
            raise ValueError(
                f"{codec}: the value of clip {clip!r} is {values[wrong[0]]}; leave out clips "
                "without a value"
            )
    return x, y, [clip for _, clip in keys]


@dataclass(frozen=True, eq=False)
class _Sample:
    """Pairs of values, the clip of each, the cluster of each clip."""

    x: Floats
    y: Floats
    clip_of: NDArray[np.intp]
    clustering: Clustering
    few: bool

    @property
    def unit_of(self) -> NDArray[np.intp]:
        """What is resampled, of each pair of values: its cluster, or its clip if those are few."""
        return self.clip_of if self.few else self.clustering.index[self.clip_of]

    @property
    def units(self) -> int:
        return len(self.clustering.index) if self.few else self.clustering.count

    def lottery(self, draws: int, seed: int) -> Floats:
        """How often each unit is drawn, shape (draws, units); clips inside their clusters."""
        groups = [np.arange(self.units)]
        if self.few:
            index = self.clustering.index
            groups = [np.flatnonzero(index == c) for c in range(self.clustering.count)]
        times = np.empty((draws, self.units))
        for i, members in enumerate(groups):
            chunks = times_drawn(len(members), draws=draws, seed=seed + i)
            times[:, members] = np.concatenate(list(chunks))
        return times

    def z(self, level: float) -> float:
        """Half-width of an interval in the draws' standard errors."""
        if self.few:
            clips, clusters = self.units, self.clustering.count
            stretch = np.sqrt(clips / (clips - clusters))
            return float(stretch * stats.t.ppf((1 + level) / 2, clips - clusters))
        index = self.unit_of
        pairs = Clustering(index, self.units, np.zeros(len(index), bool))
        ranks = np.stack([stats.rankdata(self.x), stats.rankdata(self.y)], axis=1)
        return float(widened_z(moments_of(ranks, pairs), level).max())


def _with_interval(
    result: RankCorrelation, sample: _Sample, draws: int, seed: int
) -> RankCorrelation:
    statistic = stats.spearmanr if result.kind == "spearman" else stats.kendalltau
    value = float(statistic(sample.x, sample.y).statistic)
    result = replace(result, value=value)
    if sample.units < 2:
        return replace(result, reason="one cluster: no interval")
    if result.kind == "kendall" and sample.units > _MOST_UNITS_FOR_KENDALL:
        return replace(result, reason=f"no interval: {sample.units} clusters are too many")
    weighted = _spearman(sample) if result.kind == "spearman" else _kendall(sample)
    drawn = weighted(sample.lottery(draws, seed))[:, None]
    # A draw may hold one clip many times and nothing else: no ranks, no correlation.
    drawn = drawn[np.isfinite(drawn[:, 0])]
    z = np.array([sample.z(result.level)])
    if sample.clustering.count >= MANY_CLUSTERS:
        acceleration = np.zeros(1)
        if sample.units <= _MOST_UNITS_FOR_ACCELERATION:
            acceleration = acceleration_of(weighted(1.0 - np.eye(sample.units))[:, None])
        ends = bca_ends(drawn, np.array([value]), acceleration, z)
    else:
        ends = percentile_ends(drawn, z)
    units = "clips" if sample.units == len(sample.clustering.index) else "clusters"
    method = f"{'BCa' if ends.corrected[0] else 'percentile'} bootstrap over {units}"
    if sample.few:
        method = "these clusters only: percentile bootstrap over the clips within them"
    return replace(result, low=float(ends.low[0]), high=float(ends.high[0]), method=method)


def _spearman(sample: _Sample) -> Callable[[Floats], Floats]:
    """Spearman's rho when each unit counts several times, shape (draws, units) -> (draws,)."""
    unit_of = sample.unit_of
    sides = [_ranker(sample.x), _ranker(sample.y)]
    rows = max(1, _CHUNK_VALUES // len(sample.x))

    def compute(times: Floats) -> Floats:
        weights = times[:, unit_of]
        total = weights.sum(axis=1, keepdims=True)
        # Mean ranks are (total + 1) / 2 whatever the ties.
        a, b = (rank(weights) - (total + 1) / 2 for rank in sides)
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = (weights * a * b).sum(axis=1)
            variances = (weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)
            return np.asarray(covariance / np.sqrt(variances))

    return lambda times: np.concatenate(
        [compute(times[i : i + rows]) for i in range(0, len(times), rows)]
    )


def _ranker(values: Floats) -> Callable[[Floats], Floats]:
    """Ranks of values that count `weights` times each, shape (draws, values) of both."""
    order = np.argsort(values, kind="stable")
    _, starts, group = np.unique(values[order], return_index=True, return_inverse=True)
    group_of = np.empty_like(order)
    group_of[order] = group

    def rank(weights: Floats) -> Floats:
        size = np.add.reduceat(weights[:, order], starts, axis=1)
        middle = np.cumsum(size, axis=1) - (size - 1) / 2
        return np.asarray(middle[:, group_of])

    return rank


def _kendall(sample: _Sample) -> Callable[[Floats], Floats]:
    """Kendall's tau-b when each unit counts several times, shape (draws, units) -> (draws,).

    Sums over pairs of values become quadratic forms in how often the units are drawn.
    """
    concordance, untied_x, untied_y = _pair_sums(sample)

    def form(times: Floats, table: Floats) -> Floats:
        return np.asarray(((times @ table) * times).sum(axis=1))

    def compute(times: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            untied = np.sqrt(form(times, untied_x) * form(times, untied_y))
            return np.asarray(form(times, concordance) / untied)

    return compute


def _pair_sums(sample: _Sample) -> tuple[Floats, Floats, Floats]:
    """Per pair of units: pairs of values ranked alike minus unlike; untied in x; untied in y."""
    order = np.argsort(sample.unit_of, kind="stable")
    unit = sample.unit_of[order]
    x, y = (stats.rankdata(v[order], method="dense").astype(np.int32) for v in (sample.x, sample.y))
    starts = np.searchsorted(unit, np.arange(sample.units))
    tables = np.zeros((3, sample.units, sample.units))
    rows = max(1, _CHUNK_VALUES // len(x))
    for i in range(0, len(x), rows):
        sign_x, sign_y = (
            (v[i : i + rows, None] > v).view(np.int8) - (v[i : i + rows, None] < v).view(np.int8)
            for v in (x, y)
        )
        signs = (sign_x * sign_y, sign_x != 0, sign_y != 0)
        for table, sign in zip(tables, signs, strict=True):
            sums = np.add.reduceat(sign, starts, axis=1, dtype=np.int32)
            np.add.at(table, unit[i : i + rows], sums)
    return tables[0], tables[1], tables[2]
