"""Results as other tools have them: webMUSHRA's ``mushra.csv``, and pymushra's export.

webMUSHRA, here of 1.4 and later, appends to the file that is there without looking at its headings,
and people join the files of several servers: headings may come again, and may change. pymushra
separates by semicolons and names columns by where they came from, in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from snacbench.errors import UserError
from snacbench.listening.study import Listener, Rating, Study
from snacbench.listening.test import ListeningTest
from snacbench.listening.tidy import Line, each_once, form_of, safe_cell, systems_among
from snacbench.textfile import Quotes, plain_names, read_records


@dataclass(frozen=True)
class Dialect:
    """The names of a tool's columns; all others are answers to the questionnaire."""

    name: str
    test: str
    listener: str
    item: str
    condition: str
    score: str
    time_ms: str
    comment: str
    kind: str
    answer_prefix: str

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns without which it cannot be this dialect."""
        return (self.listener, self.item, self.condition, self.score)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is not an answer to the questionnaire."""
        return (self.test, *self.needed, self.time_ms, self.comment, self.kind)

    def rating(self, line: Line) -> tuple[Listener, Rating]:
        """What a line says."""
        answers = {
            column.removeprefix(self.answer_prefix): text.strip()
            for column, text in line.cells.items()
            if column not in self.columns and column.startswith(self.answer_prefix)
        }
        try:
            time_s = float(line.cell(self.time_ms)) / 1000
        except ValueError:
            time_s = None  # it is for information only
        name = line.text(self.listener)
        return Listener(name, answers), Rating(
            name,
            line.text(self.item),
            line.condition(self.condition),
            line.score(self.score),
            time_s=time_s,
            comment=line.cell(self.comment),
        )


DIALECTS = [
    Dialect(*names)
    for names in zip(
        ("webMUSHRA", "pymushra"),
        ("session_test_id", "wm_testId"),
        ("session_uuid", "questionaire_uuid"),
        ("trial_id", "wm_id"),
        ("rating_stimulus", "responses_stimulus"),
        ("rating_score", "responses_score"),
        ("rating_time", "responses_time"),
        ("rating_comment", "responses_comment"),
        ("", "wm_type"),
        ("", "questionaire_"),
        strict=True,
    )
]
WEBMUSHRA = DIALECTS[0]


def dialect_of(columns: Sequence[str]) -> Dialect | None:
    """The tool that writes such columns; None if we know none."""
    return next(
        (d for d in DIALECTS if set(d.needed) <= set(plain_names(columns, d.columns))), None
    )


def read_webmushra(path: Path, dialect: Dialect = WEBMUSHRA) -> tuple[Study, tuple[str, ...]]:
    """Read another tool's file; notes say what was left out.

    The study is named by the test's id in the file, or else after the file. Its systems are in the
    order of their names, since the lines' order is each listener's own. Everybody with a line has
    finished: these tools store answers when all are given. No ratings, one that cannot be, and
    those of several tests are a `UserError`.
    """
    quotes: Quotes = "php" if dialect is WEBMUSHRA else "doubled"  # its server is PHP
    records, notes = read_records(path, noun="answers", quotes=quotes)
    lines, columns, at = list[Line](), tuple[str, ...](), 0
    for record in records:
        names = plain_names(record.cells, dialect.columns)
        if set(dialect.needed) <= set(names):
            columns, at = names, record.line
            if twice := sorted({name for name in names if name and names.count(name) > 1}):
                raise UserError(f"{path}, line {at}: the column {twice[0]!r} comes twice; keep one")
        elif len(record.cells) != len(columns):
            raise UserError(
                f"{path}, line {record.line}: expected {len(columns)} columns as in the headings "
                f"of line {at}, found {len(record.cells)}; if the questionnaire was changed "
                "during the test, put the new headings above this line"
            )
        else:
            lines.append(Line(path, record.line, dict(zip(columns, record.cells, strict=True))))
    rated = [line for line in lines if line.cells.get(dialect.kind, "mushra") == "mushra"]
    if not rated:
        raise UserError(f"{path}: no MUSHRA ratings under the headings")
    tests = list(dict.fromkeys(line.cell(dialect.test) for line in rated))
    if len(tests) > 1:
        raise UserError(
            f"{path}: answers of several tests ({', '.join(map(repr, tests))} in column "
            f"{dialect.test}); put each into a file of its own"
        )
    found = [(line, *dialect.rating(line)) for line in rated]
    ratings, repeated = each_once((line, rating) for line, _, rating in found)
    if len(lines) > len(rated):
        repeated += (f"{len(lines) - len(rated)} lines of pages other than MUSHRA left out",)
    listeners: dict[str, Listener] = {}
    for _, one, _ in found:
        listeners.setdefault(one.id, one)
    study = Study(
        name=tests[0] or path.stem,
        form=form_of(ratings),
        listeners=tuple(listeners.values()),
        systems=systems_among(sorted({rating.condition for rating in ratings})),
        ratings=ratings,
    )
    return study, (*notes, *repeated)


def write_webmushra(test: ListeningTest, study: Study, stream: TextIO) -> None:
    """Write one line per rating, with the listener's answers to the questionnaire.

    Scores run from 0 (bad) to 100 (excellent); ``rating_time`` is what the page took, in
    milliseconds; ``trial_id`` is the item. For pairs webMUSHRA has no such table: a `UserError`.
    """
    if study.form not in ("mushra", "mushra-no-anchors"):
        raise UserError(
            f"webMUSHRA's form has no column for answers of an {study.form} test; export it as tidy"
        )
    questions = [question.id for question in test.questionnaire]
    writer = csv.writer(stream)
    first, *others = (column for column in WEBMUSHRA.columns if column)
    writer.writerow((first, *questions, *others))
    told = {listener.id: listener.answers for listener in study.listeners}
    for r in study.ratings:
        answers = [told.get(r.listener, {}).get(question, "") for question in questions]
        time_ms = "" if r.time_s is None else str(round(1000 * r.time_s))
        cells = (study.name, *answers, r.listener, r.item, r.condition, f"{r.score:g}", time_ms)
        writer.writerow(map(safe_cell, (*cells, r.comment)))
