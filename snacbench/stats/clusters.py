"""Clips in clusters (a speaker's, a track's): the mean over clips, its error over clusters.

With N clips in G clusters, cluster g having n_g of them, weight w_g = n_g / N and residual sum u_g
= sum of (value - mean) over its clips, the bootstrap over clusters has the variance sum u_g^2 /
N^2; the bias-reduced one ("CR2") is sum u_g^2 / (1 - w_g) / N^2, with Satterthwaite's degrees of
freedom (trace B)^2 / trace(B B), B being the covariance of the scaled u_g if clusters have random
effects. Bell and McCaffrey, Survey Methodology 28(2), 2002; random effects after Imbens and
Kolesar, Review of Economics and Statistics 98(4), 2016; overview: Cameron and Miller, "A
practitioner's guide to cluster-robust inference", Journal of Human Resources 50(2), 2015, VI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Floats

Scores = Mapping[str, float]
"""Clip -> finite value; a clip on which a codec or metric failed is simply not there."""
Clusters = Mapping[str, str | None]
"""Clip -> speaker or track; None, or no entry, where it is not known."""

# From this many clusters on, the bootstrap over clusters is used; below, a t distribution, whose
# assumption (normal cluster means) then errs less than resampling a handful of clusters does.
MANY_CLUSTERS = 20
# Below this many, nothing can be said about clusters that were not measured.
FEW_CLUSTERS = 5
_ROUNDING = 1e-13
_TINY = 1e-70  # fourth powers of smaller deviations vanish


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clips numbered by their cluster: `index`, shape (clips,), from 0 to ``count - 1``.

    `unknown`, shape (clips,), are clips whose cluster is not known: each is one of its own.
    """

    index: NDArray[np.intp]
    count: int
    unknown: NDArray[np.bool_]

    @property
    def independence_assumed(self) -> bool:
        """Whether the cluster of some clip is not known."""
        return bool(self.unknown.any())

    @property
    def one_clip_each(self) -> bool:
        """Whether no two clips share a cluster."""
        return self.count == len(self.index)

    @property
    def few(self) -> bool:
        """Whether an interval can speak of these clusters only."""
        return self.count < FEW_CLUSTERS and not self.one_clip_each


def cluster_clips(labels: Sequence[str | None]) -> Clustering:
    """Number clips by cluster, in order of first appearance.

    A label of None: not known, so the clip is a cluster of its own.
    """
    numbers: dict[str | int, int] = {}
    keys = (position if label is None else label for position, label in enumerate(labels))
    index = [numbers.setdefault(key, len(numbers)) for key in keys]
    unknown = np.array([label is None for label in labels], bool)
    return Clustering(np.array(index, np.intp), len(numbers), unknown)


def labels_of(clips: Sequence[str], clusters: Clusters | None) -> list[str | None]:
    """The cluster of each clip, None where it is not known."""
    return [(clusters or {}).get(clip) for clip in clips]


