"""Whole bits per index: known bytes, every size of codebook, nothing else accepted."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import CodecError
from snacbench.rate.coding import packed
from snacbench.rate.coding.coder import StreamShape, shapes_of
from snacbench.rate.coding.packed import PACKED, packed_bytes
from snacbench.types import Codes
from snacbench.units import bits_per_code


def array(*rows: list[int]) -> Codes:
    return np.array(rows, np.int32).reshape(len(rows), -1)


def test_bits_by_hand() -> None:
    # 3 bits each: 101 011 000 111, and four zeros to fill up.
    assert PACKED.encode([array([5, 3, 0, 7])], [8]) == (bytes([0b10101100, 0b01110000]),)
    # Channel after channel: 0001 0010 | 0011 0100.
    assert PACKED.encode([array([1, 2], [3, 4])], [16]) == (bytes([0x12, 0x34]),)
    # A codebook of 1000 entries takes 10 bits, one of 2 a single one.
    assert PACKED.encode([array([999]), array([1, 0, 1])], [1000, 2]) == (b"\xf9\xc0", b"\xa0")


@given(
    size=st.one_of(st.integers(2, 1 << 16), st.integers(2, 1 << 31)),
    channels=st.integers(1, 3),
    frames=st.integers(0, 70),
    seed=st.integers(0, 1000),
)
def test_codes_come_back(size: int, channels: int, frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, size, (channels, frames)).astype(np.int32)]
    if frames:
        codes[0][0, 0], codes[0][-1, -1] = size - 1, 0
    shapes = shapes_of(codes, [size])
    data = PACKED.encode(codes, [size])
    assert (
        len(data[0]) == packed_bytes(shapes[0]) == -(-channels * frames * bits_per_code(size) // 8)
    )
    (again,) = PACKED.decode(data, shapes)
    assert again.dtype == np.int32
    assert np.array_equal(again, codes[0])


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 1000, (1, 100)).astype(np.int32)]
    whole = PACKED.encode(codes, [1000])
    monkeypatch.setattr(packed, "_BLOCK", 8)
    assert PACKED.encode(codes, [1000]) == whole
    assert np.array_equal(PACKED.decode(whole, shapes_of(codes, [1000]))[0], codes[0])


def test_codes_outside_their_codebook() -> None:
    with pytest.raises(CodecError, match=r"stream 1 holds codes from 0 to 8, outside its .* of 8"):
        PACKED.encode([array([1]), array([0, 8])], [8, 8])
    with pytest.raises(CodecError, match="stream 0 holds codes from -1 to 3"):
        PACKED.encode([array([-1, 3])], [8])
    with pytest.raises(CodecError, match=r"stream 0 holds codes from 7 to 7, outside its .* of 5"):
        PACKED.decode([b"\xe0"], [StreamShape(5, 1, 1)])


def test_bytes_that_are_not_those_of_the_shape() -> None:
    shape = StreamShape(1024, 1, 4)
    with pytest.raises(CodecError, match="stream 0 has 4 bytes, expected 5 for 1 x 4 indices"):
        PACKED.decode([bytes(4)], [shape])
    with pytest.raises(CodecError, match="has 3 bytes, expected 1250000000000 for"):
        PACKED.decode([bytes(3)], [StreamShape(1024, 1, 10**12)])
    with pytest.raises(CodecError, match="stream 0 goes on after its last index"):
        PACKED.decode([b"\xa1"], [StreamShape(8, 1, 1)])


def test_an_hour_of_codes_takes_a_moment() -> None:
    """Far more than 100 times real time: EnCodec's densest point has 2,400 codes a second."""
    codes = [np.zeros((1, 3600 * 75), np.int32) for _ in range(32)]
    began = time.process_time()
    data = PACKED.encode(codes, [1024] * 32)
    PACKED.decode(data, shapes_of(codes, [1024] * 32))
    assert time.process_time() - began < 36
