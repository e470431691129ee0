"""Answers from wherever they are: a test's own folder, or a CSV file of ours or of other tools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from snacbench.errors import UserError, did_you_mean
from snacbench.listening.design import num_trials
from snacbench.listening.study import Study
from snacbench.listening.test import ANSWERS_FILE, TEST_FILE, ListeningTest, read_test
from snacbench.listening.tidy import CHOICE_COLUMNS, RATING_COLUMNS, read_tidy
from snacbench.listening.webmushra_csv import DIALECTS, dialect_of, read_webmushra
from snacbench.textfile import read_heading


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
    columns = read_heading(path, noun="answers")
    dialect = dialect_of(columns)
    if dialect:
        study, notes = read_webmushra(path, dialect)
    elif {"listener", "item"} <= {column.lower() for column in columns}:
        study, notes = read_tidy(path)
    else:
        kinds = {"snacbench's ratings": RATING_COLUMNS, "snacbench's pairs": CHOICE_COLUMNS}
        kinds |= {dialect.name: dialect.needed for dialect in DIALECTS}
        known = "; or ".join(f"{', '.join(needed)} ({name})" for name, needed in kinds.items())
        raise UserError(
            f"{path}, line 1: columns of no known file: {', '.join(columns) or 'none':.200}; "
            f"expected {known}"
        )
    if test_folder is None and (path.parent / TEST_FILE).is_file():
        test_folder = path.parent
    if test_folder is None:
        return Source(study, notes=notes)
    test = read_test(test_folder)
    if not dialect:  # other tools store answers when all are given
        trials = num_trials(test)
        planned = min(test.pages_per_listener or trials, trials)
        listeners = tuple(replace(one, pages_planned=planned) for one in study.listeners)
        study = replace(study, listeners=listeners)
    fitted, more = _fitted(study, test)
    return Source(fitted, test, test_folder, (*notes, *more))


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
    rated, practice = ({item.id for item in items} for items in (test.items, test.training))
    items = [r.item for r in study.ratings] + [c.item for c in study.choices]
    names = {r.condition for r in study.ratings} | {n for c in study.choices for n in (c.a, c.b)}
    for noun, found, known in (
        ("item", set(items) - practice, rated),
        ("condition", names, set(test.conditions)),
    ):
        for name in sorted(found - known):
            raise UserError(
                f"the answers are on {noun} {name!r}, which {TEST_FILE} does not have; "
                f"{did_you_mean(name, sorted(known))}"
            )
    left_out = sum(item in practice - rated for item in items)
    fitted = Study.of(
        test,
        study.listeners,
        tuple(r for r in study.ratings if r.item in rated),
        tuple(c for c in study.choices if c.item in rated),
        simulated=study.simulated,
    )
    return fitted, ((f"{left_out} answers on training pages left out",) if left_out else ())
