"""Answers from wherever they are: a test's own folder, or a CSV file of ours or of webMUSHRA.

webMUSHRA, here of 1.4 and later, appends to the file that is there without looking at its headings,
and people join the files of several servers: headings may come again, and may change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from snacbench.errors import UserError, did_you_mean
from snacbench.listening.design import num_trials
from snacbench.listening.study import Listener, Rating, Study
from snacbench.listening.test import (
    ANCHOR35,
    ANCHOR70,
    ANSWERS_FILE,
    RESERVED,
    TEST_FILE,
    Form,
    ListeningTest,
    read_test,
)
from snacbench.listening.tidy import ChoiceLine, RatingLine, plain_text
from snacbench.textfile import plain_names, read_heading, read_records

# Columns of webMUSHRA's mushra.csv, and of its export by pymushra, by our names; all others there
# are answers to the questionnaire.
_FOREIGN = {
    "session_test_id": "test", "wm_testId": "test",
    "session_uuid": "listener", "questionaire_uuid": "listener",
    "trial_id": "item", "wm_id": "item",
    "rating_stimulus": "condition", "responses_stimulus": "condition",
    "rating_score": "score", "responses_score": "score",
    "rating_time": "time_ms", "responses_time": "time_ms",
    "rating_comment": "comment", "responses_comment": "comment",
    "wm_type": "kind",
}  # fmt: skip
_QUESTION = "questionaire_"  # how pymushra spells them
_OURS = dict.fromkeys((*RatingLine.model_fields, *ChoiceLine.model_fields))
_NEEDED = [
    {name for name, field in kind.model_fields.items() if field.is_required()}
    for kind in (RatingLine, ChoiceLine)
]
Rows = Sequence[tuple[int, Mapping[str, str]]]
"""Cells by our names of their columns, and the line that each row begins in."""
Said = TypeVar("Said", RatingLine, ChoiceLine)


@dataclass(frozen=True)
class Source:
    """Answers, and what is known of where they come from.

    Without a `test` there is only a CSV: nothing is known of domains, rates and levels but what it
    says. `notes` say what was left out while reading, in sentences without a stop.
    """

    study: Study
    test: ListeningTest | None = None
    folder: Path | None = None
    notes: tuple[str, ...] = ()


def read_source(path: Path, *, test_folder: Path | None = None) -> Source:
    """Read a test's folder, or a CSV file, whose test by default lies beside it.

    No answers, or some that cannot be read, are a `UserError` that names file, line and column.
    """
    if path.is_dir():
        from snacbench.listening.responses.overview import read_study

        test, answers = read_test(path), path / ANSWERS_FILE
        if not answers.is_file():
            raise UserError(
                f"{path} has no answers yet ({ANSWERS_FILE}); collect some with 'snacbench mushra "
                f"serve {path}', or give a CSV file and --test {path}"
            )
        return Source(read_study(test, answers), test, path)
    if not path.is_file():
        raise UserError(f"{path} is neither a listening test's folder nor a CSV file")
    names = plain_names(read_heading(path, noun="answers"), (*_FOREIGN, *_OURS))
    if "simulated" in names:  # written by 'mushra simulate' of earlier versions
        raise UserError(
            f"{path} has a column 'simulated': nobody listened, and no analysis is made of it; "
            "give a file of real answers"
        )
    foreign = not {"listener", "item"} <= set(names)
    study, notes = read_csv(path, foreign=foreign)
    if test_folder is None and (path.parent / TEST_FILE).is_file():
        test_folder = path.parent
    if test_folder is None:
        return Source(study, notes=notes)
    test = read_test(test_folder)
    if not foreign:  # webMUSHRA stores answers when all are given
        trials = num_trials(test)
        planned = min(test.pages_per_listener or trials, trials)
        listeners = tuple(replace(one, pages_planned=planned) for one in study.listeners)
        study = replace(study, listeners=listeners)
    fitted, more = _fitted(study, test)
    return Source(fitted, test, test_folder, (*notes, *more))


def read_csv(path: Path, *, foreign: bool = False) -> tuple[Study, tuple[str, ...]]:
    """Read what `write_tidy` or, if `foreign`, webMUSHRA wrote; notes say what was left out.

    The study is named by the test's id in the file, or else after the file; webMUSHRA's systems are
    in the order of their names, since its lines are in each listener's own. Everybody with a line
    has finished. Other columns, no answers, one that cannot be, and those of several tests are a
    `UserError`.
    """
    rows, notes = _rows_of(path, foreign=foreign)
    rated = [row for row in rows if row[1].get("kind", "mushra") == "mushra"]
    if not rated:
        raise UserError(f"{path}: no answers under the headings; export the test once it has some")
    if len(rows) > len(rated):
        notes += (f"{len(rows) - len(rated)} lines of pages other than MUSHRA left out",)
    test, *others = dict.fromkeys(cells.get("test", "") for _, cells in rated)
    if others:
        raise UserError(
            f"{path}: answers of several tests ({', '.join(map(repr, (test, *others)))}); put each "
            "into a file of its own"
        )
    listeners: dict[str, Listener] = {}
    for _, cells in rated:
        answers = {
            name.removeprefix(_QUESTION): text.strip()
            for name, text in cells.items()
            if name.startswith(_QUESTION)
        }
        name = plain_text(cells["listener"].strip())
        listeners.setdefault(name, Listener(name, answers))
    study = Study(test or path.stem, "ab", tuple(listeners.values()), ())
    if "answer" in rated[0][1]:
        return _with_choices(study, path, rated), notes
    lines = [(at, _said(RatingLine, path, at, cells)) for at, cells in rated]
    ratings, repeated = _each_once(path, ((at, line.answer_of()) for at, line in lines))
    names = dict.fromkeys(rating.condition for rating in ratings)
    study = replace(
        study,
        form="mushra" if {ANCHOR35, ANCHOR70} & names.keys() else "mushra-no-anchors",
        systems=tuple(n for n in (sorted(names) if foreign else names) if n not in RESERVED),
        ratings=ratings,
        domains={line.item: line.domain for _, line in lines},
        clips={line.item: line.clip for _, line in lines if line.clip},
        kbps={line.condition: line.kbps for _, line in lines},
    )
    return study, (*notes, *repeated)


def _rows_of(path: Path, *, foreign: bool) -> tuple[Rows, tuple[str, ...]]:
    """All rows under their headings, which may come again; notes say how they were read."""
    ours = _FOREIGN if foreign else {name: name for name in _OURS}
    php = foreign and "session_uuid" in plain_names(read_heading(path, noun="answers"), ours)
    records, notes = read_records(path, noun="answers", quotes="php" if php else "doubled")
    rows, columns, at, width = list[tuple[int, Mapping[str, str]]](), list[str](), 0, 0
    for record in records:
        names = [
            ours.get(name) or (_question(name) if foreign else name)
            for name in plain_names(record.cells, ours)
        ]
        if any(needed <= set(names) for needed in _NEEDED):
            width = len(names)
            while not names[-1]:  # spreadsheets add empty ones
                names.pop()
            columns, at = names, record.line
            if twice := sorted({name for name in names if name and names.count(name) > 1}):
                raise UserError(f"{path}, line {at}: the column {twice[0]!r} comes twice; keep one")
        elif not columns:
            break
        elif (
            len(record.cells) < len(columns)
            or any(record.cells[len(columns) :])
            or (foreign and len(record.cells) != width)  # of a questionnaire that was changed
        ):
            raise UserError(
                f"{path}, line {record.line}: {len(record.cells)} cells under the {len(columns)} "
                f"columns of line {at}; a cell that holds a separator, a quote or a new line "
                "stands in quotes, and other headings stand above their lines"
            )
        else:
            told = dict(zip(columns, record.cells, strict=False))
            rows.append((record.line, {n: told[n] for n in told if n and (foreign or n in ours)}))
    if not columns:
        found = ", ".join(records[0].cells) if records else "none"
        raise UserError(
            f"{path}, line 1: columns of no known file: {found:.200}; expected "
            f"{', '.join(RatingLine.model_fields)}; or {', '.join(ChoiceLine.model_fields)}; or "
            f"webMUSHRA's {', '.join(_FOREIGN)}"
        )
    if unknown := [name for name in columns if name not in ours and not foreign]:
        notes += (f"columns not known and not used: {path.name}, {', '.join(unknown)}",)
    return rows, notes


def _question(name: str) -> str:
    """A column of the questionnaire by a name that none of ours has; pymushra's own stay."""
    return name if not name or name.startswith((_QUESTION, "wm_")) else _QUESTION + name


