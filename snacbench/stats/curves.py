"""Quality against rate: curves through a codec's points, and the Bjontegaard deltas of two.

Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33, 2001, but
with a monotone piecewise cubic in place of one polynomial, after Herglotz, Kranzler, Mons and Kaup,
"Beyond Bjontegaard: limits of video compression performance comparisons", ICIP 2022.

Curves are computed for all bootstrap draws at once, arrays of shape (..., points) with x ascending
along the last axis: scipy's interpolators share one x among all curves, but when quality is the x,
every draw has another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from snacbench.stats.clusters import (
    Clustering,
    Clusters,
    Floats,
    Scores,
    cluster_clips,
    labels_of,
    score_table,
)
from snacbench.stats.intervals import DRAWS, LEVEL, bootstrap_interval, resample_means

Better = Literal["higher", "lower"]
INTERPOLATION = "monotone piecewise cubic (pchip) on log rate"
POINTS_NEEDED = 3
# Below this share of the narrower curve, the ends of the curves decide and not the curves.
LEAST_OVERLAP = 0.25
# An interval from the draws that happen to have a value would be too narrow above this share.
MOST_UNDEFINED_DRAWS = 0.1


@dataclass(frozen=True)
class RatePoint:
    """A codec at one rate: the rate in kbps (1000 bit/s), and each clip's score there.

    The rate is taken as known; intervals do not cover its own variation from clip to clip.
    """

    kbps: float
    scores: Scores


@dataclass(frozen=True)
class RateCurve:
    """A codec at one or more rates, positive and distinct (else `ValueError`), in their order."""

    name: str
    points: tuple[RatePoint, ...]

    def __post_init__(self) -> None:
        rates = {point.kbps for point in self.points if 0 < point.kbps < math.inf}
        if not rates or len(rates) < len(self.points):
            found = [point.kbps for point in self.points]
            raise ValueError(
                f"{self.name}: rates in kbps must be positive and differ, found {found}"
            )
        in_order = tuple(sorted(self.points, key=lambda point: point.kbps))
        object.__setattr__(self, "points", in_order)

    @property
    def kbps(self) -> Floats:
        """Rates in kbps, ascending, shape (points,)."""
        return np.array([point.kbps for point in self.points])


@dataclass(frozen=True)
class BjontegaardDelta:
    """The mean gap between a test curve and an anchor, over the range that both cover.

    Of rate: percent of the anchor's that the test needs more (negative: saves) at equal quality. Of
    quality: the test's mean value minus the anchor's at equal rate, in the metric's unit. `low` and
    `high` are by bootstrap over clusters; None with a single clip, or where more than a tenth of
    the draws, `undefined_share`, have no value. `reason` says why there is no value or no interval.

    `overlap` is the range averaged over: of quality for ``rate``, of kbps for ``quality``;
    `overlap_share` is that range over the range of both curves together (of the logarithm, for
    kbps), 0 to 1, and `overlap_of_narrower` over the range of the narrower curve. `n` and
    `clusters` count the clips shared by all points; `lost` are those that some point lacks.
    """

    kind: Literal["rate", "quality"]
    level: float
    method: str
    n: int
    clusters: int
    lost: tuple[str, ...]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval_method: str = ""
    overlap: tuple[float, float] | None = None
    overlap_share: float = 0.0
    overlap_of_narrower: float = 0.0
    undefined_share: float = 0.0
    reason: str = ""


def bjontegaard_delta(  # noqa: PLR0913 - keyword-only options of one analysis
    kind: Literal["rate", "quality"],
    anchor: RateCurve,
    test: RateCurve,
    clusters: Clusters | None = None,
    *,
    better: Better = "higher",
    draws: int = DRAWS,
    seed: int = 0,
) -> BjontegaardDelta:
    """Bjontegaard delta rate in percent, or delta quality in the metric's unit.

    Rate: ``100 (10^g - 1)`` with g the mean over the shared range of quality of ``log10 rate_test -
    log10 rate_anchor``; negative: the test needs less rate for equal quality. Quality ("BD-PSNR"):
    the mean over the shared range of log rate of ``quality_test - quality_anchor``; positive: the
    test's values are higher. Each curve is interpolated through the mean scores at its points;
    nothing is extrapolated. The interval resamples clusters, the same for both curves.

    There is no value, but a reason, where curves have too few points, share less than
    `LEAST_OVERLAP` of the narrower one's range, or (rate only) quality does not rise with rate.
    Raises `ValueError` if a score is not finite.
    """
    values, clustering, lost = shared_scores([anchor, test], clusters)
    n, split = len(values), len(anchor.points)
    sign = -1.0 if kind == "rate" and better == "lower" else 1.0

    def axes(curve: RateCurve, quality: Floats) -> tuple[Floats, Floats]:
        """What runs along the curve, rising, and what is averaged over it."""
        rate = np.log10(curve.kbps)
        return (sign * quality, rate) if kind == "rate" else (rate, quality)

    def compute(means: Floats) -> Floats:
        sides = (*axes(anchor, means[..., :split]), *axes(test, means[..., split:]))
        gap = mean_gap(*sides)
        return gap if kind == "quality" else np.asarray(100 * (10**gap - 1))

    def shown(low: float, high: float) -> tuple[float, float]:
        """A range of what runs along the curve, in the unit of kbps or of the metric."""
        if kind == "quality":
            return round(10**low, 9), round(10**high, 9)
        return (low, high) if sign > 0 else (-high, -low)

    result = BjontegaardDelta(kind, LEVEL, INTERPOLATION, n, clustering.count, lost)
    if not n:
        return replace(result, reason="no clip is shared by all points")
    means = values.mean(axis=0)
    ax, tx = axes(anchor, means[:split])[0], axes(test, means[split:])[0]
    what = "quality" if kind == "rate" else "kbps"
    low, high = (float(end) for end in overlap(ax, tx))
    reason = _why_no_curve(anchor, ax) or _why_no_curve(test, tx)
    if not reason and not low < high:
        (a, b), (c, d) = (shown(float(x[0]), float(x[-1])) for x in (ax, tx))
        reason = f"no overlap: {what} {a:.4g} to {b:.4g} against {c:.4g} to {d:.4g}"
    if reason:
        return replace(result, reason=reason)
    result = replace(
        result,
        overlap=shown(low, high),
        overlap_share=float((high - low) / (max(ax[-1], tx[-1]) - min(ax[0], tx[0]))),
        overlap_of_narrower=float((high - low) / min(ax[-1] - ax[0], tx[-1] - tx[0])),
    )
    if result.overlap_of_narrower < LEAST_OVERLAP:
        a, b = shown(low, high)
        why = (
            f"the curves share {100 * result.overlap_of_narrower:.0f} % of the narrower one "
            f"({what} {a:.4g} to {b:.4g}), {100 * LEAST_OVERLAP:.0f} % are needed"
        )
        return replace(result, reason=why)
    result = replace(result, value=float(compute(means)))
    if n < 2:
        return replace(result, reason="one clip: no interval")
    resampled, left_out, z = resample_means(values, clustering, draws=draws, seed=seed)
    drawn = compute(resampled)
    result = replace(result, undefined_share=float(np.isnan(drawn).mean()))
    if result.undefined_share > MOST_UNDEFINED_DRAWS:
        share = 100 * result.undefined_share
        why = f"no interval: undefined in {share:.0f} % of the bootstrap draws"
        return replace(result, reason=why)
    low, high, how = bootstrap_interval(
        float(compute(means)), drawn, compute(left_out), z, clustering
    )
    return replace(result, low=low, high=high, interval_method=how)


def _why_no_curve(curve: RateCurve, x: Floats) -> str:
    """Why no curve goes through points, x being what runs along it; else empty."""
    if len(x) < POINTS_NEEDED:
        return f"{curve.name} has {len(x)} points, pchip needs {POINTS_NEEDED}"
    for worse, better, rises in zip(curve.kbps[:-1], curve.kbps[1:], np.diff(x) > 0, strict=True):
        if not rises:
            return f"{curve.name} does not get better from {worse:g} to {better:g} kbps"
    return ""


bd_rate = partial(bjontegaard_delta, "rate")
bd_quality = partial(bjontegaard_delta, "quality")


def shared_scores(
    curves: Sequence[RateCurve], clusters: Clusters | None
) -> tuple[Floats, Clustering, tuple[str, ...]]:
    """Scores of all points of some curves on the clips that every point has; the clips left out.

    The scores have shape (clips, points of the first curve, then of the second ...).
    """
    columns = {
        f"{curve.name} at {point.kbps:g} kbps ({i})": point.scores
        for i, curve in enumerate(curves)
        for point in curve.points
    }
    clips, table = score_table(columns)
    complete = np.asarray(np.isfinite(table).all(axis=1))
    shared = [clip for clip, kept in zip(clips, complete, strict=True) if kept]
    lost = tuple(clip for clip, kept in zip(clips, complete, strict=True) if not kept)
    return table[complete], cluster_clips(labels_of(shared, clusters), clips=len(shared)), lost


def overlap(ax: Floats, tx: Floats) -> tuple[Floats, Floats]:
    """The range of x, ascending, that two curves share; empty where low is not below high."""
    return np.maximum(ax[..., 0], tx[..., 0]), np.minimum(ax[..., -1], tx[..., -1])


def mean_gap(ax: Floats, ay: Floats, tx: Floats, ty: Floats) -> Floats:
    """Mean of test (tx, ty) minus anchor over the range of x that both have, shape (...).

    NaN where x does not rise along a curve, or the ranges do not meet.
    """
    low, high = overlap(ax, tx)
    rising = (np.diff(ax) > 0).all(axis=-1) & (np.diff(tx) > 0).all(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = _area_under(tx, ty, low, high) - _area_under(ax, ay, low, high)
        return np.asarray(np.where(rising & (low < high), area / (high - low), np.nan))


def pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Derivatives at the points, shape (..., points), that keep monotone data monotone.

    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants",
    SIAM Journal on Scientific and Statistical Computing 5(2), 1984; as in
    `scipy.interpolate.PchipInterpolator`.
    """
    x, y = np.broadcast_arrays(x, y)
    h = np.diff(x)
    secant = np.diff(y) / h
    if secant.shape[-1] == 1:
        return np.repeat(secant, 2, axis=-1)
    before, after = secant[..., :-1], secant[..., 1:]
    weight_before, weight_after = 2 * h[..., 1:] + h[..., :-1], h[..., 1:] + 2 * h[..., :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    ends = []
    for first, second in ((0, 1), (-1, -2)):  # three-point slopes, bent back from overshooting
        h0, h1, s0, s1 = h[..., first], h[..., second], secant[..., first], secant[..., second]
        slope = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
        turns = (np.sign(s0) != np.sign(s1)) & (np.abs(slope) > 3 * np.abs(s0))
        slope = np.where(turns, 3 * s0, slope)
        ends.append(np.where(np.sign(slope) == np.sign(s0), slope, 0.0)[..., None])
    inner = np.where(before * after > 0, mean, 0.0)
    return np.concatenate([ends[0], inner, ends[1]], axis=-1)


def _area_under(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Area under the curve from `low` to `high`, inside the points' range; shape (...)."""
    h, d = np.diff(x), pchip_slopes(x, y)
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
