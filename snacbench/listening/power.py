"""How many listeners a study needs, by simulating the comparison that it will end with.

That is the one of `listening.analysis`: each listener's mean scores, a paired Wilcoxon signed-rank
test of every two systems on them, and Holm's correction, whose first step is Bonferroni's: a pair
that may be the only one to differ must reach level / pairs. The difference is that of the systems'
means on the items of the test: whether others would show it is a question of the number of items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from snacbench.errors import UserError

STUDIES = 10_000
LEVEL = 0.05  # the family-wise error over all pairs
MOST_LISTENERS = 2_000
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True)
class Spread:
    """Standard deviations of ratings, in points of the scale from 0 to 100; smaller is surer.

    A score is taken as the sum of its condition's mean and independent deviations: the crossed
    random-effects model of generalizability theory (Brennan, "Generalizability Theory", 2001, ch.
    3). What a listener or an item adds to all scores alike cancels. The defaults are rounded from
    the published ratings of seven neural codecs on 16 items of speech, by 19 listeners who passed
    the screening: 6.2, 9.9, 15.9 points in the order below (Stahl, Windtner and Sontacchi, "A
    Bitrate-Scalable Variational Recurrent Mel-Spectrogram Coder for Real-Time Resynthesis-Based
    Speech Coding", IEEE Access 12, 2024). 26 experts who rated low-pass filters on three items of
    music differed far less: 5.2, 1.6, 6.9 (Torcoli et al., "ODAQ: Open Dataset of Audio Quality",
    ICASSP 2024, method LP).
    """

    listener_system: float = 6.0  # opinion on a system, which no number of items averages out
    item_system: float = 10.0  # the same for all listeners: only more items tell more about it
    residual: float = 16.0  # a listener who rates the same page again


@dataclass(frozen=True)
class Question:
    """A true difference of two systems' means, in points, that is to be found.

    Without `pages_per_listener` everybody rates all items. `power` is the probability to find it.
    """

    difference: float
    items: int
    systems: int
    spread: Spread
    pages_per_listener: int | None = None
    power: float = 0.8

    def __post_init__(self) -> None:
        wrong = {
            f"a difference of {self.difference:g} points": not self.difference > 0,
            f"a power of {self.power:g}": not LEVEL < self.power < 1,
            "1 system; a comparison takes 2 or more": self.systems < 2,
            f"{self.pages} pages per listener; there must be 1 to {self.items}": (
                self.pages not in range(1, self.items + 1)
            ),
        }
        for text in (text for text, is_wrong in wrong.items() if is_wrong):
            raise UserError(f"cannot plan for {text}")

    @property
    def pages(self) -> int:
        """Pages that each listener rates."""
        return self.items if self.pages_per_listener is None else self.pages_per_listener

    @property
    def pairs(self) -> int:
        """Pairs of systems, the family of Holm's correction."""
        return math.comb(self.systems, 2)

    @property
    def least_listeners(self) -> int:
        """Below this, no ratings at all can give a p value small enough: 2 / 2^n is the least."""
        return math.ceil(1 - math.log2(LEVEL / self.pairs))


def listeners_needed(question: Question, *, studies: int = STUDIES) -> tuple[int, float]:
    """The smallest number of listeners that count and find the difference often enough; how often.

    More than `MOST_LISTENERS` are a `UserError`.
    """
    low, high = question.least_listeners - 1, question.least_listeners
    while (found := power_of(question, high, studies=studies)) < question.power:
        if high == MOST_LISTENERS:
            raise UserError(
                f"a difference of {question.difference:g} points takes more than {MOST_LISTENERS} "
                f"listeners who rate {question.pages} items each; plan for a larger difference or "
                "for more pages per listener"
            )
        low, high = high, min(2 * high, MOST_LISTENERS)
    while high - low > 1:
        middle = (low + high) // 2
        tried = power_of(question, middle, studies=studies)
        if tried < question.power:
            low = middle
        else:
            high, found = middle, tried
    return high, found


def power_of(question: Question, listeners: int, *, studies: int = STUDIES) -> float:
    """Probability that so many listeners show the difference, 0 to 1; higher is better.

    Each deviation of one system's scores counts twice, once per system.
    """
    rng, s = np.random.default_rng([0, listeners]), question.spread
    block = max(1, _CHUNK_VALUES // (listeners * question.items))
    hits = 0
    for start in range(0, studies, block):
        shape = (listeners, question.items, min(block, studies - start))
        values = question.difference + rng.normal(0, math.sqrt(2) * s.residual, shape)
        values += rng.normal(0, math.sqrt(2) * s.listener_system, (listeners, 1, shape[2]))
        if question.pages < question.items:
            # Else deviations of the items are the same for everybody and part of the difference.
            items = rng.normal(0, math.sqrt(2) * s.item_system, shape[1:])
            values += items - items.mean(axis=0)
            first = np.arange(listeners)[:, None] * question.pages  # as `pages_of` deals them
            dealt = (first + np.arange(question.pages)) % question.items
            values = np.take_along_axis(values, dealt[:, :, None], axis=1)
        p_values = stats.wilcoxon(values.mean(axis=1), axis=0).pvalue
        hits += int((p_values <= LEVEL / question.pairs * (1 + 1e-12)).sum())
    return hits / studies
