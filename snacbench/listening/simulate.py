"""Studies that nobody took part in: to test an analysis against a known truth, and to rehearse.

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
from typing import Literal, get_args

import numpy as np
from scipy.special import ndtr

from snacbench.errors import UserError, did_you_mean
from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.study import Answer, Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, ListeningTest, System
from snacbench.stats.clusters import Floats

Manner = Literal["honest", "random", "all-equal", "ignores-reference"]
"""``random`` puts sliders anywhere; ``all-equal`` puts all of a page to one place;
``ignores-reference`` rates the hidden reference as if it were some system, the others honestly."""
_CARELESS: tuple[Manner, ...] = get_args(Manner)[1:]
SIMULATED_AS = "simulated_as"
"""Answer of every simulated listener's questionnaire: their manner."""

_ANCHOR_MEANS = {ANCHOR35: 20.0, ANCHOR70: 40.0}
_CLASSIC = ("opus", "mp3", "aac")


@dataclass(frozen=True)
class Model:
    """The truth that simulated listeners answer from; scores in points, higher is better.

    `means` are over listeners and items, before clipping; for conditions that are not there,
    `default_mean`. The hidden reference has none: `reference_missed` is the share of those that
    honest listeners do not find, and then score around `missed_score`; of the others the share
    `reference_exact` gets 100, and the rest 90 to 99. Listeners stretch the distance from 100 by
    factors whose logarithm has the standard deviation `scale_use`: some use the whole scale, others
    its upper half. In form ``ab`` differences below `tie` are "no preference"; in ``abx`` 63 % hear
    a difference at the distance `detection` from the reference. So many listeners are `careless`,
    of each kind in turn, and so many `dropouts` stop half-way.
    """

    means: Mapping[str, float] = field(default_factory=dict)
    spread: Spread = field(default_factory=Spread)
    scale_use: float = 0.1
    reference_exact: float = 0.9
    reference_missed: float = 0.02
    missed_score: float = 80.0
    tie: float = 5.0
    detection: float = 10.0
    careless: int = 0
    dropouts: int = 0

    @property
    def deviation(self) -> float:
        """Standard deviation of a score over listeners and pages of one item, in points."""
        s = self.spread
        parts = (s.listener, s.listener_system, s.listener_item, s.residual)
        return float(np.linalg.norm(parts))


Quality = Mapping[tuple[str, str], float]
"""True mean of every (item, condition) over all listeners, in points."""


class _Listener:
    """A listener with a manner and a taste, whose ways follow from a seed alone."""

    def __init__(self, model: Model, quality: Quality, manner: Manner, *seed: object) -> None:
        self.manner, self.model, self.quality = manner, model, quality
        self.rng = _seeded(*seed)
        self.bias = self.rng.normal(0, model.spread.listener)  # added to all scores
        self.scale = float(np.exp(self.rng.normal(0, model.scale_use)))  # of distances from 100
        self.tastes: dict[str, float] = {}

    def rate(self, item: str, conditions: Sequence[str]) -> list[int]:
        """Scores of a page, 0 (bad) to 100 (excellent), in the order of its conditions."""
        if self.manner == "random":
            return [int(score) for score in self.rng.integers(0, 101, len(conditions))]
        if self.manner == "all-equal":
            return [int(self.rng.integers(40, 101))] * len(conditions)
        heard, model, scores = self._heard(item, conditions), self.model, list[int]()
        for condition in conditions:
            if condition in heard:  # all but the hidden reference
                scores.append(_rounded(heard[condition]))
            elif self.manner == "ignores-reference":
                guess = self.rng.choice(list(heard.values())) if heard else model.missed_score
                scores.append(_rounded(guess))
            elif self.rng.random() < model.reference_missed:
                scores.append(_rounded(self.rng.normal(model.missed_score, model.deviation)))
            elif self.rng.random() < model.reference_exact:
                scores.append(100)
            else:
                scores.append(int(self.rng.integers(90, 100)))
        return scores

    def choose(self, item: str, a: str, b: str, x: str | None, *, allow_tie: bool) -> Answer:
        """Which of two conditions sounds better, or which one X is if there is one.

        X is told rightly if a difference is heard, else guessed.
        """
        if self.manner == "all-equal":
            return "a"
        if self.manner == "random" or (self.manner == "ignores-reference" and x is not None):
            return self._guess()
        heard = self._heard(item, (a, b))
        difference = heard.get(a, 100.0) - heard.get(b, 100.0)
        if x is not None:
            if self.rng.random() < np.exp(-abs(difference) / self.model.detection):
                return self._guess()
            return "a" if x == a else "b"
        if allow_tie and abs(difference) < self.model.tie:
            return "tie"
        return "a" if difference > 0 else "b"

    def _guess(self) -> Answer:
        return "a" if self.rng.integers(2) else "b"

    def page_time_s(self, conditions: int) -> float:
        """How long a page takes, in seconds: careless listeners hurry."""
        typical = 2.0 if self.manner in ("random", "all-equal") else 9.0
        return round(float(typical * conditions * np.exp(self.rng.normal(0, 0.3))), 1)

    def _heard(self, item: str, conditions: Sequence[str]) -> dict[str, float]:
        """Quality of all but the reference on one page as this listener hears it, without ends."""
        spread, coded = self.model.spread, [c for c in conditions if c != REFERENCE]
        page = self.rng.normal(0, spread.listener_item)
        noise = self.rng.normal(0, spread.residual, len(coded))
        heard = {}
        for c, error in zip(coded, noise, strict=True):
            if c not in self.tastes:
                self.tastes[c] = self.rng.normal(0, spread.listener_system)
            quality = 100 - self.scale * (100 - self.quality[item, c])
            heard[c] = quality + self.bias + self.tastes[c] + page + float(error)
        return heard