def _said(kind: type[Said], path: Path, at: int, cells: Mapping[str, str]) -> Said:
    """What a line says, or a `UserError` with its column."""
    told = {name: text for name, text in cells.items() if text}
    with suppress(KeyError, ValueError):  # it is for information only
        if math.isfinite(time_s := float(told["time_ms"]) / 1000):
            told["time_s"] = str(time_s)
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0])
        raise UserError(
            f"{path}, line {at}: {column}: {first['msg']}, found {cells.get(column, '')!r}"
        ) from error


def _with_choices(study: Study, path: Path, rows: Rows) -> Study:
    choices = [(at, _said(ChoiceLine, path, at, cells).answer_of()) for at, cells in rows]
    form: Form = "abx" if any(choice.x for _, choice in choices) else "ab"
    for at, c in choices:
        if form == "abx" and c.x not in (c.a, c.b):
            raise UserError(f"{path}, line {at}: x: expected {c.a} or {c.b}, found {c.x or ''!r}")
    names = dict.fromkeys(name for _, c in choices for name in (c.a, c.b))
    systems = tuple(name for name in names if name not in RESERVED)
    return replace(study, form=form, systems=systems, choices=tuple(c for _, c in choices))


def _each_once(
    path: Path, placed: Iterable[tuple[int, Rating]]
) -> tuple[tuple[Rating, ...], tuple[str, ...]]:
    """Each rating once, and what was dropped, in sentences.

    A listener whose browser sent the results twice has all lines twice. Two different scores for
    the same thing are a `UserError`.
    """
    kept: dict[tuple[str, str, str], tuple[int, Rating]] = {}
    repeated = 0
    for at, r in placed:
        before, first = kept.setdefault((r.listener, r.item, r.condition), (at, r))
        repeated += before != at
        if first.score != r.score:
            raise UserError(
                f"{path}, line {at}: {r.condition} of item {r.item} was rated {r.score:g} by "
                f"listener {r.listener}, who rated it {first.score:g} in line {before}; keep one "
                "of the two"
            )
    notes = (f"{repeated} ratings that came twice counted once",) if repeated else ()
    return tuple(rating for _, rating in kept.values()), notes


