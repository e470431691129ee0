"""Statistics of a listening test: the listener is the unit."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from snacbench.forms import FORMS, REFERENCE, RESERVED
from snacbench.listening.mixed_model import mixed_model
from snacbench.listening.screening import Screening, screen
from snacbench.listening.study import Record, Study
from snacbench.rows import ComparisonSummary, ConditionSummary
from snacbench.stats.pairs import holm
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import DOMAINS, Floats

_LEAST_ITEMS = 5  # below, nothing is said about items that were not in the test
_LEAST_LISTENERS = 2
_LEAST_FOR_EFFECT = 5
_EXACT_UP_TO = 500  # differences: 0.1 s; beyond, the normal approximation is as good


@dataclass(frozen=True, eq=False)
class Ratings:
    """Every rating of a study.

    `scores`, shape (listeners, items, conditions), are on the form's scale, higher is better, and
    NaN where a listener did not rate, `complete` where all did. Conditions are the `systems` in the
    test's order, then the reference and the anchors.
    """

    listeners: tuple[str, ...]
    items: tuple[str, ...]
    conditions: tuple[str, ...]
    scores: Floats
    systems: tuple[str, ...]
    complete: bool


def ratings_of(study: Study) -> Ratings:
    """The ratings of a study as one array."""
    rated, heard = {r.condition for r in study.ratings}, {r.item for r in study.ratings}
    items = dict.fromkeys([*study.domains, *(r.item for r in study.ratings)])
    systems = tuple(name for name in study.systems if name in rated)
    names = (
        tuple(dict.fromkeys(r.listener for r in study.ratings)),
        tuple(item for item in items if item in heard),
        (*systems, *(name for name in RESERVED if name in rated)),
    )
    scores = np.full(tuple(map(len, names)), np.nan)
    listener, item, condition = ({name: i for i, name in enumerate(of)} for of in names)
    for r in study.ratings:
        if r.condition in condition:
            scores[listener[r.listener], item[r.item], condition[r.condition]] = r.score
    return Ratings(*names, scores, systems, bool(np.isfinite(scores).all()))


@dataclass(frozen=True)
class Estimate:
    """A mean with two intervals; their ends are None where there are too few listeners, or items.

    `low` and `high`: over listeners like these, on these items. `low_both` and `high_both`: over
    listeners and items like these. `n` is the number of values.
    """

    mean: float
    low: float | None
    high: float | None
    low_both: float | None
    high_both: float | None
    listeners: int
    items: int
    n: int


def estimate(
    values: Floats,
    level: float = 0.95,
    *,
    minus: Floats | None = None,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Estimate:
    """The mean in which every item counts the same, with its intervals.

    The mean over items of the mean over the listeners who rated it: with random subsets of items
    per listener it estimates the same as if everybody had rated everything. Its variance over
    listeners is the jackknife's, leaving out one at a time (Efron and Tibshirani, "An Introduction
    to the Bootstrap", 1993, eq. 11.5), with listeners - 1 degrees of freedom; for complete data
    these are the textbook standard error and t interval of the listener means.

    Over items as well: that variance, and that of the item means over their number less what the
    listeners have added to it, by the same jackknife (never below none), with Satterthwaite's
    degrees of freedom (Biometrics Bulletin 2(6), 1946). For complete data these are mean squares of
    a two-way analysis of variance: listeners + items - residual.

    `values`, shape (listeners, items), are NaN where not rated, and at least one is there; those of
    `minus`, of the same shape, are taken off, on items that have both, whoever rated them. `lowest`
    and `highest` are where the scale ends, and intervals with it.
    """
    item_means, without = _leaving_out(values, minus)
    used = np.isfinite(item_means)
    rated = [np.isfinite(of)[:, used] for of in (values, minus) if of is not None]
    took_part = np.any(rated, axis=(0, 2))
    item_means, without = item_means[used], without[took_part][:, used]
    listeners, items = without.shape
    mean = float(item_means.mean())
    low = high = low_both = high_both = None

    def interval(variance: float, freedom: float) -> list[float]:
        half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
        return [min(max(end, lowest), highest) for end in (mean - half, mean + half)]

    totals, free = listener_means(without)[:, None], listeners - 1
    # Of one listener, or of two who rated different systems, nothing is left without one.
    if np.isfinite(totals).all():
        by_listener = float(totals.var()) * free
        low, high = interval(by_listener, free)
        if items >= _LEAST_ITEMS:
            by_item = float(item_means.var(ddof=1)) / items
            apart = np.nanvar(without - totals, axis=0).sum()
            shared = float(apart) * free / (items * (items - 1))
            both = by_listener + max(by_item - shared, 0.0)
            parts = by_listener**2 / free + by_item**2 / (items - 1)
            parts += shared**2 / (free * (items - 1))
            low_both, high_both = interval(both, both**2 / parts if parts > 0 else 1.0)
    return Estimate(mean, low, high, low_both, high_both, listeners, items, int(np.sum(rated)))


def _leaving_out(values: Floats, minus: Floats | None) -> tuple[Floats, Floats]:
    """Means of the items (axis 1), and those without each listener; NaN where nobody is left."""
    if minus is not None:
        (means, without), (other, others) = _leaving_out(values, None), _leaving_out(minus, None)
        return means - other, without - others
    there = np.isfinite(values)
    filled, counts = np.where(there, values, 0.0), there.sum(axis=0)
    sums, left = filled.sum(axis=0), counts - there
    with np.errstate(invalid="ignore"):
        return sums / counts, np.where(left, sums - filled, np.nan) / left


def pseudo_values(values: Floats, minus: Floats | None = None) -> Floats:
    """What each listener says of the mean that `estimate` gives, in points; NaN: nothing.

    The jackknife's pseudo-values (Efron and Tibshirani, ch. 11.5): with n listeners, n times the
    mean less n - 1 times that without this one. For complete data they are the listeners' means.
    How hard the items are that a listener happened to get is not in them, so they also hold where
    two conditions were heard on different items. Axes after (listeners, items) stay.
    """
    means, without = _leaving_out(values, minus)
    heard = np.isfinite(values if minus is None else np.fmax(values, minus)) & np.isfinite(means)
    took_part = heard.any(axis=1)
    count = took_part.sum(axis=0)
    told = count * np.nanmean(means, axis=0) - (count - 1) * listener_means(without)
    return np.where(took_part, told, np.nan)


def listener_means(values: Floats) -> Floats:
    """Mean over the items (axis 1) that each listener rated; NaN for one without a value."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))


