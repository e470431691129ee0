"""Quality against rate: the points of a codec at several rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snacbench.stats.clusters import Clustering, Clusters, cluster_clips, labels_of
from snacbench.stats.moments import Floats
from snacbench.stats.scores import Scores, score_table

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class RatePoint:
    """A codec at one rate: the rate in kbps (1000 bit/s), and each clip's score there.

    The rate is taken as known; intervals do not cover its own variation from clip to clip.
    """

    kbps: float
    scores: Scores


@dataclass(frozen=True)
class RateCurve:
    """A codec at one or several rates, sorted by rate.

    Raises
    ------
    ValueError
        If there is no point, or rates are not positive, finite and distinct.
    """

    name: str
    points: tuple[RatePoint, ...]

    def __post_init__(self) -> None:
        rates = [point.kbps for point in self.points]
        if not rates:
            raise ValueError(f"{self.name}: a curve needs at least one point, found none")
        if not all(math.isfinite(rate) and rate > 0 for rate in rates):
            raise ValueError(f"{self.name}: rates must be positive numbers of kbps, found {rates}")
        if len(set(rates)) < len(rates):
            raise ValueError(f"{self.name}: rates must differ from each other, found {rates}")
        in_order = tuple(sorted(self.points, key=lambda point: point.kbps))
        object.__setattr__(self, "points", in_order)

    @property
    def kbps(self) -> Floats:
        """Rates in kbps, ascending, shape (points,)."""
        return np.array([point.kbps for point in self.points])


@dataclass(frozen=True, eq=False)
class SharedScores:
    """Scores of all points of some curves on the clips that every point has.

    Attributes
    ----------
    values : array, shape (clips, points of the first curve, then of the second ...)
    clustering : Clustering
    lost : tuple of str
        Clips left out because some point lacks them.
    """

    values: Floats
    clustering: Clustering
    lost: tuple[str, ...]


def shared_scores(curves: Sequence[RateCurve], clusters: Clusters | None) -> SharedScores:
    """The clips that every point of every curve has."""
    columns = {
        f"{curve.name} at {point.kbps:g} kbps ({i})": point.scores
        for i, curve in enumerate(curves)
        for point in curve.points
    }
    clips, table = score_table(columns)
    complete = np.asarray(np.isfinite(table).all(axis=1))
    shared = [clip for clip, kept in zip(clips, complete, strict=True) if kept]
    return SharedScores(
        table[complete],
        cluster_clips(labels_of(shared, clusters), clips=len(shared)),
        tuple(clip for clip, kept in zip(clips, complete, strict=True) if not kept),
    )


def check_better(better: str) -> None:
    """Refuse a direction that is none.

    Raises
    ------
    ValueError
        If it is neither "higher" nor "lower".
    """
    if better not in ("higher", "lower"):
        raise ValueError(f"better must be 'higher' or 'lower', found {better!r}")
