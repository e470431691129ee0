"""Confidence interval of a mean over clips that come in clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snacbench.stats.bca import Ends, acceleration_of, bca_ends
from snacbench.stats.clusters import FEW_CLUSTERS, MANY_CLUSTERS, cluster_clips
from snacbench.stats.moments import (
    Floats,
    Moments,
    degrees_of_freedom,
    moments_of,
    robust_error,
    within_error,
)
from snacbench.stats.resample import DRAWS, draw_means, leave_one_out_means, widened_z
from snacbench.stats.student import t_quantile

BCA = "BCa bootstrap over clusters"
PERCENTILE = "percentile bootstrap over clusters, as BCa degenerates"
T_ON_CLUSTERS = "t interval on cluster means weighted by their clips"
WITHIN = "these clusters only: t interval over the clips within them"
CONSTANT = "all values are equal"
ONE_VALUE = "one value, no interval"
_OVER_CLIPS = {  # where no two clips share a cluster
    BCA: "BCa bootstrap over clips",
    PERCENTILE: "percentile bootstrap over clips, as BCa degenerates",
    T_ON_CLUSTERS: "t interval over clips",
}


@dataclass(frozen=True)
class Interval:
    """A mean over clips with its confidence interval.

    Attributes
    ----------
    mean : float
        Every clip counts the same, whatever the size of its cluster.
    low, high : float or None
        Ends of the interval; None where a single value gives none.
    level : float
        Nominal coverage, for example 0.95.
    n : int
        Clips with a value.
    clusters : int
        Clusters that these clips belong to.
    method : str
        How the interval was made; `footnote` says it in full.
    independence_assumed : bool
        The cluster of some clip is not known: it was taken as independent of all others.
    these_clusters_only : bool
        The interval says where the mean over more clips *of these clusters* would lie, and nothing
        about other speakers or tracks.
    """

    mean: float
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int
    method: str
    independence_assumed: bool = False
    these_clusters_only: bool = False

    def footnote(self, noun: str = "cluster") -> str:
        """Text for a table's footnote: n, level and method.

        Parameters
        ----------
        noun : str
            What a cluster is, in the singular: ``"speaker"``, ``"track"``.
        """
        parts = [sample_size(self.n, self.clusters, noun, self.independence_assumed)]
        if self.low is not None:
            parts.append(f"{100 * self.level:g} % interval: {self.method}")
        else:
            parts.append(self.method)
        return "; ".join(parts).replace("clusters", f"{noun}s").replace("cluster", noun)


def sample_size(n: int, clusters: int, noun: str, independence_assumed: bool) -> str:
    """Text such as ``n = 120 clips, 20 speakers``."""
    size = f"n = {n} clip{'' if n == 1 else 's'}"
    if clusters < n:
        size += f", {clusters} {noun}{'' if clusters == 1 else 's'}"
    return f"{size}, independence assumed" if independence_assumed else size


def mean_interval(
    values: ArrayLike,
    clusters: Sequence[str | None] | None = None,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Mean over clips, in the values' own unit, with its confidence interval.

    One column of `mean_intervals`, which see.

    Parameters
    ----------
    values : array, shape (clips,)
        NaN: no value for this clip.
    clusters : sequence of str or None, length (clips,), or None
    level, draws, seed
        As in `mean_intervals`.

    Raises
    ------
    ValueError
        If there is no value at all, or as in `mean_intervals`.
    """
    column = np.asarray(values, float)
    if column.ndim != 1:
        raise ValueError(f"values must have shape (clips,), found {column.shape}")
    (found,) = mean_intervals(column[:, None], clusters, level=level, draws=draws, seed=seed)
    if found is None:
        raise ValueError(f"a mean needs a value, found none among {len(column)} clips")
    return found


