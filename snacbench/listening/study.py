"""What listeners answered: the same nouns whoever collected the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from snacbench.listening.test import Form, ListeningTest
from snacbench.types import Domain

Answer = Literal["a", "b", "tie"]


@dataclass(frozen=True)
class Rating:
    """One slider that a listener set: 0 (bad) to 100 (excellent).

    `page` counts the listener's rated pages from 0, `place` the conditions on the page; `time_s` is
    what the page took. None where not recorded.
    """

    listener: str
    item: str
    condition: str
    score: float
    page: int | None = None
    place: int | None = None
    time_s: float | None = None
    comment: str = ""


@dataclass(frozen=True)
class Choice:
    """One answer to a pair.

    In ``ab``, `a` and `b` are conditions as the listener had them and `answer` is the preferred
    one. In ``abx``, `x` is the condition that X was, and `answer` says which one the listener took
    it for: right where `taken` is `x`.
    """

    listener: str
    item: str
    a: str
    b: str
    answer: Answer
    x: str | None = None
    page: int | None = None
    time_s: float | None = None
    comment: str = ""

    @property
    def taken(self) -> str | None:
        """The condition that the answer names; None: neither."""
        return {"a": self.a, "b": self.b}.get(self.answer)


@dataclass(frozen=True)
class Listener:
    """A random name, answers to the questionnaire, and how far they came, where that is known."""

    id: str
    answers: Mapping[str, str] = field(default_factory=dict)
    pages_planned: int | None = None
    finished: bool = True


@dataclass(frozen=True)
class Study:
    """All answers of a test, before any screening.

    `systems` are the conditions under test in the test's order, without reference and anchors, and
    `kbps` their actual rates; `domains` and `clips` (ids of the run) are by item. Mappings are
    empty where the source, such as a CSV, does not say.
    """

    name: str
    form: Form
    listeners: tuple[Listener, ...]
    systems: tuple[str, ...]
    ratings: tuple[Rating, ...] = ()
    choices: tuple[Choice, ...] = ()
    domains: Mapping[str, Domain] = field(default_factory=dict)
    clips: Mapping[str, str] = field(default_factory=dict)
    kbps: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def answers(self) -> tuple[Rating | Choice, ...]:
        """Ratings and choices, whichever the form has."""
        return (*self.ratings, *self.choices)

    @classmethod
    def of(
        cls,
        test: ListeningTest,
        listeners: tuple[Listener, ...],
        ratings: tuple[Rating, ...] = (),
        choices: tuple[Choice, ...] = (),
    ) -> Self:
        """Answers to a test, with all that the test says of its items and systems."""
        return cls(
            name=test.id,
            form=test.form,
            listeners=listeners,
            systems=tuple(system.name for system in test.systems),
            ratings=ratings,
            choices=choices,
            domains={item.id: item.domain for item in test.items},
            clips={item.id: item.clip for item in test.items},
            kbps={system.name: system.kbps for system in test.systems},
        )
