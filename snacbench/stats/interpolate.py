"""Piecewise cubic curves through points, for many curves at once.

scipy's interpolators share one x among all curves; when quality is the x, a bootstrap has another
in every draw. All functions take arrays of shape (..., points), x ascending along the last axis.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from snacbench.stats.moments import Floats

Interpolation = Literal["pchip", "akima", "cubic"]
_BISECTIONS = 60


def slopes(x: Floats, y: Floats, kind: Literal["pchip", "akima"]) -> Floats:
    """Derivatives at the points, shape (..., points)."""
    x, y = np.broadcast_arrays(x, y)
    return _pchip_slopes(x, y) if kind == "pchip" else _akima_slopes(x, y)


def _pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Slopes that keep monotone data monotone, as in `scipy.interpolate.PchipInterpolator`.

    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants",
    SIAM Journal on Scientific and Statistical Computing 5(2), 1984.
    """
    h = np.diff(x)
    secant = np.diff(y) / h
    if secant.shape[-1] == 1:
        return np.repeat(secant, 2, axis=-1)
    before, after = secant[..., :-1], secant[..., 1:]
    weight_before = 2 * h[..., 1:] + h[..., :-1]
    weight_after = h[..., 1:] + 2 * h[..., :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    inner = np.where(before * after > 0, mean, 0.0)
    first = _pchip_end(h[..., 0], h[..., 1], secant[..., 0], secant[..., 1])
    last = _pchip_end(h[..., -1], h[..., -2], secant[..., -1], secant[..., -2])
    return np.concatenate([first[..., None], inner, last[..., None]], axis=-1)


def _pchip_end(h0: Floats, h1: Floats, secant0: Floats, secant1: Floats) -> Floats:
    """Three-point slope at an end, bent back where it would overshoot."""
    slope = ((2 * h0 + h1) * secant0 - h0 * secant1) / (h0 + h1)
    turns = (np.sign(secant0) != np.sign(secant1)) & (np.abs(slope) > 3 * np.abs(secant0))
    slope = np.where(turns, 3 * secant0, slope)
    return np.where(np.sign(slope) == np.sign(secant0), slope, 0.0)


def _akima_slopes(x: Floats, y: Floats) -> Floats:
    """Slopes that ignore the far side of a bend, as in `scipy.interpolate.Akima1DInterpolator`.

    Akima, "A new method of interpolation and smooth curve fitting based on local procedures",
    Journal of the ACM 17(4), 1970.
    """
    secant = np.diff(y) / np.diff(x)
    left, right = 2 * secant[..., :1] - secant[..., 1:2], 2 * secant[..., -1:] - secant[..., -2:-1]
    m = np.concatenate(
        [2 * left - secant[..., :1], left, secant, right, 2 * right - secant[..., -1:]], axis=-1
    )
    bend = np.abs(np.diff(m))
    before, after = bend[..., :-2], bend[..., 2:]
    total = before + after
    with np.errstate(divide="ignore", invalid="ignore"):
        weighted = (after * m[..., 1:-2] + before * m[..., 2:-1]) / total
    straight = total <= 1e-9 * total.max(axis=-1, keepdims=True)
    return np.asarray(np.where(straight, (m[..., 3:] + m[..., :-3]) / 2, weighted))


def integral(x: Floats, y: Floats, d: Floats, low: Floats, high: Floats) -> Floats:
    """Area under the curve from `low` to `high`, inside the points' range; shape (...).

    Parameters
    ----------
    x, y, d : array, shape (..., points)
        Points and slopes.
    low, high : array, shape (...)
    """
    h = np.diff(x)
    area = np.zeros(np.broadcast_shapes(h.shape, y[..., 1:].shape))
    for end, sign in ((high, 1.0), (low, -1.0)):
        t = np.clip((end[..., None] - x[..., :-1]) / h, 0.0, 1.0)
        t2, t3, t4 = t**2, t**3, t**4
        area = area + sign * h * (
            y[..., :-1] * (t4 / 2 - t3 + t)
            + y[..., 1:] * (t3 - t4 / 2)
            + h * d[..., :-1] * (t4 / 4 - 2 * t3 / 3 + t2 / 2)
            + h * d[..., 1:] * (t4 / 4 - t3 / 3)
        )
    return np.asarray(area.sum(axis=-1))


def overlap(ax: Floats, tx: Floats) -> tuple[Floats, Floats]:
    """The range of x, ascending, that two curves share; empty where low is not below high."""
    return np.maximum(ax[..., 0], tx[..., 0]), np.minimum(ax[..., -1], tx[..., -1])


def mean_gap(ax: Floats, ay: Floats, tx: Floats, ty: Floats, method: Interpolation) -> Floats:
    """Mean of test minus anchor over the range of x that both have, shape (...).

    NaN where x does not rise along a curve, or the ranges do not meet.

    Parameters
    ----------
    ax, ay, tx, ty : array, shape (..., points)
        Of the anchor and of the test.
    method : {"pchip", "akima", "cubic"}
    """
    low, high = overlap(ax, tx)
    rising = (np.diff(ax) > 0).all(axis=-1) & (np.diff(tx) > 0).all(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = _area(tx, ty, low, high, method) - _area(ax, ay, low, high, method)
        return np.asarray(np.where(rising & (low < high), area / (high - low), np.nan))


def _area(x: Floats, y: Floats, low: Floats, high: Floats, method: Interpolation) -> Floats:
    if method == "cubic":
        return _cubic_area(x, y, low, high)
    return integral(x, y, slopes(x, y, method), low, high)


def _cubic_area(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Area under the least-squares cubic, which for four points goes through them."""
    middle = (x[..., :1] + x[..., -1:]) / 2
    half = (x[..., -1:] - x[..., :1]) / 2
    powers = ((x - middle) / half)[..., None] ** np.arange(4)
    coefficients = (np.linalg.pinv(powers) @ y[..., None])[..., 0]
    area = np.zeros(np.shape(low))
    for end, sign in ((high, 1.0), (low, -1.0)):
        u = (end[..., None] - middle) / half
        terms = coefficients * u ** np.arange(1, 5) / np.arange(1, 5)
        area = area + sign * half[..., 0] * terms.sum(axis=-1)
    return area


def value_at(x: Floats, y: Floats, d: Floats, at: float) -> Floats:
    """The curves' values at one place inside their common x, shape (...).

    Parameters
    ----------
    x : array, shape (points,)
    y, d : array, shape (..., points)
    at : float
    """
    i = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2))
    h = x[i + 1] - x[i]
    return _segment(y[..., i], y[..., i + 1], h * d[..., i], h * d[..., i + 1], (at - x[i]) / h)


def first_reach(x: Floats, y: Floats, d: Floats, level: Floats) -> Floats:
    """Smallest x at which rising curves reach a level, shape (...).

    Minus infinity where the first point already lies above it, infinity where the last stays below.

    Parameters
    ----------
    x : array, shape (points,)
    y, d : array, shape (..., points)
        Not falling, with slopes that keep it so (pchip).
    level : array, shape (...)
    """
    i = (y < level[..., None]).sum(axis=-1)
    right = np.clip(i, 1, len(x) - 1)
    y0, y1, d0, d1 = (
        np.take_along_axis(table, index[..., None], axis=-1)[..., 0]
        for table in (y, d)
        for index in (right - 1, right)
    )
    h = x[right] - x[right - 1]
    low, high = np.zeros_like(level), np.ones_like(level)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = _segment(y0, y1, h * d0, h * d1, middle) >= level
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    found = x[right - 1] + high * h
    found = np.where(i == 0, np.where(y[..., 0] == level, x[0], -np.inf), found)
    return np.where(i == len(x), np.inf, found)


def _segment(y0: Floats, y1: Floats, d0: Floats, d1: Floats, t: Floats | float) -> Floats:
    """Cubic between two points, t from 0 to 1; slopes per unit of t."""
    rise = t * t * (3 - 2 * t)
    return np.asarray(y0 * (1 - rise) + y1 * rise + d0 * t * (1 - t) ** 2 - d1 * t * t * (1 - t))


def isotonic(y: Floats) -> Floats:
    """The closest rising sequence in least squares, shape (..., points).

    ``max over j <= i of min over k >= i of mean(y_j .. y_k)``: neighbours that fall are replaced by
    their mean. Barlow, Bartholomew, Bremner and Brunk, "Statistical Inference under Order
    Restrictions", 1972, chapter 1.
    """
    points = y.shape[-1]
    sums = np.concatenate([np.zeros((*y.shape[:-1], 1)), np.cumsum(y, axis=-1)], axis=-1)
    best = np.full(y.shape, -np.inf)
    for j in range(points):
        means = (sums[..., j + 1 :] - sums[..., j : j + 1]) / np.arange(1, points - j + 1)
        means[..., 0] = y[..., j]  # exactly: a point that stays must not move by rounding
        least = np.minimum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        best[..., j:] = np.maximum(best[..., j:], least)
    return best
