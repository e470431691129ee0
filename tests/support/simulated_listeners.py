"""Studies that nobody took part in: an oracle of the analysis, since what is true is known.

The quality that a listener hears is a point on the scale from 0 to 100 that may lie beyond its
ends. Ratings are that quality, clipped and rounded as a slider does; preferences and ABX answers
come from it as in Thurstone's law of comparative judgement, case V (Psychological Review 34, 1927).
How hard an item is follows from the test alone, so that all studies of one test share it, and is
centred: a system's mean over the items is the one asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.study import Answer, Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, ListeningTest

MANNERS = ("random", "all-equal", "ignores-reference")
"""``random`` puts sliders anywhere; ``all-equal`` puts all of a page to one place;
``ignores-reference`` rates the hidden reference as if it were some system, the others honestly."""
SIMULATED_AS = "simulated_as"  # in everybody's questionnaire: their manner, or honest


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

    `means` are over listeners and items, before clipping. Honest listeners miss the share
    `reference_missed` of hidden references and then score around 80; of the others nine in ten get
    100, and the rest 90 to 99. Listeners stretch the distance from 100 by factors whose logarithm
    has the standard deviation `scale_use`. In form ``ab`` differences below 5 are "no preference";
    in ``abx`` 63 % hear a difference of 10 points from the reference. So many listeners are
    `careless`, of each kind in turn, and so many `dropouts` stop half-way.
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
        return float(np.linalg.norm((s.listener, s.listener_system, s.listener_item, s.residual)))


def seeded(*of: object) -> np.random.Generator:
    text = "\0".join(map(str, of))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def slider(quality: float) -> int:
    return min(max(round(float(quality)), 0), 100)


class Simulated:
    """A listener with a manner and a taste, whose ways follow from a seed alone."""

    def __init__(
        self, model: Model, quality: Mapping[tuple[str, str], float], manner: str, *seed: object
    ) -> None:
        self.manner, self.model, self.quality = manner, model, quality
        self.rng = seeded(*seed)
        self.bias = self.rng.normal(0, model.spread.listener)
        self.scale = float(np.exp(self.rng.normal(0, model.scale_use)))
        self.tastes: dict[str, float] = {}

    def rate(self, item: str, conditions: Sequence[str]) -> list[int]:
        if self.manner == "random":
            return [int(score) for score in self.rng.integers(0, 101, len(conditions))]
        if self.manner == "all-equal":
            return [int(self.rng.integers(40, 101))] * len(conditions)
        heard = self.heard(item, conditions)
        return [slider(heard[c]) if c in heard else self.reference(heard) for c in conditions]

    def reference(self, heard: Mapping[str, float]) -> int:
        if self.manner == "ignores-reference":
            return slider(self.rng.choice(list(heard.values())))
        if self.rng.random() < self.model.reference_missed:
            return slider(self.rng.normal(80, self.model.deviation))
        return 100 if self.rng.random() < 0.9 else int(self.rng.integers(90, 100))

    def choose(self, item: str, a: str, b: str, x: str | None, *, allow_tie: bool) -> Answer:
        guess: Answer = "a" if self.rng.integers(2) else "b"
        if self.manner == "all-equal":
            return "a"
        if self.manner == "random":
            return guess
        heard = self.heard(item, (a, b))
        difference = heard.get(a, 100.0) - heard.get(b, 100.0)
        if x is not None:
            unheard = self.rng.random() < np.exp(-abs(difference) / 10)
            return guess if unheard else "a" if x == a else "b"
        if allow_tie and abs(difference) < 5:
            return "tie"
        return "a" if difference > 0 else "b"

    def heard(self, item: str, conditions: Sequence[str]) -> dict[str, float]:
        """Quality of all but the reference on one page as this listener hears it, without ends."""
        spread, coded = self.model.spread, [c for c in conditions if c != REFERENCE]
        page = self.bias + self.rng.normal(0, spread.listener_item)
        found = {}
        for c in coded:
            taste = self.tastes.setdefault(c, self.rng.normal(0, spread.listener_system))
            quality = 100 - self.scale * (100 - self.quality[item, c])
            found[c] = quality + taste + page + self.rng.normal(0, spread.residual)
        return found


def simulate(test: ListeningTest, model: Model, listeners: int, seed: int = 0) -> Study:
    """Answers to a test: listener n hears what `design.pages_of` deals to number n."""
    quality = true_quality(test, model)
    order = seeded(seed, "manners").permutation(listeners).tolist()
    careless = {number: MANNERS[k % 3] for k, number in enumerate(order[: model.careless])}
    dropouts = order[model.careless : model.careless + model.dropouts]
    people, ratings, choices = list[Listener](), list[Rating](), list[Choice]()
    for number in range(listeners):
        name, manner = f"simulated-{number + 1:03d}", careless.get(number, "honest")
        person = Simulated(model, quality, manner, seed, "listener", number)
        pages = [page for page in pages_of(test, number) if not page.training]
        finished = number not in dropouts
        people.append(Listener(name, {SIMULATED_AS: manner}, len(pages), finished))
        for i, page in enumerate(pages if finished else pages[: len(pages) // 2]):
            if page.kind == "mushra":
                scores = person.rate(page.item, page.conditions)
                ratings += [
                    Rating(name, page.item, condition, float(score), i, place)
                    for place, (condition, score) in enumerate(
                        zip(page.conditions, scores, strict=True)
                    )
                ]
            else:
                a, b, x = (*page.conditions, None)[:3]
                answer = person.choose(page.item, a, b, x, allow_tie=test.allow_tie)
                choices.append(Choice(name, page.item, a, b, answer, x=x, page=i))
    return Study.of(test, tuple(people), tuple(ratings), tuple(choices))


def expected_means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Mean score of each condition over all honest listeners there could be, in points.

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
    rng = seeded(test.seed, "items", test.id)
    items = rng.normal(0, model.spread.item, (len(test.items), 1))
    systems = rng.normal(0, model.spread.item_system, (len(test.items), len(means)))
    both = (items - items.mean(axis=0)) + (systems - systems.mean(axis=0))
    return {
        (item.id, c): mean + float(both[row, column])
        for row, item in enumerate(test.items)
        for column, (c, mean) in enumerate(means.items())
    }
