"""Systems compared: MUSHRA differences, AB preferences, ABX identifications.

The listener is the unit throughout: twenty pages of one listener are one difference, not twenty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from snacbench.listening.analysis.ratings import Estimate, Floats, Ratings, estimate, listener_means
from snacbench.listening.study import Choice, Study
from snacbench.listening.test import REFERENCE
from snacbench.rows import ComparisonSummary
from snacbench.stats.pairs import holm

POOLED_CAVEAT = (
    "p over all trials tests that nobody hears any difference (every answer a coin flip); a small "
    "one says that somebody does, not that most listeners do: see the listeners one by one"
)

_LEAST_LISTENERS = 2
_LEAST_FOR_EFFECT = 5
_EXACT_UP_TO = 500  # differences: 0.1 s; beyond, the normal approximation is as good


@dataclass(frozen=True)
class ListenerResult:
    """One listener on one system: right answers, and the exact one-sided binomial p value.

    `p_holm` is corrected over the listeners of this system.
    """

    listener: str
    system: str
    correct: int
    trials: int
    p_value: float
    p_holm: float | None = None


@dataclass(frozen=True)
class Comparison(ComparisonSummary):
    """A row of the run, and what tables and files say beyond it.

    Attributes
    ----------
    low_both, high_both : float or None
        Interval over other listeners and other items.
    d_z : float or None
        MUSHRA: mean over standard deviation of the listeners' mean differences (Cohen, "Statistical
        Power Analysis", 2nd edition, 1988, section 2.3.5). None below 5 listeners, or without any
        spread.
    superiority : float or None
        MUSHRA: share of pages, 0 to 1, on which the first is rated higher, ties counting half.
    for_first, for_second : int
        AB: listeners by what most of their answers say.
    by_listener : tuple of ListenerResult
        ABX.
    """

    low_both: float | None = None
    high_both: float | None = None
    d_z: float | None = None
    superiority: float | None = None
    for_first: int = 0
    for_second: int = 0
    by_listener: tuple[ListenerResult, ...] = ()

    @property
    def row(self) -> ComparisonSummary:
        """What goes into the run."""
        names = [one.name for one in fields(ComparisonSummary)]
        return ComparisonSummary(**{name: getattr(self, name) for name in names})


def _compared(
    first: str, second: str, e: Estimate, p_value: float | None, **more: Any
) -> Comparison:
    more |= {"low_both": e.low_both, "high_both": e.high_both}
    return Comparison(first, second, e.mean, e.low, e.high, p_value, None, e.listeners, **more)


def _corrected(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """With Holm's correction over those that could be tested."""
    adjusted = iter(holm([one.p_value for one in found if one.p_value is not None]))
    return tuple(c if c.p_value is None else replace(c, p_holm=next(adjusted)) for c in found)


# ----------------------------------------------------------------------------------------- MUSHRA


@dataclass(frozen=True)
class Friedman:
    """Do the systems differ at all? Friedman's test on each listener's means.

    Attributes
    ----------
    statistic : float
        Chi square, corrected for ties (Friedman, "The use of ranks to avoid the assumption of
        normality", Journal of the American Statistical Association 32(200), 1937).
    p_value : float
        From the chi square distribution with systems - 1 degrees of freedom.
    w : float
        Kendall's coefficient of concordance, 0 to 1: ``statistic / (listeners (systems - 1))``.
    listeners, systems : int
        Blocks and treatments; a listener without all systems is no complete block and not there.
    """

    statistic: float
    p_value: float
    w: float
    listeners: int
    systems: int


def friedman(ratings: Ratings) -> Friedman | None:
    """Friedman's test over the systems under test, the listeners being its blocks.

    A listener's means are over pages that have all systems, so that items cancel. None for less
    than three systems or two complete listeners, and where all systems were rated alike.
    """
    systems = len(ratings.systems)
    scores = ratings.scores[:, :, :systems]
    whole = np.isfinite(scores).all(axis=2, keepdims=True)
    means = listener_means(np.where(whole, scores, np.nan))
    blocks = means[np.isfinite(means).all(axis=1)]
    count = len(blocks)
    if systems < 3 or count < _LEAST_LISTENERS or (np.ptp(blocks, axis=1) == 0).all():
        return None
    test = stats.friedmanchisquare(*blocks.T)
    w = float(test.statistic) / (count * (systems - 1))
    return Friedman(float(test.statistic), float(test.pvalue), w, count, systems)


