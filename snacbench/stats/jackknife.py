"""Intervals of what is no mean: the jackknife over clusters, by leaving out one at a time.

For entropies the bootstrap would not do: a cluster drawn twice doubles its codes, none of them is
rare any more, and every estimator that looks at rare codes then reads low.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from snacbench.stats.intervals import Interval, check_level
from snacbench.stats.student import t_quantile


def jackknife_interval(  # noqa: PLR0913 - keyword-only facts of one interval
    estimate: float,
    leave_one_out: ArrayLike,
    weights: ArrayLike,
    *,
    n: int,
    clusters: int,
    level: float = 0.95,
    most: float = math.inf,
    independence_assumed: bool = False,
    these_clusters_only: bool = False,
) -> Interval:
    """Interval of any statistic from its values with one unit (cluster) left out at a time.

    ``estimate +- t(G - 1) SE`` with the delete-m_j jackknife's variance for units of unequal size
    (Busing, Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and Computing
    9, 1999, eq. 3): ``1 / G sum (tau_j - mean)^2 / (h_j - 1)`` with ``h_j = sum of weights / w_j``
    and pseudo-values ``tau_j = h_j estimate - (h_j - 1) leave_one_out_j``.

    Parameters
    ----------
    estimate : float
        Over all units; the centre of the interval.
    leave_one_out : array, shape (units,)
    weights : array, shape (units,)
        Sizes of the units, above 0: tokens, seconds.
    n, clusters : int
        Clips and clusters in all of them. Units may be clusters, groups of them, or clips.
    level : float
    most : float
        The largest value there can be; the interval ends there.
    independence_assumed, these_clusters_only : bool
        As in `Interval`.

    Returns
    -------
    Interval
        Without ends where there are fewer than two units.

    Raises
    ------
    ValueError
        If there is not one weight above 0 per unit, or the level is not between 0 and 1.
    """
    check_level(level)
    left, sizes = np.asarray(leave_one_out, float), np.asarray(weights, float)
    if left.shape != sizes.shape or left.ndim != 1 or not (sizes > 0).all():
        raise ValueError(
            f"give one weight above 0 per unit, found {left.shape} values and weights of "
            f"{sizes.shape}, the smallest {sizes.min(initial=np.inf):g}"
        )
    units = len(left)
    low = high = None
    if units > 1:
        h = sizes.sum() / sizes
        pseudo = h * estimate - (h - 1) * left
        centre = units * estimate - float(((1 - 1 / h) * left).sum())
        variance = float(((pseudo - centre) ** 2 / (h - 1)).sum()) / units
        half = float(t_quantile((1 + level) / 2, units - 1)) * variance**0.5
        low, high = estimate - half, min(estimate + half, most)
    return Interval(
        mean=estimate,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=clusters,
        method=_method(units, n, clusters, these_clusters_only),
        independence_assumed=independence_assumed,
        these_clusters_only=these_clusters_only,
    )


def _method(units: int, n: int, clusters: int, these_clusters_only: bool) -> str:
    if units < 2:
        return "one cluster, no interval"
    if these_clusters_only:
        return "these clusters only: jackknife over the clips within them"
    if units < clusters:
        return f"jackknife over {units} groups of clusters"
    return f"jackknife over {'clips' if clusters == n else 'clusters'}"
