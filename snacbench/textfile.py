"""Text and CSV that other programs and people wrote, read in one way (docs/data.md says how)."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snacbench.errors import UserError

Quotes = Literal["doubled", "php", "none"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEWLINE = re.compile(r"\r\n|\n|\r")
_LINES_NAMED = 5


@dataclass(frozen=True)
class Text:
    """What a file says, without byte order marks; `note` if it was not in Unicode."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Record:
    """One row of a table and the line it begins in."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """Rows under headings: cells by the name of their column, and the line each row begins in."""

    columns: tuple[str, ...]
    rows: list[tuple[int, Mapping[str, str]]]
    notes: tuple[str, ...] = ()


def read_text(path: Path, *, noun: str = "text", refuse: type[UserError] = UserError) -> Text:
    """Read a file of text; `noun` says in messages what it is, such as ``manifest``.

    `refuse` is the error that is raised if the file cannot be read or is no text.
    """
    strange: list[int] = []

    def decoded(line: bytes, number: int) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            strange.append(number)
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:  # five bytes have no meaning there
            return line.decode("latin-1")

    try:
        data = path.read_bytes()
        mark, encoding = next((m for m in _MARKS if data.startswith(m[0])), (b"", "utf-8"))
        data = data[len(mark) :]
        if encoding == "utf-8":
            text = "\n".join(decoded(line, n) for n, line in enumerate(data.split(b"\n"), start=1))
        else:
            text = data.decode(encoding)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise refuse(f"cannot read the {noun} {path} ({reason})") from error
    if (place := text.find("\0")) >= 0:
        raise refuse(
            f"cannot read the {noun} {path} (line {text.count(chr(10), 0, place) + 1} holds a NUL "
            "byte, which no text does); expected UTF-8, or UTF-16 with a byte order mark"
        )
    note = ""
    if strange:
        more = ", ..." if len(strange) > _LINES_NAMED else ""
        named = ", ".join(map(str, strange[:_LINES_NAMED])) + more
        note = f"not UTF-8, read as Windows-1252: {path.name}, line {named}"
    return Text(text.replace("\ufeff", ""), note)  # files that were joined have more marks


def read_table(
    path: Path,
    known: Collection[str],
    *,
    noun: str,
    refuse: type[UserError] = UserError,
    quotes: Quotes = "doubled",
) -> Table:
    """Read a table with headings; semicolons and tabs may separate its columns too.

    Names of columns are taken without the spaces around them and, where they are `known`, in any
    case. A note names the others. `refuse` is raised, with the line, if it is no such table, a
    column comes twice, or a row has more or fewer cells than there are columns.
    """
    records, notes = read_records(path, noun=noun, refuse=refuse, quotes=quotes)
    if not records:
        return Table((), [], notes)
    heading, *rest = records
    columns = plain_names(heading.cells, known)
    while columns and not columns[-1] and not any(any(r.cells[len(columns) - 1 :]) for r in rest):
        columns = columns[:-1]  # spreadsheets add empty ones
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise refuse(f"{path}, line {heading.line}: the column {twice[0]!r} comes twice; keep one")
    rows: list[tuple[int, Mapping[str, str]]] = []
    for record in rest:
        cells = record.cells[: len(columns)]
        if len(cells) < len(columns) or any(record.cells[len(columns) :]):
            raise refuse(
                f"{path}, line {record.line}: {len(record.cells)} cells under {len(columns)} "
                "columns; a cell that holds a separator, a quote or a new line stands in quotes"
            )
        rows.append((record.line, dict(zip(columns, cells, strict=True))))
    if unknown := [name for name in columns if name not in known]:
        notes = (*notes, f"columns not known and not used: {path.name}, {', '.join(unknown)}")
    return Table(columns, rows, notes)


def read_heading(path: Path, *, noun: str) -> list[str]:
    """Cells of the first line that is not empty, without the spaces around them."""
    heading = _heading(read_text(path, noun=noun).text)
    return [cell.strip().strip('"') for cell in heading.split(_separator(heading))]


def _heading(text: str) -> str:
    return next((line for line in _NEWLINE.split(text) if line.strip()), "")


def _separator(heading: str) -> str:
    return max(",;\t", key=heading.count)


def plain_names(cells: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Names of columns without spaces around them; those that are known as they are known."""
    spelt = {name.casefold(): name for name in known}
    return tuple(spelt.get(name.casefold(), name) for name in map(str.strip, cells))


def read_records(
    path: Path,
    *,
    noun: str,
    refuse: type[UserError] = UserError,
    separator: str = "",
    quotes: Quotes = "doubled",
) -> tuple[list[Record], tuple[str, ...]]:
    """Every row of a table that is not empty, and what is to be known of how it was read.

    Without a `separator` the first line tells: a comma, a semicolon or a tab. `quotes` is how a
    quote inside of a quoted cell is written: ``doubled``; ``php``, which leaves it as it is after a
    backslash; ``none`` where quotes are characters as others. `refuse` is raised, with the line, if
    a quote is left open or text follows a closing one. Where a space follows the separators of the
    first line, cells stand without the spaces around them.
    """
    read = read_text(path, noun=noun, refuse=refuse)
    heading, texts = _heading(read.text), [read.text]
    between = separator or _separator(heading)
    if quotes == "php":  # tried where it is needed: not all that writes such tables is PHP
        texts.append(re.sub(rf'\\"(?!{re.escape(between)}|[\r\n]|\Z)', r'\\""', read.text))
    spaced = f"{between} " in heading  # "path, domain"
    errors = []
    for text in texts:
        try:
            records = list(_rows(text, between, quoted=quotes != "none", spaced=spaced))
        except csv.Error as error:
            errors.append(error)
        else:
            return records, (read.note,) if read.note else ()
    raise refuse(f"{path}, {errors[0]}") from errors[0]


def _rows(text: str, separator: str, *, quoted: bool, spaced: bool) -> Iterator[Record]:
    """Every row that is not empty; `csv.Error` where a quote is not closed, with its line."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, skipinitialspace=spaced,
        strict=True,
    )  # fmt: skip
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(
                f"line {line}: the quote that opens here is not closed where a cell ends; close "
                'it there, and write a quote inside of quotes twice ("")'
            ) from error
        # An open quote swallows rows until the next: lines inside of a cell look like none.
        for place, cell in enumerate(cells):
            _, *inside = _NEWLINE.split(cell)
            for down, inner in enumerate(inside, start=1):
                wanted = place if down == len(inside) else width - 1
                if width and inner.count(separator) == wanted > 0 and f"{separator} " not in inner:
                    above = len(_NEWLINE.findall("".join(cells[:place])))
                    raise csv.Error(
                        f"line {line + above}: the quote that opens here encloses line "
                        f"{line + above + down}, which looks like a row; close it where the cell "
                        "ends"
                    )
        width = len(cells) or width
        if any(map(str.strip, cells)):
            yield Record(line, [cell.strip() for cell in cells] if spaced else cells)
