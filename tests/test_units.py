from __future__ import annotations

import pytest

from snacbench.units import bits_per_code, kbps, lateness


def test_a_kilobit_is_1000_bits():
    assert kbps(16_000, 2.0) == 8.0
    with pytest.raises(ValueError, match=r"duration above 0 s, found 0.0 s"):
        kbps(1, 0.0)


@pytest.mark.parametrize(("size", "bits"), [(2, 1), (16, 4), (1000, 10), (1024, 10), (4096, 12)])
def test_an_index_takes_whole_bits(size, bits):
    assert bits_per_code(size) == bits


def test_a_codebook_of_one_entry_carries_nothing():
    with pytest.raises(ValueError, match="needs 2 entries or more, found 1"):
        bits_per_code(1)


@pytest.mark.parametrize(
    ("delay_s", "words"),
    [
        (0.0, "in time"),
        (0.025, "25.0 ms late"),
        (-0.5, "500.0 ms early"),
        (-2 / 48_000, "0.04 ms early"),
    ],
)
def test_a_delay_in_words(delay_s, words):
    assert lateness(delay_s) == words