def pairs_of(ratings: Ratings, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every system against every later one, in points; positive: the first is better.

    `p_value` is of Wilcoxon's signed-rank test on listener means, two-sided, and None with fewer
    than two listeners; Holm's correction is over all of these pairs.
    """
    found = []
    for first, second in combinations(range(len(ratings.systems)), 2):
        pages = ratings.scores[:, :, first] - ratings.scores[:, :, second]
        if not np.isfinite(pages).any():
            continue
        e, means = estimate(pages, level), listener_means(pages)
        # Differences that are equal but for rounding must tie, or vanish, as they do on paper.
        means = np.round(means[np.isfinite(means)], 9)
        varied = len(means) >= _LEAST_FOR_EFFECT and np.ptp(means) > 0
        known = pages[np.isfinite(pages)]
        found.append(
            _compared(
                ratings.conditions[first],
                ratings.conditions[second],
                e,
                signed_rank_p(means) if len(means) >= _LEAST_LISTENERS else None,
                d_z=float(means.mean() / means.std(ddof=1)) if varied else None,
                superiority=float(((known > 0) + (known == 0) / 2).mean()),
            )
        )
    return _corrected(found)


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p value of the hypothesis that differences are symmetric around zero.

    Differences of zero are left out, as Wilcoxon did; equal ones share their mean rank. Up to 500
    differences the distribution is exact, given these ranks: each of them is in the sum of the
    positive ones or is not, equally likely (Wilcoxon, "Individual comparisons by ranking methods",
    Biometrics Bulletin 1(6), 1945; with ties as in Pratt and Gibbons, "Concepts of Nonparametric
    Theory", 1981, section 3.7). scipy counts out all patterns of signs where there are ties, and
    from 14 differences on takes the normal approximation.

    Parameters
    ----------
    differences : array, shape (n,)
        Finite.
    """
    known = differences[differences != 0]
    if not len(known):
        return 1.0
    if len(known) > _EXACT_UP_TO:
        return float(stats.wilcoxon(known).pvalue)
    doubled = np.rint(2 * stats.rankdata(np.abs(known))).astype(int)  # mean ranks end in .0 or .5
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    positive = int(doubled[known > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    return float(min(1.0, 2 * ways[: smaller + 1].sum() / 2.0 ** len(known)))


# -------------------------------------------------------------------------------------- AB and ABX


def _by_listener_and_item(
    answers: Sequence[Choice], values: Sequence[float]
) -> tuple[Floats, dict[str, list[float]]]:
    """Mean value of each listener on each item, NaN if not asked; all values of each listener."""
    by_page: dict[tuple[str, str], list[float]] = {}
    by_listener: dict[str, list[float]] = {}
    for choice, value in zip(answers, values, strict=True):
        by_page.setdefault((choice.listener, choice.item), []).append(value)
        by_listener.setdefault(choice.listener, []).append(value)
    items = list(dict.fromkeys(choice.item for choice in answers))
    table = [[np.mean(by_page.get((who, i), [np.nan])) for i in items] for who in by_listener]
    return np.array(table, float), by_listener


def gain(choice: Choice, system: str) -> float:
    """What an answer says of one of its two systems: 1 preferred, 0.5 tie, 0 not."""
    if choice.answer == "tie":
        return 0.5
    return float({"a": choice.a, "b": choice.b}[choice.answer] == system)


def preferences(study: Study, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every pair of systems that was compared, with Holm's correction over these.

    `value` is the preference for the first, 0 to 1, ties counting half and every item the same;
    `p_value` is of the exact sign test, two-sided, over the listeners who are not undecided, and
    None where all are.
    """
    found = []
    for first, second in combinations(study.systems, 2):
        answers = [c for c in study.choices if {c.a, c.b} == {first, second}]
        if not answers:
            continue
        gains = [gain(choice, first) for choice in answers]
        table, by_listener = _by_listener_and_item(answers, gains)
        e = estimate(table, level, lowest=0.0, highest=1.0)
        signs = Counter(int(np.sign(sum(own) - len(own) / 2)) for own in by_listener.values())
        decided = signs[1] + signs[-1]
        found.append(
            _compared(
                first,
                second,
                e,
                float(stats.binomtest(signs[1], decided).pvalue) if decided else None,
                answers=(gains.count(1.0), gains.count(0.5), gains.count(0.0)),
                for_first=signs[1],
                for_second=signs[-1],
            )
        )
    return _corrected(found)


def is_right(choice: Choice) -> bool:
    """Whether the listener took X for what it was; "no idea" is wrong."""
    return {"a": choice.a, "b": choice.b}.get(choice.answer) == choice.x


def guessing_p(correct: int, trials: int) -> float:
    """Probability of so many right answers or more by guessing."""
    return float(stats.binomtest(correct, trials, 0.5, alternative="greater").pvalue)


def identifications(study: Study, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every system against the reference, with Holm's correction over the systems asked for.

    `value` is the share of right answers, 0 to 1, every item counting the same; 0.5 is guessing.
    `p_value` is of the exact binomial test of guessing over all trials, one-sided: see
    `POOLED_CAVEAT`.
    """
    found = []
    for system in study.systems:
        answers = [c for c in study.choices if system in (c.a, c.b)]
        if not answers:
            continue
        right = [float(is_right(choice)) for choice in answers]
        table, by_listener = _by_listener_and_item(answers, right)
        e, correct = estimate(table, level, lowest=0.0, highest=1.0), int(sum(right))
        results = [
            ListenerResult(name, system, int(sum(r)), len(r), guessing_p(int(sum(r)), len(r)))
            for name, r in by_listener.items()
        ]
        adjusted = holm([one.p_value for one in results])
        found.append(
            _compared(
                system,
                REFERENCE,
                e,
                guessing_p(correct, len(answers)),
                answers=(correct, len(answers) - correct),
                by_listener=tuple(
                    replace(r, p_holm=p) for r, p in zip(results, adjusted, strict=True)
                ),
            )
        )
    return _corrected(found)