def mean_intervals(
    values: ArrayLike,
    clusters: Sequence[str | None] | None = None,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Interval | None]:
    """Means over clips with confidence intervals, for many columns that share one resampling.

    By the number of clusters in which a column has values:

    - 20 or more: BCa bootstrap over clusters (Efron 1987); the statistic is the sum of all values
      in the clusters drawn over the number of their clips. Tails are widened as `resample`
      describes; plain percentiles where BCa degenerates.
    - 5 to 19: t interval ``mean +- t(df) SE``, with the bias-reduced standard error over clusters
      and Satterthwaite's degrees of freedom (`moments`; Cameron and Miller 2015, section VI.D).
      Cluster means are weighted by their clips, so that the centre is the mean over clips.
    - fewer than 5: t interval over the clips within their clusters, with ``n - clusters`` degrees
      of freedom, marked as ``these_clusters_only``; where no two clips share a cluster, a plain t
      interval.

    Parameters
    ----------
    values : array, shape (clips, columns)
        NaN: no value for this clip in this column.
    clusters : sequence of str or None, length (clips,), or None
        Speaker or track of each clip. None, for a clip or altogether: not known; the clip then
        counts as a cluster of its own and the interval says that independence was assumed.
    level : float
        Nominal coverage, between 0 and 1.
    draws : int
        Bootstrap draws.
    seed : int
        The same seed gives the same intervals.

    Returns
    -------
    list of Interval or None, length (columns,)
        None for a column without any value.

    Raises
    ------
    ValueError
        If the table is not two-dimensional, holds an infinite value, has other than one cluster
        label per clip, or the level is not between 0 and 1.
    """
    table = np.asarray(values, float)
    if table.ndim != 2:
        raise ValueError(f"values must have shape (clips, columns), found {table.shape}")
    if np.isinf(table).any():
        raise ValueError(
            f"{int(np.isinf(table).sum())} values are infinite; leave out (NaN) what is undefined"
        )
    check_level(level)
    clustering = cluster_clips(clusters, clips=len(table))
    m = moments_of(table, clustering)
    methods = _methods(m)
    low, high = _t_ends(m, methods, level)
    many = np.flatnonzero(methods == BCA)
    if many.size:
        ends = _bootstrap_ends(m.columns(many), level=level, draws=draws, seed=seed)
        low[many], high[many] = ends.low, ends.high
        methods[many[~ends.corrected]] = PERCENTILE
    return [
        None if not m.n[i] else _interval(m, i, str(methods[i]), (low[i], high[i]), level)
        for i in range(table.shape[1])
    ]


def _methods(m: Moments) -> NDArray[np.object_]:
    """Which method suits each column."""
    few = (m.clusters < FEW_CLUSTERS) & (m.n > m.clusters)
    cases = [m.n <= 1, m.constant, few, m.clusters < MANY_CLUSTERS]
    return np.select(cases, [ONE_VALUE, CONSTANT, WITHIN, T_ON_CLUSTERS], BCA).astype(object)


def _t_ends(m: Moments, methods: NDArray[np.object_], level: float) -> tuple[Floats, Floats]:
    within = methods == WITHIN
    error = np.where(within, within_error(m), robust_error(m))
    freedom = np.where(within, m.n - m.clusters, degrees_of_freedom(m))
    half = t_quantile((1 + level) / 2, freedom) * error
    half[methods == CONSTANT] = 0.0
    half[methods == ONE_VALUE] = np.nan
    return m.mean - half, m.mean + half


def _bootstrap_ends(m: Moments, *, level: float, draws: int, seed: int) -> Ends:
    return bca_ends(
        draw_means(m, draws=draws, seed=seed),
        m.mean,
        acceleration_of(leave_one_out_means(m)),
        widened_z(m, level),
    )


def _interval(m: Moments, i: int, method: str, ends: tuple[float, float], level: float) -> Interval:
    n, clusters = int(m.n[i]), int(m.clusters[i])
    low, high = (None, None) if method == ONE_VALUE else (float(ends[0]), float(ends[1]))
    return Interval(
        mean=float(m.mean[i]),
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=clusters,
        method=_OVER_CLIPS.get(method, method) if n == clusters else method,
        independence_assumed=bool(m.independence_assumed[i]),
        these_clusters_only=method == WITHIN,
    )


def check_level(level: float) -> None:
    """Refuse a coverage that is none.

    Raises
    ------
    ValueError
        If it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level must lie between 0 and 1, such as 0.95, found {level}")
