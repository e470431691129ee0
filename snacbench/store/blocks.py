"""Many rows read at once: a block of lines is checked as one JSON array.

That takes half the time that its lines would take one by one. What a line must be, and what is said
of a wrong one, is `store.rows`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Generic, TypeVar

from snacbench.errors import StoreError
from snacbench.store.rows import from_json, many_from_json

Row = TypeVar("Row")

# Objects of more lines would drop out of the processor's cache before they are used.
_LINES_AT_ONCE = 500


@dataclass(frozen=True)
class Block(Generic[Row]):
    """Rows that follow each other in a file, and the byte at which each begins."""

    rows: list[Row]
    places: list[int]


def read_blocks(path: Path, row_type: type[Row]) -> Iterator[Block[Row]]:
    """All rows of a file, in blocks; an incomplete last line is left out.

    Raises
    ------
    StoreError
        If any other line is no such row.
    """
    if not path.exists():
        return
    number, place = 1, 0
    with path.open("rb") as stream:
        while lines := list(islice(stream, _LINES_AT_ONCE)):
            *places, end = accumulate(map(len, lines), initial=place)
            if not lines[-1].endswith(b"\n"):
                lines.pop()  # a process was killed while it wrote
                places.pop()
            yield Block(_rows_of(lines, row_type, path, number), places)
            number, place = number + len(lines), end


def read_unless(path: Path, row_type: type[Row], text: bytes) -> Iterator[Row]:
    """Rows of a file whose lines do not contain a text; the others are not looked into.

    Raises
    ------
    StoreError
        If such a line, other than an incomplete last one, is no such row.
    """
    if not path.exists():
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if text not in line and line.endswith(b"\n"):
                yield from_json(line, row_type, origin=f"{path}, line {number}")


def _rows_of(lines: Sequence[bytes], row_type: type[Row], path: Path, first: int) -> list[Row]:
    try:
        rows = many_from_json(b"[" + b",".join(lines) + b"]", row_type, origin=str(path))
    except StoreError:
        rows = []
    if len(rows) == len(lines):
        return rows
    numbered = enumerate(lines, start=first)  # again one by one, to say which of them is wrong
    return [from_json(line, row_type, origin=f"{path}, line {n}") for n, line in numbered]
