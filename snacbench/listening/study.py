"""What listeners answered: the same nouns whoever collected the answers, and their CSV.

A CSV has a line per rating, or per answer to a pair. Texts in it are safe to open in a spreadsheet:
where one begins as a formula does, an apostrophe stands before it, which is taken away again where
the line is read.
"""

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TextIO

from pydantic import AfterValidator, BeforeValidator, Field

from snacbench.forms import FORMS, RESERVED, FormName
from snacbench.listening.test import ListeningTest
from snacbench.rows import ListenerScore
from snacbench.types import Domain

Record = dict[str, Any]
"""A line of a table, by the names of the columns that files have."""

# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def safe_cell(value: Any) -> Any:
    """A text as no spreadsheet takes it for a formula; nothing else is changed."""
    formula = isinstance(value, str) and value.lstrip("'").startswith(_FORMULA)
    return f"'{value}" if formula else value


def plain_text(cell: str) -> str:
    """What `safe_cell` was given."""
    quoted = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if quoted else cell


_Name = Annotated[str, BeforeValidator(lambda c: plain_text(c.strip())), Field(min_length=1)]
# The hidden reference and the anchors are known in any case.
_Condition = Annotated[_Name, AfterValidator(lambda n: n.lower() if n.lower() in RESERVED else n)]
_Comment = Annotated[str, BeforeValidator(plain_text)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class Rating:
    """One rating of a listener, on the scale of the test's form; the higher, the better.

    In ``ccr`` it is of the condition against the reference. `page` counts the listener's rated
    pages from 0, `place` the conditions on the page; `time_s` is what the page took. The condition
    was played `plays` times there, and heard for `heard_s`. None where not recorded.
    """

    listener: _Name
    item: _Name
    condition: _Condition
    score: Annotated[_Finite, Field(ge=-3, le=100)]
    page: int | None = None
    place: int | None = None
    time_s: _Finite | None = None
    comment: _Comment = ""
    plays: int | None = None
    heard_s: _Finite | None = None

    @property
    def conditions(self) -> tuple[str, ...]:
        """What was heard for it."""
        return (self.condition,)


@dataclass(frozen=True)
class Choice:
    """One answer to a pair.

    In ``ab``, `a` and `b` are conditions as the listener had them and `answer` is the preferred
    one. In ``abx``, `x` is the condition that X was, and `answer` says which one the listener took
    it for: right where `taken` is `x`. `plays` and `heard_s` are those of the sound heard least.
    """

    listener: _Name
    item: _Name
    a: _Condition
    b: _Condition
    answer: Literal["a", "b", "tie"]
    x: _Condition | None = None
    page: int | None = None
    time_s: _Finite | None = None
    comment: _Comment = ""
    plays: int | None = None
    heard_s: _Finite | None = None

    @property
    def conditions(self) -> tuple[str, ...]:
        """What was heard for it."""
        return (self.a, self.b)

    @property
    def taken(self) -> str | None:
        """The condition that the answer names; None: neither."""
        return {"a": self.a, "b": self.b}.get(self.answer)


Answer = Rating | Choice


@dataclass(frozen=True)
class Listener:
    """A random name, answers to the questionnaire, and rated pages to come, where it is known.

    `observed`: what was recorded of `OBSERVED`, and of what they `CAME_WITH` in the address.
    """

    id: str
    answers: Mapping[str, str] = field(default_factory=dict)
    pages_planned: int | None = None
    observed: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """What files have of them."""
        return {QUESTION + name: text for name, text in self.answers.items()} | {**self.observed}


def duplicates(listeners: Sequence[Listener]) -> list[str]:
    """Sentences on listeners who may be one person, without the e-mail or the id that says so."""
    same: dict[tuple[str, str], list[str]] = {}
    for one in listeners:
        for name, text in one.record.items():
            if name in _PERSONS or _EMAIL.fullmatch(text.strip()):
                same.setdefault((name, text.strip().lower()), []).append(one.id)
    several = ((name, ", ".join(ids)) for (name, _), ids in same.items() if len(ids) > 1)
    return [f"Listeners {ids} have one {name} and may be one person." for name, ids in several]


@dataclass(frozen=True)
class Study:
    """All answers of a test, before any screening: ratings, or choices, whichever the form has.

    `systems` are the conditions under test in the test's order, without reference and anchors, and
    `kbps` their actual rates; `domains` and `clips` (ids of the run) are by item. Mappings are
    empty where the source, such as a CSV, does not say.
    """

    name: str
    form: FormName
    listeners: tuple[Listener, ...]
    systems: tuple[str, ...]
    answers: tuple[Answer, ...] = ()
    domains: Mapping[str, Domain] = field(default_factory=dict)
    clips: Mapping[str, str] = field(default_factory=dict)
    kbps: Mapping[str, float | None] = field(default_factory=dict)

    @cached_property
    def ratings(self) -> tuple[Rating, ...]:
        """The answers, if they are ratings."""
        return tuple(one for one in self.answers if isinstance(one, Rating))

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The answers, if they are to pairs."""
        return tuple(one for one in self.answers if isinstance(one, Choice))

    def rows(self, kept: Collection[str]) -> list[ListenerScore]:
        """The ratings as a run keeps them; those of the listeners `kept` count."""
        found = []
        for r in self.ratings:
            place = r.listener, r.item, self.clips.get(r.item, ""), r.condition
            found.append(ListenerScore(self.name, *place, r.score, kept=r.listener in kept))
        return found

    @classmethod
    def of(
        cls, test: ListeningTest, listeners: tuple[Listener, ...], answers: tuple[Answer, ...]
    ) -> Self:
        """Answers to a test, with all that the test says of its items and systems."""
        kbps = {system.name: system.kbps for system in test.systems}
        domains = {item.id: item.domain for item in test.items}
        clips = {item.id: item.clip for item in test.items}
        return cls(test.id, test.form, listeners, tuple(kbps), answers, domains, clips, kbps)


QUESTION, CAME_WITH = "question_", "came_with_"
OBSERVED = (
    "started_utc", "finished_utc", "duration_s", "headphones", "headphones_right",
    "attention_checks", "attention_failed",
)  # fmt: skip
"""Of a listener; ``headphones`` passed, failed or skipped their check, ``5 of 6`` rounds right."""
_PERSONS = {CAME_WITH + name for name in ("PROLIFIC_PID", "workerId")}
RATING_COLUMNS = (
    "listener", "item", "domain", "clip", "condition", "kbps", "score", "page", "place", "time_s",
    "comment", "form", "plays", "heard_s", *OBSERVED,
)  # fmt: skip
CHOICE_COLUMNS = (
    "listener", "item", "a", "b", "x", "answer", "correct", "page", "time_s", "comment", "plays",
    "heard_s", *OBSERVED,
)  # fmt: skip
"""`correct` and `duration_s` say for people what follows from the others."""


def write_tidy(study: Study, stream: TextIO) -> None:
    """Write all answers of a study, each with what is known of its listener; times in seconds."""
    people = {one.id: one.record for one in study.listeners}
    known = RATING_COLUMNS if FORMS[study.form].rates else CHOICE_COLUMNS
    columns = dict.fromkeys([*known, *(name for record in people.values() for name in record)])
    writer = csv.writer(stream)  # lines end as RFC 4180 has it; else a lone CR would go unquoted
    writer.writerow(columns)
    for answer in study.answers:
        told = people[answer.listener] | vars(answer)
        if isinstance(answer, Rating):
            told["form"], told["domain"] = study.form, study.domains.get(answer.item)
            told["clip"] = study.clips.get(answer.item)
            told["kbps"] = study.kbps.get(answer.condition)
        elif answer.x is not None:
            told["correct"] = int(answer.taken == answer.x)
        for name, value in told.items():
            whole = isinstance(value, float) and value.is_integer()
            told[name] = int(value) if whole else safe_cell(value)
        writer.writerow(map(told.get, columns))
