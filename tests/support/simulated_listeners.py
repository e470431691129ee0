"""Studies that nobody took part in: an oracle of the analysis, since what is true is known.

The quality that a listener hears is a point on the scale from 0 to 100 that may lie beyond its
ends. Ratings are that quality, clipped and rounded as a slider does; preferences and ABX answers
come from it as in Thurstone's law of comparative judgement, case V (Psychological Review 34, 1927).
How hard an item is follows from the test alone, so that all studies of one test share it, and is
centred: a system's mean over the items is the one asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, ListeningTest


@dataclass(frozen=True)
class Deviations(Spread):
    """Those that cancel where systems are compared, too: see `Spread`."""

    listener: float = 12.0  # generous or strict on all scores
    listener_item: float = 7.5  # of a listener on an item, for all systems alike
    item: float = 3.0  # hard or easy to code, for all systems and listeners


NOTHING_DEVIATES = Deviations(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Model:
    """The truth that listeners answer from; scores in points, higher is better.

    `means` are over listeners and items, before clipping. Listeners miss the share
    `reference_missed` of hidden references and then score around 80; of the others nine in ten get
    100, and the rest 90 to 99. They stretch the distance from 100 by factors whose logarithm has
    the standard deviation `scale_use`. In form ``ab`` differences below 5 are "no preference"; in
    ``abx`` 63 % hear a difference of 10 points from the reference. The first `careless` answer
    anything, the last `dropouts` stop half-way.
    """

    means: Mapping[str, float] = field(default_factory=dict)
    spread: Deviations = field(default_factory=Deviations)
    scale_use: float = 0.1
    reference_missed: float = 0.02
    careless: int = 0
    dropouts: int = 0

    @property
    def deviation(self) -> float:
        """Standard deviation of a score over listeners and pages of one item, in points."""
        s = self.spread
        return float(np.hypot.reduce((s.listener, s.listener_system, s.listener_item, s.residual)))


def simulate(test: ListeningTest, model: Model, listeners: int, seed: int = 0) -> Study:
    """Answers to a test: listener n hears what `design.pages_of` deals to number n."""
    quality, s = true_quality(test, model), model.spread
    people, ratings, choices = list[Listener](), list[Rating](), list[Choice]()
    for number in range(listeners):
        rng, name = np.random.default_rng([seed, number]), f"simulated-{number + 1:03d}"
        careless, finished = number < model.careless, number < listeners - model.dropouts
        bias, scale = rng.normal(0, s.listener), np.exp(rng.normal(0, model.scale_use))
        tastes = dict(zip(test.conditions, rng.normal(0, s.listener_system, 99), strict=False))
        pages = [page for page in pages_of(test, number) if not page.training]
        people.append(Listener(name, {}, len(pages), finished))
        for i, page in enumerate(pages if finished else pages[: len(pages) // 2]):
            common = bias + rng.normal(0, s.listener_item)
            heard = {
                c: 100 - scale * (100 - quality[page.item, c]) + tastes[c] + common + error
                for c, error in zip(
                    page.conditions, rng.normal(0, s.residual, len(page.conditions)), strict=True
                )
                if c != REFERENCE
            }
            guess = "a" if rng.integers(2) else "b"
            if page.kind == "mushra":
                missed = rng.random() < model.reference_missed
                found = 100 if rng.random() < 0.9 else rng.integers(90, 100)
                heard[REFERENCE] = rng.normal(80, model.deviation) if missed else found
                for place, c in enumerate(page.conditions):
                    score = rng.integers(0, 101) if careless else np.clip(np.rint(heard[c]), 0, 100)
                    ratings.append(Rating(name, page.item, c, float(score), i, place))
                continue
            a, b, x = (*page.conditions, None)[:3]
            difference = heard.get(a, 100.0) - heard.get(b, 100.0)
            answer = "a" if difference > 0 else "b"
            if x is not None:
                unheard = rng.random() < np.exp(-abs(difference) / 10)
                answer = guess if unheard else "a" if x == a else "b"
            elif test.allow_tie and abs(difference) < 5:
                answer = "tie"
            answer = guess if careless else answer
            choices.append(Choice(name, page.item, a, b, answer, x=x, page=i))
    return Study.of(test, tuple(people), tuple(ratings), tuple(choices))


def expected_means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Mean score of each condition over all careful listeners there could be, in points.

    It differs from the model's mean where scores meet the ends of the scale; it is exact but for
    the scale use, which is integrated numerically.
    """

    def on_slider(means: np.ndarray) -> np.ndarray:
        """Mean of normal values once they are clipped and rounded: the sum of the steps passed."""
        steps = np.arange(100) + 0.5
        return ndtr((means[..., None] - steps) / max(model.deviation, 1e-9)).sum(-1)

    quality = true_quality(test, model)
    rated = [c for c in test.conditions if c != REFERENCE]
    means = np.array([[quality[item.id, c] for c in rated] for item in test.items])
    # Gauss-Hermite nodes of a standard normal, over which the scale use is integrated.
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    centres = 100 - np.exp(model.scale_use * nodes) * (100 - means[..., None])
    scores = on_slider(centres) @ weights / weights.sum()
    missed = model.reference_missed
    reference = (1 - missed) * (90 + 9.45) + missed * float(on_slider(np.array(80.0)))
    return {REFERENCE: reference, **dict(zip(rated, scores.mean(axis=0).tolist(), strict=True))}


def true_quality(test: ListeningTest, model: Model) -> dict[tuple[str, str], float]:
    """True mean of every (item, condition) but the reference over all listeners, in points."""
    means = {c: mean for c, mean in ((ANCHOR35, 20.0), (ANCHOR70, 40.0)) if c in test.conditions}
    means |= {system.name: 60.0 for system in test.systems} | dict(model.means)
    rng = np.random.default_rng([test.seed, 5])
    items = rng.normal(0, model.spread.item, (len(test.items), 1))
    systems = rng.normal(0, model.spread.item_system, (len(test.items), len(means)))
    both = (items - items.mean(axis=0)) + (systems - systems.mean(axis=0))
    return {
        (item.id, c): mean + float(both[row, column])
        for row, item in enumerate(test.items)
        for column, (c, mean) in enumerate(means.items())
    }
