from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from snacbench.rate.entropy import (
    CodebookEntropy,
    bitrate_efficiency,
    codebook_entropies,
    entropy_kbps,
)
from snacbench.rows import CodeHistogram
from snacbench.types import CodecSpec, Stream


def book(
    corrected_bits: float, *, tokens: int = 100, size: int = 1024, clips: int = 30
) -> CodebookEntropy:
    return CodebookEntropy(corrected_bits - 1, corrected_bits, tokens, 1, size, clips)


def spec(*streams: tuple[float, int]) -> CodecSpec:
    return CodecSpec(
        "x", "x", "x", 8000, (1,), tuple(Stream(Fraction(rate), size) for rate, size in streams)
    )


def row(stream: int, counts: dict[int, int], *, size: int = 8) -> CodeHistogram:
    codes = np.array(sorted(counts), np.int32)
    return CodeHistogram(
        "c", "x", stream, size, codes, np.array([counts[int(c)] for c in codes], np.int64)
    )


def test_an_estimate_is_reliable_from_three_tokens_per_entry_of_30_clips():
    assert not book(9.0, tokens=3071).reliable
    assert not book(9.0, tokens=100_000, clips=29).reliable
    assert book(9.0, tokens=3072).reliable


def test_below_one_token_per_entry_there_is_a_range_from_plug_in_to_a_flat_codebook():
    few, enough = book(9.0, tokens=1023), book(9.0, tokens=1024)
    assert few.range_only
    assert (few.lowest_bits, few.highest_bits) == (8.0, 10.0)
    assert not enough.range_only
    assert (enough.lowest_bits, enough.highest_bits) == (9.0, 9.0)


def test_usage_dead_codes_and_perplexity():
    (found,) = codebook_entropies([row(0, {0: 50, 3: 50}, size=8)], spec((50, 8)))
    assert (found.usage, found.dead) == (0.25, 6)
    assert found.perplexity == pytest.approx(2.0, rel=0.02)


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
    books = [book(7.0, size=4096), book(13.0, size=4096)]
    assert bitrate_efficiency(books, spec((10, 4096), (30, 4096))) == pytest.approx(
        (10 * 6.0 + 30 * 12.0) / (40 * 12)
    )


def test_bitrate_efficiency_is_the_sum_of_entropies_over_the_sum_of_bits_at_equal_rates():
    books = [book(10.9), book(10.5)]
    assert bitrate_efficiency(books, spec((86, 1024), (86, 1024))) == pytest.approx(19.4 / 20)


def test_bitrate_efficiency_is_of_plug_in_entropies_unless_asked_otherwise():
    few = [CodebookEntropy(9.0, 9.5, 100, 90, 1024, 30)]
    of = spec((86, 1024))
    assert bitrate_efficiency(few, of) == pytest.approx(0.9)
    assert bitrate_efficiency(few, of, value="corrected") == pytest.approx(0.95)
    assert bitrate_efficiency(few, of, value="highest") == pytest.approx(1.0)


def test_bitrate_efficiency_needs_a_codebook():
    with pytest.raises(ValueError, match="at least one codebook, found none"):
        bitrate_efficiency([], spec())
