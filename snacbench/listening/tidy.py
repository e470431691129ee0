"""A study as one CSV: a line per rating, or per answer to a pair, under the names of `study`.

Texts in it are safe to open in a spreadsheet: where one begins as a formula does, an apostrophe
stands before it, which `read_tidy` takes away again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar, get_args

from snacbench.errors import UserError
from snacbench.listening.study import Answer, Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, RESERVED, Form
from snacbench.textfile import read_table
from snacbench.types import DOMAINS, Domain

RATING_COLUMNS = (
    "listener", "item", "domain", "clip", "condition", "kbps", "score", "page", "place", "time_s",
    "comment",
)  # fmt: skip
CHOICE_COLUMNS = (
    "listener", "item", "a", "b", "x", "answer", "correct", "page", "time_s", "comment",
)  # fmt: skip
SIMULATED = "simulated"  # a last column, only where the listeners were: it must not get lost

# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")

Value = TypeVar("Value")


def safe_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula; nothing else is changed."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def plain_text(cell: str) -> str:
    """What `safe_cell` was given."""
    quoted = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if quoted else cell


def condition_of(name: str) -> str:
    """The name of a condition; those of the hidden reference and the anchors in any case."""
    lowered = name.strip().lower()
    return lowered if lowered in RESERVED else name


def write_tidy(study: Study, stream: TextIO) -> None:
    """Write all answers of a study; scores from 0 (bad) to 100 (excellent), times in seconds."""
    is_mushra = study.form in ("mushra", "mushra-no-anchors")
    columns = RATING_COLUMNS if is_mushra else CHOICE_COLUMNS
    lines = (
        (_rating_line(study, rating) for rating in study.ratings)
        if is_mushra
        else map(_choice_line, study.choices)
    )
    writer = csv.writer(stream)  # lines end as RFC 4180 has it; else a lone CR would go unquoted
    writer.writerow((*columns, SIMULATED) if study.simulated else columns)
    for line in lines:
        cells = [_cell(value) for value in line]
        writer.writerow((*cells, "yes") if study.simulated else cells)


def _rating_line(study: Study, rating: Rating) -> Iterable[object]:
    return (
        rating.listener,
        rating.item,
        study.domains.get(rating.item),
        study.clips.get(rating.item),
        rating.condition,
        study.kbps.get(rating.condition),
        rating.score,
        rating.page,
        rating.place,
        rating.time_s,
        rating.comment,
    )


def _choice_line(choice: Choice) -> Iterable[object]:
    correct = None
    if choice.x is not None:
        correct = int({"a": choice.a, "b": choice.b}.get(choice.answer) == choice.x)
    return (
        choice.listener,
        choice.item,
        choice.a,
        choice.b,
        choice.x,
        choice.answer,
        correct,
        choice.page,
        choice.time_s,
        choice.comment,
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return safe_cell(value) if isinstance(value, str) else str(value)


# ------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Line:
    """One line of the file, which knows where it is."""

    path: Path
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        found = plain_text(self.cells.get(column) or "")
        if not found:
            raise self.wrong(column, "expected a name")
        return found

    def maybe(self, column: str, convert: Callable[[str], Value]) -> Value | None:
        return self.number_of(column, convert) if self.cells.get(column) else None

    def number_of(self, column: str, convert: Callable[[str], Value]) -> Value:
        try:
            return convert(self.cells.get(column) or "")
        except ValueError as error:
            raise self.wrong(column, "expected a number") from error

    def wrong(self, column: str, expected: str) -> UserError:
        found = self.cells.get(column) or ""
        return UserError(f"{self.path}, line {self.number}: {column}: {expected}, found {found!r}")


def read_tidy(path: Path) -> tuple[Study, tuple[str, ...]]:
    """Read what `write_tidy` wrote; notes name the columns that are not known.

    The study is named after the file. Whoever has a line in it counts as having finished; the
    answers to the questionnaire are not in this form.

    Raises
    ------
    UserError
        If the file cannot be read, has other columns, no answers, or a value that cannot be.
    """
    known = (*RATING_COLUMNS, *CHOICE_COLUMNS, SIMULATED)
    table = read_table(path, known, noun="answers")
    lines = [_Line(path, number, cells) for number, cells in table.rows]
    return _study_of(path, table.columns, lines), table.notes


def _study_of(path: Path, columns: tuple[str, ...], lines: list[_Line]) -> Study:
    form, simulated = _form_of(path, columns, lines), any(li.cells.get(SIMULATED) for li in lines)
    listeners = tuple(Listener(id_) for id_ in dict.fromkeys(li.text("listener") for li in lines))
    if form in ("ab", "abx"):
        choices = tuple(map(_choice_of, lines))
        systems = dict.fromkeys(name for choice in choices for name in (choice.a, choice.b))
        return Study(
            path.stem, form, listeners, _under_test(systems), choices=choices, simulated=simulated
        )
    ratings = tuple(map(_rating_of, lines))
    return Study(
        name=path.stem,
        form=form,
        listeners=listeners,
        systems=_under_test(rating.condition for rating in ratings),
        ratings=ratings,
        domains={li.text("item"): _domain_of(li) for li in lines},
        clips={li.text("item"): li.text("clip") for li in lines if li.cells.get("clip")},
        kbps={condition_of(li.text("condition")): li.maybe("kbps", float) for li in lines},
        simulated=simulated,
    )


def _form_of(path: Path, columns: tuple[str, ...], lines: list[_Line]) -> Form:
    wanted = CHOICE_COLUMNS if "answer" in columns else RATING_COLUMNS
    needed = [c for c in wanted if c not in ("domain", "clip", "kbps", "correct", "comment")]
    missing = [column for column in needed if column not in columns]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; expected {','.join(wanted)}, "
            f"found {','.join(columns)!r:.200}"
        )
    if not lines:
        raise UserError(f"{path}: no answers under the headings; export the test once it has some")
    if wanted is CHOICE_COLUMNS:
        return "abx" if any(line.cells.get("x") for line in lines) else "ab"
    anchors = {ANCHOR35, ANCHOR70}
    return (
        "mushra"
        if any(condition_of(li.cells["condition"]) in anchors for li in lines)
        else "mushra-no-anchors"
    )


def _rating_of(line: _Line) -> Rating:
    score = line.number_of("score", float)
    if not 0 <= score <= 100:
        raise line.wrong("score", "expected 0 to 100")
    return Rating(
        listener=line.text("listener"),
        item=line.text("item"),
        condition=condition_of(line.text("condition")),
        score=score,
        page=line.maybe("page", int),
        place=line.maybe("place", int),
        time_s=line.maybe("time_s", float),
        comment=plain_text(line.cells.get("comment") or ""),
    )


def _choice_of(line: _Line) -> Choice:
    answers: dict[str, Answer] = {answer: answer for answer in get_args(Answer)}
    answer = answers.get(line.cells["answer"])
    if answer is None:
        raise line.wrong("answer", "expected a, b or tie")
    return Choice(
        listener=line.text("listener"),
        item=line.text("item"),
        a=condition_of(line.text("a")),
        b=condition_of(line.text("b")),
        answer=answer,
        x=condition_of(line.text("x")) if line.cells.get("x") else None,
        page=line.maybe("page", int),
        time_s=line.maybe("time_s", float),
        comment=plain_text(line.cells.get("comment") or ""),
    )


def _domain_of(line: _Line) -> Domain:
    known: dict[str, Domain] = {domain: domain for domain in DOMAINS}
    found = known.get(line.cells.get("domain") or "unknown")
    if found is None:
        raise line.wrong("domain", f"expected {', '.join(known)}")
    return found


def _under_test(conditions: Iterable[str]) -> tuple[str, ...]:
    """Systems in the order in which they come first; where the file has it, that of the test."""
    return tuple(name for name in dict.fromkeys(conditions) if name not in RESERVED)
