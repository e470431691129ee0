"""Text and CSV files that other programs and people wrote, read in one way everywhere.

Encodings: UTF-8 with or without byte order mark, UTF-16 and UTF-32 with one; a line that is no
UTF-8 is read as Windows-1252, and a note says so. Tables follow RFC 4180, with lines that end as
they like; a quote is one only at the beginning of a cell.
"""

from __future__ import annotations

import codecs
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
_MARK = "\ufeff"
_SEPARATORS = ",;\t"
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
    """Read a file of text.

    Parameters
    ----------
    noun : str
        For messages: what the file is, such as ``manifest``.
    refuse : type
        Which error to raise.

    Raises
    ------
    UserError
        If the file cannot be read or is no text; as `refuse` says.
    """
    try:
        data = path.read_bytes()
        mark, encoding = next((m for m in _MARKS if data.startswith(m[0])), (b"", "utf-8"))
        data = data[len(mark) :]
        text, strange = _by_line(data) if encoding == "utf-8" else (data.decode(encoding), [])
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
        more = ", ..." * (len(strange) > _LINES_NAMED)
        named = ", ".join(map(str, strange[:_LINES_NAMED])) + more
        note = f"not UTF-8, read as Windows-1252: {path.name}, line {named}"
    return Text(text.replace(_MARK, ""), note)  # files that were joined have more marks


def _by_line(data: bytes) -> tuple[str, list[int]]:
    """UTF-8, and the numbers of the lines that are none."""
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    lines, strange = [], []
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            strange.append(number)
            try:
                lines.append(line.decode("cp1252"))
            except UnicodeDecodeError:  # five bytes have no meaning there
                lines.append(line.decode("latin-1"))
    return "\n".join(lines), strange


def read_table(
    path: Path, known: Collection[str], *, noun: str, refuse: type[UserError] = UserError
) -> Table:
    """Read a table with headings; semicolons and tabs may separate its columns too.

    Names of columns are taken without the spaces around them and, where they are `known`, in any
    case. A note names the others.

    Raises
    ------
    UserError
        If it is no such table, a column comes twice, or a row has more or fewer cells than there
        are columns; the line is named.
    """
    records, notes = read_records(path, noun=noun, refuse=refuse)
    if not records:
        return Table((), [], notes)
    heading, *rest = records
    columns = plain_names(heading.cells, known)
    while (
        columns and not columns[-1] and all(not "".join(r.cells[len(columns) - 1 :]) for r in rest)
    ):
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
    """Cells of the first line that is not empty, without the spaces around them.

    Raises
    ------
    UserError
        If the file cannot be read or is no text.
    """
    heading = _heading(read_text(path, noun=noun).text)
    return [cell.strip().strip('"') for cell in heading.split(_separator(heading))]


def _heading(text: str) -> str:
    return next((line for line in _NEWLINE.split(text) if line.strip()), "")


def _separator(heading: str) -> str:
    return max(_SEPARATORS, key=heading.count)


