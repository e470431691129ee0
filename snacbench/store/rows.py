"""Rows as lines of JSON and back, checked on the way in."""

from __future__ import annotations

import base64
import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from snacbench.errors import StoreError
from snacbench.rows import CodeHistogram

Row = TypeVar("Row")


def to_jsonable(value: Any) -> Any:
    """Plain JSON types for a dataclass; fractions become ``"44100/512"``."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: to_jsonable(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    if isinstance(value, Fraction | Path):
        return str(value)
    return value


def from_json(line: str | bytes, row_type: type[Row], *, origin: str) -> Row:
    """Read one row.

    Raises
    ------
    StoreError
        If the line is not such a row.
    """
    with _told(row_type, origin):
        if row_type is CodeHistogram:
            packed = _adapter(_PackedHistogram).validate_json(line)
            return unpack_histogram(packed)  # type: ignore[return-value]
        row: Row = _adapter(row_type).validate_json(line)
        return row


def many_from_json(array: bytes, row_type: type[Row], *, origin: str) -> list[Row]:
    """Read a JSON array of rows: half the time that they would take one by one.

    Raises
    ------
    StoreError
        If it is not an array of such rows.
    """
    with _told(row_type, origin):
        if row_type is CodeHistogram:
            packed = _adapter(list[_PackedHistogram]).validate_json(array)
            return [unpack_histogram(row) for row in packed]  # type: ignore[misc]
        rows: list[Row] = _adapter(list[row_type]).validate_json(array)  # type: ignore[valid-type]
        return rows


@contextmanager
def _told(row_type: type, origin: str) -> Iterator[None]:
    """What pydantic or numpy find wrong with a row, as an error that says where."""
    try:
        yield
    except (ValidationError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise StoreError(
            f"{origin} is not a {row_type.__name__} row ({first}); the file was changed by hand "
            "or written by another version of snacbench"
        ) from error


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(row_type: Any) -> TypeAdapter[Any]:
    """The reader of a row type, or of many rows of it, built once."""
    if row_type not in _adapters:
        _adapters[row_type] = TypeAdapter(row_type)
    return _adapters[row_type]


@dataclasses.dataclass(frozen=True)
class _PackedHistogram:
    """A histogram as it is stored: codes and counts as zlib-compressed little-endian uint32."""

    clip: str
    codec: str
    stream: int
    codebook_size: int
    packed: str


def pack_histogram(row: CodeHistogram) -> _PackedHistogram:
    """The stored form of a histogram."""
    table = np.stack([row.codes, row.counts]).astype("<u4")
    packed = base64.b64encode(zlib.compress(table.tobytes(), 6)).decode("ascii")
    return _PackedHistogram(row.clip, row.codec, row.stream, row.codebook_size, packed)


def unpack_histogram(row: _PackedHistogram) -> CodeHistogram:
    """The inverse of `pack_histogram`; raises ValueError for damaged content."""
    try:
        table = np.frombuffer(zlib.decompress(base64.b64decode(row.packed)), "<u4")
    except zlib.error as error:
        raise ValueError(f"damaged histogram: {error}") from error
    codes, counts = table.reshape(2, -1)
    return CodeHistogram(
        row.clip,
        row.codec,
        row.stream,
        row.codebook_size,
        codes.astype(np.int32),
        counts.astype(np.int64),
    )
