"""How many listeners a study needs, by simulating the comparison that it will end with.

That is the one of `listening.analysis`: the mean score of each listener, a paired Wilcoxon
signed-rank test of every two systems on those means, and Holm's correction over all pairs. Holm's
first step is Bonferroni's, so a pair that may be the only one to differ must reach level / pairs;
that worst case is what is planned for.

The difference is that of the systems' means on the items of the test. Whether other items would
show it too is a question of the number of items, which no number of listeners answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from snacbench.errors import UserError
from snacbench.listening.analysis.cells import listener_means
from snacbench.listening.spread import Spread
from snacbench.stats.clusters import Floats

STUDIES = 10_000
MOST_LISTENERS = 2_000
_EXACT_UP_TO = 50  # as scipy.stats.wilcoxon; beyond, the normal approximation is good
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True)
class Question:
    """A difference between two of a study's systems that is to be found.

    Attributes
    ----------
    difference : float
        True difference of the two means, in points of the scale.
    items, systems : int
        In the test; every two systems are compared.
    pages_per_listener : int or None
        None: everybody rates all items.
    power, level : float
        Probability to find the difference; family-wise error over all pairs.
    """

    difference: float
    items: int
    systems: int
    spread: Spread
    pages_per_listener: int | None = None
    power: float = 0.8
    level: float = 0.05

    def __post_init__(self) -> None:
        wrong = {
            f"a difference of {self.difference:g} points; it must be more than 0": not (
                0 < self.difference <= 100
            ),
            f"{self.items} items; there must be 1 or more": self.items < 1,
            f"{self.systems} systems; a comparison takes 2 or more": self.systems < 2,
            f"{self.pages} pages per listener; there must be 1 to {self.items}": not (
                1 <= self.pages <= self.items
            ),
            f"a level of {self.level:g}; it must lie between 0 and 1": not 0 < self.level < 1,
            f"a power of {self.power:g}; it must lie between {self.level:g} and 1": not (
                self.level < self.power < 1
            ),
        }
        for text, is_wrong in wrong.items():
            if is_wrong:
                raise UserError(f"cannot plan for {text}")

    @property
    def pages(self) -> int:
        """Pages that each listener rates."""
        return self.items if self.pages_per_listener is None else self.pages_per_listener

    @property
    def pairs(self) -> int:
        """Pairs of systems, the family of Holm's correction."""
        return self.systems * (self.systems - 1) // 2

    @property
    def least_listeners(self) -> int:
        """Below this, no ratings at all can give a p value small enough: 2 / 2^n is the least."""
        return int(np.ceil(1 - np.log2(self.level / self.pairs)))