def plain_names(cells: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """Names of columns without spaces around them; those that are known as they are known."""
    spelt = {name.casefold(): name for name in known}
    stripped = [cell.strip() for cell in cells]
    return tuple(spelt.get(name.casefold(), name) for name in stripped)


def read_records(
    path: Path,
    *,
    noun: str,
    refuse: type[UserError] = UserError,
    separator: str = "",
    quotes: Quotes = "doubled",
) -> tuple[list[Record], tuple[str, ...]]:
    """Every row of a table that is not empty, and what is to be known of how it was read.

    Parameters
    ----------
    separator : str
        What stands between cells; empty: a comma, a semicolon or a tab, as the first line tells.
    quotes : str
        How a quote inside of a quoted cell is written: ``doubled``; ``php``, which leaves it as it
        is after a backslash; ``none`` where quotes enclose no cells and are characters as others.

    Raises
    ------
    UserError
        If a quote is left open, or text follows a closing one; the line is named.
    """
    read = read_text(path, noun=noun, refuse=refuse)
    between = separator or _separator(_heading(read.text))
    forms = () if quotes == "none" else _forms(between, quotes)
    try:
        records = [r for r in _Rows(read.text, between, forms) if any(map(str.strip, r.cells))]
    except _Misquoted as error:
        raise refuse(f"{path}, line {error.line}: {error}") from error
    if records and any(cell[:1] == " " for cell in records[0].cells[1:]):  # "path, domain"
        records = [Record(r.line, [cell.strip() for cell in r.cells]) for r in records]
    return records, (read.note,) if read.note else ()


class _Misquoted(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class _Form:
    """How a quoted cell looks: all of it, and as far as its closing quote."""

    whole: re.Pattern[str]
    closed: re.Pattern[str]


def _forms(separator: str, quotes: Quotes) -> list[_Form]:
    blanks = "[ ]*+" if separator == "\t" else r"[ \t]*+"
    ended = rf"(?={blanks}(?:{re.escape(separator)}|\r|\n|\Z))"
    insides = [r'[^"]|""']
    if quotes == "php":
        # A cell that ends in a backslash ends in \" too: either may be meant.
        insides += [r'\\++"?|""|[^"\\]', rf'\\++(?:"(?!{ended}))?|""|[^"\\]']
    cells = [rf'{blanks}"(?P<text>(?:{inside})*+)"' for inside in insides]
    return [_Form(re.compile(f"{cell}{ended}{blanks}"), re.compile(cell)) for cell in cells]


@dataclass
class _Rows:
    """The rows of a text; `line` and `width` are those of the row that is read and of the last."""

    text: str
    separator: str
    forms: Sequence[_Form]
    line: int = 1
    width: int = 0

    def __iter__(self) -> Iterator[Record]:
        at = 0
        while at < len(self.text):
            newline = _NEWLINE.search(self.text, at)
            stop, past = newline.span() if newline else (len(self.text), len(self.text))
            if self.forms and self.text.find('"', at, stop) >= 0:
                cells, past = self._quoted(at)
            else:
                cells = self.text[at:stop].split(self.separator)
            yield Record(self.line, cells)
            self.line += len(_NEWLINE.findall(self.text, at, past))
            at, self.width = past, len(cells)

    def _quoted(self, at: int) -> tuple[list[str], int]:
        """A row's cells and where the next begins: of all readings the shortest that fits."""
        found, wrong = [], []
        for form in self.forms:
            try:
                found.append(self._cells(at, form))
            except _Misquoted as error:
                wrong.append(error)
        if not found:
            raise wrong[0]
        return min(found, key=lambda one: (len(one[0]) != self.width, one[1]))

    def _cells(self, start: int, form: _Form) -> tuple[list[str], int]:
        cells: list[str] = []
        plain = re.compile(rf"[^{re.escape(self.separator)}\r\n]*+")
        at = start
        while True:
            line = self.line + len(_NEWLINE.findall(self.text, start, at))
            if found := form.whole.match(self.text, at):
                self._check_rows_inside(found["text"], line, len(cells))
                cells.append(found["text"].replace('""', '"'))
            else:
                found = plain.match(self.text, at)
                assert found is not None  # an empty cell is one
                if found[0].lstrip(" \t").startswith('"'):
                    raise _Misquoted(line, _what_is_wrong(form.closed.match(self.text, at), line))
                cells.append(found[0])
            at = found.end()
            if not self.text.startswith(self.separator, at):
                newline = _NEWLINE.match(self.text, at)
                return cells, newline.end() if newline else at
            at += len(self.separator)

    def _check_rows_inside(self, cell: str, line: int, before: int) -> None:
        """Refuse a cell whose lines look like rows: an open quote swallows them until the next."""
        if not self.width:
            return
        _, *inner = _NEWLINE.split(cell)
        for place, text in enumerate(inner, start=1):
            wanted = before if place == len(inner) else self.width - 1
            spaced = f"{self.separator} " in text
            if wanted and text.count(self.separator) == wanted and not spaced:
                raise _Misquoted(
                    line,
                    f"the quote that opens here encloses line {line + place}, which looks like a "
                    "row; close it where the cell ends",
                )


def _what_is_wrong(closed: re.Match[str] | None, line: int) -> str:
    if closed is None:
        return "the quote that opens here is never closed"
    end = line + len(_NEWLINE.findall(closed[0]))
    return (
        f"the quote that opens here is closed in line {end} and text follows; close it where the "
        'cell ends, and write a quote inside of quotes twice ("")'
    )
