from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snacbench.errors import CodecError
from snacbench.rate.bits import bits_of, histograms_of
from snacbench.rows import Bits
from snacbench.types import CodecSpec, Encoded, Stream

CODES = arrays(np.int32, st.tuples(st.just(1), st.integers(0, 30)), elements=st.integers(0, 15))


def spec(*sizes: int) -> CodecSpec:
    return CodecSpec("x@1", "x", "x", 8000, (1,), tuple(Stream(Fraction(50), s) for s in sizes))


def encoded(*codes, **others) -> Encoded:
    arrays = tuple(np.asarray(c, np.int32) for c in codes)
    return Encoded(num_samples=1, channels=1, rate_hz=8000, codes=arrays, **others)


@pytest.mark.parametrize(
    ("given_codes", "sizes", "bits"),
    [
        # Whole bits over all channels and streams, whole bytes of everything else.
        (encoded(np.zeros((2, 10)), np.zeros((2, 20))), (1024, 1000), Bits(codes=200 + 400)),
        (encoded(side_info=b"abc", packets=(b"12345", b"", b"6")), (), Bits(0, 24, 48)),
        # Of packets that wrap a bitstream only its bits count.
        (encoded(packets=(b"header and all",), payload_bits=29), (), Bits(payload=29)),
        (encoded(np.zeros((1, 0))), (16,), Bits()),
    ],
)
def test_bits_by_hand(given_codes, sizes, bits):
    assert bits_of(given_codes, spec(*sizes)) == bits
    assert (Bits(1, 2, 3) + Bits(10, 20, 30)).total == 66


@pytest.mark.parametrize(
    ("given_codes", "sizes", "message"),
    [
        (encoded(packets=(b"ab",), payload_bits=-1), (), "counts -1 bits in packets of 16 bits"),
        (encoded(packets=(b"ab",), payload_bits=17), (), "counts 17 bits in packets of 16 bits"),
        (encoded([[0]]), (16, 16), "returned 1 code arrays for 2 streams"),
        (encoded([[15]], [[0, 16]]), (16, 16), "1 holds codes from 0 to 16, outside its codebook"),
        (encoded([[15]], [[-1, 3]]), (16, 16), "1 holds codes from -1 to 3, outside its codebook"),
    ],
)
def test_what_no_codec_may_return(given_codes, sizes, message):
    with pytest.raises(CodecError, match=f"x@1 .*{message}"):
        bits_of(given_codes, spec(*sizes))


def histogram(*parts):
    return histograms_of([encoded(p) for p in parts], clip="c", spec=spec(16))[0]


def test_codes_that_occur_are_counted_in_order_and_streams_apart():
    row = histogram(np.array([[3, 1, 3, 15]], np.int32))
    assert (row.codes.tolist(), row.counts.tolist()) == ([1, 3, 15], [1, 2, 1])
    assert (row.clip, row.codec, row.stream, row.codebook_size) == ("c", "x@1", 0, 16)
    assert (row.codes.dtype, row.counts.dtype) == (np.int32, np.int64)
    part = encoded(np.zeros((1, 2), np.int32), np.full((1, 4), 7, np.int32))
    rows = histograms_of([part], clip="c", spec=spec(4, 8))
    found = [(row.stream, row.codes.tolist(), row.counts.tolist()) for row in rows]
    assert found == [(0, [0], [2]), (1, [7], [4])]


@given(st.lists(CODES, min_size=1, max_size=5))
def test_merged_histograms_are_the_histogram_of_the_merged_codes(parts):
    merged, rows = histogram(*parts), [histogram(part) for part in parts]
    counted = np.bincount(np.concatenate(parts, axis=1).ravel(), minlength=16)
    assert merged.counts.tolist() == counted[merged.codes].tolist()
    added = sum(np.bincount(row.codes, row.counts, minlength=16) for row in rows)
    assert np.array_equal(added, counted)
