"""System against system, within each listener: Friedman's test, then Wilcoxon's for every pair."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from snacbench.listening.analysis.cells import Ends, Ratings, estimate, listener_means, systems_of
from snacbench.listening.analysis.signed_rank import signed_rank_p
from snacbench.stats.clusters import Floats, cluster_clips, moments_of
from snacbench.stats.pairs import EffectSize, effect_sizes, holm

_LEAST_LISTENERS = 2


@dataclass(frozen=True)
class Friedman:
    """Do the systems differ at all? Friedman's test on each listener's means.

    Attributes
    ----------
    statistic : float or None
        Chi square, corrected for ties (Friedman, "The use of ranks to avoid the assumption of
        normality", Journal of the American Statistical Association 32(200), 1937).
    p_value : float or None
        From the chi square distribution with systems - 1 degrees of freedom.
    w : float or None
        Kendall's coefficient of concordance, 0 to 1: ``statistic / (listeners (systems - 1))``.
    listeners, systems : int
        Blocks and treatments; a listener without all systems is no complete block and not there.
    reason : str
        Why there is no value.
    """

    statistic: float | None
    p_value: float | None
    w: float | None
    listeners: int
    systems: int
    reason: str = ""


@dataclass(frozen=True)
class Pair:
    """One system's score minus another's, in points; positive: the first is better.

    Attributes
    ----------
    difference : float
        Every item counts the same.
    ends : Ends
        Its intervals.
    p_value, p_holm : float or None
        Wilcoxon's signed-rank test on listener means, two-sided: alone, and by Holm's method over
        all pairs of systems. None with fewer than two listeners.
    effect : EffectSize or None
        Standardised difference of listener means, and the share of pages on which the first is
        rated higher.
    listeners : int
        Who rated both.
    """

    first: str
    second: str
    difference: float
    ends: Ends
    p_value: float | None
    p_holm: float | None
    effect: EffectSize | None
    listeners: int


def friedman(ratings: Ratings) -> Friedman:
    """Friedman's test over the systems under test, the listeners being its blocks.

    A listener's means are over pages that have all systems, so that items cancel.
    """
    systems = systems_of(ratings)
    scores = ratings.only(conditions=systems).scores
    whole = np.isfinite(scores).all(axis=2, keepdims=True)
    means = listener_means(np.where(whole, scores, np.nan))
    blocks = means[np.isfinite(means).all(axis=1)]
    count = len(blocks)
    if len(systems) < 3:
        return Friedman(None, None, None, count, len(systems), "it needs three systems")
    if count < _LEAST_LISTENERS:
        return Friedman(None, None, None, count, len(systems), "it needs two complete listeners")
    if (np.ptp(blocks, axis=1) == 0).all():
        return Friedman(None, None, None, count, len(systems), "all systems were rated alike")
    test = stats.friedmanchisquare(*blocks.T)
    w = float(test.statistic) / (count * (len(systems) - 1))
    return Friedman(float(test.statistic), float(test.pvalue), w, count, len(systems))


def pairs_of(ratings: Ratings, *, level: float = 0.95) -> tuple[Pair, ...]:
    """Every system against every later one, with Holm's correction over all of these pairs."""
    names = list(combinations(systems_of(ratings), 2))
    if not names or not ratings.listeners:
        return ()
    first, second = (np.stack([ratings.column(n[k]) for n in names], axis=2) for k in (0, 1))
    differences = first - second
    e = estimate(differences)
    ends = e.within(level, -np.inf, np.inf)
    means = listener_means(differences)
    p_values = [_wilcoxon(means[:, k]) for k in range(len(names))]
    adjusted = holm(p_values)
    effects = _effects(differences)
    return tuple(
        Pair(
            *names[k],
            float(e.mean[k]),
            ends[k],
            p_value=p_values[k],
            p_holm=adjusted[k],
            effect=effects[k],
            listeners=int(e.listeners[k]),
        )
        for k in range(len(names))
        if e.n[k]
    )


def _wilcoxon(means: Floats) -> float | None:
    """Two-sided p value of the signed-rank test; None for too few listeners."""
    known = means[np.isfinite(means)]
    if len(known) < _LEAST_LISTENERS:
        return None
    # Differences that are equal but for rounding must tie, or vanish, as they do on paper.
    return signed_rank_p(np.round(known, 9))


def _effects(differences: Floats) -> list[EffectSize | None]:
    """Effect sizes; what is a clip elsewhere is a page here, and the listener is the cluster."""
    listeners, items, pairs = differences.shape
    pages = differences.reshape(listeners * items, pairs)
    labels = [str(number) for number in np.repeat(np.arange(listeners), items)]
    return effect_sizes(pages, moments_of(pages, cluster_clips(labels, clips=len(pages))))
