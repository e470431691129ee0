"""Confidence intervals of what is measured on clips that come in clusters.

The bootstrap draws as many clusters as there are, with replacement; one matrix of "times drawn"
serves all operating points and metrics, which also keeps them paired. Ends are bias-corrected and
accelerated (Efron, Journal of the American Statistical Association 82(397), 1987). Tails are
widened: to reach as many of the bootstrap's standard errors, which are too small for few or unequal
clusters, as t on the cluster means takes of the unbiased one; for clusters of one size this is the
"expanded percentile" interval of Hesterberg, The American Statistician 69(4), 2015.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from snacbench.stats.clusters import MANY_CLUSTERS, Clustering, Moments, cluster_clips, moments_of
from snacbench.types import Floats

DRAWS = 9_999
LEVEL = 0.95
"""Nominal coverage of every interval."""
BCA = "BCa bootstrap over clusters"
PERCENTILE = "percentile bootstrap over clusters, as BCa degenerates"
T_ON_CLUSTERS = "t interval on cluster means weighted by their clips"
WITHIN = "these clusters only: t interval over the clips within them"
CONSTANT = "all values are equal"
ONE_VALUE = "one value, no interval"
_OVER_CLIPS = {m: m.replace("clusters", "clips") for m in (BCA, PERCENTILE)}  # each on its own
_OVER_CLIPS[T_ON_CLUSTERS] = "t interval over clips"
CHUNK_BYTES = 16 * 2**20
_WORTH_THREADS = 2**18  # multiplications: up to here OpenBLAS starts none


@dataclass(frozen=True)
class Interval:
    """A mean over clips, of which each counts the same, with its confidence interval.

    `low` and `high` are None where a single value gives no interval; `n` and `clusters` count the
    clips with a value and their clusters. `independence_assumed`: the cluster of some clip is not
    known, and it was taken as independent of all others. `these_clusters_only`: the interval says
    where the mean over more clips *of these clusters* would lie, and nothing about others.
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

    def footnote(self) -> str:
        """Text for a table's footnote: n, level and method."""
        size = sample_size(self.n, self.clusters, "cluster", self.independence_assumed)
        level = f"{100 * self.level:g} % interval: " if self.low is not None else ""
        return f"{size}; {level}{self.method}"


def sample_size(n: int, clusters: int, noun: str, independence_assumed: bool) -> str:
    """Text such as ``n = 120 clips, 20 speakers``."""
    size = f"n = {n} clip{'' if n == 1 else 's'}"
    if clusters < n:
        size += f", {clusters} {noun}{'' if clusters == 1 else 's'}"
    return f"{size}, independence assumed" if independence_assumed else size


def mean_intervals(
    values: ArrayLike,
    clusters: Sequence[str | None] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Interval | None]:
    """Means over clips with confidence intervals, for many columns that share one resampling.

    By the number of clusters in which a column has values: from 20 on a BCa bootstrap over clusters
    with widened tails, or plain percentiles where BCa degenerates; from 5 to 19 ``mean +- t(df)
    SE`` by error and degrees of freedom of `clusters`; below 5 a t interval over the clips within
    their clusters, marked as ``these_clusters_only``; where no two clips share a cluster, a plain t
    interval.

    `values` has the shape (clips, columns): NaN where a clip has no value in a column; a column
    without any gives None. A clip whose cluster is not known is one of its own. The same seed gives
    the same intervals.
    """
    table = np.asarray(values, float)
    clustering = cluster_clips([None] * len(table) if clusters is None else clusters)
    m = moments_of(table, clustering)
    cases = [m.n <= 1, m.constant, m.few, m.clusters < MANY_CLUSTERS]
    methods = np.select(cases, [ONE_VALUE, CONSTANT, WITHIN, T_ON_CLUSTERS], BCA).astype(object)
    error, freedom = m.error_and_freedom()
    half = np.where(methods == CONSTANT, 0.0, t_quantile(freedom) * error)
    low, high = m.mean - half, m.mean + half
    many = np.flatnonzero(methods == BCA)
    if many.size:
        of_many = moments_of(table[:, many], clustering)
        drawn = draw_means(of_many, draws=draws, seed=seed)
        acceleration = acceleration_of(leave_one_out_means(of_many))
        low[many], high[many], corrected = bca_ends(
            drawn, of_many.mean, acceleration, widened_z(of_many)
        )
        methods[many[~corrected]] = PERCENTILE
    found: list[Interval | None] = []
    for i, method in enumerate(methods.tolist()):
        n, count = int(m.n[i]), int(m.clusters[i])
        named = _OVER_CLIPS.get(method, method) if n == count else method
        facts = (LEVEL, n, count, named, bool(m.independence_assumed[i]), bool(method == WITHIN))
        one = Interval(float(m.mean[i]), float(low[i]), float(high[i]), *facts)
        one = replace(one, low=None, high=None) if method == ONE_VALUE else one
        found.append(one if n else None)
    return found