@dataclass(frozen=True)
class Power:
    """Share of the simulated studies that found the difference, with its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Need:
    """How many listeners are needed.

    Attributes
    ----------
    listeners : int
        Whose answers count, after the screening.
    low, high : int
        Where the number lies with 95 % confidence, given that only so many studies were simulated.
    power : Power
        With that many listeners.
    """

    question: Question
    listeners: int
    low: int
    high: int
    power: Power


def listeners_needed(question: Question, *, studies: int = STUDIES, seed: int = 0) -> Need:
    """Smallest number of listeners with which the difference is found often enough.

    Raises
    ------
    UserError
        If that is more than `MOST_LISTENERS`.
    """
    low, high = question.least_listeners - 1, question.least_listeners
    found = power_of(question, high, studies=studies, seed=seed)
    while found.value < question.power:
        if high == MOST_LISTENERS:
            raise UserError(
                f"a difference of {question.difference:g} points takes more than {MOST_LISTENERS} "
                f"listeners who rate {question.pages} items each; plan for a larger difference or "
                "for more pages per listener"
            )
        low, high = high, min(2 * high, MOST_LISTENERS)
        found = power_of(question, high, studies=studies, seed=seed)
    while high - low > 1:
        middle = (low + high) // 2
        tried = power_of(question, middle, studies=studies, seed=seed)
        if tried.value < question.power:
            low = middle
        else:
            high, found = middle, tried
    return Need(question, high, *_range(question, high, studies), found)


def power_of(question: Question, listeners: int, *, studies: int = STUDIES, seed: int = 0) -> Power:
    """Probability that so many listeners show the difference, 0 to 1; higher is better."""
    rng = np.random.default_rng([seed, listeners])
    critical = critical_rank_sum(listeners, question.level / question.pairs)
    block = max(1, _CHUNK_VALUES // (listeners * question.items))
    hits = 0
    for start in range(0, studies, block):
        differences = _listener_differences(question, listeners, min(block, studies - start), rng)
        hits += int((smaller_rank_sum(differences) <= critical).sum())
    share = hits / studies
    return Power(share, float(np.sqrt(share * (1 - share) / studies)))


def _listener_differences(
    question: Question, listeners: int, studies: int, rng: np.random.Generator
) -> Floats:
    """Each listener's mean difference as the analysis takes it: shape (listeners, studies).

    What a listener or an item adds to all scores cancels. Each deviation of one system's scores
    counts twice, once per system.
    """
    s, shape = question.spread, (listeners, question.items, studies)
    values = question.difference + rng.normal(0, np.sqrt(2) * s.residual, shape)
    values += rng.normal(0, np.sqrt(2) * s.listener_system, (listeners, 1, studies))
    if question.pages == question.items:
        # Deviations of the items are the same for everybody and part of the true difference.
        return np.asarray(values.mean(axis=1))
    items = rng.normal(0, np.sqrt(2) * s.item_system, shape[1:])
    values += items - items.mean(axis=0)
    heard = _who_hears_what(question, listeners)
    return listener_means(np.where(heard[:, :, None], values, np.nan))


def _who_hears_what(question: Question, listeners: int) -> np.ndarray:
    """Which listener rates which item: as `plan.pages_of` deals them, but for their names."""
    first = np.arange(listeners)[:, None] * question.pages
    dealt = (first + np.arange(question.pages)) % question.items
    heard = np.zeros((listeners, question.items), bool)
    heard[np.arange(listeners)[:, None], dealt] = True
    return heard


def smaller_rank_sum(differences: Floats) -> Floats:
    """Wilcoxon's signed-rank statistic: the smaller of the two rank sums, shape (studies,).

    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945.

    Parameters
    ----------
    differences : array, shape (listeners, studies)
        Of a continuous quantity: without zeros and ties.
    """
    n = len(differences)
    ranks = np.abs(differences).argsort(axis=0).argsort(axis=0) + 1
    positive = np.where(differences > 0, ranks, 0).sum(axis=0)
    return np.asarray(np.minimum(positive, n * (n + 1) // 2 - positive), float)


def critical_rank_sum(listeners: int, level: float) -> float:
    """Largest smaller rank sum that is significant at a two-sided level; -1 if none is."""
    n = listeners
    if n > _EXACT_UP_TO:
        mean, variance = n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24
        return float(mean + stats.norm.ppf(level / 2) * np.sqrt(variance))
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):  # each rank is in the sum or is not, equally likely
        ways[rank:] += ways[:-rank].copy()
    tail = np.cumsum(ways) / 2.0**n
    return float(np.searchsorted(tail, level / 2 * (1 + 1e-12), side="right") - 1)


def _range(question: Question, listeners: int, studies: int) -> tuple[int, int]:
    """Listeners at two standard errors of the simulated power on either side.

    The number grows as (z of the level + z of the power) squared.
    """
    error = np.sqrt(question.power * (1 - question.power) / studies)
    at = stats.norm.isf(question.level / question.pairs / 2)
    ends = np.clip(question.power + np.array([-2, 2]) * error, 1e-6, 1 - 1e-6)
    factor = ((at + stats.norm.ppf(ends)) / (at + stats.norm.ppf(question.power))) ** 2
    low, high = listeners * factor
    return max(question.least_listeners, int(np.floor(low))), int(np.ceil(high))
