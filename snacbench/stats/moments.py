"""Mean over clips, its standard error over clusters, and the degrees of freedom behind it.

All for many columns (operating points, pairs) at once. With N clips in G clusters, cluster g having
n_g of them, weight w_g = n_g / N and residual sum u_g = sum of (value - mean) over its clips:

- plug-in variance of the mean: sum u_g^2 / N^2. The bootstrap over clusters has this variance.
- bias-reduced variance ("CR2"): sum u_g^2 / (1 - w_g) / N^2. For clusters of one size this is
  the variance of the cluster means over G, as in the classic t interval.
- Satterthwaite's degrees of freedom of the latter, which fall below G - 1 where a few large
  clusters carry the mean: (trace B)^2 / trace(B B), B being the covariance of the scaled u_g if
  clusters have random effects. Bell and McCaffrey, "Bias reduction in standard errors for linear
  regression with multi-stage samples", Survey Methodology 28(2), 2002; with random effects in the
  model after Imbens and Kolesar, "Robust standard errors in small samples: some practical advice",
  Review of Economics and Statistics 98(4), 2016. Overview: Cameron and Miller, "A practitioner's
  guide to cluster-robust inference", Journal of Human Resources 50(2), 2015, section VI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snacbench.stats.clusters import Clustering

Floats = NDArray[np.float64]

_ROUNDING = 1e-13
_TINY = 1e-100  # squares of smaller deviations vanish


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums per cluster of the columns of a table with gaps.

    Attributes
    ----------
    mean : array, shape (columns,)
        Over the clips that have a value; NaN where none has.
    counts, residual_sums : array, shape (clusters, columns)
        Clips with a value, and the sum of their deviations from the mean.
    within : array, shape (columns,)
        Sum of squared deviations of the values from their cluster's mean.
    constant, independence_assumed : array of bool, shape (columns,)
        All values are equal, up to rounding; the cluster of some clip with a value is not known.
    """

    mean: Floats
    counts: Floats
    residual_sums: Floats
    within: Floats
    constant: NDArray[np.bool_]
    independence_assumed: NDArray[np.bool_]

    def columns(self, chosen: NDArray[np.intp]) -> Moments:
        """The same of some columns."""
        return Moments(
            self.mean[chosen],
            self.counts[:, chosen],
            self.residual_sums[:, chosen],
            self.within[chosen],
            self.constant[chosen],
            self.independence_assumed[chosen],
        )

    @property
    def n(self) -> Floats:
        """Clips with a value, shape (columns,)."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def clusters(self) -> Floats:
        """Clusters with a value, shape (columns,)."""
        return np.asarray((self.counts > 0).sum(axis=0).astype(float))

    @property
    def sums(self) -> Floats:
        """Sum of the values per cluster, shape (clusters, columns)."""
        return np.asarray(self.residual_sums + self.counts * self.mean)

    @property
    def cluster_means(self) -> Floats:
        """Mean per cluster, shape (clusters, columns); NaN where a cluster has no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.mean + self.residual_sums / self.counts)


def moments_of(values: Floats, clustering: Clustering) -> Moments:
    """Sums per cluster.

    Parameters
    ----------
    values : array, shape (clips, columns)
        NaN where there is no value.
    clustering : Clustering
        Of the clips.
    """
    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / present.sum(axis=0)
        residuals = np.where(present, values - mean, 0.0)
        counts = _per_cluster(present.astype(float), clustering)
        sums = _per_cluster(residuals, clustering)
        inside = np.where(present, residuals - (sums / counts)[clustering.index], 0.0)
    largest = np.abs(filled).max(axis=0, initial=0.0)
    apart = np.abs(residuals).max(axis=0, initial=0.0)
    assumed = np.asarray((present & clustering.unknown[:, None]).any(axis=0))
    constant = apart <= np.maximum(_ROUNDING * largest, _TINY)
    return Moments(mean, counts, sums, (inside**2).sum(axis=0), constant, assumed)


def _per_cluster(table: Floats, clustering: Clustering) -> Floats:
    if not clustering.count:
        return np.zeros((0, table.shape[1]))
    order = np.argsort(clustering.index, kind="stable")
    starts = np.searchsorted(clustering.index[order], np.arange(clustering.count))
    return np.asarray(np.add.reduceat(table[order], starts, axis=0))


def plug_in_error(m: Moments) -> Floats:
    """Standard error of the mean that the bootstrap over clusters estimates, shape (columns,)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt((m.residual_sums**2).sum(axis=0)) / m.n)


def robust_error(m: Moments) -> Floats:
    """Standard error of the mean over clusters, bias-reduced (CR2), shape (columns,).

    Needs two clusters or more; NaN otherwise.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = m.residual_sums**2 / (1 - m.counts / m.n)
        return np.asarray(np.sqrt(scaled.sum(axis=0)) / m.n)


def degrees_of_freedom(m: Moments) -> Floats:
    """Satterthwaite's degrees of freedom of `robust_error`, shape (columns,).

    ``clusters - 1`` for clusters of one size, fewer where sizes differ.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        w = m.counts / m.n
        p = w**2 / (1 - w)
        v = _variance_of_cluster_means(m)
        # B_gh = sqrt(p_g p_h) (v_g [g = h] + c - r_g - r_h); its traces, without building it.
        r, c = w * v, (w**2 * v).sum(axis=0)
        d = c - 2 * r
        trace = (p * (v + d)).sum(axis=0)
        s0, s1, s2 = p.sum(axis=0), (p * r).sum(axis=0), (p * r**2).sum(axis=0)
        off_diagonal_too = c**2 * s0**2 - 4 * c * s1 * s0 + 2 * s2 * s0 + 2 * s1**2
        trace_of_square = (p**2 * ((v + d) ** 2 - d**2)).sum(axis=0) + off_diagonal_too
        return np.asarray(trace**2 / trace_of_square)


def _variance_of_cluster_means(m: Moments) -> Floats:
    """Up to a factor: random cluster effects, estimated by analysis of variance."""
    clusters, n = m.clusters, m.n
    within = np.where(n > clusters, m.within / np.maximum(n - clusters, 1), 0.0)
    between = np.nansum(m.residual_sums**2 / m.counts, axis=0) / (clusters - 1)
    typical_size = (n - (m.counts**2).sum(axis=0) / n) / (clusters - 1)
    effect = np.maximum(0.0, (between - within) / typical_size)
    variance = np.where(m.counts > 0, effect + within / np.maximum(m.counts, 1), 0.0)
    # Values without any spread have no variance to share out; any equal shares give G - 1.
    return np.asarray(np.where(effect + within > 0, variance, (m.counts > 0).astype(float)))


def within_error(m: Moments) -> Floats:
    """Standard error of the mean over clips of the clusters at hand, shape (columns,).

    ``sqrt(within / (n - clusters) / n)``: the clips' spread inside their clusters, pooled; what
    lies between clusters does not count, since they are taken as given.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(m.within / (m.n - m.clusters) / m.n))
