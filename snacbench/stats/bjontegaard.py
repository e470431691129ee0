"""Bjontegaard deltas: the mean gap between two curves of quality against rate.

Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33, 2001, with
a cubic polynomial; the piecewise interpolations after Herglotz, Kranzler, Mons and Kaup, "Beyond
Bjontegaard: limits of video compression performance comparisons", ICIP 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from snacbench.errors import Undefined
from snacbench.stats.clusters import Clusters
from snacbench.stats.curves import (
    Better,
    RateCurve,
    SharedScores,
    check_better,
    shared_scores,
)
from snacbench.stats.interpolate import Interpolation, mean_gap, overlap
from snacbench.stats.intervals import check_level
from snacbench.stats.moments import Floats
from snacbench.stats.resample import DRAWS, resample_means

Points = tuple[ArrayLike, ArrayLike]
"""Rates in kbps, and the quality at each."""

POINTS_NEEDED: dict[Interpolation, int] = {"pchip": 3, "akima": 4, "cubic": 4}
_METHOD_NAMES: dict[Interpolation, str] = {
    "pchip": "monotone piecewise cubic (pchip) on log rate",
    "akima": "Akima's piecewise cubic on log rate",
    "cubic": "cubic polynomial on log rate (VCEG-M33)",
}
# Below this share of the narrower curve, the ends of the curves decide and not the curves.
LEAST_OVERLAP = 0.25
# An interval from the draws that happen to have a value would be too narrow above this share.
MOST_UNDEFINED_DRAWS = 0.1


@dataclass(frozen=True)
class BjontegaardDelta:
    """The mean gap between a test curve and an anchor, over the range that both cover.

    Attributes
    ----------
    kind : {"rate", "quality"}
    value : float or None
        Rate: percent of the anchor's rate that the test needs more (negative: saves) at equal
        quality. Quality: the test's mean value minus the anchor's at equal rate, in the metric's
        unit. None where it is undefined.
    low, high : float or None
        Interval by bootstrap over clusters; None without a value, with a single clip, or where more
        than a tenth of the draws have no value.
    level : float
    method : str
        Interpolation, for a footnote.
    interval_method : str
    overlap : tuple of float or None
        Range averaged over: of quality for ``rate``, of kbps for ``quality``.
    overlap_share : float
        That range over the range of both curves together (of the logarithm, for kbps), 0 to 1: how
        much of what was measured the figure speaks for.
    overlap_of_narrower : float
        The same over the range of the narrower curve; below `LEAST_OVERLAP` there is no value.
    undefined_share : float
        Share of the bootstrap draws, 0 to 1, in which it is undefined.
    reason : str
        Why there is no value or no interval.
    n, clusters : int
        Clips shared by all points, and their clusters.
    lost : tuple of str
        Clips left out because some point lacks them.
    """

    kind: Literal["rate", "quality"]
    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    interval_method: str
    overlap: tuple[float, float] | None
    overlap_share: float
    overlap_of_narrower: float
    undefined_share: float
    reason: str
    n: int
    clusters: int
    lost: tuple[str, ...]


def bd_rate(  # noqa: PLR0913 - keyword-only options of one analysis
    anchor: RateCurve,
    test: RateCurve,
    clusters: Clusters | None = None,
    *,
    better: Better = "higher",
    method: Interpolation = "pchip",
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> BjontegaardDelta:
    """Bjontegaard delta rate in percent; negative: the test needs less rate for equal quality.

    ``100 (10^g - 1)`` with g the mean over the shared range of quality of ``log10 rate_test -
    log10 rate_anchor`` (VCEG-M33), each curve interpolated through the mean scores at its points.
    Nothing is extrapolated. The interval resamples clusters, the same for both curves.

    Parameters
    ----------
    anchor, test : RateCurve
    clusters : mapping of str to str or None, or None
        Clip -> speaker or track; where not known, a clip is taken as independent.
    better : {"higher", "lower"}
        Which way the metric is better.
    method : {"pchip", "akima", "cubic"}
        Monotone piecewise cubic, Akima's piecewise cubic, or one cubic polynomial (the original).
    level : float
    draws, seed : int

    Returns
    -------
    BjontegaardDelta
        Without a value, but with the reason, where curves have too few points, share less than
        `LEAST_OVERLAP` of the narrower one's range, or quality does not rise with rate.

    Raises
    ------
    ValueError
        If the method, the direction or the level is unknown, or a score is not finite.
    """
    options = _Options("rate", better, method, level, draws, seed)
    return _delta(anchor, test, clusters, options)


def bd_quality(  # noqa: PLR0913 - keyword-only options of one analysis
    anchor: RateCurve,
    test: RateCurve,
    clusters: Clusters | None = None,
    *,
    better: Better = "higher",
    method: Interpolation = "pchip",
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> BjontegaardDelta:
    """Bjontegaard delta quality in the metric's unit; positive: the test's values are higher.

    The mean over the shared range of log rate of ``quality_test - quality_anchor`` (VCEG-M33,
    "BD-PSNR"). Parameters and result as for `bd_rate`; quality need not rise with rate.

    Raises
    ------
    ValueError
        If the method, the direction or the level is unknown, or a score is not finite.
    """
    options = _Options("quality", better, method, level, draws, seed)
    return _delta(anchor, test, clusters, options)


def delta_rate_percent(
    anchor: Points, test: Points, *, better: Better = "higher", method: Interpolation = "pchip"
) -> float:
    """Bjontegaard delta rate in percent from bare points, as published tables give them.

    See `bd_rate`; points in any order.

    Raises
    ------
    Undefined
        If there are too few points, no overlap, or quality does not rise with rate.
    ValueError
        If the method or the direction is unknown, or points are not pairs of a positive rate and a
        quality.
    """
    return _delta_of_points(anchor, test, _Options("rate", better, method))


def delta_quality(
    anchor: Points, test: Points, *, better: Better = "higher", method: Interpolation = "pchip"
) -> float:
    """Bjontegaard delta quality, in the quality's unit, from bare points.

    See `bd_quality`; points, and what is raised, as for `delta_rate_percent`, but quality need not
    rise with rate.
    """
    return _delta_of_points(anchor, test, _Options("quality", better, method))


@dataclass(frozen=True)
class _Options:
    kind: Literal["rate", "quality"]
    better: Better
    method: Interpolation
    level: float = 0.95
    draws: int = DRAWS
    seed: int = 0

    def __post_init__(self) -> None:
        check_better(self.better)
        check_level(self.level)
        if self.method not in POINTS_NEEDED:
            raise ValueError(f"method must be one of {list(POINTS_NEEDED)}, found {self.method!r}")

    def axes(self, kbps: Floats, quality: Floats) -> tuple[Floats, Floats]:
        """What runs along the curve, rising, and what is averaged over it."""
        rate = np.log10(kbps)
        if self.kind == "quality":
            return rate, quality
        return (quality if self.better == "higher" else -quality), rate

    def figure(self, gap: Floats) -> Floats:
        """From a mean gap to the delta in its unit."""
        return gap if self.kind == "quality" else np.asarray(100 * (10**gap - 1))

    def range_shown(self, low: float, high: float) -> tuple[float, float]:
        """A range of what runs along the curve, in the unit of kbps or of the metric."""
        if self.kind == "quality":
            return round(10**low, 9), round(10**high, 9)
        return (low, high) if self.better == "higher" else (-high, -low)


def _delta_of_points(anchor: Points, test: Points, options: _Options) -> float:
    sides = []
    for name, (kbps, quality) in (("anchor", anchor), ("test", test)):
        rates, values = np.asarray(kbps, float), np.asarray(quality, float)
        if rates.ndim != 1 or rates.shape != values.shape or not (rates > 0).all():
            raise ValueError(
                f"{name}: give one quality for every positive rate, found rates {rates.tolist()} "
                f"and qualities {values.tolist()}"
            )
        order = np.argsort(rates)
        sides.append((rates[order], values[order]))
    (anchor_kbps, anchor_quality), (test_kbps, test_quality) = sides
    ax, ay = options.axes(anchor_kbps, anchor_quality)
    tx, ty = options.axes(test_kbps, test_quality)
    reason = _why_undefined(("anchor", anchor_kbps, ax), ("test", test_kbps, tx), options)
    if reason:
        raise Undefined(reason)
    return float(options.figure(mean_gap(ax, ay, tx, ty, options.method)))


def _delta(
    anchor: RateCurve, test: RateCurve, clusters: Clusters | None, options: _Options
) -> BjontegaardDelta:
    shared = shared_scores([anchor, test], clusters)
    n, split = len(shared.values), len(anchor.points)

    def compute(means: Floats) -> Floats:
        ax, ay = options.axes(anchor.kbps, means[..., :split])
        tx, ty = options.axes(test.kbps, means[..., split:])
        return options.figure(mean_gap(ax, ay, tx, ty, options.method))

    result = BjontegaardDelta(
        kind=options.kind,
        value=None,
        low=None,
        high=None,
        level=options.level,
        method=_METHOD_NAMES[options.method],
        interval_method="",
        overlap=None,
        overlap_share=0.0,
        overlap_of_narrower=0.0,
        undefined_share=0.0,
        reason="no clip is shared by all points",
        n=n,
        clusters=shared.clustering.count,
        lost=shared.lost,
    )
    if not n:
        return result
    means = shared.values.mean(axis=0)
    ax, _ = options.axes(anchor.kbps, means[:split])
    tx, _ = options.axes(test.kbps, means[split:])
    reason = _why_undefined((anchor.name, anchor.kbps, ax), (test.name, test.kbps, tx), options)
    if reason:
        return replace(result, reason=reason)
    low, high = overlap(ax, tx)
    whole = max(ax[-1], tx[-1]) - min(ax[0], tx[0])
    of_narrower = float((high - low) / min(ax[-1] - ax[0], tx[-1] - tx[0]))
    shown = options.range_shown(float(low), float(high))
    result = replace(
        result,
        overlap=shown,
        overlap_share=float((high - low) / whole),
        overlap_of_narrower=of_narrower,
        reason="",
    )
    if of_narrower < LEAST_OVERLAP:
        what = "quality" if options.kind == "rate" else "kbps"
        why = (
            f"the curves share {100 * of_narrower:.0f} % of the narrower one ({what} "
            f"{shown[0]:.4g} to {shown[1]:.4g}), {100 * LEAST_OVERLAP:.0f} % are needed"
        )
        return replace(result, reason=why)
    result = replace(result, value=float(compute(means)))
    return _with_interval(result, shared, compute, options)


def _with_interval(
    result: BjontegaardDelta,
    shared: SharedScores,
    compute: Callable[[Floats], Floats],
    options: _Options,
) -> BjontegaardDelta:
    if result.n < 2 or result.value is None:
        return replace(result, reason="one clip: no interval")
    resampled = resample_means(
        shared.values,
        shared.clustering,
        level=options.level,
        draws=options.draws,
        seed=options.seed,
    )
    drawn = compute(resampled.draws)
    undefined = float(np.isnan(drawn).mean())
    if undefined > MOST_UNDEFINED_DRAWS:
        why = f"no interval: undefined in {100 * undefined:.0f} % of the bootstrap draws"
        return replace(result, undefined_share=undefined, reason=why)
    low, high, how = resampled.interval(result.value, drawn, compute(resampled.leave_one_out))
    return replace(result, low=low, high=high, interval_method=how, undefined_share=undefined)


def _why_undefined(
    anchor: tuple[str, Floats, Floats], test: tuple[str, Floats, Floats], options: _Options
) -> str:
    """Why there is no delta between two curves (name, kbps, what runs along it); else empty."""
    needed = POINTS_NEEDED[options.method]
    for name, kbps, x in (anchor, test):
        if len(kbps) < needed:
            return f"{name} has {len(kbps)} points, {options.method} needs {needed}"
        falls = np.flatnonzero(~(np.diff(x) > 0))
        if falls.size:
            i = int(falls[0])
            return f"{name} does not get better from {kbps[i]:g} to {kbps[i + 1]:g} kbps"
    ax, tx = anchor[2], test[2]
    low, high = overlap(ax, tx)
    if not low < high:
        what = "quality" if options.kind == "rate" else "kbps"
        ranges = [options.range_shown(float(x[0]), float(x[-1])) for x in (ax, tx)]
        (a, b), (c, d) = ranges
        return f"no overlap: {what} {a:.4g} to {b:.4g} against {c:.4g} to {d:.4g}"
    return ""