def means_of(study: Study, *, level: float = 0.95) -> tuple[ConditionSummary, ...]:
    """Every condition over all items, then over those of each domain where there are several."""
    ratings, found, (lowest, highest) = ratings_of(study), [], FORMS[study.form].scale
    domains = [study.domains.get(item, "unknown") for item in ratings.items]
    present = [domain for domain in DOMAINS if domain in domains]
    for domain in (ALL_DOMAINS, *(present if len(present) > 1 else ())):
        rows = [k for k, of in enumerate(domains) if domain in (ALL_DOMAINS, of)]
        for column, condition in enumerate(ratings.conditions):
            scores = ratings.scores[:, rows, column]
            if np.isfinite(scores).any():
                names = ("first_quartile", "median", "third_quartile")
                quartiles = map(float, np.nanpercentile(scores, [25, 50, 75]))
                told: Record = dict(zip(names, quartiles, strict=True))
                told |= vars(estimate(scores, level, lowest=lowest, highest=highest))
                kbps = study.kbps.get(condition)
                found.append(ConditionSummary(condition, domain, **told, kbps=kbps))
    return tuple(found)


def item_effects(study: Study, *, level: float = 0.95) -> list[Record]:
    """Every item, hardest first: how it was rated, on the form's scale, higher is better.

    ``mean`` is over systems and listeners, with its interval over listeners; ``mean_NAME`` is that
    of a condition over listeners.
    """
    ratings, found, (lowest, highest) = ratings_of(study), [], FORMS[study.form].scale
    for row, item in enumerate(ratings.items):
        scores = ratings.scores[:, row]
        rated = np.flatnonzero(np.isfinite(scores).any(axis=0))
        of_systems = scores[:, [k for k in rated if k < len(ratings.systems)]]
        if of_systems.size:
            e = estimate(of_systems, level, lowest=lowest, highest=highest)
            record: Record = {"item": item, "domain": study.domains.get(item, "unknown")}
            record |= {name: getattr(e, name) for name in ("mean", "low", "high", "listeners")}
            means = {f"mean_{ratings.conditions[k]}": np.nanmean(scores[:, k]) for k in rated}
            found.append(record | {name: float(mean) for name, mean in means.items()})
    return sorted(found, key=lambda one: one["mean"])


