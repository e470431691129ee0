"""Interval ends from bootstrap draws: bias-corrected and accelerated, or plain percentiles.

Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association
82(397), 1987. scipy.stats.bootstrap computes the same for one statistic; here all
columns of a table are done at once, and the tails can be widened for few clusters (`resample`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from snacbench.stats.moments import Floats


@dataclass(frozen=True, eq=False)
class Ends:
    """Interval ends, shape (columns,), and where the BCa correction could be applied."""

    low: Floats
    high: Floats
    corrected: NDArray[np.bool_]


def acceleration_of(leave_one_out: Floats) -> Floats:
    """Acceleration: how fast the standard error changes with the value; 0 for symmetric data.

    ``sum d^3 / (6 (sum d^2)^1.5)`` with d the mean of the leave-one-out values minus each of them
    (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, eq. 14.15).

    Parameters
    ----------
    leave_one_out : array, shape (units, columns)
        The statistic with one unit (cluster) left out at a time.

    Returns
    -------
    array, shape (columns,)
        NaN where all are equal.
    """
    d = leave_one_out.mean(axis=0) - leave_one_out
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((d**3).sum(axis=0) / (6 * (d**2).sum(axis=0) ** 1.5))


def bca_ends(draws: Floats, estimate: Floats, acceleration: Floats, z: Floats) -> Ends:
    """Interval ends by BCa, by plain percentiles where that degenerates.

    It degenerates where all draws lie on one side of the estimate, where the acceleration is
    undefined, or so large that the corrected tail turns round.

    Parameters
    ----------
    draws : array, shape (draws, columns)
    estimate, acceleration : array, shape (columns,)
    z : array, shape (columns,)
        Half-width wanted in standard errors: 1.96 for 95 %.
    """
    share_below = ((draws < estimate).mean(axis=0) + (draws <= estimate).mean(axis=0)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = ndtri(share_below)
        shrink_low, shrink_high = (1 - acceleration * (bias + side * z) for side in (-1, 1))
        low_tail = ndtr(bias + (bias - z) / shrink_low)
        high_tail = ndtr(bias + (bias + z) / shrink_high)
        corrected = np.isfinite(bias) & (shrink_low > 0) & (shrink_high > 0)
    in_order = np.sort(draws, axis=0)
    return Ends(
        _quantile(in_order, np.where(corrected, low_tail, ndtr(-z))),
        _quantile(in_order, np.where(corrected, high_tail, ndtr(z))),
        corrected,
    )


def percentile_ends(draws: Floats, z: Floats) -> Ends:
    """Interval ends by plain percentiles; draws may be infinite.

    Parameters
    ----------
    draws : array, shape (draws, columns)
        Minus or plus infinity: beyond either end of what can be measured.
    z : array, shape (columns,)
    """
    in_order = np.sort(draws, axis=0)
    none = np.zeros(draws.shape[1], bool)
    return Ends(_quantile(in_order, ndtr(-z)), _quantile(in_order, ndtr(z)), none)


def _quantile(in_order: Floats, share: Floats) -> Floats:
    """Quantiles, one share per column, linear between order statistics unless one is infinite."""
    last = len(in_order) - 1
    position = np.clip(share, 0.0, 1.0) * last
    below = np.minimum(np.floor(position).astype(int), last)
    above = np.minimum(below + 1, last)
    columns = np.arange(in_order.shape[1])
    a, b = in_order[below, columns], in_order[above, columns]
    part = position - below
    nearer = np.where(part < 0.5, a, b)
    with np.errstate(invalid="ignore"):
        between = a + part * (b - a)
    return np.asarray(np.where(np.isfinite(a) & np.isfinite(b), between, nearer))