def score_table(scores: Mapping[str, Scores]) -> tuple[list[str], Floats]:
    """Clips of any column (codec, operating point), in order of appearance, and their values.

    The values have shape (clips, columns), NaN where a column lacks a clip.
    """
    clips = list(dict.fromkeys(chain.from_iterable(scores.values())))
    table = np.full((len(clips), len(scores)), np.nan)
    row = {clip: i for i, clip in enumerate(clips)}
    for j, column in enumerate(scores.values()):
        rows = np.fromiter(map(row.__getitem__, column), np.intp, len(column))
        table[rows, j] = np.fromiter(column.values(), float, len(column))
    return clips, table


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums per cluster of the columns (operating points, pairs) of a table with gaps.

    By column, `n` and `clusters` count the clips with a value and their clusters, `mean` is over
    those clips (NaN where there are none), `within` the sum of squared deviations from the
    clusters' means, `constant` whether all values are equal, up to rounding, and
    `independence_assumed` whether the cluster of some clip with a value is not known. `counts` and
    `residual_sums`, shape (clusters, columns), are of the clips with a value, and of their
    deviations from the mean.
    """

    n: Floats
    clusters: Floats
    mean: Floats
    counts: Floats
    residual_sums: Floats
    within: Floats
    constant: NDArray[np.bool_]
    independence_assumed: NDArray[np.bool_]

    @property
    def few(self) -> NDArray[np.bool_]:
        """Columns whose interval can speak of these clusters only."""
        return np.asarray((self.clusters < FEW_CLUSTERS) & (self.n > self.clusters))

    @property
    def robust_error(self) -> Floats:
        """Standard error over clusters, bias-reduced (CR2); NaN below two clusters."""
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = self.residual_sums**2 / (1 - self.counts / self.n)
            return np.asarray(np.sqrt(scaled.sum(axis=0)) / self.n)

    @property
    def degrees_of_freedom(self) -> Floats:
        """Satterthwaite's, of `robust_error`; ``clusters - 1`` for clusters of one size."""
        clusters, n = self.clusters, self.n
        with np.errstate(invalid="ignore", divide="ignore"):
            # Variance of cluster means, up to a factor: random effects by analysis of variance.
            within = np.where(n > clusters, self.within / np.maximum(n - clusters, 1), 0.0)
            between = np.nansum(self.residual_sums**2 / self.counts, axis=0) / (clusters - 1)
            typical_size = (n - (self.counts**2).sum(axis=0) / n) / (clusters - 1)
            effect = np.maximum(0.0, (between - within) / typical_size)
            v = np.where(self.counts > 0, effect + within / np.maximum(self.counts, 1), 0.0)
            # Values without any spread have none to share out; any equal shares give G - 1.
            v = np.where(effect + within > 0, v, (self.counts > 0).astype(float))
            w = self.counts / n
            p = w**2 / (1 - w)
            # B_gh = sqrt(p_g p_h) (v_g [g = h] + c - r_g - r_h); its traces, without building it.
            r, c = w * v, (w**2 * v).sum(axis=0)
            d = c - 2 * r
            trace = (p * (v + d)).sum(axis=0)
            s0, s1, s2 = p.sum(axis=0), (p * r).sum(axis=0), (p * r**2).sum(axis=0)
            off_diagonal_too = c**2 * s0**2 - 4 * c * s1 * s0 + 2 * s2 * s0 + 2 * s1**2
            trace_of_square = (p**2 * ((v + d) ** 2 - d**2)).sum(axis=0) + off_diagonal_too
            return np.asarray(trace**2 / trace_of_square)

    def error_and_freedom(self) -> tuple[Floats, Floats]:
        """What a t interval or test rests on; of few clusters the spread inside them, pooled."""
        freedom = self.n - self.clusters
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(self.few, np.sqrt(self.within / freedom / self.n), self.robust_error)
        return error, np.where(self.few, freedom, self.degrees_of_freedom)


def moments_of(values: Floats, clustering: Clustering) -> Moments:
    """Sums per cluster of a table, shape (clips, columns), NaN where there is no value."""
    order = np.argsort(clustering.index, kind="stable")
    starts = np.searchsorted(clustering.index[order], np.arange(clustering.count))

    def per_cluster(table: Floats) -> Floats:
        if not clustering.count:
            return np.zeros((0, table.shape[1]))
        return np.asarray(np.add.reduceat(table[order], starts, axis=0))

    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.asarray(present.sum(axis=0).astype(float))
        mean = filled.sum(axis=0) / n
        residuals = np.where(present, values - mean, 0.0)
        counts, sums = per_cluster(present.astype(float)), per_cluster(residuals)
        inside = np.where(present, residuals - (sums / counts)[clustering.index], 0.0)
    largest = np.abs(filled).max(axis=0, initial=0.0)
    apart = np.abs(residuals).max(axis=0, initial=0.0)
    assumed = np.asarray((present & clustering.unknown[:, None]).any(axis=0))
    constant = apart <= np.maximum(_ROUNDING * largest, _TINY)
    clusters = np.asarray((counts > 0).sum(axis=0).astype(float))
    return Moments(n, clusters, mean, counts, sums, (inside**2).sum(axis=0), constant, assumed)
