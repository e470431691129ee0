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

    `page` counts the listener's rated pages from 0 in the order in which they came; `place` is
    the condition's place on the page; `time_s` is what the page took. None where not recorded.
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
    it for: right where ``{"a": a, "b": b}[answer] == x``.
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


@dataclass(frozen=True)
class Listener:
    """A listener: a random name, answers to the questionnaire, and how far they came.

    `pages_planned` is None where the source does not say; `finished` is then assumed.
    """

    id: str
    answers: Mapping[str, str] = field(default_factory=dict)
    pages_planned: int | None = None
    finished: bool = True
    started_utc: str = ""
    finished_utc: str = ""


@dataclass(frozen=True)
class Study:
    """All answers of a test, before any screening.

    Attributes
    ----------
    domains, clips : mapping from item to domain, to clip id of the run
        Empty where the source (a CSV) does not say.
    kbps : mapping from condition to float or None
        Actual rate of each system in kbps.
    systems : tuple of str
        Conditions under test, in the test's order: no reference, no anchors.
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
    simulated: bool = False

    @classmethod
    def of(
        cls,
        test: ListeningTest,
        listeners: tuple[Listener, ...],
        ratings: tuple[Rating, ...] = (),
        choices: tuple[Choice, ...] = (),
        *,
        simulated: bool = False,
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
            simulated=simulated,
        )
