"""Studies that nobody took part in: to test an analysis against a known truth, and to rehearse.

The quality that a listener hears is a point on the scale from 0 to 100 that may lie beyond its
ends. Ratings are that quality, clipped and rounded as a slider does. Preferences and ABX answers
come from the same quality, as in Thurstone's law of comparative judgement, case V (Psychological
Review 34, 1927), whose logistic relative is the model of Bradley and Terry.

How hard an item is follows from the test alone, so that all studies of one test share it. The
deviations of items are centred: a system's mean over the test's items is the one asked for.
Listeners follow from the seed and their number.
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

MANNERS: tuple[Manner, ...] = get_args(Manner)
CARELESS = MANNERS[1:]
SIMULATED_AS = "simulated_as"
"""Answer of every simulated listener's questionnaire: their manner."""

_ANCHOR_MEANS = {ANCHOR35: 20.0, ANCHOR70: 40.0}
_CLASSIC = ("opus", "mp3", "aac")


@dataclass(frozen=True)
class Model:
    """The truth that simulated listeners answer from.

    Attributes
    ----------
    means : mapping of condition to float
        True mean over listeners and items in points, higher is better, before clipping; for
        conditions that are not here, `simulate.default_mean`. The hidden reference has none.
    spread : Spread
        How much ratings vary, and with what.
    scale_use : float
        Listeners stretch the distance from 100 by factors whose logarithm has this standard
        deviation: some use the whole scale, others its upper half.
    reference_exact : float
        Share of the hidden references found that get 100; the others get 90 to 99.
    reference_missed : float
        Share of the hidden references that honest listeners do not find.
    missed_score : float
        True mean of those, in points.
    tie : float
        In form ``ab``: differences of fewer points than this are "no preference".
    detection : float
        In form ``abx``: at this distance from the reference, in points, 63 % hear a difference.
    careless, dropouts : int
        How many of the listeners are careless (of each kind in turn), and how many stop half-way.
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


class SimulatedListener:
    """A listener with a manner and a taste, whose ways follow from a seed alone.

    `quality` is the true mean of every (item, condition) over all listeners, in points.
    """

    def __init__(
        self,
        model: Model,
        quality: Mapping[tuple[str, str], float],
        manner: Manner,
        *seed: object,
    ) -> None:
        self.manner, self.model, self.quality = manner, model, quality
        self.rng = seeded(*seed)
        self.bias = self.rng.normal(0, model.spread.listener)  # added to all scores
        self.scale = float(np.exp(self.rng.normal(0, model.scale_use)))  # of distances from 100
        self._tastes: dict[str, float] = {}

    def rate(self, item: str, conditions: Sequence[str]) -> list[int]:
        """Scores of a page, 0 (bad) to 100 (excellent), in the order of its conditions."""
        if self.manner == "random":
            return [int(score) for score in self.rng.integers(0, 101, len(conditions))]
        if self.manner == "all-equal":
            return [int(self.rng.integers(40, 101))] * len(conditions)
        heard = self._heard(item, [c for c in conditions if c != REFERENCE])
        return [
            _rounded(heard[c]) if c != REFERENCE else self._reference(list(heard.values()))
            for c in conditions
        ]

    def prefer(self, item: str, a: str, b: str, *, allow_tie: bool) -> Answer:
        """Which of two conditions sounds better."""
        if self.manner in ("random", "all-equal"):
            return self._guess() if self.manner == "random" else "a"
        heard = self._heard(item, [c for c in (a, b) if c != REFERENCE])
        difference = heard.get(a, 100.0) - heard.get(b, 100.0)
        if allow_tie and abs(difference) < self.model.tie:
            return "tie"
        return "a" if difference > 0 else "b"

    def identify(self, item: str, a: str, b: str, x: str) -> Answer:
        """Which of two conditions X is: right if a difference is heard, else a guess."""
        if self.manner != "honest":
            return "a" if self.manner == "all-equal" else self._guess()
        heard = self._heard(item, [c for c in (a, b) if c != REFERENCE])
        distance = abs(heard.get(a, 100.0) - heard.get(b, 100.0))
        if self.rng.random() < np.exp(-distance / self.model.detection):
            return self._guess()
        return "a" if x == a else "b"

    def page_time_s(self, conditions: int) -> float:
        """How long a page takes, in seconds: careless listeners hurry."""
        typical = 2.0 if self.manner in ("random", "all-equal") else 9.0
        return round(float(typical * conditions * np.exp(self.rng.normal(0, 0.3))), 1)

    def _heard(self, item: str, conditions: Sequence[str]) -> dict[str, float]:
        """Quality of conditions on one page as this listener hears them, on an open scale."""
        spread = self.model.spread
        page = self.rng.normal(0, spread.listener_item)
        noise = self.rng.normal(0, spread.residual, len(conditions))
        for c in conditions:
            if c not in self._tastes:
                self._tastes[c] = self.rng.normal(0, spread.listener_system)
        return {
            c: 100 - self.scale * (100 - self.quality[item, c])
            + self.bias + self._tastes[c] + page + float(error)
            for c, error in zip(conditions, noise, strict=True)
        }  # fmt: skip

    def _reference(self, others: Sequence[float]) -> int:
        model = self.model
        if self.manner == "ignores-reference":
            return _rounded(self.rng.choice(others) if others else model.missed_score)
        if self.rng.random() < model.reference_missed:
            return _rounded(self.rng.normal(model.missed_score, total_deviation(model)))
        if self.rng.random() < model.reference_exact:
            return 100
        return int(self.rng.integers(90, 100))

    def _guess(self) -> Answer:
        return "a" if self.rng.integers(2) else "b"


def total_deviation(model: Model) -> float:
    """Standard deviation of a score over listeners and pages of one item, in points."""
    s = model.spread
    parts = (s.listener, s.listener_system, s.listener_item, s.residual)
    return float(np.linalg.norm(parts))


def seeded(*of: object) -> np.random.Generator:
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
    their answers under `SIMULATED_AS`.

    Raises
    ------
    UserError
        If `model` has a mean for a condition that the test does not have, or beyond the scale, or
        there are fewer listeners than careless ones and drop-outs.
    """
    quality = true_quality(test, model)
    manners, dropouts = manners_of(model, listeners, seed)
    ratings: list[Rating] = []
    choices: list[Choice] = []
    people = []
    for number, manner in enumerate(manners):
        name = f"simulated-{number + 1:03d}"
        person = SimulatedListener(model, quality, manner, seed, "listener", number)
        pages = [page for page in pages_of(test, number) if not page.training]
        answered = pages[: len(pages) // 2] if number in dropouts else pages
        for i, page in enumerate(answered):
            if page.kind == "mushra":
                scores = person.rate(page.item, page.conditions)
                time_s = person.page_time_s(len(page.conditions))
                ratings += [
                    Rating(name, page.item, condition, float(score), i, place, time_s)
                    for place, (condition, score) in enumerate(
                        zip(page.conditions, scores, strict=True)
                    )
                ]
                continue
            a, b, *hidden = page.conditions
            x = hidden[0] if hidden else None
            time_s = person.page_time_s(2)
            if x is None:
                answer = person.prefer(page.item, a, b, allow_tie=test.allow_tie)
            else:
                answer = person.identify(page.item, a, b, x)
            choices.append(Choice(name, page.item, a, b, answer, x=x, page=i, time_s=time_s))
        finished = number not in dropouts
        people.append(Listener(name, {SIMULATED_AS: manner}, len(pages), finished))
    return Study.of(test, tuple(people), tuple(ratings), tuple(choices), simulated=True)


def expected_means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Mean score of each condition over all honest listeners there could be, in points.

    Over the items of the test. It differs from the model's mean where scores meet the ends of the
    scale; it is exact but for the scale use, which is integrated numerically.
    """
    quality = true_quality(test, model)
    rated = [c for c in test.conditions if c != REFERENCE]
    means = np.array([[quality[item.id, c] for c in rated] for item in test.items])
    # Gauss-Hermite nodes of a standard normal, over which the scale use is integrated.
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    centres = 100 - np.exp(model.scale_use * nodes) * (100 - means[..., None])
    scores = _on_slider(centres, total_deviation(model)) @ weights / weights.sum()
    found = 100 * model.reference_exact + 94.5 * (1 - model.reference_exact)
    missed = float(_on_slider(np.array(model.missed_score), total_deviation(model)))
    reference = (1 - model.reference_missed) * found + model.reference_missed * missed
    return {REFERENCE: reference, **dict(zip(rated, scores.mean(axis=0).tolist(), strict=True))}


def _on_slider(means: Floats, deviation: float) -> Floats:
    """Mean of normal values once they are clipped and rounded: the sum of the steps passed."""
    steps = np.arange(100) + 0.5
    return np.asarray(ndtr((means[..., None] - steps) / max(deviation, 1e-9)).sum(axis=-1))


def true_quality(test: ListeningTest, model: Model) -> dict[tuple[str, str], float]:
    """Mean quality of every (item, condition) but the reference over listeners, in points.

    Before clipping. Training items have the conditions' means.

    Raises
    ------
    UserError
        As `simulate`.
    """
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
    rng = seeded(test.seed, "items", test.id)
    items = rng.normal(0, model.spread.item, (shape[0], 1))
    systems = rng.normal(0, model.spread.item_system, shape)
    both = (items - items.mean(axis=0)) + (systems - systems.mean(axis=0))
    rated = {
        (item.id, condition): mean + float(both[i, c])
        for i, item in enumerate(test.items)
        for c, (condition, mean) in enumerate(means.items())
    }
    practice = {(item.id, c): mean for item in test.training for c, mean in means.items()}
    return {**practice, **rated}


def manners_of(model: Model, listeners: int, seed: int) -> tuple[list[Manner], frozenset[int]]:
    """Every listener's manner, and the numbers of those who stop half-way.

    Raises
    ------
    UserError
        If there are fewer listeners than careless ones and drop-outs.
    """
    odd = model.careless + model.dropouts
    if odd > listeners:
        raise UserError(
            f"{model.careless} careless listeners and {model.dropouts} who stop half-way are more "
            f"than {listeners} listeners; ask for {odd} or more"
        )
    order = seeded(seed, "manners").permutation(listeners)
    manners: list[Manner] = ["honest"] * listeners
    for k, number in enumerate(order[: model.careless]):
        manners[number] = CARELESS[k % len(CARELESS)]
    return manners, frozenset(int(number) for number in order[model.careless : odd])
