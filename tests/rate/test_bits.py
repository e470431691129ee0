from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from snacbench.errors import CodecError
from snacbench.rate.bits import bits_of
from snacbench.rows import Bits
from snacbench.types import CodecSpec, Encoded, Stream


def spec(*sizes: int) -> CodecSpec:
    return CodecSpec("x@1", "x", "x", 8000, (1,), tuple(Stream(Fraction(50), s) for s in sizes))


def encoded(*codes, **others) -> Encoded:
    arrays = tuple(np.asarray(c, np.int32) for c in codes)
    return Encoded(num_samples=1, channels=1, rate_hz=8000, codes=arrays, **others)


def test_codes_count_whole_bits_over_all_channels_and_streams():
    bits = bits_of(encoded(np.zeros((2, 10)), np.zeros((2, 20))), spec(1024, 1000))
    assert bits == Bits(codes=2 * 10 * 10 + 2 * 20 * 10)


def test_side_information_and_packets_count_whole_bytes():
    bits = bits_of(encoded(side_info=b"abc", packets=(b"12345", b"", b"6")), spec())
    assert bits == Bits(side_info=24, payload=48)
    assert bits.total == 72


def test_of_packets_that_wrap_a_bitstream_only_its_bits_count():
    wrapped = encoded(packets=(b"header and all",), payload_bits=29)
    assert bits_of(wrapped, spec()) == Bits(payload=29)


@pytest.mark.parametrize("counted", [-1, 17])
def test_no_more_bits_count_than_there_are(counted):
    with pytest.raises(CodecError, match=f"x@1 counts {counted} bits in packets of 16 bits"):
        bits_of(encoded(packets=(b"ab",), payload_bits=counted), spec())


def test_a_stream_without_codes_costs_nothing():
    assert bits_of(encoded(np.zeros((1, 0))), spec(16)).total == 0


def test_bits_add_up_part_by_part():
    assert Bits(1, 2, 3) + Bits(10, 20, 30) == Bits(11, 22, 33)


def test_as_many_code_arrays_as_streams():
    with pytest.raises(CodecError, match="x@1 returned 1 code arrays for 2 streams"):
        bits_of(encoded([[0]]), spec(16, 16))


@pytest.mark.parametrize(("codes", "found"), [([[0, 16]], "0 to 16"), ([[-1, 3]], "-1 to 3")])
def test_codes_lie_inside_their_codebook(codes, found):
    text = f"x@1 stream 1 holds codes from {found}, outside its codebook of 16"
    with pytest.raises(CodecError, match=text):
        bits_of(encoded([[15]], codes), spec(16, 16))
