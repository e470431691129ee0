"""The rate at which a codec reaches the quality that another has at its one rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snacbench.stats.clusters import Clusters, Floats
from snacbench.stats.curves import Better, RateCurve, pchip_slopes, shared_scores
from snacbench.stats.intervals import (
    DRAWS,
    LEVEL,
    Interval,
    bootstrap_interval,
    resample_means,
    sample_size,
)

Status = Literal["reached", "below", "not reached", "undefined"]
_BISECTIONS = 60


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

    Raises `ValueError` if the target has more than one point, or a score is not finite.
    """
    if len(target.points) != 1:
        raise ValueError(
            f"{target.name}: the target of a matched rate has one point, found "
            f"{len(target.points)}; pass each point as a curve of its own"
        )
    values, clustering, lost = shared_scores([target, curve], clusters)
    result = MatchedRate(
        target=target.name,
        target_kbps=target.points[0].kbps,
        curve=curve.name,
        lowest_kbps=curve.points[0].kbps,
        highest_kbps=curve.points[-1].kbps,
        level=LEVEL,
        n=len(values),
        clusters=clustering.count,
        lost=lost,
        independence_assumed=clustering.independence_assumed,
    )
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
        result,
        low_kbps=-math.inf if low == -math.inf else math.exp(low),
        high_kbps=-math.inf if high == -math.inf else math.exp(high),
        below_share=float((drawn == -np.inf).mean()),
        not_reached_share=float((drawn == np.inf).mean()),
        method=how,
        these_clusters_only=clustering.few,
    )
    if not x[0] <= at <= x[-1]:
        where = f"{result.target_kbps:.3g} kbps is outside {curve.kbps[0]:.3g} to "
        reason = f"no difference at equal rate: {where}{curve.kbps[-1]:.3g} kbps"
        return replace(result, reason=reason)
    gap, drawn, left = float(difference(means)), difference(resampled), difference(left_out)
    low, high, how = bootstrap_interval(gap, drawn, left, z, clustering)
    facts = (LEVEL, result.n, result.clusters, how, result.independence_assumed, clustering.few)
    return replace(result, difference=Interval(gap, low, high, *facts))


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
