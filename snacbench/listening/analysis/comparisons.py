"""Systems compared: MUSHRA differences, AB preferences, ABX identifications.

The listener is the unit throughout: twenty pages of one listener are one difference, not twenty.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from snacbench.listening.analysis.estimates import (
    Estimate,
    Floats,
    Ratings,
    Record,
    estimate,
    listener_means,
)
from snacbench.listening.study import Choice, Study
from snacbench.listening.test import REFERENCE
from snacbench.rows import ComparisonSummary
from snacbench.stats.pairs import holm

_LEAST_LISTENERS = 2
_LEAST_FOR_EFFECT = 5
_EXACT_UP_TO = 500  # differences: 0.1 s; beyond, the normal approximation is as good


@dataclass(frozen=True)
class Comparison:
    """Two conditions compared within each listener: the row of the run, and all that files say.

    The record also has the interval over other listeners and other items. In MUSHRA ``d_z`` is mean
    over standard deviation of the listeners' mean differences (Cohen, "Statistical Power Analysis",
    2nd edition, 1988, section 2.3.5; None below 5 listeners, or without any spread), and
    ``superiority`` the share of pages, 0 to 1, on which the first is rated higher, ties counting
    half. In AB ``for_first`` and ``for_second`` are listeners, by what most of their answers say.
    In ABX `by_listener` has the right answers of each, and the exact one-sided binomial p value,
    also corrected over the listeners of this system.
    """

    row: ComparisonSummary
    record: Record
    by_listener: Sequence[Record] = ()


def _compared(
    pair: tuple[str, str],
    e: Estimate,
    p_value: float | None,
    told: Record,
    answers: tuple[int, ...] = (),
) -> Comparison:
    """A comparison before Holm's correction; what is `told` comes first in the record."""
    row = ComparisonSummary(
        *pair, e.mean, e.low, e.high, p_value, None, e.listeners, answers=answers
    )
    ends = {name: getattr(e, name) for name in ("low", "high", "low_both", "high_both")}
    tests = {"p_value": p_value, "p_holm": None, "listeners": e.listeners}
    return Comparison(row, {**told, **ends, **tests})


