"""How many listeners a study needs, by the comparison that it will end with."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snacbench.errors import UserError
from snacbench.forms import FORMS, FormName
from snacbench.listening.analysis import pseudo_values

STUDIES = 10_000
LEVEL = 0.05  # the family-wise error over all pairs
MOST_LISTENERS = 2_000
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True)
class Spread:
    """Standard deviations of ratings, in points of the scale from 0 to 100; smaller is surer.

    A score is taken as the sum of its condition's mean and independent deviations: the crossed
    random-effects model of generalizability theory (Brennan, "Generalizability Theory", 2001, ch.
    3). What a listener or an item adds to all scores alike cancels where everybody hears all. The
    defaults are rounded from the published ratings of seven neural codecs on 16 items of speech, by
    19 listeners who passed the screening: 6.2, 9.9, 15.9, 12 points in the order below (Stahl,
    Windtner and Sontacchi, "A Bitrate-Scalable Variational Recurrent Mel-Spectrogram Coder for
    Real-Time Resynthesis-Based Speech Coding", IEEE Access 12, 2024). Experts differed far less
    (docs/listening-tests.md).
    """

    listener_system: float = 6.0  # opinion on a system, which no number of items averages out
    item_system: float = 10.0  # the same for all listeners: only more items tell more about it
    residual: float = 16.0  # a listener who rates the same page again
    listener: float = 12.0  # generous or strict on all scores

    @classmethod
    def of(cls, form: FormName, **given: float) -> Self:
        """Those given, and else the same share of a form's scale, which is assumed."""
        share = (FORMS[form].scale[1] - FORMS[form].scale[0]) / 100
        return cls(**{name: value * share for name, value in vars(cls()).items()} | given)


@dataclass
class Question:
    """A true difference of two systems that is to be found.

    `difference` is of their means, in points of the form's scale, before votes are rounded; in AB
    the share of the listeners who prefer one of two, in ABX that of right answers, in percent.
    Without `pages_per_listener` everybody gets all pages. `power` is the probability to find it.

    What follows: `trials` are the pages that there are, `pages` those that each listener gets, with
    so many answers (`votes`). `pairs` are the comparisons, the family of Holm's correction; in CCR
    and ABX with the reference, too.
    """

    difference: float
    items: int
    systems: int
    spread: Spread
    pages_per_listener: int | None = None
    power: float = 0.8
    form: FormName = "mushra"

    def __post_init__(self) -> None:
        form = FORMS[self.form]
        self.trials = self.items * len(form.pairs([str(k) for k in range(self.systems)]))
        self.pages = self.trials if self.pages_per_listener is None else self.pages_per_listener
        together = self.systems + 1 + 2 * form.anchors if form.kind == "mushra" else 1
        self.votes, compared = self.pages * together, self.systems + (self.form == "ccr")
        self.pairs = self.systems if self.form == "abx" else math.comb(compared, 2)
        low, high = (0, form.scale[1] - form.scale[0]) if form.rates else (50, 100)
        difference = f"{self.difference:g} {form.unit or 'points'}; take one of {low} to {high}"
        pages = f"{self.pages} pages per listener; there must be 1 to {self.trials}"
        for right, text in (
            (low < self.difference < high, f"a difference of {difference}"),
            (LEVEL < self.power < 1, f"a power of {self.power:g}"),
            (self.pairs, f"{self.systems} system; a comparison takes 2 or more"),
            (1 <= self.pages <= self.trials, pages),
        ):
            if not right:
                raise UserError(f"cannot plan for {text}")


def listeners_needed(question: Question, *, studies: int = STUDIES) -> tuple[int, float]:
    """The smallest number of listeners that count and find the difference often enough; how often.

    In AB and ABX, where one answer more may be of no use, all larger numbers do as well. More than
    `MOST_LISTENERS` are a `UserError`.
    """
    tried = cache(lambda n: power_of(question, n, studies=studies))
    if FORMS[question.form].rates:
        # Below, no ratings at all can give a p value small enough: 2 / 2^n is the least.
        needed = least = math.ceil(1 - math.log2(LEVEL / question.pairs))
        while tried(needed) < question.power and needed < MOST_LISTENERS:
            needed = min(2 * needed, MOST_LISTENERS)
        below = range(max(needed // 2, least), needed)
        needed = below.start + bisect_left(below, question.power, key=tried)
    else:
        powers = _exact(question, np.arange(MOST_LISTENERS + 1))
        needed = min(int(np.flatnonzero(powers < question.power)[-1]) + 1, MOST_LISTENERS)
    if (found := tried(needed)) < question.power:
        unit = FORMS[question.form].unit or "points"
        raise UserError(
            f"a difference of {question.difference:g} {unit} takes more than "
            f"{MOST_LISTENERS} listeners with {question.pages} pages each; plan for a larger "
            "difference or for more pages per listener"
        )
    return needed, found


def _exact(question: Question, listeners: NDArray[np.int_]) -> NDArray[np.float64]:
    """Power of the sign test over listeners, and of the test of guessing over all trials."""
    share, level, binomial = question.difference / 100, LEVEL / question.pairs, stats.binom
    if question.form == "abx":
        n = listeners * question.pages // question.systems
        return np.asarray(binomial.sf(binomial.isf(level, n, 0.5), n, share))
    n = listeners * min(question.pages, question.pairs) // question.pairs
    most = binomial.isf(level / 2, n, 0.5)
    return np.asarray(binomial.sf(most, n, share) + binomial.cdf(n - most - 1, n, share))


def power_of(question: Question, listeners: int, *, studies: int = STUDIES) -> float:
    """Probability that so many listeners show the difference, 0 to 1; higher is better.

    Ratings are in the middle of the scale, and rounded to its whole points.
    """
    q, s, (low, high) = question, question.spread, FORMS[question.form].scale
    if not FORMS[q.form].rates:
        return float(_exact(q, np.array([listeners]))[0])
    rng = np.random.default_rng([0, listeners])
    block, hits = max(1, _CHUNK_VALUES // (2 * listeners * q.items)), 0
    apart = 2 if FORMS[q.form].kind == "single" else 1  # pages that two systems of an item are on
    for start in range(0, studies, block):
        count = min(block, studies - start)
        shape = (listeners, q.items, 2, count)
        votes = rng.normal((low + high) / 2, s.residual, shape)
        votes += q.difference * np.array([[0.5], [-0.5]])
        votes += rng.normal(0, s.listener_system, (listeners, 1, 2, count))
        votes += rng.normal(0, s.listener, (listeners, 1, 1, count))
        if q.pages < q.trials:
            # Else deviations of the items are the same for everybody and part of the difference.
            items = rng.normal(0, s.item_system, shape[1:])
            votes += items - items.mean(axis=0)
        votes = np.clip(np.rint(votes), low, high)
        if q.pages < q.trials:  # as `pages_of` deals them, on a circle that is shuffled each time
            circle = rng.permuted(np.tile(np.arange(q.trials)[:, None], count), axis=0)
            place = circle[: q.items * apart].reshape(q.items, apart, count)
            number = np.arange(listeners)[:, None, None, None]
            first = number * q.pages + number // (q.trials // math.gcd(q.trials, q.pages))
            dealt = (place - first) % q.trials < q.pages
            votes = np.where(dealt, votes, np.nan)
        told = pseudo_values(votes[:, :, 0], votes[:, :, 1])
        told += rng.normal(0, 1e-9, told.shape)  # no ties: one exact distribution for all studies
        p_values = stats.wilcoxon(told, axis=0).pvalue
        hits += int((p_values <= LEVEL / q.pairs * (1 + 1e-12)).sum())
    return hits / studies
