"""One simulated listener: what they answer on a page, given how good the conditions really are.

The quality that a listener hears is a point on the scale from 0 to 100 that may lie beyond its
ends. Ratings are that quality, clipped and rounded as a slider does. Preferences and ABX answers
come from the same quality, as in Thurstone's law of comparative judgement, case V (Psychological
Review 34, 1927), whose logistic relative is the model of Bradley and Terry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from snacbench.listening.power import Spread
from snacbench.listening.study import Answer
from snacbench.listening.test import REFERENCE

Manner = Literal["honest", "random", "all-equal", "ignores-reference"]
"""``random`` puts sliders anywhere; ``all-equal`` puts all of a page to one place;
``ignores-reference`` rates the hidden reference as if it were some system, the others honestly."""

MANNERS: tuple[Manner, ...] = get_args(Manner)
CARELESS = MANNERS[1:]


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


@dataclass
class SimulatedListener:
    """A listener with a manner and a taste; `rng` is their own, so that nobody disturbs another.

    Attributes
    ----------
    quality : mapping of (item, condition) to float
        True mean over all listeners, in points.
    bias, scale : float
        Added to all scores, in points; factor on the distance from 100.
    """

    manner: Manner
    model: Model
    quality: Mapping[tuple[str, str], float]
    rng: np.random.Generator
    bias: float = 0.0
    scale: float = 1.0
    _tastes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: Model,
        quality: Mapping[tuple[str, str], float],
        manner: Manner,
        *seed: object,
    ) -> SimulatedListener:
        """The listener whose ways follow from a seed."""
        rng = seeded(*seed)
        bias = rng.normal(0, model.spread.listener)
        scale = float(np.exp(rng.normal(0, model.scale_use)))
        return cls(manner, model, quality, rng, bias, scale)

    def rate(self, item: str, conditions: Sequence[str]) -> list[int]:
        """Scores of a page, 0 (bad) to 100 (excellent), in the order of its conditions."""
        if self.manner == "random":
            return [int(score) for score in self.rng.integers(0, 101, len(conditions))]
        if self.manner == "all-equal":
            return [int(self.rng.integers(40, 101))] * len(conditions)
        heard = self._heard(item, [c for c in conditions if c != REFERENCE])
        return [
            _on_slider(heard[c]) if c != REFERENCE else self._reference(list(heard.values()))
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
        return {
            c: 100 - self.scale * (100 - self.quality[item, c])
            + self.bias + self._taste(c) + page + float(error)
            for c, error in zip(conditions, noise, strict=True)
        }  # fmt: skip

    def _taste(self, condition: str) -> float:
        if condition not in self._tastes:
            self._tastes[condition] = self.rng.normal(0, self.model.spread.listener_system)
        return self._tastes[condition]

    def _reference(self, others: Sequence[float]) -> int:
        if self.manner == "ignores-reference":
            return _on_slider(self.rng.choice(others) if others else self.model.missed_score)
        if self.rng.random() < self.model.reference_missed:
            return _on_slider(self.rng.normal(self.model.missed_score, total_deviation(self.model)))
        if self.rng.random() < self.model.reference_exact:
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


def _on_slider(quality: float) -> int:
    return min(max(round(float(quality)), 0), 100)