def _corrected(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """With Holm's correction over those that could be tested."""
    adjusted = iter(holm([c.row.p_value for c in found if c.row.p_value is not None]))
    p_holm = [None if c.row.p_value is None else next(adjusted) for c in found]
    return tuple(
        Comparison(replace(c.row, p_holm=p), {**c.record, "p_holm": p}, c.by_listener)
        for c, p in zip(found, p_holm, strict=True)
    )


# ----------------------------------------------------------------------------------------- MUSHRA


@dataclass(frozen=True)
class Friedman:
    """Do the systems differ at all? Friedman's test on each listener's means.

    `statistic` is chi square, corrected for ties (Friedman, "The use of ranks to avoid the
    assumption of normality", Journal of the American Statistical Association 32(200), 1937), with
    systems - 1 degrees of freedom; `w` is Kendall's coefficient of concordance, 0 to 1.
    """

    statistic: float
    p_value: float
    w: float
    listeners: int
    systems: int


def friedman(ratings: Ratings) -> Friedman | None:
    """Friedman's test over the systems under test, the listeners being its blocks.

    A listener's means are over pages that have all systems, so that items cancel; one without any
    is no block. None for less than three systems or two blocks, and where all was rated alike.
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
        known = pages[np.isfinite(pages)]
        if not len(known):
            continue
        # Differences that are equal but for rounding must tie, or vanish, as they do on paper.
        means = listener_means(pages)
        means = np.round(means[np.isfinite(means)], 9)
        varied = len(means) >= _LEAST_FOR_EFFECT and np.ptp(means) > 0
        e = estimate(pages, level)
        names = ratings.conditions[first], ratings.conditions[second]
        told = {
            "first": names[0],
            "second": names[1],
            "difference": e.mean,
            "d_z": float(means.mean() / means.std(ddof=1)) if varied else None,
            "superiority": float(((known > 0) + (known == 0) / 2).mean()),
        }
        p_value = signed_rank_p(means) if len(means) >= _LEAST_LISTENERS else None
        found.append(_compared(names, e, p_value, told))
    return _corrected(found)


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p value of the hypothesis that differences are symmetric around zero.

    Differences of zero are left out, as Wilcoxon did; equal ones share their mean rank. Up to 500
    differences the distribution is exact, given these ranks: each of them is in the sum of the
    positive ones or is not, equally likely (Wilcoxon, "Individual comparisons by ranking methods",
    Biometrics Bulletin 1(6), 1945; with ties as in Pratt and Gibbons, "Concepts of Nonparametric
    Theory", 1981, section 3.7). scipy counts out all patterns of signs where there are ties, and
    from 14 differences on takes the normal approximation.
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


def _share(
    answers: Sequence[Choice], values: Sequence[float], level: float
) -> tuple[Estimate, dict[str, list[float]]]:
    """Mean of values from 0 to 1, every item counting the same; and the values of each listener."""
    by_page, by_listener = defaultdict[tuple[str, str], list[float]](list), dict[str, list[float]]()
    for choice, value in zip(answers, values, strict=True):
        by_page[choice.listener, choice.item].append(value)
        by_listener.setdefault(choice.listener, []).append(value)
    items = list(dict.fromkeys(choice.item for choice in answers))
    table = [[np.mean(by_page.get((who, i), [np.nan])) for i in items] for who in by_listener]
    return estimate(np.array(table, float), level, lowest=0.0, highest=1.0), by_listener


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
        gains = [0.5 if c.answer == "tie" else float(c.taken == first) for c in answers]
        e, by_listener = _share(answers, gains, level)
        signs = Counter(int(np.sign(sum(own) - len(own) / 2)) for own in by_listener.values())
        decided = signs[1] + signs[-1]
        p_value = float(stats.binomtest(signs[1], decided).pvalue) if decided else None
        counts = {"wins": gains.count(1.0), "ties": gains.count(0.5), "losses": gains.count(0.0)}
        sides = {"share": e.mean, "for_first": signs[1], "for_second": signs[-1]}
        told = {"first": first, "second": second, **counts, **sides}
        found.append(_compared((first, second), e, p_value, told, tuple(counts.values())))
    return _corrected(found)


def guessing_p(correct: int, trials: int) -> float:
    """Probability of so many right answers or more by guessing."""
    return float(stats.binomtest(correct, trials, 0.5, alternative="greater").pvalue)


def identifications(study: Study, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every system against the reference, with Holm's correction over the systems asked for.

    `value` is the share of right answers, 0 to 1, every item counting the same; 0.5 is guessing,
    and "no idea" is wrong. `p_value` is of the exact binomial test of guessing over all trials,
    one-sided: it asks whether anybody hears a difference, not whether most listeners do.
    """
    found = []
    for system in study.systems:
        answers = [c for c in study.choices if system in (c.a, c.b)]
        if not answers:
            continue
        right = [float(choice.taken == choice.x) for choice in answers]
        (e, by_listener), correct = _share(answers, right, level), int(sum(right))
        results: list[Record] = []
        for name, own in by_listener.items():
            found_out, trials = int(sum(own)), len(own)
            told = {"listener": name, "system": system, "correct": found_out, "trials": trials}
            results.append({**told, "p_value": guessing_p(found_out, trials)})
        for result, p in zip(results, holm([r["p_value"] for r in results]), strict=True):
            result["p_holm"] = p
        told = {"system": system, "correct": correct, "trials": len(answers), "share": e.mean}
        p_value = guessing_p(correct, len(answers))
        wrong = len(answers) - correct
        one = _compared((system, REFERENCE), e, p_value, told, (correct, wrong))
        found.append(replace(one, by_listener=results))
    return _corrected(found)
