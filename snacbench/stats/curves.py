"""Quality against rate: curves through a codec's points, what two differ by, and matched rates.

Bjontegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33, 2001, but
with a monotone piecewise cubic in place of one polynomial, after Herglotz, Kranzler, Mons and Kaup,
"Beyond Bjontegaard: limits of video compression performance comparisons", ICIP 2022.

Curves are computed for all bootstrap draws at once, arrays of shape (..., points) with x ascending
along the last axis: scipy's interpolators share one x among all curves, but when quality is the x,
every draw has another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from typing import Literal

import numpy as np

from snacbench.stats.clusters import (
    Clustering,
    Clusters,
    Scores,
    cluster_clips,
    labels_of,
    score_table,
)
from snacbench.stats.intervals import (
    DRAWS,
    LEVEL,
    Interval,
    bootstrap_interval,
    resample_means,
    sample_size,
)
from snacbench.types import Floats

Better = Literal["higher", "lower"]
INTERPOLATION = "monotone piecewise cubic (pchip) on log rate"
POINTS_NEEDED = 3
# Below this share of the narrower curve, the ends of the curves decide and not the curves.
LEAST_OVERLAP = 0.25
# An interval from the draws that happen to have a value would be too narrow above this share.
MOST_UNDEFINED_DRAWS = 0.1
Status = Literal["reached", "below", "not reached", "undefined"]


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
            text = f"{self.name}: rates in kbps must be positive and differ, found {found}"
            raise ValueError(text)
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
    """
    values, clustering, lost = shared_scores([anchor, test], clusters)
    n, split = len(values), len(anchor.points)
    sign = -1.0 if kind == "rate" and better == "lower" else 1.0

    def axes(curve: RateCurve, quality: Floats) -> tuple[Floats, Floats]:
        """What runs along the curve, rising, and what is averaged over it."""
        rate = np.log10(curve.kbps)
        return (sign * quality, rate) if kind == "rate" else (rate, quality)

    def compute(means: Floats) -> Floats:
        gap = mean_gap(*axes(anchor, means[..., :split]), *axes(test, means[..., split:]))
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
    low, high = float(max(ax[0], tx[0])), float(min(ax[-1], tx[-1]))  # empty if not in this order
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


@dataclass(frozen=True)
class MatchedRate:
    """How much rate `curve` needs for the quality of `target`, a codec with one rate.

    `status` is whether the curve reaches the target's score inside its own range of rates, lies
    above it from its lowest rate on (``below``), or stays under it up to its highest; `kbps` is
    where it is reached. Of the interval, ``-inf`` is below the curve's lowest rate, ``inf`` not
    reached up to its highest, of which there are `below_share` and `not_reached_share` among the
    draws. `difference` is the target's mean score minus the curve's at the target's rate, in the
    metric's unit; None where that rate is outside the curve's range. `pooled_kbps` are rates of the
    curve whose mean scores fell with rate and were replaced by their mean.

    `n` and `clusters` count the clips shared by all points; `lost` are those that some point lacks.
    `reason` says why there is no value, no interval or no difference.
    """

    target: str
    target_kbps: float
    curve: str
    lowest_kbps: float
    highest_kbps: float
    level: float
    n: int
    clusters: int
    lost: tuple[str, ...]
    independence_assumed: bool
    status: Status = "undefined"
    kbps: float | None = None
    low_kbps: float | None = None
    high_kbps: float | None = None
    below_share: float = 0.0
    not_reached_share: float = 0.0
    difference: Interval | None = None
    pooled_kbps: tuple[float, ...] = ()
    reason: str = ""
    method: str = ""
    these_clusters_only: bool = False

    def sentence(self, metric: str, noun: str = "cluster") -> str:
        """One sentence for a paper, without full stop; a `noun` such as ``"speaker"``."""
        goal = f"the {metric} of {self.target} at {self.target_kbps:.3g} kbps"
        size = sample_size(self.n, self.clusters, noun, self.independence_assumed)
        if self.these_clusters_only:
            size += f"; these {noun}s only"
        if self.status == "undefined":
            return f"{self.curve} cannot be compared with {goal}: {self.reason} ({size})"
        if self.kbps is not None:
            ends = ""
            if self.low_kbps is not None and self.high_kbps is not None:
                ends = f" [{self._end(self.low_kbps)}, {self._end(self.high_kbps)}]"
            return f"{self.curve} needs {self._end(self.kbps)} kbps{ends} to reach {goal} ({size})"
        found = f"does not reach {goal} up to {self.highest_kbps:.3g} kbps, its highest rate"
        share = self.not_reached_share
        if self.status == "below":
            found = f"reaches {goal} below {self.lowest_kbps:.3g} kbps, its lowest rate"
            share = self.below_share
        draws = f", in {100 * share:.0f} % of bootstrap draws" if self.low_kbps is not None else ""
        return f"{self.curve} {found}{draws} ({size})"

    def _end(self, kbps: float) -> str:
        """An estimated rate, to three figures (13.0), or beyond which end of the curve it is."""
        if math.isinf(kbps):
            return f"< {self.lowest_kbps:.3g}" if kbps < 0 else f"> {self.highest_kbps:.3g}"
        return f"{kbps:#.3g}".removesuffix(".")