def t_quantile(freedom: ArrayLike) -> Floats:
    """Half-width of an interval by Student's t, in errors; NaN without degrees of freedom.

    As `scipy.stats.t.ppf`, without the third of a second that it takes to load scipy.stats.
    """
    return np.asarray(stdtrit(freedom, (1 + LEVEL) / 2))


def in_small_products(table: NDArray[Any], columns: int) -> Iterator[NDArray[Any]]:
    """Rows of a table, so few at once that their product with some columns needs no threads.

    On a busy machine, threads of BLAS take longer to find each other than to compute.
    """
    rows = max(32, _WORTH_THREADS // max(1, table.shape[1] * columns))
    return (table[start : start + rows] for start in range(0, len(table), rows))


def draw_means(m: Moments, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Means over the clips of resampled clusters, shape (draws, columns)."""
    # Most columns have values for the same clips: their denominators are computed once.
    counts, column_of = np.unique(m.counts, axis=1, return_inverse=True)
    parts, rng, units = [], np.random.default_rng(seed), len(m.counts)
    chunk = max(1, CHUNK_BYTES // (8 * units))
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        drawn = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, None]
        times_drawn = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        for some in in_small_products(times_drawn, m.residual_sums.shape[1]):
            times = some.astype(float)
            clips = np.maximum(times @ counts, 1.0)[:, column_of.ravel()]
            parts.append(m.mean + times @ m.residual_sums / clips)
    return np.concatenate(parts)


def leave_one_out_means(m: Moments) -> Floats:
    """Mean over the clips of all clusters but one, shape (clusters, columns)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(m.mean - m.residual_sums / (m.n - m.counts))


def widened_z(m: Moments) -> Floats:
    """Half-width in the bootstrap's standard errors that t on the cluster means asks for.

    Shape (columns,). 1.96 for 95 % and very many clusters, 2.15 for 20 of equal size.
    """
    with np.errstate(invalid="ignore"):
        plain = np.sqrt((m.residual_sums**2).sum(axis=0)) / m.n
    ratio = np.divide(m.robust_error, plain, out=np.ones_like(plain), where=plain > 0)
    return np.asarray(ratio * t_quantile(m.degrees_of_freedom))


def acceleration_of(leave_one_out: Floats) -> Floats:
    """How fast the standard error changes with the value, shape (columns,); NaN without spread.

    ``sum d^3 / (6 (sum d^2)^1.5)`` with d the mean of the leave-one-out values, shape (units,
    columns), minus each of them (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    eq. 14.15); 0 for symmetric data.
    """
    d = leave_one_out.mean(axis=0) - leave_one_out
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((d**3).sum(axis=0) / (6 * (d**2).sum(axis=0) ** 1.5))


def bca_ends(
    draws: Floats, estimate: Floats, acceleration: Floats, z: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Interval ends by BCa, by plain percentiles where that degenerates, and where it did not.

    It does where all draws, shape (draws, columns), lie on one side of the estimate, where the
    acceleration is NaN, or so large that the corrected tail turns round. Draws may be infinite,
    beyond what can be measured. `z` is the half-width wanted in standard errors: 1.96 for 95 %.
    """
    share_below = ((draws < estimate).mean(axis=0) + (draws <= estimate).mean(axis=0)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = ndtri(share_below)
        shrink_low, shrink_high = (1 - acceleration * (bias + side * z) for side in (-1, 1))
        low_tail = ndtr(bias + (bias - z) / shrink_low)
        high_tail = ndtr(bias + (bias + z) / shrink_high)
        corrected = np.isfinite(bias) & (shrink_low > 0) & (shrink_high > 0)
    in_order = np.sort(draws, axis=0)
    last, columns = len(in_order) - 1, np.arange(in_order.shape[1])

    def quantile(share: Floats) -> Floats:
        """One share per column; linear between order statistics unless one is infinite."""
        position = np.clip(share, 0.0, 1.0) * last
        below = np.minimum(np.floor(position).astype(int), last)
        a, b = in_order[below, columns], in_order[np.minimum(below + 1, last), columns]
        part = position - below
        with np.errstate(invalid="ignore"):
            between = a + part * (b - a)
        finite = np.isfinite(a) & np.isfinite(b)
        return np.asarray(np.where(finite, between, np.where(part < 0.5, a, b)))

    low = quantile(np.where(corrected, low_tail, ndtr(-z)))
    return low, quantile(np.where(corrected, high_tail, ndtr(z))), corrected


def bootstrap_interval(
    estimate: float, draws: Floats, leave_one_out: Floats, z: float, clustering: Clustering
) -> tuple[float, float, str]:
    """Both ends of an interval of any statistic, and the method for a footnote.

    `draws` are its values on bootstrap draws, shape (draws,); those that are NaN are left out. It
    is accelerated by its values with one unit left out, shape (units,). `z` is the half-width in
    the draws' standard errors. BCa needs 20 clusters.
    """
    kept = draws[~np.isnan(draws)][:, None]
    acceleration = np.array([np.nan])
    if clustering.count >= MANY_CLUSTERS and np.isfinite(kept).all():
        acceleration = acceleration_of(leave_one_out[:, None])
    low, high, corrected = bca_ends(kept, np.array([estimate]), acceleration, np.array([z]))
    method = "these clusters only: percentile bootstrap over the clips within them"
    if not clustering.few:
        units = "clips" if clustering.one_clip_each else "clusters"
        method = f"{'BCa' if corrected[0] else 'percentile'} bootstrap over {units}"
    return float(low[0]), float(high[0]), method


def resample_means(
    values: Floats, clustering: Clustering, *, draws: int, seed: int
) -> tuple[Floats, Floats, float]:
    """What `bootstrap_interval` needs of statistics that combine the means of some columns.

    These have no gaps, shape (clips, columns). Returns means of the bootstrap's draws, shape
    (draws, columns), means with one unit left out, shape (units, columns), and the half-width of an
    interval in the draws' standard errors. Below 5 clusters each clip is a unit, scattered about
    the mean as it is about its own cluster's: pooled residuals, stretched to make up for the
    degrees of freedom that the clusters' means took.
    """
    m = moments_of(values, clustering)
    if clustering.few:
        freedom = len(values) - clustering.count
        z = float(t_quantile(freedom))
        residuals = values - (m.mean + m.residual_sums / m.counts)[clustering.index]
        stretch = np.sqrt(len(values) / max(1, freedom))
        m = replace(m, counts=np.ones_like(values), residual_sums=residuals * stretch)
    else:
        # The widest column's: a statistic of several columns is no more certain than each.
        z = float(widened_z(m).max())
    return draw_means(m, draws=draws, seed=seed), leave_one_out_means(m), z


def jackknife_interval(  # noqa: PLR0913 - keyword-only facts of one interval
    estimate: float,
    leave_one_out: ArrayLike,
    weights: ArrayLike,
    *,
    n: int,
    clusters: int,
    most: float = math.inf,
    independence_assumed: bool = False,
    these_clusters_only: bool = False,
) -> Interval:
    """Interval of any statistic from its values with one unit (cluster) left out at a time.

    For entropies the bootstrap would not do: a cluster drawn twice doubles its codes, none of them
    is rare any more, and every estimator that looks at rare codes then reads low.

    ``estimate +- t(G - 1) SE`` with the delete-m_j jackknife's variance for units of unequal size
    (Busing, Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and Computing
    9, 1999, eq. 3): ``1 / G sum (tau_j - mean)^2 / (h_j - 1)`` with ``h_j = sum of weights / w_j``
    and pseudo-values ``tau_j = h_j estimate - (h_j - 1) leave_one_out_j``.

    `estimate` is over all units; `weights`, above 0, are their sizes (tokens, seconds). Units may
    be clusters, groups of them, or clips; `n` and `clusters` count the clips and clusters in all of
    them. The interval ends at `most`, and nowhere where there are fewer than two units.
    """
    left, sizes = np.asarray(leave_one_out, float), np.asarray(weights, float)
    units = len(left)
    low = high = None
    method = f"jackknife over {'clips' if clusters == n else 'clusters'}"
    if units < 2:
        method = "one cluster, no interval"
    else:
        h = sizes.sum() / sizes
        pseudo = h * estimate - (h - 1) * left
        centre = units * estimate - float(((1 - 1 / h) * left).sum())
        variance = float(((pseudo - centre) ** 2 / (h - 1)).sum()) / units
        half = float(t_quantile(units - 1)) * variance**0.5
        low, high = estimate - half, min(estimate + half, most)
        if these_clusters_only:
            method = "these clusters only: jackknife over the clips within them"
        elif units < clusters:
            method = f"jackknife over {units} groups of clusters"
    facts = (LEVEL, n, clusters, method, independence_assumed, these_clusters_only)
    return Interval(estimate, low, high, *facts)
