"""Answers from wherever they are: a test's own folder, or a CSV file of ours or of webMUSHRA.

webMUSHRA is here of 1.4 and later. People join the files of several servers: the headings may come
again between the lines.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from snacbench.errors import UserError, did_you_mean
from snacbench.forms import ANCHOR35, ANCHOR70, FORMS, RESERVED, FormName
from snacbench.listening.design import trials_of
from snacbench.listening.responses import read_study
from snacbench.listening.study import (
    CAME_WITH,
    CHOICE_COLUMNS,
    OBSERVED,
    QUESTION,
    RATING_COLUMNS,
    Choice,
    Listener,
    Rating,
    Study,
    plain_text,
)
from snacbench.listening.test import ANSWERS_FILE, TEST_FILE, ListeningTest, read_test
from snacbench.textfile import plain_names, read_heading, read_table
from snacbench.types import Domain

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
_OURS = {name: name for name in (*RATING_COLUMNS, *CHOICE_COLUMNS)}
_NEEDED = [
    {one.name for one in fields(kind) if one.default is MISSING} for kind in (Rating, Choice)
]
Rows = Sequence[tuple[int, Mapping[str, str]]]
"""Cells by our names of their columns, and the line that each row begins in."""


@dataclass(frozen=True)
class _About:
    """What a line with a rating says of its item and system besides."""

    domain: Domain = "unknown"
    clip: str = ""
    kbps: float | None = None
    form: FormName | None = None


_RATING, _CHOICE, _ABOUT = TypeAdapter(Rating), TypeAdapter(Choice), TypeAdapter(_About)


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
    rows, notes = _rows_of(path, names, foreign=foreign)
    rated = [row for row in rows if row[1].get("kind", "mushra") == "mushra"]
    if not rated:
        raise UserError(f"{path}: no answers under the headings; export the test once it has some")
    if len(rows) > len(rated):
        notes += (f"{len(rows) - len(rated)} lines of pages other than MUSHRA left out",)
    study, repeated = _study_of(path, rated, foreign=foreign)
    notes += (f"{repeated} ratings that came twice counted once",) if repeated else ()
    if test_folder is None and (path.parent / TEST_FILE).is_file():
        test_folder = path.parent
    if test_folder is None:
        return Source(study, notes=notes)
    test = read_test(test_folder)
    if not foreign:  # webMUSHRA stores answers when all are given
        trials = len(trials_of(test, test.items))
        planned = min(test.pages_per_listener or trials, trials)
        listeners = tuple(replace(one, pages_planned=planned) for one in study.listeners)
        study = replace(study, listeners=listeners)
    fitted = _fitted(study, test)
    left_out = len(study.answers) - len(fitted.answers)
    notes += (f"{left_out} answers on training pages left out",) if left_out else ()
    return Source(fitted, test, test_folder, notes)


def _rows_of(path: Path, names: Collection[str], *, foreign: bool) -> tuple[Rows, tuple[str, ...]]:
    """All rows by our names of their columns; notes say how they were read."""
    own = {name: name for name in names if name.startswith((QUESTION, CAME_WITH))}
    ours, known = (_FOREIGN, names) if foreign else (_OURS | own, _OURS | own)
    php = foreign and "session_uuid" in names
    table = read_table(path, known, noun="answers", quotes="php" if php else "doubled")
    # Other columns of theirs are of the questionnaire, by names that none of ours has.
    asked = ("" if n.startswith((_QUESTION, "wm_")) or not n else _QUESTION for n in table.columns)
    theirs = [before + n if foreign else "" for before, n in zip(asked, table.columns, strict=True)]
    columns = [ours.get(n) or t for n, t in zip(table.columns, theirs, strict=True)]
    if not any(needed <= set(columns) for needed in _NEEDED):
        found = ", ".join(table.columns) or "none"
        raise UserError(
            f"{path}, line 1: columns of no known file: {found:.200}; expected "
            f"{', '.join(RATING_COLUMNS)}; or {', '.join(CHOICE_COLUMNS)}; or "
            f"webMUSHRA's {', '.join(_FOREIGN)}"
        )
    rows = [
        (at, {name: text for name, text in zip(columns, cells.values(), strict=True) if name})
        for at, cells in table.rows
        if plain_names([*cells.values()], known) != table.columns
    ]
    return rows, table.notes


def _study_of(path: Path, rows: Rows, *, foreign: bool) -> tuple[Study, int]:
    """The study that lines tell of; and how many ratings came twice, as one's browser sent them."""
    # It is named by the test's id in the file, or else after the file; webMUSHRA's systems are in
    # the order of their names, since its lines are in each listener's own. Answers that cannot be,
    # to several tests, and two different scores for the same thing are a `UserError`.
    test, *others = dict.fromkeys(cells.get("test", "") for _, cells in rows)
    if others:
        raise UserError(
            f"{path}: answers of several tests ({', '.join(map(repr, (test, *others)))}); put each "
            "into a file of its own"
        )
    listeners: dict[str, Listener] = {}
    found: dict[object, tuple[int, Rating | Choice]] = {}
    tell: dict[str, dict[str, Any]] = {"domains": {}, "clips": {}, "kbps": {}}
    forms, repeated = dict[FormName | None, None](), 0
    for at, cells in rows:
        one, about = _said(path, at, cells)
        if one.listener not in listeners:
            own = {n: text for n, t in cells.items() if (text := plain_text(t.strip()))}
            said = {n.partition("_")[2]: own[n] for n in own if n.startswith((_QUESTION, QUESTION))}
            seen = {n: own[n] for n in own if n in OBSERVED or n.startswith(CAME_WITH)}
            listeners[one.listener] = Listener(one.listener, said, observed=seen)
        if isinstance(one, Choice):  # which may be asked for again, on another page
            before, _ = found.setdefault(at if one.page is None else one, (at, one))
            repeated += before != at
            continue
        forms[about.form] = None
        low, high = FORMS[about.form or "mushra"].scale
        if not low <= one.score <= high:
            expected = f"expected {low} to {high}, found {one.score:g}"
            raise UserError(f"{path}, line {at}: score: {expected}")
        before, first = found.setdefault((one.listener, one.item, one.condition), (at, one))
        repeated += before != at
        if isinstance(first, Rating) and first.score != one.score:
            raise UserError(
                f"{path}, line {at}: {one.condition} of item {one.item} was rated {one.score:g} by "
                f"listener {one.listener}, who rated it {first.score:g} in line {before}; keep one "
                "of the two"
            )
        tell["domains"][one.item], tell["kbps"][one.condition] = about.domain, about.kbps
        tell["clips"] |= {one.item: about.clip} if about.clip else {}
    told = [one for _, one in found.values()]
    names = dict.fromkeys(name for one in told for name in one.conditions)
    guessed: FormName = "mushra" if {ANCHOR35, ANCHOR70} & names.keys() else "mushra-no-anchors"
    form, *mixed = [name or guessed for name in forms] or [guessed]
    if mixed or not FORMS[form].rates:
        found_forms = ", ".join(map(str, forms))
        raise UserError(f"{path}: form: expected one form of ratings, found {found_forms}")
    choices = [(at, one) for at, one in found.values() if isinstance(one, Choice)]
    if choices:
        form = "abx" if any(one.x for _, one in choices) else "ab"
    for at, one in choices if form == "abx" else ():
        if one.x not in one.conditions:
            expected = f"expected {one.a} or {one.b}, found {one.x or ''!r}"
            raise UserError(f"{path}, line {at}: x: {expected}")
    systems = tuple(n for n in (sorted(names) if foreign else names) if n not in RESERVED)
    name = test or path.stem
    return Study(name, form, tuple(listeners.values()), systems, tuple(told), **tell), repeated


