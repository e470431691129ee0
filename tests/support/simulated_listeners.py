"""Studies that nobody took part in: an oracle of the analysis, since what is true is known.

The quality that a listener hears is a point on a scale that goes on beyond 0 and 100. Ratings are
that quality, clipped and rounded as a slider does; preferences and ABX answers come from it as in
Thurstone's law of comparative judgement, case V (Psychological Review 34, 1927).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, ListeningTest


@dataclass(frozen=True)
class Deviations(Spread):
    """Those that cancel where systems are compared, too: see `Spread`."""

    listener: float = 12.0  # generous or strict on all scores
    listener_item: float = 7.5  # of a listener on an item, for all systems alike


NOTHING_DEVIATES = Deviations(0, 0, 0, 0, 0)


def simulate(
    test: ListeningTest,
    listeners: int,
    means: Mapping[str, float],
    spread: Deviations = Deviations(),
    *,
    careless: int = 0,
    dropouts: int = 0,
    seed: int = 0,
) -> Study:
    """Answers to a test: listener n hears what `design.pages_of` deals to number n.

    `means` of the systems are over listeners and items: what items deviate by is centred. The
    hidden reference gets 100, 80 where it is missed, in one of 50 cases. In form ``ab`` differences
    below 5 are "no preference"; in ``abx`` 63 % hear a difference of 10 points from the reference.
    The first listeners are `careless` and answer anything, the last `dropouts` stop half-way.
    """
    means = {ANCHOR35: 20.0, ANCHOR70: 40.0, **means}
    ids, rng = [item.id for item in test.items], np.random.default_rng([seed, 99])
    of_items = rng.normal(0, spread.item_system, (len(ids), len(means)))
    of_items = dict(
        zip(ids, np.array(list(means.values())) + of_items - of_items.mean(axis=0), strict=True)
    )
    people, ratings, choices = list[Listener](), list[Rating](), list[Choice]()
    for number in range(listeners):
        rng, name = np.random.default_rng([seed, number]), f"simulated-{number + 1:03d}"
        guessing, finished = number < careless, number < listeners - dropouts
        taste = rng.normal(0, spread.listener) + rng.normal(0, spread.listener_system, len(means))
        pages = [page for page in pages_of(test, number) if not page.training]
        people.append(Listener(name, {}, len(pages), finished))
        for i, page in enumerate(pages if finished else pages[: len(pages) // 2]):
            error = rng.normal(0, spread.listener_item) + rng.normal(0, spread.residual, len(means))
            heard = dict(zip(means, of_items[page.item] + taste + error, strict=True))
            heard[REFERENCE] = 100.0
            guess = "a" if rng.integers(2) else "b"
            if page.kind == "mushra":
                heard[REFERENCE] = 80.0 if rng.random() < 0.02 else 100.0
                for place, c in enumerate(page.conditions):
                    score = rng.integers(0, 101) if guessing else np.clip(np.rint(heard[c]), 0, 100)
                    ratings.append(Rating(name, page.item, c, float(score), i, place))
                continue
            a, b, x = (*page.conditions, None)[:3]
            difference = heard[a] - heard[b]
            answer = "a" if difference > 0 else "b"
            if x is not None:
                unheard = rng.random() < np.exp(-abs(difference) / 10)
                answer = guess if unheard else "a" if x == a else "b"
            elif test.allow_tie and abs(difference) < 5:
                answer = "tie"
            answer = guess if guessing else answer
            choices.append(Choice(name, page.item, a, b, answer, x=x, page=i))
    return Study.of(test, tuple(people), tuple(ratings), tuple(choices))