# ------------------------------------------------------------------------------ systems compared
@dataclass(frozen=True)
class Comparison:
    """Two conditions compared within each listener, and what is `told` of them besides.

    Of ratings ``d_z`` is mean over standard deviation of the listeners' mean differences (Cohen,
    "Statistical Power Analysis", 2nd edition, 1988, section 2.3.5; None below 5 listeners, or
    without any spread), and ``superiority`` the share of those who rated both on an item, 0 to 1,
    who rated the first higher, ties counting half. In AB ``for_first`` and ``for_second`` are
    listeners, by what most of their answers say. In ABX `by_listener` has the right answers of
    each, and the exact one-sided binomial p value, also corrected over this system's listeners.
    """

    pair: tuple[str, str]
    estimate: Estimate
    p_value: float | None
    told: Record
    answers: tuple[int, ...] = ()
    by_listener: Sequence[Record] = ()
    p_holm: float | None = None

    @property
    def row(self) -> ComparisonSummary:
        """What the run keeps of it."""
        e, p_values = self.estimate, (self.p_value, self.p_holm)
        return ComparisonSummary(
            *self.pair, e.mean, e.low, e.high, *p_values, e.listeners, answers=self.answers
        )

    @property
    def record(self) -> Record:
        """Its line of a file, with the interval over other listeners and other items."""
        e = self.estimate
        ends = {name: getattr(e, name) for name in ("low", "high", "low_both", "high_both")}
        tests = {"p_value": self.p_value, "p_holm": self.p_holm, "listeners": e.listeners}
        return {**self.told, **ends, **tests}


