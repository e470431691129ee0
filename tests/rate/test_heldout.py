from __future__ import annotations

import math

import numpy as np
import pytest

from snacbench.rate.estimators import plug_in_entropy_bits
from snacbench.rate.heldout import held_out_order0, trained_shares


def drawn(shares, units: int, tokens: int, seed: int):
    return np.random.default_rng(seed).multinomial(tokens, shares, size=units)


def test_shares_are_positive_and_sum_to_one():
    for counts in (np.zeros((2, 8), int), np.eye(8, dtype=int)[:1], drawn([0.125] * 8, 4, 9, 0)):
        shares = trained_shares(counts)
        assert shares.min() > 0
        assert shares.sum() == pytest.approx(1)


def test_a_table_of_units_that_share_no_codes_is_nearly_flat():
    apart = np.kron(np.eye(4, dtype=int), np.full((1, 16), 50))
    assert trained_shares(apart).max() < 2 / 64
    alike = np.tile(np.r_[np.full(16, 200), np.zeros(48, int)], (4, 1))
    assert trained_shares(alike)[:16].sum() > 0.99


def test_code_length_by_hand():
    halves = [np.array([[1, 0]]), np.array([[0, 1]])]  # one token tells nothing: flat tables
    found = held_out_order0(halves)
    assert (found.bits, found.tokens) == (2.0, 2)
    assert found.bits_per_token == 1.0


@pytest.mark.parametrize("size", [16, 256])
def test_with_many_tokens_it_comes_down_to_the_entropy(size):
    shares = np.arange(1, size + 1.0)
    shares /= shares.sum()
    truth = float(-(shares * np.log2(shares)).sum())
    halves = [drawn(shares, 10, 20_000, seed) for seed in (0, 1)]
    assert truth < held_out_order0(halves).bits_per_token < truth + 0.01


def test_it_bounds_the_plug_in_entropy_from_above():
    halves = [drawn([1 / 64] * 64, 5, 40, seed) for seed in (0, 1)]
    pooled = np.concatenate(halves).sum(axis=0)
    assert held_out_order0(halves).bits_per_token > plug_in_entropy_bits(pooled)
    assert held_out_order0(halves).bits_per_token < math.log2(64) + 0.1


def test_two_parts_with_tokens_are_needed():
    empty = np.zeros((1, 4), int)
    assert held_out_order0([np.ones((2, 4), int), empty]) is None
    assert held_out_order0([]) is None
