"""The rate at which a codec reaches the quality that another has at its one rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from snacbench.stats.clusters import Clusters
from snacbench.stats.curves import (
    Better,
    RateCurve,
    SharedScores,
    check_better,
    shared_scores,
)
from snacbench.stats.interpolate import first_reach, isotonic, slopes, value_at
from snacbench.stats.intervals import Interval, check_level, sample_size
from snacbench.stats.moments import Floats
from snacbench.stats.resample import DRAWS, Resampled, resample_means

Status = Literal["reached", "below", "not reached", "undefined"]


@dataclass(frozen=True)
class MatchedRate:
    """How much rate one codec needs for the quality of another, and the gap at equal rate.

    Attributes
    ----------
    target, curve : str
        The codec with one rate, and the one whose rate is sought.
    target_kbps : float
    status : {"reached", "below", "not reached", "undefined"}
        Whether the curve reaches the target's score inside its own range of rates, lies above it
        from its lowest rate on, or stays under it up to its highest.
    kbps : float or None
        Where it is reached, in kbps; None for any other status.
    low_kbps, high_kbps : float or None
        Interval: ``-inf`` is below the curve's lowest rate, ``inf`` not reached up to its highest;
        None without an interval.
    lowest_kbps, highest_kbps : float
        The curve's range of rates. Nothing is extrapolated beyond it.
    below_share, not_reached_share : float
        Shares of the bootstrap draws, 0 to 1, with these outcomes.
    difference : Interval or None
        The target's mean score minus the curve's at the target's rate, in the metric's unit; None
        where that rate is outside the curve's range.
    pooled_kbps : tuple of float
        Rates of the curve whose mean scores fell with rate and were replaced by their mean.
    reason : str
        Why there is no value, no interval or no difference.
    level : float
    method : str
        How the interval was made, for a footnote.
    n, clusters : int
        Clips shared by all points, and their clusters.
    independence_assumed, these_clusters_only : bool
        As in `intervals.Interval`.
    lost : tuple of str
        Clips left out because some point lacks them.
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
        """One sentence for a paper, without full stop.

        Parameters
        ----------
        metric : str
            The metric's name in running text: ``"ViSQOL"``.
        noun : str
            What a cluster is, in the singular: ``"speaker"``, ``"track"``.
        """
        goal = f"the {metric} of {self.target} at {_kbps(self.target_kbps)} kbps"
        size = sample_size(self.n, self.clusters, noun, self.independence_assumed)
        if self.these_clusters_only:
            size += f"; these {noun}s only"
        if self.status == "undefined":
            return f"{self.curve} cannot be compared with {goal}: {self.reason} ({size})"
        if self.status == "reached" and self.kbps is not None:
            need = f"{_estimated_kbps(self.kbps)} kbps{self._brackets}"
            return f"{self.curve} needs {need} to reach {goal} ({size})"
        if self.status == "below":
            where = f"below {_kbps(self.lowest_kbps)} kbps, its lowest rate"
            return f"{self.curve} reaches {goal} {where}{self._share(self.below_share)} ({size})"
        where = f"up to {_kbps(self.highest_kbps)} kbps, its highest rate"
        share = self._share(self.not_reached_share)
        return f"{self.curve} does not reach {goal} {where}{share} ({size})"

    @property
    def _brackets(self) -> str:
        if self.low_kbps is None or self.high_kbps is None:
            return ""
        ends = []
        for end in (self.low_kbps, self.high_kbps):
            if math.isinf(end):
                below = end < 0
                edge = self.lowest_kbps if below else self.highest_kbps
                ends.append(f"{'<' if below else '>'} {_kbps(edge)}")
            else:
                ends.append(_estimated_kbps(end))
        return f" [{', '.join(ends)}]"

    def _share(self, share: float) -> str:
        return f", in {100 * share:.0f} % of bootstrap draws" if self.low_kbps is not None else ""


def _kbps(rate: float) -> str:
    """A rate that was set: 0.98, 8, 24."""
    return f"{rate:.3g}"


def _estimated_kbps(rate: float) -> str:
    """A rate that was estimated, to three figures: 0.982, 13.0, 104."""
    return f"{rate:#.3g}".removesuffix(".")