def _seeded(*of: object) -> np.random.Generator:
    """Generator that follows from any values, and from nothing else."""
    text = "\0".join(map(str, of))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def _rounded(quality: float) -> int:
    return min(max(round(float(quality)), 0), 100)


def default_mean(system: System) -> float:
    """A plausible mean score, in points, higher is better, from a system's name and rate.

    A stand-in for a rehearsal, not a prediction: saturating curves through the scores that papers
    report for Opus and for neural codecs; 60 where the rate is not known.
    """
    if system.kbps is None:
        return 60.0
    if system.name.startswith(_CLASSIC):
        return float(95 - 75 * np.exp(-system.kbps / 16))
    return float(92 - 50 * np.exp(-system.kbps / 4))


def simulate(test: ListeningTest, model: Model, listeners: int, seed: int = 0) -> Study:
    """Answers of simulated listeners to a test; the study is marked as simulated.

    Listener n hears what `design.pages_of` deals to number n. How they were made to behave is in
    their answers under `SIMULATED_AS`. A `UserError` if the model has a mean for a condition that
    the test does not have, or beyond the scale, or more careless ones and drop-outs than listeners.
    """
    quality = true_quality(test, model)
    odd = model.careless + model.dropouts
    if odd > listeners:
        raise UserError(
            f"{model.careless} careless listeners and {model.dropouts} who stop half-way are more "
            f"than {listeners} listeners; ask for {odd} or more"
        )
    order = _seeded(seed, "manners").permutation(listeners).tolist()
    careless = {number: _CARELESS[k % 3] for k, number in enumerate(order[: model.careless])}
    dropouts = order[model.careless : odd]
    people, ratings, choices = list[Listener](), list[Rating](), list[Choice]()
    for number in range(listeners):
        name, manner = f"simulated-{number + 1:03d}", careless.get(number, "honest")
        person = _Listener(model, quality, manner, seed, "listener", number)
        pages = [page for page in pages_of(test, number) if not page.training]
        answered = pages[: len(pages) // 2] if number in dropouts else pages
        people.append(
            Listener(name, {SIMULATED_AS: manner}, len(pages), finished=number not in dropouts)
        )
        for i, page in enumerate(answered):
            if page.kind == "mushra":
                scores = person.rate(page.item, page.conditions)
                time_s = person.page_time_s(len(page.conditions))
                ratings += [
                    Rating(name, page.item, condition, float(scores[place]), i, place, time_s)
                    for place, condition in enumerate(page.conditions)
                ]
            else:
                a, b, x = (*page.conditions, None)[:3]
                assert a is not None
                assert b is not None
                time_s = person.page_time_s(2)
                answer = person.choose(page.item, a, b, x, allow_tie=test.allow_tie)
                choices.append(Choice(name, page.item, a, b, answer, x=x, page=i, time_s=time_s))
    return Study.of(test, tuple(people), tuple(ratings), tuple(choices), simulated=True)


def expected_means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Mean score of each condition over all honest listeners there could be, in points.

    Over the items of the test. It differs from the model's mean where scores meet the ends of the
    scale; it is exact but for the scale use, which is integrated numerically.
    """

    def on_slider(means: Floats) -> Floats:
        """Mean of normal values once they are clipped and rounded: the sum of the steps passed."""
        steps = np.arange(100) + 0.5
        return np.asarray(ndtr((means[..., None] - steps) / max(model.deviation, 1e-9)).sum(-1))

    quality = true_quality(test, model)
    rated = [c for c in test.conditions if c != REFERENCE]
    means = np.array([[quality[item.id, c] for c in rated] for item in test.items])
    # Gauss-Hermite nodes of a standard normal, over which the scale use is integrated.
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    centres = 100 - np.exp(model.scale_use * nodes) * (100 - means[..., None])
    scores = on_slider(centres) @ weights / weights.sum()
    found = 100 * model.reference_exact + 94.5 * (1 - model.reference_exact)
    missed = float(on_slider(np.array(model.missed_score)))
    reference = (1 - model.reference_missed) * found + model.reference_missed * missed
    return {REFERENCE: reference, **dict(zip(rated, scores.mean(axis=0).tolist(), strict=True))}


def true_quality(test: ListeningTest, model: Model) -> dict[tuple[str, str], float]:
    """`Quality` of all but the reference, before clipping; of training items the plain means."""
    means = {c: mean for c, mean in _ANCHOR_MEANS.items() if c in test.conditions}
    means |= {system.name: default_mean(system) for system in test.systems}
    for condition, mean in model.means.items():
        if condition not in means:
            raise UserError(
                f"the test has no condition {condition!r} to give a mean; "
                f"{did_you_mean(condition, means)}"
            )
        if not 0 <= mean <= 100:
            raise UserError(
                f"the mean of {condition} is {mean:g}; it must lie on the scale from 0 to 100"
            )
    means |= model.means
    shape = len(test.items), len(means)
    rng = _seeded(test.seed, "items", test.id)
    items = rng.normal(0, model.spread.item, (shape[0], 1))
    systems = rng.normal(0, model.spread.item_system, shape)
    both = (items - items.mean(axis=0)) + (systems - systems.mean(axis=0))
    found = {(item.id, c): mean for item in test.training for c, mean in means.items()}
    for row, item in enumerate(test.items):
        for column, (c, mean) in enumerate(means.items()):
            found[item.id, c] = mean + float(both[row, column])
    return found