def _fitted(study: Study, test: ListeningTest) -> tuple[Study, tuple[str, ...]]:
    """A study from a CSV with all that its test says of items and systems; practice left out.

    Also what was left out, in sentences.
    """
    asked, told = (f if f in ("ab", "abx") else "mushra" for f in (test.form, study.form))
    if asked != told:
        raise UserError(
            f"the answers are of form {told}, and {TEST_FILE} says {test.form}; name the test that "
            "they are of with --test"
        )
    practice = {item.id for item in test.training}
    names = {r.condition for r in study.ratings} | {n for c in study.choices for n in (c.a, c.b)}
    for noun, found, known in (
        (
            "item",
            {answer.item for answer in study.answers} - practice,
            {item.id for item in test.items},
        ),
        ("condition", names, set(test.conditions)),
    ):
        for name in sorted(found - known):
            raise UserError(
                f"the answers are on {noun} {name!r}, which {TEST_FILE} does not have; "
                f"{did_you_mean(name, sorted(known))}"
            )
    fitted = Study.of(
        test,
        study.listeners,
        tuple(r for r in study.ratings if r.item not in practice),
        tuple(c for c in study.choices if c.item not in practice),
    )
    left_out = sum(answer.item in practice for answer in study.answers)
    return fitted, ((f"{left_out} answers on training pages left out",) if left_out else ())