def matched_rate(  # noqa: PLR0913 - keyword-only options of one analysis
    target: RateCurve,
    curve: RateCurve,
    clusters: Clusters | None = None,
    *,
    better: Better = "higher",
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> MatchedRate:
    """The rate in kbps at which `curve` reaches the mean score of `target`, a codec of one rate.

    On the clips that all points share, mean scores are made to rise with rate (isotonic regression:
    Barlow et al. 1972), joined by a monotone piecewise cubic over log rate (pchip: Fritsch and
    Butland 1984), and the smallest rate is taken at which that curve has the target's mean score.
    A curve that can fall between its points would be met several times or not at all, by accidents
    of sampling. Both choices leave points that already rise in place. Nothing is extrapolated.

    Intervals resample clusters, the same ones for target and curve; a draw in which the curve lies
    above its whole range or does not reach the score counts as an end beyond that range.

    Parameters
    ----------
    target : RateCurve
        With exactly one point.
    curve : RateCurve
        With two points or more.
    clusters : mapping of str to str or None, or None
        Clip -> speaker or track; where not known, a clip is taken as independent.
    better : {"higher", "lower"}
        Which way the metric is better.
    level : float
    draws, seed : int

    Raises
    ------
    ValueError
        If the target has more than one point, the direction or level is unknown, or a score is not
        finite.
    """
    check_better(better)
    check_level(level)
    if len(target.points) != 1:
        raise ValueError(
            f"{target.name}: the target of a matched rate has one point, found "
            f"{len(target.points)}; pass each point as a curve of its own"
        )
    shared = shared_scores([target, curve], clusters)
    result = MatchedRate(
        target=target.name,
        target_kbps=target.points[0].kbps,
        curve=curve.name,
        lowest_kbps=curve.points[0].kbps,
        highest_kbps=curve.points[-1].kbps,
        level=level,
        n=len(shared.values),
        clusters=shared.clustering.count,
        lost=shared.lost,
        independence_assumed=shared.clustering.independence_assumed,
    )
    if not result.n:
        return replace(result, reason="no clip is shared by all points")
    if len(curve.points) < 2:
        return replace(result, reason=f"{curve.name} has one rate, a curve needs two")
    sign = 1 if better == "higher" else -1
    match = _Match(np.log(curve.kbps), math.log(result.target_kbps), sign)
    result = _estimate(result, match, shared.values.mean(axis=0), curve)
    if result.n < 2:
        return replace(result, reason="one clip: no interval")
    return _with_intervals(result, match, shared, draws, seed)


@dataclass(frozen=True, eq=False)
class _Match:
    """Geometry of target and curve; means have the target first, shape (..., 1 + points)."""

    log_kbps: Floats
    log_target: float
    sign: int

    @property
    def covers_target(self) -> bool:
        return bool(self.log_kbps[0] <= self.log_target <= self.log_kbps[-1])

    def log_rate(self, means: Floats) -> Floats:
        """Log of the rate at which the score is reached; infinite beyond either end."""
        rising, slope = self._curve(means)
        return first_reach(self.log_kbps, rising, slope, self.sign * means[..., 0])

    def difference(self, means: Floats) -> Floats:
        """Target minus curve at the target's rate."""
        rising, slope = self._curve(means)
        at_target = value_at(self.log_kbps, rising, slope, self.log_target)
        return np.asarray(means[..., 0] - self.sign * at_target)

    def _curve(self, means: Floats) -> tuple[Floats, Floats]:
        rising = isotonic(self.sign * means[..., 1:])
        return rising, slopes(self.log_kbps, rising, "pchip")


def _estimate(result: MatchedRate, match: _Match, means: Floats, curve: RateCurve) -> MatchedRate:
    measured = match.sign * means[1:]
    moved = ~np.isclose(isotonic(measured), measured, rtol=1e-9, atol=0)
    log_rate = float(match.log_rate(means))
    status: Status = "reached"
    if math.isinf(log_rate):
        status = "below" if log_rate < 0 else "not reached"
    return replace(
        result,
        status=status,
        kbps=math.exp(log_rate) if status == "reached" else None,
        pooled_kbps=tuple(float(rate) for rate in curve.kbps[moved]),
    )


def _with_intervals(
    result: MatchedRate, match: _Match, shared: SharedScores, draws: int, seed: int
) -> MatchedRate:
    resampled = resample_means(
        shared.values, shared.clustering, level=result.level, draws=draws, seed=seed
    )
    drawn = match.log_rate(resampled.draws)
    low, high, how = resampled.interval(
        float(match.log_rate(resampled.means)), drawn, match.log_rate(resampled.leave_one_out)
    )
    result = replace(
        result,
        low_kbps=_rate(low),
        high_kbps=_rate(high),
        below_share=float((drawn == -np.inf).mean()),
        not_reached_share=float((drawn == np.inf).mean()),
        method=how,
        these_clusters_only=resampled.these_clusters_only,
    )
    if not match.covers_target:
        low_edge, high_edge = _kbps(result.lowest_kbps), _kbps(result.highest_kbps)
        why = f"no difference at equal rate: {_kbps(result.target_kbps)} kbps is outside "
        return replace(result, reason=f"{why}{low_edge} to {high_edge} kbps")
    return replace(result, difference=_difference(result, match, resampled))


def _difference(result: MatchedRate, match: _Match, resampled: Resampled) -> Interval:
    estimate = float(match.difference(resampled.means))
    low, high, how = resampled.interval(
        estimate, match.difference(resampled.draws), match.difference(resampled.leave_one_out)
    )
    return Interval(
        mean=estimate,
        low=low,
        high=high,
        level=result.level,
        n=result.n,
        clusters=result.clusters,
        method=how,
        independence_assumed=result.independence_assumed,
        these_clusters_only=result.these_clusters_only,
    )


def _rate(log_rate: float) -> float:
    return -math.inf if log_rate == -math.inf else math.exp(log_rate)
