"""A study as one CSV: a line per rating, or per answer to a pair, under the names of `study`.

Texts in it are safe to open in a spreadsheet: where one begins as a formula does, an apostrophe
stands before it, which is taken away again where the line is read.
"""

from __future__ import annotations

import csv
from typing import Annotated, Any, TextIO

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from snacbench.listening.study import Answer, Choice, Rating, Study
from snacbench.listening.test import RESERVED
from snacbench.types import Domain

# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def safe_cell(text: str) -> str:
    """The text as no spreadsheet takes it for a formula; nothing else is changed."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def plain_text(cell: str) -> str:
    """What `safe_cell` was given."""
    quoted = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if quoted else cell


def _name(cell: str) -> str:
    return plain_text(cell.strip())


def _condition(cell: str) -> str:
    """The name of a condition; those of the hidden reference and the anchors in any case."""
    name = _name(cell)
    return name.lower() if name.lower() in RESERVED else name


_Name = Annotated[str, BeforeValidator(_name), Field(min_length=1)]
_Condition = Annotated[str, BeforeValidator(_condition), Field(min_length=1)]
_Comment = Annotated[str, BeforeValidator(plain_text)]


class RatingLine(BaseModel):
    """A line with a rating; its fields are the columns. Scores from 0 (bad) to 100 (excellent)."""

    model_config = ConfigDict(allow_inf_nan=False)

    listener: _Name
    item: _Name
    domain: Domain = "unknown"
    clip: str = ""
    condition: _Condition
    kbps: float | None = None
    score: Annotated[float, Field(ge=0, le=100)]
    page: int | None = None
    place: int | None = None
    time_s: float | None = None
    comment: _Comment = ""

    def answer_of(self) -> Rating:
        """The rating, without what the line says of item and system."""
        return Rating(**self.model_dump(exclude={"domain", "clip", "kbps"}))


class ChoiceLine(BaseModel):
    """A line with an answer to a pair; `correct` says for people what follows from the others."""

    model_config = ConfigDict(allow_inf_nan=False)

    listener: _Name
    item: _Name
    a: _Condition
    b: _Condition
    x: _Condition | None = None
    answer: Answer
    correct: str = ""
    page: int | None = None
    time_s: float | None = None
    comment: _Comment = ""

    def answer_of(self) -> Choice:
        """The answer."""
        return Choice(**self.model_dump(exclude={"correct"}))


def write_tidy(study: Study, stream: TextIO) -> None:
    """Write all answers of a study; times in seconds."""
    pairs = study.form in ("ab", "abx")
    columns = (ChoiceLine if pairs else RatingLine).model_fields
    writer = csv.writer(stream)  # lines end as RFC 4180 has it; else a lone CR would go unquoted
    writer.writerow(columns)
    for answer in study.choices if pairs else study.ratings:
        told: dict[str, Any] = dict(vars(answer))
        if isinstance(answer, Rating):
            told["domain"] = study.domains.get(answer.item)
            told["clip"] = study.clips.get(answer.item)
            told["kbps"] = study.kbps.get(answer.condition)
        elif answer.x is not None:
            told["correct"] = int(answer.taken == answer.x)
        cells: list[Any] = []
        for value in map(told.get, columns):
            if isinstance(value, float) and value.is_integer():
                cells.append(int(value))
            else:
                cells.append(safe_cell(value) if isinstance(value, str) else value)
        writer.writerow(cells)
