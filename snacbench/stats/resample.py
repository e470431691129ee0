"""Resampling whole clusters, for many columns at once.

A draw takes as many clusters as there are, with replacement; the mean over its clips is a ratio,
sum over clusters of (times drawn x sum of values) to sum of (times drawn x clips). So one matrix of
"times drawn" serves all operating points and metrics, which also keeps them paired.

The bootstrap's own standard error is too small for few or unequal clusters, so tails are widened:
to reach as many of *its* standard errors as t on the cluster means takes of the unbiased one. For
clusters of one size this is the "expanded percentile" interval of Hesterberg, "What teachers should
know about the bootstrap", The American Statistician 69(4), 2015.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from snacbench.stats.bca import acceleration_of, bca_ends, percentile_ends
from snacbench.stats.clusters import FEW_CLUSTERS, MANY_CLUSTERS, Clustering
from snacbench.stats.moments import (
    Floats,
    Moments,
    degrees_of_freedom,
    moments_of,
    plug_in_error,
    robust_error,
)
from snacbench.stats.student import t_quantile

DRAWS = 9_999
_CHUNK_BYTES = 16 * 2**20
_KEPT_BYTES = 64 * 2**20
_WORTH_COMPACTING = 32  # columns
_WORTH_THREADS = 2**18  # multiplications: up to here OpenBLAS starts none
_FEWEST_ROWS = 32


def times_drawn(units: int, *, draws: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """How often each unit is drawn, in chunks of shape (some draws, units).

    The same for the same arguments, whatever it is used for.
    """
    if draws * units <= _KEPT_BYTES:
        yield from _kept(units, draws, seed)
    else:
        yield from _drawn(units, draws, seed)


@lru_cache(maxsize=2)
def _kept(units: int, draws: int, seed: int) -> tuple[NDArray[np.uint8], ...]:
    """The same lottery serves every metric of a run; making it costs as much as using it."""
    return tuple(_drawn(units, draws, seed))


def _drawn(units: int, draws: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_BYTES // (8 * units))
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        drawn = rng.integers(0, units, (rows, units))
        flat = (drawn + units * np.arange(rows)[:, None]).ravel()
        counts = np.bincount(flat, minlength=rows * units).reshape(rows, units)
        # One unit drawn more than 255 times in one draw does not happen before the sun goes out.
        yield counts.astype(np.uint8)


def draw_means(m: Moments, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Means over the clips of resampled clusters.

    Clusters without a value in a column stay in the lottery, so that all columns share it.

    Returns
    -------
    array, shape (draws, columns)
    """
    # Most columns have values for the same clips: their denominators are computed once.
    counts, column_of = np.unique(m.counts, axis=1, return_inverse=True)
    sums, coefficients = compact(m.residual_sums)
    parts = []
    for chunk in times_drawn(len(m.counts), draws=draws, seed=seed):
        for part in in_small_products(chunk, coefficients.shape[1]):
            times = part.astype(float)
            clips = np.maximum(times @ counts, 1.0)[:, column_of.ravel()]
            parts.append(m.mean + (times @ sums) @ coefficients / clips)
    return np.concatenate(parts)


