from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import CodecError
from snacbench.rate.coding.range_coder import (
    SHARES,
    Reader,
    Writer,
    divided,
    divisible,
)


@st.composite
def messages(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a few symbols, from even to absurdly skewed, and symbols likely and not."""
    size = draw(st.sampled_from([2, 3, 16, 300]))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    weights = random.integers(0, 1000, size) ** draw(st.integers(1, 5))
    weights[draw(st.integers(0, size - 1))] += 10 ** draw(st.integers(0, 12))
    shares, count = divided(weights), draw(st.integers(0, 60))
    if draw(st.booleans()):
        return shares, random.choice(size, count, p=(shares + 1) / SHARES).astype(np.int32)
    return shares, random.integers(0, size, count).astype(np.int32)


@given(messages())
def test_symbols_become_the_shortest_bytes_and_come_back(
    message: tuple[np.ndarray, np.ndarray],
) -> None:
    shares, symbols = message
    writer = Writer()
    for symbol in symbols.tolist():
        writer.put(symbol, shares)
    data = writer.finish()
    ideal = sum(-np.log2((shares[s] + 1) / SHARES) for s in symbols)
    assert writer.bits == pytest.approx(ideal, abs=1e-6)
    # Constriction's own rounding of the range costs up to 2^-8 of a bit per symbol.
    assert len(data) * 8 <= ideal + 8 + len(symbols) / 256
    reader = Reader(data)
    assert [reader.take(shares) for _ in symbols] == symbols.tolist()
    reader.finish()


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=5000).filter(any))
def test_shares_are_whole_and_add_up(weights: list[int]) -> None:
    shares = divided(np.array(weights))
    assert shares.dtype == np.int64
    assert shares.min() >= 0
    assert shares.sum() == divisible(len(weights)) == SHARES - len(weights)
    exact = np.array(weights) / sum(weights) * divisible(len(weights))
    assert np.all(np.abs(shares - exact)[:-1] < 1.001)


def test_shares_are_taken_exactly() -> None:
    """What constriction makes of a table is what the table says: checked by its own state."""
    shares = divided(np.random.default_rng(0).integers(0, 5000, 1024))
    for symbol in (0, 1, 500, 1022, 1023):
        writer = Writer()
        writer.put(symbol, shares)
        position, (low, width) = writer.encoder.pos()
        unit = (2**64 - 1) // SHARES
        assert position == 0
        assert width == unit * (int(shares[symbol]) + 1)
        assert low == unit * (int(shares[:symbol].sum()) + symbol)


def test_every_other_string_of_bytes_is_refused_or_other_symbols() -> None:
    even = divided(np.ones(16, np.int64))
    writer = Writer()
    for symbol in (3, 1, 4, 1, 5, 9, 2, 6):
        writer.put(symbol, even)
    data = writer.finish()
    foreign = [(data[:cut] + b"\0" * (len(data) - cut + 1), 8) for cut in range(len(data))]
    foreign += [(data + end, 8) for end in (b"\0", b"\1", b"\xff" * 9)]
    foreign += [(some, 3) for some in (b"\xff" * 5, b"\x12\x34\x56\x78\x9a\xbc", b"\1\2\3")]

    def read_all(some: bytes, count: int) -> None:
        reader = Reader(some)
        for _ in range(count):
            reader.take(even)
        reader.finish()

    for some, count in foreign:
        with pytest.raises(CodecError, match="cannot have come from these tables and lengths"):
            read_all(some, count)
    # 2^64 - 1 is not a multiple of 2^24: the very top of the range belongs to no symbol.
    with pytest.raises(CodecError, match="the file is damaged"):
        Reader(b"\xff" * 8).take(even)