def _said(path: Path, at: int, cells: Mapping[str, str]) -> tuple[Rating | Choice, _About]:
    """What a line says, or a `UserError` with its column."""
    told = {name: text for name, text in cells.items() if text}
    with suppress(KeyError, ValueError):  # it is for information only
        if math.isfinite(time_s := float(told["time_ms"]) / 1000):
            told["time_s"] = str(time_s)
    try:
        if "answer" in cells:
            return _CHOICE.validate_python(told), _About()
        return _RATING.validate_python(told), _ABOUT.validate_python(told)
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0])
        why = f"{path}, line {at}: {column}: {first['msg']}, found {cells.get(column, '')!r}"
        raise UserError(why) from error


def _fitted(study: Study, test: ListeningTest) -> Study:
    """A study from a CSV with all that its test says of items and systems; practice left out."""
    alike = FORMS[study.form].kind == FORMS[test.form].kind != "single"
    if study.form != test.form and not alike:
        raise UserError(
            f"the answers are of form {study.form}, and {TEST_FILE} says {test.form}; name the "
            "test that they are of with --test"
        )
    practice = {item.id for item in test.training}
    names = {name for answer in study.answers for name in answer.conditions}
    items = {answer.item for answer in study.answers} - practice
    for noun, found, known in (
        ("item", items, {item.id for item in test.items}),
        ("condition", names, set(test.conditions)),
    ):
        for name in sorted(found - known):
            raise UserError(
                f"the answers are on {noun} {name!r}, which {TEST_FILE} does not have; "
                f"{did_you_mean(name, sorted(known))}"
            )
    rated = tuple(answer for answer in study.answers if answer.item not in practice)
    return Study.of(test, study.listeners, rated)