def matched_rate(  # noqa: PLR0913 - keyword-only options of one analysis
    target: RateCurve,
    curve: RateCurve,
    clusters: Clusters | None = None,
    *,
    better: Better = "higher",
    draws: int = DRAWS,
    seed: int = 0,
) -> MatchedRate:
    """The rate in kbps at which `curve` reaches the mean score of `target`, a codec of one rate.

    On the clips that all points share, mean scores are made to rise with rate (isotonic regression:
    Barlow et al. 1972), joined by a monotone piecewise cubic over log rate, and the smallest rate
    is taken at which that curve has the target's mean score: one that can fall would be met several
    times or not at all, by accidents of sampling. Nothing is extrapolated.

    Intervals resample clusters, the same ones for target and curve; a draw in which the curve lies
    above its whole range or does not reach the score counts as an end beyond that range.

    Raises `ValueError` if the target has more than one point.
    """
    if len(target.points) != 1:
        raise ValueError(
            f"{target.name}: the target of a matched rate has one point, found "
            f"{len(target.points)}; pass each point as a curve of its own"
        )
    values, clustering, lost = shared_scores([target, curve], clusters)
    result = MatchedRate(
        target=target.name, target_kbps=target.points[0].kbps, curve=curve.name,
        lowest_kbps=curve.points[0].kbps, highest_kbps=curve.points[-1].kbps, level=LEVEL,
        n=len(values), clusters=clustering.count, lost=lost,
        independence_assumed=clustering.independence_assumed,
    )  # fmt: skip
    if not result.n:
        return replace(result, reason="no clip is shared by all points")
    if len(curve.points) < 2:
        return replace(result, reason=f"{curve.name} has one rate, a curve needs two")
    x, at = np.log(curve.kbps), math.log(result.target_kbps)
    sign = 1 if better == "higher" else -1

    def log_rate(means: Floats) -> Floats:
        """Where the score is reached; infinite beyond either end."""
        return first_reach(x, isotonic(sign * means[..., 1:]), sign * means[..., 0])

    def difference(means: Floats) -> Floats:
        """Target minus curve at the target's rate."""
        return np.asarray(means[..., 0] - sign * value_at(x, isotonic(sign * means[..., 1:]), at))

    means = values.mean(axis=0)
    measured, reached = sign * means[1:], float(log_rate(means))
    moved = ~np.isclose(isotonic(measured), measured, rtol=1e-9, atol=0)
    result = replace(result, pooled_kbps=tuple(curve.kbps[moved].tolist()))
    if math.isinf(reached):
        result = replace(result, status="below" if reached < 0 else "not reached")
    else:
        result = replace(result, status="reached", kbps=math.exp(reached))
    if result.n < 2:
        return replace(result, reason="one clip: no interval")
    resampled, left_out, z = resample_means(values, clustering, draws=draws, seed=seed)
    drawn, left = log_rate(resampled), log_rate(left_out)
    low, high, how = bootstrap_interval(reached, drawn, left, z, clustering)
    result = replace(
        result, low_kbps=-math.inf if low == -math.inf else math.exp(low),
        high_kbps=-math.inf if high == -math.inf else math.exp(high),
        below_share=float((drawn == -np.inf).mean()),
        not_reached_share=float((drawn == np.inf).mean()), method=how,
        these_clusters_only=clustering.few,
    )  # fmt: skip
    if not x[0] <= at <= x[-1]:
        where = f"{result.target_kbps:.3g} kbps is outside {curve.kbps[0]:.3g} to "
        reason = f"no difference at equal rate: {where}{curve.kbps[-1]:.3g} kbps"
        return replace(result, reason=reason)
    gap, drawn, left = float(difference(means)), difference(resampled), difference(left_out)
    low, high, how = bootstrap_interval(gap, drawn, left, z, clustering)
    facts = (LEVEL, result.n, result.clusters, how, result.independence_assumed, clustering.few)
    return replace(result, difference=Interval(gap, low, high, *facts))


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
    shared, lost = list(compress(clips, complete)), tuple(compress(clips, ~complete))
    return table[complete], cluster_clips(labels_of(shared, clusters)), lost


def mean_gap(ax: Floats, ay: Floats, tx: Floats, ty: Floats) -> Floats:
    """Mean of test (tx, ty) minus anchor over the range of x that both have, shape (...).

    NaN where x does not rise along a curve, or the ranges do not meet.
    """
    low, high = np.maximum(ax[..., 0], tx[..., 0]), np.minimum(ax[..., -1], tx[..., -1])
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


def value_at(x: Floats, y: Floats, at: float) -> Floats:
    """The pchip curves' values, shape (...), at one place inside their common x."""
    d = pchip_slopes(x, y)
    i = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2))
    h = x[i + 1] - x[i]
    return _segment(y[..., i], y[..., i + 1], h * d[..., i], h * d[..., i + 1], (at - x[i]) / h)


def first_reach(x: Floats, y: Floats, level: Floats) -> Floats:
    """Smallest x at which rising pchip curves reach a level, shape (...).

    Minus infinity where the first point already lies above it, infinity where the last stays below.
    For x of shape (points,) and y of shape (..., points), not falling.
    """
    i = (y < level[..., None]).sum(axis=-1)
    right = np.clip(i, 1, len(x) - 1)
    y0, y1, d0, d1 = (
        np.take_along_axis(table, index[..., None], axis=-1)[..., 0]
        for table in (y, pchip_slopes(x, y))
        for index in (right - 1, right)
    )
    h = x[right] - x[right - 1]
    low, high = np.zeros_like(level), np.ones_like(level)
    for _ in range(60):
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