def _corrected(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """With Holm's correction over those that could be tested."""
    adjusted = holm([c.p_value for c in found])
    return tuple(replace(c, p_holm=p) for c, p in zip(found, adjusted, strict=True))


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

    A listener's are `pseudo_values`, on items that have all systems; who has not rated all of these
    is no block. None for less than three systems or two blocks, and where all was rated alike.
    """
    systems = len(ratings.systems)
    scores = ratings.scores[:, :, :systems]
    whole = np.all(np.isfinite(scores).any(axis=0), axis=1)
    if systems < 3 or not whole.any():
        return None
    means = np.round(pseudo_values(scores[:, whole]), 9)
    blocks = means[np.isfinite(means).all(axis=1)]
    count = len(blocks)
    if count < _LEAST_LISTENERS or (np.ptp(blocks, axis=1) == 0).all():
        return None
    test = stats.friedmanchisquare(*blocks.T)
    w = float(test.statistic) / (count * (systems - 1))
    return Friedman(float(test.statistic), float(test.pvalue), w, count, systems)


def pairs_of(study: Study, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every system against every later one, on the form's scale; positive: the first is better.

    In CCR, whose votes are of a system against the reference, every system against that as well.
    `p_value` is of Wilcoxon's signed-rank test on what each listener says, two-sided; None where
    that is one listener. What a listener says are `pseudo_values`, mean differences where everybody
    rated everything; Holm's correction is over all of these pairs.
    """
    found, ratings = [], ratings_of(study)
    columns = dict(zip(ratings.conditions, np.moveaxis(ratings.scores, 2, 0), strict=True))
    pairs = list(combinations(ratings.systems, 2))
    if study.form == "ccr":
        pairs += [(system, REFERENCE) for system in ratings.systems]
        columns.pop(REFERENCE, None)
    for names in pairs:
        first, second = columns[names[0]], columns.get(names[1])
        if not np.isfinite(_leaving_out(first, second)[0]).any():
            continue
        told_by = pseudo_values(first, second)
        # Differences that are equal but for rounding must tie, or vanish, as they do on paper.
        means = np.round(told_by[np.isfinite(told_by)], 9)
        varied = len(means) >= _LEAST_FOR_EFFECT and np.ptp(means) > 0
        signs = np.sign(first if second is None else first - second)
        e, signs = estimate(first, level, minus=second), signs[np.isfinite(signs)]
        told = {
            "first": names[0],
            "second": names[1],
            "difference": e.mean,
            "d_z": float(means.mean() / means.std(ddof=1)) if varied else None,
            "superiority": float((signs.mean() + 1) / 2) if len(signs) else None,
        }
        p_value = None if e.low is None else signed_rank_p(means)
        found.append(Comparison(names, e, p_value, told))
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


def guessing_p(correct: int, trials: int) -> float:
    """Probability of so many right answers or more by guessing."""
    return float(stats.binomtest(correct, trials, 0.5, alternative="greater").pvalue)


def shares_of(study: Study, *, level: float = 0.95) -> tuple[Comparison, ...]:
    """Every pair of systems that was compared, with Holm's correction over these.

    In AB `value` is the preference for the first, 0 to 1, ties counting half; `p_value` is of the
    exact sign test, two-sided, over the listeners who are not undecided, and None where all are.

    In ABX, of every system against the reference, it is the share of right answers; 0.5 is
    guessing, and "no idea" is wrong. `p_value` is of the exact binomial test of guessing over all
    trials, one-sided: it asks whether anybody hears a difference, not whether most listeners do.
    Every item counts the same.
    """
    found, abx = list[Comparison](), study.form == "abx"
    to_reference = [(system, REFERENCE) for system in study.systems]
    for names in to_reference if abx else combinations(study.systems, 2):
        answers = [c for c in study.choices if {*names} - {REFERENCE} <= {*c.conditions}]
        if not answers:
            continue
        by_page = defaultdict[tuple[str, str], list[float]](list)
        by_listener = defaultdict[str, list[float]](list)
        for c in answers:
            value = float(c.taken == (c.x if abx else names[0]))
            value = 0.5 if c.answer == "tie" and not abx else value
            by_page[c.listener, c.item].append(value)
            by_listener[c.listener].append(value)
        items = dict.fromkeys(choice.item for choice in answers)
        table = [[np.mean(by_page.get((who, i), [np.nan])) for i in items] for who in by_listener]
        e = estimate(np.array(table, float), level, lowest=0.0, highest=1.0)
        values, results = [value for own in by_listener.values() for value in own], list[Record]()
        if not abx:
            signs = Counter(int(np.sign(sum(own) - len(own) / 2)) for own in by_listener.values())
            decided = signs[1] + signs[-1]
            p_value = float(stats.binomtest(signs[1], decided).pvalue) if decided else None
            counts = [values.count(1.0), values.count(0.5), values.count(0.0)]
            told: Record = dict(zip(("first", "second"), names, strict=True))
            told |= zip(("wins", "ties", "losses"), counts, strict=True)
            told |= {"share": e.mean, "for_first": signs[1], "for_second": signs[-1]}
        else:
            right, trials = values.count(1.0), len(values)
            told = {"system": names[0], "correct": right, "trials": trials, "share": e.mean}
            p_value, counts = guessing_p(right, trials), [right, trials - right]
            for who, own in by_listener.items():
                one: Record = {"listener": who, "system": names[0], "correct": own.count(1.0)}
                one |= {"trials": len(own), "p_value": guessing_p(one["correct"], len(own))}
                results.append(one)
            for result, p in zip(results, holm([r["p_value"] for r in results]), strict=True):
                result["p_holm"] = p
        found.append(Comparison(names, e, p_value, told, tuple(counts), results))
    return _corrected(found)


# ------------------------------------------------------------------------------ all in one place
@dataclass(frozen=True, eq=False)
class Analysis:
    """What came of a study; what its form does not have is empty.

    `study` holds the answers of the listeners kept and `ratings` the same as an array; `whole` and
    `means_before` are of everybody. `overall` are the means over all domains, and `mixed` is what
    `mixed_model` finds, where it was asked for.
    """

    whole: Study
    study: Study
    screening: Screening
    level: float
    ratings: Ratings
    means: tuple[ConditionSummary, ...]
    means_before: tuple[ConditionSummary, ...]
    overall: tuple[ConditionSummary, ...]
    friedman: Friedman | None
    comparisons: tuple[Comparison, ...]
    items: Sequence[Record]
    mixed: tuple[Record, Sequence[Record]] = ({}, ())


def analyse(
    study: Study,
    *,
    rules: bool = True,
    exclude: Sequence[str] = (),
    level: float = 0.95,
    mixed: bool = False,
) -> Analysis:
    """Screen a study as `screen` does, and compute what its form asks for.

    All intervals are of one `level`. A `mixed` model of what is no rating is a `UserError`.
    """
    whole, screening = screen(study, rules=rules, exclude=exclude)
    listeners = tuple(one for one in whole.listeners if one.id in screening.kept)
    answers = tuple(one for one in whole.answers if one.listener in screening.kept)
    kept = replace(whole, listeners=listeners, answers=answers)
    ratings, rates = ratings_of(kept), FORMS[study.form].rates
    means = means_of(kept, level=level)
    return Analysis(
        whole, kept, screening, level, ratings, means, means_of(whole, level=level),
        tuple(mean for mean in means if mean.domain == ALL_DOMAINS), friedman(ratings),
        comparisons=(pairs_of if rates else shares_of)(kept, level=level),
        items=item_effects(kept, level=level),
        mixed=mixed_model(ratings.systems, ratings.scores, level=level) if mixed else ({}, ()),
    )  # fmt: skip
