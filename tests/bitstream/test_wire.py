"""Numbers, texts and runs: one form for every value, and no reading beyond the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.bitstream import wire
from snacbench.errors import BitstreamError


def cursor(data: bytes) -> wire.Cursor:
    return wire.Cursor(memoryview(data))


@given(st.integers(0, wire.MOST))
def test_numbers_come_back(value: int) -> None:
    data = wire.number(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    reader = cursor(data)
    assert reader.number("a number") == value
    reader.end("the number")
    for none in (-1 - value, wire.MOST + 1 + value):
        with pytest.raises(BitstreamError, match=f"numbers from 0 to .* found {none}"):
            wire.number(none)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x05", "a number is 5, expected 0 to 4"),
        (b"\x80\x00", "a number is written in more bytes than it takes"),
        (b"\xff" * 30, "a number is more than 4"),
        (b"\x80" * 30, "a number is more than 4"),
        (b"\x83", "a number takes 1 bytes and 0 are left"),
        (b"", "a number takes 1 bytes and 0 are left"),
    ],
)
def test_numbers_that_no_writer_writes(data: bytes, reason: str) -> None:
    with pytest.raises(BitstreamError, match=f"not a valid .sncb file: {reason}"):
        cursor(data).number("a number", most=4)


@given(st.text(max_size=300))
def test_texts_come_back(value: str) -> None:
    assert cursor(wire.text(value)).text("a name") == value


def test_texts_lengths_and_ends_that_are_none() -> None:
    with pytest.raises(BitstreamError, match="a name is no text"):
        cursor(b"\x02\xff\xfe").text("a name")
    with pytest.raises(BitstreamError, match="the length of a name is 2000, expected 0 to 1024"):
        cursor(wire.number(2000) + b"a" * 2000).text("a name")
    with pytest.raises(BitstreamError, match="a name takes 9 bytes and 1 are left"):
        cursor(b"\x09a").text("a name")
    with pytest.raises(BitstreamError, match="the number of packets is 5 and 3 bytes are left"):
        cursor(b"\x05abc").length("the number of packets")
    with pytest.raises(BitstreamError, match="2 bytes follow the header"):
        cursor(b"ab").end("the header")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(5, 300)), max_size=50))
def test_runs_come_back(rows: list[tuple[int, int]]) -> None:
    data = wire.runs(rows)
    read = cursor(data).runs("shapes", least=(0, 5), most=(3, 300), rows=len(rows))
    assert read == tuple(rows)
    assert wire.runs([(16,)] * 46) == bytes([1, 46, 16])  # equal streams take three bytes


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([1, 3, 9], "are given for 3 of 4"),
        ([1, 5, 9], "a run of sizes is 5, expected 1 to 4"),
        ([2, 2, 9, 2, 9], "sizes are written as more runs than they are"),
        ([2, 4, 9, 0, 9], "a run of sizes is 0, expected 1 to 0"),
        ([9, 4, 9], "the number of runs of sizes is 9, expected 0 to 4"),
        ([1, 4, 1], "sizes is 1, expected 2 to 100"),
    ],
)
def test_runs_that_no_writer_writes(data: list[int], reason: str) -> None:
    with pytest.raises(BitstreamError, match=reason):
        cursor(bytes(data)).runs("sizes", least=(2,), most=(100,), rows=4)
