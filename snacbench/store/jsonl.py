"""Rows as lines of JSON and back, checked on the way in.

Many rows are read at once: a block of lines is checked as one JSON array, in half the time that its
lines would take one by one.
"""

import base64
import dataclasses
import json
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from snacbench.errors import StoreError
from snacbench.rows import CodeHistogram, Run

Row = TypeVar("Row")

# Objects of more lines would drop out of the processor's cache before they are used.
_LINES_AT_ONCE = 500
_adapters: dict[Any, TypeAdapter[Any]] = {}


def to_jsonable(value: Any) -> Any:
    """Plain JSON types for a dataclass; fractions become ``"44100/512"``."""

    def plain(other: Any) -> Any:
        if isinstance(other, Fraction | Mapping):
            return str(other) if isinstance(other, Fraction) else dict(other)
        raise TypeError(f"a {type(other).__name__} cannot be written as JSON")

    return to_jsonable_python(value, fallback=plain)


def line_of(row: object) -> bytes:
    """A row as a line of its file; a histogram's codes and counts packed."""
    if isinstance(row, CodeHistogram):
        table = np.stack([row.codes, row.counts]).astype("<u4").tobytes()
        packed = base64.b64encode(zlib.compress(table, 6)).decode("ascii")
        row = _PackedHistogram(row.clip, row.codec, row.stream, row.codebook_size, packed)
    return json.dumps(to_jsonable(row), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def from_json(line: str | bytes, row_type: type[Row], *, origin: str) -> Row:
    """Read one row.

    Raises StoreError if it is no such row; `origin` says in the message where it stood.
    """
    text = line.encode() if isinstance(line, str) else line
    return _many_from_json([text], row_type, origin=origin)[0]


def _many_from_json(lines: list[bytes], row_type: type[Row], *, origin: str) -> list[Row]:
    packed = row_type is CodeHistogram
    if row_type not in _adapters:
        stored: Any = _PackedHistogram if packed else row_type
        finite = ConfigDict(allow_inf_nan=row_type is Run)  # ranges of metrics may be infinite
        _adapters[row_type] = TypeAdapter(list[stored], config=finite)
    try:
        rows: Any = _adapters[row_type].validate_json(b"[" + b",".join(lines) + b"]")
        if len(rows) != len(lines):
            raise ValueError(f"{len(rows)} rows in a line, expected 1")
        for at, row in enumerate(rows if packed else ()):
            try:
                table = np.frombuffer(zlib.decompress(base64.b64decode(row.packed)), "<u4")
            except zlib.error as error:
                raise ValueError(f"damaged histogram: {error}") from error
            codes, counts = table.reshape(2, -1)
            pair = codes.astype(np.int32), counts.astype(np.int64)
            rows[at] = CodeHistogram(row.clip, row.codec, row.stream, row.codebook_size, *pair)
    except ValueError as error:
        why = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            why = ": ".join(map(str, (*first["loc"][1:], first["msg"])))
        raise StoreError(
            f"{origin} is not a {row_type.__name__} row ({why}); the file was changed by hand or "
            "written by another version of snacbench"
        ) from error
    return list(rows)


@dataclasses.dataclass(frozen=True)
class _PackedHistogram:
    """A histogram as it is stored: codes and counts as zlib-compressed little-endian uint32."""

    clip: str
    codec: str
    stream: int
    codebook_size: int
    packed: str


def read_blocks(path: Path, row_type: type[Row]) -> Iterator[tuple[list[int], list[Row]]]:
    """All rows of a file, many at once, and the byte at which each begins.

    An incomplete last line is left out.
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
            try:
                rows = _many_from_json(lines, row_type, origin=str(path))
            except StoreError:  # again one by one, to say which of them is wrong
                numbered = enumerate(lines, start=number)
                rows = [from_json(x, row_type, origin=f"{path}, line {n}") for n, x in numbered]
            yield places, rows
            number, place = number + len(lines), end
