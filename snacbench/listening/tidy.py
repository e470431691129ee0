"""A study as one CSV: a line per rating, or per answer to a pair, under the names of `study`.

Texts in it are safe to open in a spreadsheet: where one begins as a formula does, an apostrophe
stands before it, which `read_tidy` takes away again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar, get_args

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
        cells: list[Any] = []
        for value in map(told.get, columns):
            if isinstance(value, float) and value.is_integer():
                cells.append(int(value))
            else:
                cells.append(safe_cell(value) if isinstance(value, str) else value)
        writer.writerow((*cells, "yes") if study.simulated else cells)


@dataclass(frozen=True)
class Line:
    """One line of a file of responses, which knows where it is."""

    path: Path
    number: int
    cells: Mapping[str, str]

    def cell(self, column: str) -> str:
        """What stands in a column; empty where there is none."""
        return self.cells.get(column) or ""

    def text(self, column: str) -> str:
        """A name that must be there."""
        return plain_text(self.cell(column).strip()) or self.refuse(column, "a name")

    def condition(self, column: str) -> str:
        """The name of a condition; those of the hidden reference and the anchors in any case."""
        name = self.text(column)
        lowered = name.strip().lower()
        return lowered if lowered in RESERVED else name

    def optional(self, column: str, convert: Callable[[str], Value]) -> Value | None:
        """A number, None where the cell is empty or not there."""
        try:
            return convert(self.cell(column)) if self.cell(column) else None
        except ValueError:
            return self.refuse(column, "a number")

    def score(self, column: str) -> float:
        """A rating, 0 (bad) to 100 (excellent)."""
        score = self.optional(column, float)
        if score is None or not 0 <= score <= 100:
            self.refuse(column, "a number from 0 to 100")
        return score

    def one_of(self, column: str, known: Sequence[str], usual: str = "") -> Any:
        """One of the words that are known."""
        found = self.cell(column) or usual
        return found if found in known else self.refuse(column, ", ".join(known))

    def values(self, columns: Sequence[str]) -> dict[str, Any]:
        """What our own form says of one rating, or one answer to a pair."""
        return {column: read(self, column) for column, read in _READ.items() if column in columns}

    def refuse(self, column: str, expected: str) -> NoReturn:
        """Raise the error of a cell that cannot be."""
        raise UserError(
            f"{self.path}, line {self.number}: {column}: expected {expected}, found "
            f"{self.cell(column)!r}"
        )


_READ: Mapping[str, Callable[[Line, str], Any]] = {
    **dict.fromkeys(("listener", "item"), Line.text),
    **dict.fromkeys(("condition", "a", "b"), Line.condition),
    "score": Line.score,
    "x": lambda line, column: line.condition(column) if line.cell(column) else None,
    "answer": lambda line, column: line.one_of(column, get_args(Answer)),
    **dict.fromkeys(("page", "place"), lambda line, column: line.optional(column, int)),
    "time_s": lambda line, column: line.optional(column, float),
    "comment": lambda line, column: plain_text(line.cell(column)),
}


def read_tidy(path: Path) -> tuple[Study, tuple[str, ...]]:
    """Read what `write_tidy` wrote; notes name unknown columns, and what came twice.

    The study is named after the file. Whoever has a line in it counts as having finished; the
    answers to the questionnaire are not in this form. Other columns, no answers, or a value that
    cannot be are a `UserError`.
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
    listeners = tuple(map(Listener, dict.fromkeys(line.text("listener") for line in lines)))
    simulated = any(line.cell(SIMULATED) for line in lines)
    if wanted is CHOICE_COLUMNS:
        choices = tuple(Choice(**line.values(wanted)) for line in lines)
        form: Form = "abx" if any(choice.x for choice in choices) else "ab"
        for line, choice in zip(lines, choices, strict=True) if form == "abx" else ():
            if choice.x not in (choice.a, choice.b):
                line.refuse("x", f"{choice.a} or {choice.b}")
        systems = systems_among(name for choice in choices for name in (choice.a, choice.b))
        study = Study(path.stem, form, listeners, systems, choices=choices, simulated=simulated)
        return study, table.notes
    ratings, repeated = each_once((line, Rating(**line.values(wanted))) for line in lines)
    study = Study(
        name=path.stem,
        form=form_of(ratings),
        listeners=listeners,
        systems=systems_among(rating.condition for rating in ratings),
        ratings=ratings,
        domains={line.text("item"): line.one_of("domain", DOMAINS, "unknown") for line in lines},
        clips={line.text("item"): line.text("clip") for line in lines if line.cell("clip")},
        kbps={line.condition("condition"): line.optional("kbps", float) for line in lines},
        simulated=simulated,
    )
    return study, (*table.notes, *repeated)


def each_once(
    placed: Iterable[tuple[Line, Rating]],
) -> tuple[tuple[Rating, ...], tuple[str, ...]]:
    """Each rating once, and what was dropped, in sentences.

    A listener whose browser sent the results twice has all lines twice. Two different scores for
    the same thing are a `UserError`.
    """
    kept: dict[tuple[str, str, str], tuple[Line, Rating]] = {}
    repeated = 0
    for line, r in placed:
        before, first = kept.setdefault((r.listener, r.item, r.condition), (line, r))
        repeated += before is not line
        if first.score != r.score:
            raise UserError(
                f"{line.path}, line {line.number}: {r.condition} of item {r.item} was rated "
                f"{r.score:g} by listener {r.listener}, who rated it {first.score:g} in line "
                f"{before.number}; keep one of the two"
            )
    notes = (f"{repeated} ratings that came twice counted once",) if repeated else ()
    return tuple(rating for _, rating in kept.values()), notes


def form_of(ratings: Iterable[Rating]) -> Form:
    """The form of a test with such ratings."""
    anchors = {ANCHOR35, ANCHOR70} & {rating.condition for rating in ratings}
    return "mushra" if anchors else "mushra-no-anchors"


def systems_among(conditions: Iterable[str]) -> tuple[str, ...]:
    """Systems in the order in which they come first; where the file has it, that of the test."""
    return tuple(name for name in dict.fromkeys(conditions) if name not in RESERVED)
