"""Bits, and entropies of codes."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.entropy_estimators import DEFAULT, PROMISES, sources
from benchmarks.entropy_estimators import errors_percent as errors_of_sources
from snacbench.errors import CodecError
from snacbench.rate import entropy
from snacbench.rate.bits import bits_of, histograms_of, rate_over_time
from snacbench.rows import Bits
from snacbench.types import CodecSpec, Encoded, Stream

CODES = arrays(np.int32, st.tuples(st.just(1), st.integers(0, 30)), elements=st.integers(0, 15))


def spec(*sizes, rates_hz=(50,) * 2):
    streams = (Stream(Fraction(hz), size) for hz, size in zip(rates_hz, sizes, strict=False))
    return CodecSpec("x@1", "x", "x", 8000, (1,), tuple(streams))


def encoded(*codes, num_samples=1, **others):
    arrays = tuple(np.asarray(c, np.int32) for c in codes)
    return Encoded(num_samples, channels=1, rate_hz=8000, codes=arrays, **others)


def segments(*lengths, streams=2, num_samples=1600, **others):
    """Of 10 base frames at 50 Hz, with codes of 0."""
    told = np.array([*np.atleast_2d(lengths)], np.int32)
    codes = (np.zeros_like(told),) * streams
    return encoded(*codes, num_samples=num_samples, segment_lengths=told, **others)


VARYING = replace(spec(16, 4), max_segment_frames=6)


@pytest.mark.parametrize(("given_codes", "sizes", "bits"), [
    # Whole bits over all channels and streams, whole bytes of everything else.
    (encoded(np.zeros((2, 10)), np.zeros((2, 20))), (1024, 1000), Bits(codes=200 + 400)),
    (encoded(side_info=b"abc", packets=(b"12345", b"", b"6")), (), Bits(0, 24, 48)),
    # Of packets that wrap a bitstream only its bits count.
    (encoded(packets=(b"header and all",), payload_bits=29), (), Bits(payload=29)),
])  # fmt: skip
def test_bits_by_hand(given_codes, sizes, bits):
    assert bits_of(given_codes, spec(*sizes)) == bits
    assert (Bits(1, 2, 3) + Bits(10, 20, 30)).total == 66


@pytest.mark.parametrize(("given_codes", "sizes", "message"), [
    (encoded(packets=(b"ab",), payload_bits=-1), (), "counts -1 bits in packets of 16 bits"),
    (encoded([[0]]), (16, 16), "returned 1 code arrays for 2 streams"),
    (encoded([[15]], [[0, 16]]), (16, 16), "1 holds codes from 0 to 16, outside its codebook"),
])  # fmt: skip
def test_what_no_codec_may_return(given_codes, sizes, message):
    with pytest.raises(CodecError, match=f"x@1 .*{message}"):
        bits_of(given_codes, spec(*sizes))


@pytest.mark.parametrize(("part", "of", "message"), [
    (segments(4, 6), spec(16, 4), "with max_segment_frames=1 and 1 frame rates; declare"),
    (segments(4, 6), replace(VARYING, streams=spec(16, 4, rates_hz=(50, 25)).streams), "and 2"),
    (replace(segments(4, 6), segment_lengths=np.array([[10]], np.int32)), VARYING,
     r"int32 \(1, 1\), expected int32 and the shape of all codes"),
    (replace(segments(4, 6), segment_lengths=np.array([[4, 6]])), VARYING, "int64"),
    (segments(3, 7), VARYING, "from 3 to 7 frames, expected 1 to 6"),
    (segments(4, 6, 0), VARYING, "from 0 to 6 frames"),
    (segments(4, 5), VARYING, r"of \[9\] frames in all, expected 10, or up to 8 more"),
    (segments([4, 6], [4, 5]), VARYING, r"of \[10, 9\] frames"),
    (segments(6, 6, 6, 1), VARYING, r"of \[19\] frames"),
    (segments(4, 6, num_samples=1601), VARYING, r"of \[10\] frames in all, expected 11"),
])  # fmt: skip
def test_segment_lengths_are_those_of_the_codes_and_of_the_clip(part, of, message):
    with pytest.raises(CodecError, match=f"x@1 returned segment lengths .*{message}"):
        bits_of(part, of)


def test_segments_by_hand():
    # 2 segments of 4 + 2 bits, their lengths of up to 6 at 3 bits; 1 byte beside: 26 bits in 0.2 s.
    part = segments(4, 6, side_info=b"x")
    assert bits_of(part, VARYING) == Bits(codes=12, side_info=6 + 8)
    assert bits_of(segments(6, 6, 6), VARYING).side_info == 9  # up to 8 frames of padding
    assert bits_of(replace(part, segment_lengths=None), VARYING).side_info == 8
    # 4 frames at 9 / 4 bits and 6 at 9 / 6, and 0.8 everywhere; at 50 frames a second.
    low, high = (50 * (9 / frames + 0.8) / 1000 for frames in (6, 4))
    found = rate_over_time([part], VARYING)
    assert (found.low_kbps, found.median_kbps, found.high_kbps) == pytest.approx((low, low, high))
    # Channels add up, each with segments of its own: 18 / 1 for a frame, 9 / 5 + 9 / 4, ...
    both = rate_over_time([segments(1, 5, 4), segments(1, 4, 5)], VARYING)
    assert both.high_kbps == pytest.approx(50 * 18 / 1000)
    assert both.low_kbps == pytest.approx(50 * 18 / 5 / 1000)
    assert both == rate_over_time([segments([1, 5, 4], [1, 4, 5])], VARYING)
    assert rate_over_time([replace(part, segment_lengths=None)], VARYING) is None
    # Packets: 5 of 20 ms.
    opus, packets = replace(spec(), packet_s=0.02), tuple(bytes(n) for n in (10, 30, 20, 40, 50))
    found = rate_over_time([encoded(packets=packets)], opus)
    assert (found.low_kbps, found.median_kbps, found.high_kbps) == pytest.approx((4, 12, 20))
    assert rate_over_time([encoded(packets=packets, payload_bits=9)], opus) is None
    assert rate_over_time([encoded(packets=packets)], spec()) is None


def histogram(*parts):
    return histograms_of([encoded(p) for p in parts], clip="c", spec=spec(16))[0]


def test_codes_that_occur_are_counted_in_order_and_streams_apart():
    row = histogram(np.array([[3, 1, 3, 15]], np.int32))
    assert (row.codes.tolist(), row.counts.tolist()) == ([1, 3, 15], [1, 2, 1])
    assert (row.clip, row.codec, row.stream, row.codebook_size) == ("c", "x@1", 0, 16)
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


def book(corrected_bits, *, tokens=100, size=1024, clips=30):
    return entropy.CodebookEntropy(corrected_bits - 1, corrected_bits, tokens, 1, size, clips)


@pytest.mark.parametrize(("tokens", "bits"), [(180, 7.46), (2000, 10.51), (20_000, 11.85)])
def test_plug_in_reads_low_when_tokens_are_few_and_the_correction_comes_closer(tokens, bits):
    draws = [np.random.default_rng(seed).integers(0, 4096, tokens) for seed in range(5)]
    counts = [np.bincount(codes, minlength=4096) for codes in draws]
    assert np.mean([*map(entropy.plug_in_entropy_bits, counts)]) == pytest.approx(bits, abs=0.02)
    plug_in, corrected = entropy.plug_in_entropy_bits, entropy.corrected_entropy_bits
    assert plug_in(counts[0]) < corrected(counts[0]) <= 12.0


@pytest.mark.parametrize(
    ("size", "per_entry", "percent"), [*((1024, *one) for one in PROMISES), (4096, *PROMISES[0])]
)
def test_the_correction_keeps_what_it_promises(size, per_entry, percent):
    for source in sources(size):
        if source.name != "sticky":  # no estimator can, from counts alone
            errors = errors_of_sources(source, [per_entry * size], samples=6)[DEFAULT]
            assert abs(errors.mean()) < percent, source.name


@pytest.mark.parametrize("counts", [[2, 1, 1], [5, 3, 2, 2, 1, 1, 1], [9, 4, 1, 1, 1], [1] * 6])
def test_the_correction_is_chao_wang_and_josts_formula(counts):
    n, singles, doubles = sum(counts), counts.count(1), counts.count(2)
    if doubles:
        a = 2 * doubles / ((n - 1) * singles + 2 * doubles)
    else:
        a = 2 / ((n - 1) * (singles - 1) + 2)
    seen = sum(k / n * sum(1 / j for j in range(k, n)) for k in counts)
    series = sum((1 - a) ** r / r for r in range(1, n))
    unseen = singles / n * (1 - a) ** (1 - n) * (-math.log(a) - series)
    found = entropy.corrected_entropy_bits(np.array([*counts, *[0] * 10_000]))
    assert found == pytest.approx((seen + unseen) / math.log(2))
    assert entropy.plug_in_entropy_bits(np.array([4, 2, 2, 0])) == pytest.approx(1.5)


@pytest.mark.parametrize("estimate", [entropy.plug_in_entropy_bits, entropy.corrected_entropy_bits])
def test_large_counts_neither_overflow_nor_cancel_and_no_counts_are_refused(estimate):
    counts = np.zeros(4096, np.int64)
    with pytest.raises(ValueError, match="needs at least one token, found none"):
        estimate(counts)
    counts[:1024] = 10**6
    counts[1024], counts[1025:1030] = 1, 2
    assert estimate(counts) == pytest.approx(10.0, abs=1e-3)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=64).filter(any))
def test_entropy_lies_between_0_and_the_bits_of_the_codebook(counts):
    array, top = np.array(counts), math.log2(len(counts))
    plug_in, corrected = entropy.plug_in_entropy_bits(array), entropy.corrected_entropy_bits(array)
    assert 0 <= plug_in <= top + 1e-12
    assert min(plug_in, top) - 1e-12 <= corrected <= top


def test_what_is_said_of_a_codebook():
    first = entropy.codebook_entropy(np.array([2, 0, 0, 2, 0, 0, 0, 0]), clips=3)
    assert (first.plug_in_bits, first.tokens, first.used) == (1.0, 4, 2)
    assert (first.codebook_size, first.dead, first.clips) == (8, 6, 3)
    # Below three tokens per entry it is unreliable, below one a range.
    reliable = [book(9.0, tokens=3071), book(9.0, tokens=9000, clips=29), book(9.0, tokens=3072)]
    assert [one.reliable for one in reliable] == [False, False, True]
    few, enough = book(9.0, tokens=1023), book(9.0, tokens=1024)
    assert (few.range_only, few.lowest_bits, few.highest_bits) == (True, 8.0, 10.0)
    assert (enough.range_only, enough.lowest_bits, enough.highest_bits) == (False, 9.0, 9.0)


def test_rate_and_efficiency_by_hand():
    books = [book(9.0, tokens=1000), book(5.5, tokens=2000)]
    rate = (9.0 * 1000 + 5.5 * 2000 + 3000) / 10.0 / 1000
    assert entropy.entropy_kbps(books, duration_s=10.0, other_bits=3000) == pytest.approx(rate)
    # Books are weighed by their frame rate; the plug-in entropies count unless others are asked.
    books, of = [book(7.0, size=4096), book(13.0, size=4096)], spec(4096, 4096, rates_hz=(10, 30))
    share = (10 * 6.0 + 30 * 12.0) / (40 * 12)
    assert entropy.bitrate_efficiency(books, of) == pytest.approx(share)
    few, of = [entropy.CodebookEntropy(9.0, 9.5, 100, 90, 1024, 30)], spec(1024)
    for value, share in (("plug_in", 0.9), ("corrected", 0.95), ("highest", 1.0)):
        assert entropy.bitrate_efficiency(few, of, value=value) == pytest.approx(share)


def drawn(shares, units, tokens, seed):
    return np.random.default_rng(seed).multinomial(tokens, shares, size=units)


def test_with_many_tokens_it_comes_down_to_the_entropy_and_with_few_it_is_a_bound():
    shares = np.arange(1, 257.0) / np.arange(1, 257).sum()
    truth = float(-(shares * np.log2(shares)).sum())
    halves = [drawn(shares, 10, 20_000, seed) for seed in (0, 1)]
    assert truth < entropy.held_out_bits(halves) / (20 * 20_000) < truth + 0.01
    few = [drawn([1 / 64] * 64, 5, 40, seed) for seed in (0, 1)]
    pooled = np.concatenate(few).sum(axis=0)
    assert entropy.plug_in_entropy_bits(pooled) < entropy.held_out_bits(few) / pooled.sum() < 6.1
    # Code length by hand: one token tells nothing, so tables are flat.
    assert entropy.held_out_bits([np.array([[1, 0]]), np.array([[0, 1]])]) == 2.0
    assert entropy.held_out_bits([np.ones((2, 4), int), np.zeros((1, 4), int)]) is None
    assert entropy.held_out_bits([]) is None
