"""Results of other tools: webMUSHRA's ``mushra.csv`` and pymushra's export.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.errors import UserError
from snacbench.listening.study import Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, RESERVED
from snacbench.listening.tidy import condition_of, plain_text
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
        named = (self.test, self.listener, *self.needed, self.time_ms, self.comment, self.kind)
        return tuple(filter(None, named))


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


@dataclass(frozen=True)
class Placed:
    """A rating and the line it stands in."""

    rating: Rating
    line: int


@dataclass(frozen=True)
class _Line:
    path: Path
    number: int
    cells: Mapping[str, str]

    def wrong(self, column: str, expected: str) -> UserError:
        found = self.cells.get(column, "")
        return UserError(f"{self.path}, line {self.number}: {column}: {expected}, found {found!r}")

    def name(self, column: str) -> str:
        found = plain_text(self.cells.get(column, "").strip())
        if not found:
            raise self.wrong(column, "expected a name")
        return found


def dialect_of(columns: Sequence[str]) -> Dialect | None:
    """The tool that writes such columns; None if we know none."""
    return next(
        (d for d in DIALECTS if set(d.needed) <= set(plain_names(columns, d.columns))), None
    )


def read_foreign(path: Path, dialect: Dialect) -> tuple[Study, tuple[str, ...]]:
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
    lines, said = _lines(path, dialect)
    rated = [li for li in lines if li.cells.get(dialect.kind, "mushra") == "mushra"]
    if not rated:
        raise UserError(f"{path}: no MUSHRA ratings under the headings")
    placed = [Placed(_rating(line, dialect), line.number) for line in rated]
    ratings, notes = without_repetitions(path, placed)
    notes = (*said, *notes)
    if len(lines) > len(rated):
        notes = (*notes, f"{len(lines) - len(rated)} lines of pages other than MUSHRA left out")
    conditions = sorted({r.condition for r in ratings})
    anchors = {ANCHOR35, ANCHOR70} & set(conditions)
    study = Study(
        name=_test_name(path, rated, dialect),
        form="mushra" if anchors else "mushra-no-anchors",
        listeners=_listeners(rated, dialect),
        systems=tuple(name for name in conditions if name not in RESERVED),
        ratings=ratings,
    )
    return study, notes


def _lines(path: Path, dialect: Dialect) -> tuple[list[_Line], tuple[str, ...]]:
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
            lines.append(_Line(path, record.line, cells))
    return lines, notes


def _rating(line: _Line, dialect: Dialect) -> Rating:
    return Rating(
        listener=_listener_name(line, dialect),
        item=line.name(dialect.item),
        condition=condition_of(line.name(dialect.condition)),
        score=_score(line, dialect.score),
        time_s=_time_s(line, dialect.time_ms),
        comment=line.cells.get(dialect.comment, ""),
    )


def _score(line: _Line, column: str) -> float:
    try:
        score = float(line.cells[column])
    except ValueError as error:
        raise line.wrong(column, "expected a number from 0 to 100") from error
    if not 0 <= score <= 100:
        raise line.wrong(column, "expected 0 to 100")
    return score


def _time_s(line: _Line, column: str) -> float | None:
    try:
        return float(line.cells[column]) / 1000
    except (KeyError, ValueError):
        return None  # it is for information only


def _listener_name(line: _Line, dialect: Dialect) -> str:
    """The session's id; in files of old versions, which have none, all that they answered."""
    if dialect.listener in line.cells:
        return line.name(dialect.listener)
    answers = _answers(line, dialect)
    if not any(answers.values()):
        raise UserError(
            f"{line.path}, line {line.number}: nothing tells listeners apart: there is neither a "
            f"column {dialect.listener} nor an answer to a questionnaire; add one of them"
        )
    return " ".join(answers.values())


def _answers(line: _Line, dialect: Dialect) -> dict[str, str]:
    """Answers to the questionnaire."""
    prefix = dialect.answer_prefix
    return {
        column.removeprefix(prefix): text.strip()
        for column, text in line.cells.items()
        if column not in dialect.columns and column.startswith(prefix)
    }


def _listeners(lines: Sequence[_Line], dialect: Dialect) -> tuple[Listener, ...]:
    """Everybody with a line: these tools store a listener's answers when all are given."""
    first = {_listener_name(line, dialect): line for line in reversed(lines)}
    names = dict.fromkeys(_listener_name(line, dialect) for line in lines)
    return tuple(Listener(name, _answers(first[name], dialect)) for name in names)


def _test_name(path: Path, lines: Sequence[_Line], dialect: Dialect) -> str:
    names = list(dict.fromkeys(line.cells.get(dialect.test, "") for line in lines))
    if len(names) > 1:
        raise UserError(
            f"{path}: answers of several tests ({', '.join(map(repr, names))} in column "
            f"{dialect.test}); put each into a file of its own"
        )
    return names[0] or path.stem


def without_repetitions(
    path: Path, placed: Sequence[Placed], *, noun: str = "line"
) -> tuple[tuple[Rating, ...], tuple[str, ...]]:
    """Each rating once; what was dropped, in sentences.

    A listener whose browser sent the results twice has all lines twice.

    Raises
    ------
    UserError
        If a listener gave two different scores to the same thing.
    """
    kept: dict[tuple[str, str, str], Placed] = {}
    repeated = 0
    for one in placed:
        r = one.rating
        first = kept.setdefault((r.listener, r.item, r.condition), one)
        if first is one:
            continue
        repeated += 1
        if first.rating.score != r.score:
            raise UserError(
                f"{path}, {noun} {one.line}: {r.condition} of item {r.item} was rated {r.score:g} "
                f"by listener {r.listener}, who rated it {first.rating.score:g} in {noun} "
                f"{first.line}; keep one of the two"
            )
    notes = (f"{repeated} ratings that came twice counted once",) if repeated else ()
    return tuple(one.rating for one in kept.values()), notes
