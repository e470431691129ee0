"""Results as other tools have them: webMUSHRA's ``mushra.csv``, and pymushra's export.

webMUSHRA writes a comma-separated line per rating: ``session_test_id``, the questionnaire's
columns, ``session_uuid`` (not before version 1.4), ``trial_id``, ``rating_stimulus``,
``rating_score``, ``rating_time`` in ms, ``rating_comment``. It appends to the file that is there
without looking at its headings, and people join the files of several servers: headings may come
again, and may change.

pymushra separates by semicolons and names columns by where they came from, in any order:
``wm_testId``, ``wm_id``, ``wm_type``, ``questionaire_uuid`` (so spelt) and further answers,
``responses_stimulus``, ``responses_score``, ``responses_time``, ``responses_comment``.
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
from snacbench.listening.tidy import Line, condition_of, form_of, safe_cell, systems_among
from snacbench.textfile import Quotes, plain_names, read_records


@dataclass(frozen=True)
class Dialect:
    """How a tool names what we need, and how it tells one listener from another."""

    name: str
    test: str
    listener: str
    item: str
    condition: str
    score: str
    time_ms: str
    comment: str
    kind: str = ""
    answer_prefix: str = ""
    quotes: Quotes = "doubled"

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns without which it cannot be this dialect."""
        return (self.item, self.condition, self.score)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is not an answer to the questionnaire."""
        return (self.test, self.listener, *self.needed, self.time_ms, self.comment, self.kind)

    def answers(self, line: Line) -> dict[str, str]:
        """A line's answers to the questionnaire."""
        return {
            column.removeprefix(self.answer_prefix): text.strip()
            for column, text in line.cells.items()
            if column not in self.columns and column.startswith(self.answer_prefix)
        }

    def listener_of(self, line: Line) -> str:
        """The session's id; in files of old versions, which have none, all that they answered."""
        if self.listener in line.cells:
            return line.text(self.listener)
        answers = self.answers(line)
        if not any(answers.values()):
            raise UserError(
                f"{line.path}, line {line.number}: nothing tells listeners apart: there is "
                f"neither a column {self.listener} nor an answer to a questionnaire; add one of "
                "them"
            )
        return " ".join(answers.values())


WEBMUSHRA = Dialect(
    "webMUSHRA",
    test="session_test_id",
    listener="session_uuid",
    item="trial_id",
    condition="rating_stimulus",
    score="rating_score",
    time_ms="rating_time",
    comment="rating_comment",
    quotes="php",  # its server is PHP
)
PYMUSHRA = Dialect(
    "pymushra",
    test="wm_testId",
    listener="questionaire_uuid",
    item="wm_id",
    condition="responses_stimulus",
    score="responses_score",
    time_ms="responses_time",
    comment="responses_comment",
    kind="wm_type",
    answer_prefix="questionaire_",
)
DIALECTS = (WEBMUSHRA, PYMUSHRA)


def dialect_of(columns: Sequence[str]) -> Dialect | None:
    """The tool that writes such columns; None if we know none."""
    return next(
        (d for d in DIALECTS if set(d.needed) <= set(plain_names(columns, d.columns))), None
    )


def read_webmushra(path: Path, dialect: Dialect = WEBMUSHRA) -> tuple[Study, tuple[str, ...]]:
    """Read another tool's file.

    Returns
    -------
    Study
        Named by the test's id in the file, or else after the file. Its systems are in the order
        of their names, since the lines' order is each listener's own.
    tuple of str
        What was left out, in sentences.

    Raises
    ------
    UserError
        If it holds no ratings, or one that cannot be, or those of several tests.
    """
    lines, notes = _lines(path, dialect)
    rated = [li for li in lines if li.cells.get(dialect.kind, "mushra") == "mushra"]
    if not rated:
        raise UserError(f"{path}: no MUSHRA ratings under the headings")
    ratings, repeated = without_repetitions(
        path, [(line.number, _rating(line, dialect)) for line in rated]
    )
    notes = (*notes, *repeated)
    if len(lines) > len(rated):
        notes = (*notes, f"{len(lines) - len(rated)} lines of pages other than MUSHRA left out")
    tests = list(dict.fromkeys(line.cells.get(dialect.test, "") for line in rated))
    if len(tests) > 1:
        raise UserError(
            f"{path}: answers of several tests ({', '.join(map(repr, tests))} in column "
            f"{dialect.test}); put each into a file of its own"
        )
    # Everybody with a line has finished: these tools store answers when all are given.
    listeners: dict[str, Listener] = {}
    for line in rated:
        name = dialect.listener_of(line)
        listeners.setdefault(name, Listener(name, dialect.answers(line)))
    study = Study(
        name=tests[0] or path.stem,
        form=form_of(ratings),
        listeners=tuple(listeners.values()),
        systems=systems_among(sorted({rating.condition for rating in ratings})),
        ratings=ratings,
    )
    return study, notes


def _lines(path: Path, dialect: Dialect) -> tuple[list[Line], tuple[str, ...]]:
    """Every line with its cells by the headings above it, and notes on how they were read."""
    records, notes = read_records(path, noun="answers", quotes=dialect.quotes)
    lines = []
    columns: tuple[str, ...] = ()
    at = 0
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
            cells = dict(zip(columns, record.cells, strict=True))
            lines.append(Line(path, record.line, cells))
    return lines, notes


def _rating(line: Line, dialect: Dialect) -> Rating:
    try:
        time_s = float(line.cells[dialect.time_ms]) / 1000
    except (KeyError, ValueError):
        time_s = None  # it is for information only
    return Rating(
        listener=dialect.listener_of(line),
        item=line.text(dialect.item),
        condition=condition_of(line.text(dialect.condition)),
        score=line.score(dialect.score),
        time_s=time_s,
        comment=line.cells.get(dialect.comment, ""),
    )


def without_repetitions(
    path: Path, placed: Sequence[tuple[int, Rating]], *, noun: str = "line"
) -> tuple[tuple[Rating, ...], tuple[str, ...]]:
    """Each rating once, of ratings with the numbers of their lines; what was dropped, in sentences.

    A listener whose browser sent the results twice has all lines twice.

    Raises
    ------
    UserError
        If a listener gave two different scores to the same thing.
    """
    kept: dict[tuple[str, str, str], tuple[int, Rating]] = {}
    for at, r in placed:
        first_at, first = kept.setdefault((r.listener, r.item, r.condition), (at, r))
        if first.score != r.score:
            raise UserError(
                f"{path}, {noun} {at}: {r.condition} of item {r.item} was rated {r.score:g} by "
                f"listener {r.listener}, who rated it {first.score:g} in {noun} {first_at}; keep "
                "one of the two"
            )
    repeated = len(placed) - len(kept)
    notes = (f"{repeated} ratings that came twice counted once",) if repeated else ()
    return tuple(rating for _, rating in kept.values()), notes


def write_webmushra(test: ListeningTest, study: Study, stream: TextIO) -> None:
    """Write one line per rating, with the listener's answers to the questionnaire.

    Scores run from 0 (bad) to 100 (excellent); ``rating_time`` is what the page took, in
    milliseconds; ``trial_id`` is the item.

    Raises
    ------
    UserError
        If the test is no MUSHRA test: webMUSHRA has no such table of pairs.
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
