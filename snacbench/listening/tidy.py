"""A study as one CSV: a line per rating, or per answer to a pair, under the names of `study`.

Texts in it are safe to open in a spreadsheet: where one begins as a formula does, an apostrophe
stands before it, which `read_tidy` takes away again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar, get_args

from snacbench.errors import UserError
from snacbench.listening.study import Answer, Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, RESERVED, Form
from snacbench.textfile import read_table
from snacbench.types import DOMAINS

RATING_COLUMNS = (
    "listener", "item", "domain", "clip", "condition", "kbps", "score", "page", "place", "time_s",
    "comment",
)  # fmt: skip
CHOICE_COLUMNS = (
    "listener", "item", "a", "b", "x", "answer", "correct", "page", "time_s", "comment",
)  # fmt: skip
SIMULATED = "simulated"  # a last column, only where the listeners were: it must not get lost
_MAY_LACK = ("domain", "clip", "kbps", "correct", "comment")

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
    pairs = study.form in ("ab", "abx")
    columns = CHOICE_COLUMNS if pairs else RATING_COLUMNS
    writer = csv.writer(stream)  # lines end as RFC 4180 has it; else a lone CR would go unquoted
    writer.writerow((*columns, SIMULATED) if study.simulated else columns)
    for answer in study.choices if pairs else study.ratings:
        told: dict[str, Any] = dict(vars(answer))
        if isinstance(answer, Rating):
            told["domain"] = study.domains.get(answer.item)
            told["clip"] = study.clips.get(answer.item)
            told["kbps"] = study.kbps.get(answer.condition)
        elif answer.x is not None:
            told["correct"] = int({"a": answer.a, "b": answer.b}.get(answer.answer) == answer.x)
        cells = [_cell(told.get(column)) for column in columns]
        writer.writerow((*cells, "yes") if study.simulated else cells)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return safe_cell(value) if isinstance(value, str) else str(value)


@dataclass(frozen=True)
class Line:
    """One line of a file of responses, which knows where it is."""

    path: Path
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """A name that must be there."""
        found = plain_text((self.cells.get(column) or "").strip())
        if not found:
            raise self.wrong(column, "expected a name")
        return found

    def number_in(self, column: str, convert: Callable[[str], Value]) -> Value | None:
        """A number, None where the cell is empty or not there."""
        text = self.cells.get(column) or ""
        try:
            return convert(text) if text else None
        except ValueError as error:
            raise self.wrong(column, "expected a number") from error

    def score(self, column: str) -> float:
        """A rating, 0 (bad) to 100 (excellent)."""
        try:
            score = float(self.cells.get(column) or "")
        except ValueError as error:
            raise self.wrong(column, "expected a number from 0 to 100") from error
        if not 0 <= score <= 100:
            raise self.wrong(column, "expected 0 to 100")
        return score

    def wrong(self, column: str, expected: str) -> UserError:
        """The error of a cell that cannot be."""
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
    table = read_table(path, (*RATING_COLUMNS, *CHOICE_COLUMNS, SIMULATED), noun="answers")
    lines = [Line(path, number, cells) for number, cells in table.rows]
    wanted = CHOICE_COLUMNS if "answer" in table.columns else RATING_COLUMNS
    missing = [c for c in wanted if c not in table.columns and c not in _MAY_LACK]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; expected {','.join(wanted)}, "
            f"found {','.join(table.columns)!r:.200}"
        )
    if not lines:
        raise UserError(f"{path}: no answers under the headings; export the test once it has some")
    names = dict.fromkeys(line.text("listener") for line in lines)
    listeners = tuple(Listener(name) for name in names)
    simulated = any(line.cells.get(SIMULATED) for line in lines)
    if wanted is CHOICE_COLUMNS:
        choices = tuple(map(_choice_of, lines))
        form: Form = "abx" if any(choice.x for choice in choices) else "ab"
        systems = systems_among(name for choice in choices for name in (choice.a, choice.b))
        study = Study(path.stem, form, listeners, systems, choices=choices, simulated=simulated)
        return study, table.notes
    ratings = tuple(map(_rating_of, lines))
    study = Study(
        name=path.stem,
        form=form_of(ratings),
        listeners=listeners,
        systems=systems_among(rating.condition for rating in ratings),
        ratings=ratings,
        domains={line.text("item"): _one_of(line, "domain", DOMAINS, "unknown") for line in lines},
        clips={line.text("item"): line.text("clip") for line in lines if line.cells.get("clip")},
        kbps={condition_of(li.text("condition")): li.number_in("kbps", float) for li in lines},
        simulated=simulated,
    )
    return study, table.notes


def form_of(ratings: Iterable[Rating]) -> Form:
    """The form of a test with such ratings."""
    anchors = {ANCHOR35, ANCHOR70} & {rating.condition for rating in ratings}
    return "mushra" if anchors else "mushra-no-anchors"


def systems_among(conditions: Iterable[str]) -> tuple[str, ...]:
    """Systems in the order in which they come first; where the file has it, that of the test."""
    return tuple(name for name in dict.fromkeys(conditions) if name not in RESERVED)


def _rating_of(line: Line) -> Rating:
    return Rating(
        listener=line.text("listener"),
        item=line.text("item"),
        condition=condition_of(line.text("condition")),
        score=line.score("score"),
        page=line.number_in("page", int),
        place=line.number_in("place", int),
        time_s=line.number_in("time_s", float),
        comment=plain_text(line.cells.get("comment") or ""),
    )


def _choice_of(line: Line) -> Choice:
    return Choice(
        listener=line.text("listener"),
        item=line.text("item"),
        a=condition_of(line.text("a")),
        b=condition_of(line.text("b")),
        answer=_one_of(line, "answer", get_args(Answer)),
        x=condition_of(line.text("x")) if line.cells.get("x") else None,
        page=line.number_in("page", int),
        time_s=line.number_in("time_s", float),
        comment=plain_text(line.cells.get("comment") or ""),
    )


def _one_of(line: Line, column: str, known: Iterable[str], usual: str = "") -> Any:
    found = line.cells.get(column) or usual
    if found not in known:
        raise line.wrong(column, f"expected {', '.join(known)}")
    return found