def in_small_products(table: NDArray[Any], columns: int) -> Iterator[NDArray[Any]]:
    """Rows of a table, so few at once that their product with some columns needs no threads.

    On a busy machine, threads of BLAS take longer to find each other than to compute.
    """
    rows = max(_FEWEST_ROWS, _WORTH_THREADS // max(1, table.shape[1] * columns))
    return (table[start : start + rows] for start in range(0, len(table), rows))


def compact(table: Floats) -> tuple[Floats, Floats]:
    """Factors, narrow @ wide, of a table whose columns depend on each other.

    All differences between 20 codecs are 190 columns of rank 19: products with the narrow factor
    cost a tenth. The factors agree with the table to rounding.
    """
    if table.shape[1] < _WORTH_COMPACTING or not np.isfinite(table).all():
        return table, np.eye(table.shape[1])
    q, r, order = linalg.qr(table, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    rank = int((size > 1e-13 * max(1e-300, size[0]) * len(table) ** 0.5).sum())
    if 2 * rank > table.shape[1]:
        return table, np.eye(table.shape[1])
    wide = np.empty((rank, table.shape[1]))
    wide[:, order] = r[:rank]
    return np.asarray(q[:, :rank]), wide


def leave_one_out_means(m: Moments) -> Floats:
    """Mean over the clips of all clusters but one, shape (clusters, columns)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(m.mean - m.residual_sums / (m.n - m.counts))


def widened_z(m: Moments, level: float) -> Floats:
    """Half-width in the bootstrap's standard errors that t on the cluster means asks for.

    Shape (columns,). 1.96 for 95 % and very many clusters, 2.15 for 20 of equal size.
    """
    plain = plug_in_error(m)
    ratio = np.divide(robust_error(m), plain, out=np.ones_like(plain), where=plain > 0)
    return np.asarray(ratio * t_quantile((1 + level) / 2, degrees_of_freedom(m)))


@dataclass(frozen=True, eq=False)
class Resampled:
    """Resampled means of columns that share their clips, for statistics that combine columns.

    Attributes
    ----------
    means : array, shape (columns,)
    draws : array, shape (draws, columns)
    leave_one_out : array, shape (units, columns)
    z : float
        Half-width of an interval in the draws' standard errors.
    n, clusters : int
    independence_assumed, these_clusters_only, correctable : bool
        The last: enough clusters for BCa.
    """

    means: Floats
    draws: Floats
    leave_one_out: Floats
    z: float
    n: int
    clusters: int
    independence_assumed: bool
    these_clusters_only: bool
    correctable: bool

    def interval(
        self, estimate: float, draws: Floats, leave_one_out: Floats
    ) -> tuple[float, float, str]:
        """Interval of a statistic from its values on `draws` and on `leave_one_out`.

        Parameters
        ----------
        estimate : float
        draws : array, shape (draws,)
            NaN: the statistic is undefined there, and the draw is left out. Infinite: beyond what
            can be measured.
        leave_one_out : array, shape (units,)

        Returns
        -------
        float, float, str
            Both ends, and the method for a footnote.
        """
        kept = draws[~np.isnan(draws)][:, None]
        z = np.array([self.z])
        if self.correctable and np.isfinite(kept).all() and np.isfinite(leave_one_out).all():
            acceleration = acceleration_of(leave_one_out[:, None])
            ends = bca_ends(kept, np.array([estimate]), acceleration, z)
        else:
            ends = percentile_ends(kept, z)
        return float(ends.low[0]), float(ends.high[0]), self._method(bool(ends.corrected[0]))

    def _method(self, corrected: bool) -> str:
        if self.these_clusters_only:
            return "these clusters only: percentile bootstrap over the clips within them"
        units = "clips" if self.clusters == self.n else "clusters"
        return f"{'BCa' if corrected else 'percentile'} bootstrap over {units}"


def resample_means(
    values: Floats, clustering: Clustering, *, level: float, draws: int, seed: int
) -> Resampled:
    """Resample the means of columns without gaps; below 5 clusters, clips within the clusters.

    Parameters
    ----------
    values : array, shape (clips, columns)
        Two clips or more.
    clustering : Clustering
    level : float
    draws, seed : int
    """
    m = moments_of(values, clustering)
    few = clustering.count < FEW_CLUSTERS and not clustering.one_clip_each
    if few:
        z = _z_within(m, level)
        units = _as_clips(m, values, clustering)
    else:
        # The widest column's: a statistic of several columns is no more certain than each.
        z = float(widened_z(m, level).max())
        units = m
    return Resampled(
        means=m.mean,
        draws=draw_means(units, draws=draws, seed=seed),
        leave_one_out=leave_one_out_means(units),
        z=z,
        n=len(values),
        clusters=clustering.count,
        independence_assumed=clustering.independence_assumed,
        these_clusters_only=few,
        correctable=clustering.count >= MANY_CLUSTERS,
    )


def _as_clips(m: Moments, values: Floats, clustering: Clustering) -> Moments:
    """Each clip a unit, scattered about the mean as it is about its own cluster's mean.

    Pooled residuals serve clusters of a single clip too. They are stretched to make up for the
    degrees of freedom that the clusters' means took.
    """
    residuals = values - m.cluster_means[clustering.index]
    stretch = np.sqrt(len(values) / max(1, len(values) - clustering.count))
    return replace(m, counts=np.ones_like(values), residual_sums=residuals * stretch)


def _z_within(m: Moments, level: float) -> float:
    freedom = float((m.n - m.clusters)[0])
    return float(t_quantile((1 + level) / 2, freedom))
