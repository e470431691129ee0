from __future__ import annotations

import math

import pytest

from snacbench.units import bits_per_code, db_from_power_ratio, kbps, lateness


def test_a_kilobit_is_1000_bits():
    assert kbps(16_000, 2.0) == 8.0


@pytest.mark.parametrize("duration_s", [0.0, -1.0])
def test_a_rate_needs_a_duration(duration_s):
    with pytest.raises(ValueError, match=f"duration above 0 s, found {duration_s} s"):
        kbps(1, duration_s)


def test_level_of_a_power_ratio():
    assert db_from_power_ratio(100.0) == pytest.approx(20.0)
    assert db_from_power_ratio(0.0) == -math.inf


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
def test_a_delay_in_words(delay_s: float, words: str) -> None:
    assert lateness(delay_s) == words
