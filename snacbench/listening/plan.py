"""What one listener gets to hear, in which order: a pure function of the test and a number.

What is dealt out are trials: an item in MUSHRA, an item with a pair of conditions else. Listeners
are served in rounds of as many as there are trials:

- Where everybody gets all trials, the orders of a round are the rows of a Williams design: every
  trial comes at every place equally often, and (over one round for an even number of trials, over
  two for an odd one) directly after every other trial equally often (Williams, "Experimental
  designs balanced for the estimation of residual effects of treatments", Aust. J. Sci. Res. A 2,
  1949).
- Where everybody gets some, they are consecutive ones of a shuffled circle of trials. Over a round
  every trial comes at every place exactly once. Consecutive listeners go on where the last one
  ended, so that a test that ends early has heard its trials almost equally often.

Every round shuffles anew. The conditions of a page are shuffled per listener and page.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snacbench.listening.test import REFERENCE, Item, ListeningTest


@dataclass(frozen=True)
class Page:
    """One page of one listener.

    Attributes
    ----------
    number : int
        Place among all pages of the listener, training included.
    training : bool
        For practice: its answers count for nothing.
    conditions : tuple of str
        In the order in which they stand on the page. For ``ab`` the two sides; for ``abx`` three:
        A, B, and what X is. For MUSHRA the hidden reference is one of them; the open reference
        is not.
    """

    number: int
    kind: Literal["mushra", "ab", "abx"]
    item: str
    conditions: tuple[str, ...]
    training: bool = False


@dataclass(frozen=True)
class _Trial:
    """`pair` is what ``ab`` and ``abx`` compare; empty in MUSHRA."""

    item: str
    pair: tuple[str, ...] = ()
    repeat: int = 0


def pages_of(test: ListeningTest, listener_number: int) -> tuple[Page, ...]:
    """All pages of the `listener_number`-th listener (from 0), training pages first."""
    trials = _trials(test, test.items)
    order = _order(test, len(trials), listener_number)
    practice = [_Trial(t.item, t.pair, -1) for t in _first_of_each(_trials(test, test.training))]
    chosen = [*practice, *(trials[i] for i in order)]
    return tuple(
        _page(test, trial, number, listener_number, training=number < len(practice))
        for number, trial in enumerate(chosen)
    )


def num_trials(test: ListeningTest) -> int:
    """How many different rated pages the test has."""
    return len(_trials(test, test.items))


def _trials(test: ListeningTest, items: Sequence[Item]) -> list[_Trial]:
    names = [system.name for system in test.systems]
    pairs: list[tuple[str, ...]]
    if test.form == "ab":
        pairs = list(itertools.combinations(names, 2))
    elif test.form == "abx":
        pairs = [(REFERENCE, name) for name in names]
    else:
        return [_Trial(item.id) for item in items]
    return [
        _Trial(item.id, pair, repeat)
        for repeat in range(test.repeats)
        for item in items
        for pair in pairs
    ]


def _first_of_each(trials: Sequence[_Trial]) -> list[_Trial]:
    return list({trial.item: trial for trial in reversed(trials)}.values())[::-1]


def _order(test: ListeningTest, count: int, listener: int) -> list[int]:
    """Which trials a listener gets, in which order."""
    take = min(test.pages_per_listener or count, count)
    turn, place = divmod(listener, count)
    rng = _random(test, "round", turn)
    circle = rng.permutation(count)
    row = _williams(count, place, odd_round=turn % 2 == 1) if take == count else None
    if row is None:
        lap = count // math.gcd(count, take)  # after so many listeners a circle is worn evenly
        start = place * take + place // lap
        row = [(start + j) % count for j in range(take)]
    return [int(circle[i]) for i in row]


def _williams(count: int, row: int, *, odd_round: bool) -> list[int]:
    """Row of a Williams design: 0, 1, n-1, 2, n-2, ... plus the row; mirrored in odd rounds."""
    zigzag = [(k + 1) // 2 if k % 2 else (count - k // 2) % count for k in range(count)]
    shifted = [(value + row) % count for value in zigzag]
    return shifted[::-1] if odd_round else shifted


def _page(
    test: ListeningTest, trial: _Trial, number: int, listener: int, *, training: bool
) -> Page:
    rng = _random(test, "page", listener, trial.item, *trial.pair, trial.repeat)
    if not trial.pair:
        shuffled = tuple(test.conditions[i] for i in rng.permutation(len(test.conditions)))
        return Page(number, "mushra", trial.item, shuffled, training)
    first, second = trial.pair if rng.integers(2) else trial.pair[::-1]
    if test.form == "ab":
        return Page(number, "ab", trial.item, (first, second), training)
    hidden = (first, second)[int(rng.integers(2))]
    return Page(number, "abx", trial.item, (first, second, hidden), training)


def _random(test: ListeningTest, *of: object) -> np.random.Generator:
    text = "\0".join(map(str, (test.seed, *of)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))
