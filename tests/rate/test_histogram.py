from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snacbench.rate.histogram import histograms_of, pooled_counts
from snacbench.types import CodecSpec, Encoded, Stream

SIZE = 16
SPEC = CodecSpec("x", "x", "x", 8000, (1,), (Stream(Fraction(50), SIZE),))
CODES = arrays(np.int32, st.tuples(st.just(1), st.integers(0, 30)), elements=st.integers(0, 15))


def encoded(*codes) -> Encoded:
    return Encoded(num_samples=1, channels=1, rate_hz=8000, codes=codes)


def histogram(*parts):
    return histograms_of([encoded(p) for p in parts], clip="c", spec=SPEC)[0]


def test_only_codes_that_occur_are_kept_in_ascending_order():
    row = histogram(np.array([[3, 1, 3, 15]], np.int32))
    assert row.codes.tolist() == [1, 3, 15]
    assert row.counts.tolist() == [1, 2, 1]
    assert (row.clip, row.codec, row.stream, row.codebook_size) == ("c", "x", 0, SIZE)
    assert (row.codes.dtype, row.counts.dtype) == (np.int32, np.int64)


def test_streams_of_unequal_length_are_counted_apart():
    spec = CodecSpec("x", "x", "x", 8000, (1,), (Stream(Fraction(1), 4), Stream(Fraction(2), 8)))
    part = encoded(np.zeros((1, 2), np.int32), np.full((1, 4), 7, np.int32))
    first, second = histograms_of([part], clip="c", spec=spec)
    assert (first.stream, first.codes.tolist(), first.counts.tolist()) == (0, [0], [2])
    assert (second.stream, second.codes.tolist(), second.counts.tolist()) == (1, [7], [4])


@given(st.lists(CODES, min_size=1, max_size=5))
def test_merged_histograms_are_the_histogram_of_the_merged_codes(parts):
    merged = np.bincount(np.concatenate(parts, axis=1).ravel(), minlength=SIZE)
    assert np.array_equal(pooled_counts([histogram(p) for p in parts], SIZE), merged)
    assert np.array_equal(pooled_counts([histogram(*parts)], SIZE), merged)


def test_no_histograms_pool_to_zeros():
    assert pooled_counts([], SIZE).tolist() == [0] * SIZE
