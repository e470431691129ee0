from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.rate.entropy import (
    CodebookEntropy,
    bitrate_efficiency,
    codebook_entropies,
    entropy_kbps,
    miller_madow_entropy_bits,
    plug_in_entropy_bits,
)
from snacbench.rows import CodeHistogram
from snacbench.types import CodecSpec, Stream

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=64).filter(any)


def counted(codes, size: int):
    return np.bincount(codes, minlength=size)


def uniform(tokens: int, size: int = 4096, seed: int = 0):
    return counted(np.random.default_rng(seed).integers(0, size, tokens), size)


def book(corrected_bits: float, *, tokens: int = 100, size: int = 1024) -> CodebookEntropy:
    return CodebookEntropy(corrected_bits, corrected_bits, tokens, 1, size)


def spec(*streams: tuple[float, int]) -> CodecSpec:
    return CodecSpec(
        "x", "x", "x", 8000, (1,), tuple(Stream(Fraction(rate), size) for rate, size in streams)
    )


def row(stream: int, counts: dict[int, int], *, size: int = 8) -> CodeHistogram:
    codes = np.array(sorted(counts), np.int32)
    return CodeHistogram(
        "c", "x", stream, size, codes, np.array([counts[int(c)] for c in codes], np.int64)
    )


@pytest.mark.parametrize(("tokens", "bits"), [(180, 7.46), (2000, 10.51), (20_000, 11.85)])
def test_plug_in_reads_low_when_tokens_are_few(tokens, bits):
    readings = [plug_in_entropy_bits(uniform(tokens, seed=seed)) for seed in range(5)]
    assert np.mean(readings) == pytest.approx(bits, abs=0.02)


@pytest.mark.parametrize("tokens", [180, 2000, 20_000])
def test_the_correction_comes_closer_to_the_truth(tokens):
    counts = uniform(tokens)
    plug_in, corrected = plug_in_entropy_bits(counts), miller_madow_entropy_bits(counts)
    assert plug_in < corrected <= 12.0


def test_with_three_tokens_per_entry_the_correction_is_about_1_5_percent_low_on_zipf_sources():
    p = 1 / np.arange(1, 1025)
    p /= p.sum()
    truth = -(p * np.log2(p)).sum()
    draws = (np.random.default_rng(seed).choice(1024, 3 * 1024, p=p) for seed in range(6))
    readings = [miller_madow_entropy_bits(counted(codes, 1024)) for codes in draws]
    assert np.mean(readings) / truth - 1 == pytest.approx(-0.015, abs=0.005)


def test_entropy_by_hand():
    counts = np.array([4, 2, 2, 0])
    assert plug_in_entropy_bits(counts) == pytest.approx(1.5)
    assert miller_madow_entropy_bits(counts) == pytest.approx(1.5 + 2 / (2 * 8 * math.log(2)))


@given(COUNTS)
def test_entropy_lies_between_0_and_the_bits_of_the_codebook(counts):
    array = np.array(counts)
    plug_in, corrected = plug_in_entropy_bits(array), miller_madow_entropy_bits(array)
    top = math.log2(len(counts))
    assert 0 <= plug_in <= top + 1e-12
    assert min(plug_in, top) <= corrected <= top


def test_entropy_needs_a_token():
    for estimate in (plug_in_entropy_bits, miller_madow_entropy_bits):
        with pytest.raises(ValueError, match="needs at least one token, found none"):
            estimate(np.zeros(8, np.int64))


def test_an_estimate_is_reliable_from_three_tokens_per_entry():
    assert not book(9.0, tokens=3071).reliable
    assert book(9.0, tokens=3072).reliable


def test_efficiency_of_a_book_is_entropy_over_its_packed_bits():
    assert book(8.0, size=1000).efficiency == 0.8


def test_counts_are_pooled_over_clips_and_streams_kept_apart():
    rows = [row(0, {0: 1}), row(1, {5: 2}), row(0, {0: 1, 3: 2}), row(1, {5: 1})]
    first, second = codebook_entropies(rows, spec((50, 8), (50, 8)))
    assert (first.plug_in_bits, first.tokens, first.used) == (1.0, 4, 2)
    assert (second.plug_in_bits, second.tokens, second.used) == (0.0, 3, 1)
    assert first.codebook_size == 8


def test_no_clips_and_no_streams_have_no_entropy():
    assert codebook_entropies([], spec((50, 8))) == ()
    assert codebook_entropies([], spec()) == ()


def test_entropy_rate_by_hand():
    books = [book(9.0, tokens=1000), book(5.5, tokens=2000)]
    assert entropy_kbps(books, duration_s=10.0, other_bits=3000) == pytest.approx(
        (9.0 * 1000 + 5.5 * 2000 + 3000) / 10.0 / 1000
    )


def test_bitrate_efficiency_weighs_books_by_their_frame_rate():
    books = [book(6.0, size=4096), book(12.0, size=4096)]
    assert bitrate_efficiency(books, spec((10, 4096), (30, 4096))) == pytest.approx(
        (10 * 6.0 + 30 * 12.0) / (40 * 12)
    )


def test_bitrate_efficiency_is_the_sum_of_entropies_over_the_sum_of_bits_at_equal_rates():
    books = [book(9.9), book(9.5)]
    assert bitrate_efficiency(books, spec((86, 1024), (86, 1024))) == pytest.approx(19.4 / 20)


def test_bitrate_efficiency_needs_a_codebook():
    with pytest.raises(ValueError, match="at least one codebook, found none"):
        bitrate_efficiency([], spec())
