"""Numbers, texts and runs: one form for every value, and no reading beyond the bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.bitstream import wire
from snacbench.errors import BitstreamError

Read = Callable[[wire.Cursor], object]


def cursor(data: bytes) -> wire.Cursor:
    return wire.Cursor(memoryview(data))


@given(
    st.integers(0, wire.MOST),
    st.text(max_size=300),
    st.lists(st.tuples(st.integers(0, 3), st.integers(5, 300)), max_size=50),
)
def test_values_come_back(number: int, text: str, rows: list[tuple[int, int]]) -> None:
    assert len(wire.number(number)) == max(1, -(-number.bit_length() // 7))
    reader = cursor(wire.number(number) + wire.text(text) + wire.runs(rows))
    assert reader.number("a number") == number
    assert reader.text("a name") == text
    assert reader.runs("shapes", least=(0, 5), most=(3, 300), rows=len(rows)) == tuple(rows)
    reader.end("the number")
    for none in (-1 - number, wire.MOST + 1 + number):
        with pytest.raises(BitstreamError, match=f"numbers from 0 to .* found {none}"):
            wire.number(none)
    assert wire.runs([(16,)] * 46) == bytes([1, 46, 16])  # equal streams take three bytes


def number(reader: wire.Cursor) -> object:
    return reader.number("it", most=4)


def text(reader: wire.Cursor) -> object:
    return reader.text("it")


def runs(reader: wire.Cursor) -> object:
    return reader.runs("it", least=(2,), most=(100,), rows=4)


@pytest.mark.parametrize(
    ("data", "read", "reason"),
    [
        (b"\x05", number, "it is 5, expected 0 to 4"),
        (b"\x80\x00", number, "it is written in more bytes than it takes"),
        (b"\xff" * 30, number, "it is more than 4"),
        (b"\x80" * 30, number, "it is more than 4"),
        (b"\x83", number, "it takes 1 bytes and 0 are left"),
        (b"", number, "it takes 1 bytes and 0 are left"),
        (b"\x02\xff\xfe", text, "it is no text"),
        (wire.number(2000) + b"a" * 2000, text, "the length of it is 2000, expected 0 to 1024"),
        (b"\x09a", text, "it takes 9 bytes and 1 are left"),
        (b"\x05abc", lambda reader: reader.length("it"), "it is 5 and 3 bytes are left"),
        (b"ab", lambda reader: reader.end("it"), "2 bytes follow it"),
        (bytes([1, 3, 9]), runs, "are given for 3 of 4"),
        (bytes([1, 5, 9]), runs, "a run of it is 5, expected 1 to 4"),
        (bytes([2, 2, 9, 2, 9]), runs, "it are written as more runs than they are"),
        (bytes([2, 4, 9, 0, 9]), runs, "a run of it is 0, expected 1 to 0"),
        (bytes([9, 4, 9]), runs, "the number of runs of it is 9, expected 0 to 4"),
        (bytes([1, 4, 1]), runs, "it is 1, expected 2 to 100"),
    ],
)
def test_what_no_writer_writes(data: bytes, read: Read, reason: str) -> None:
    with pytest.raises(BitstreamError, match=f"not a valid .sncb file: .*{reason}"):
        read(cursor(data))
