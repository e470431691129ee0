"""Shares against the formulas that the module's docstring states."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.rate.coding.adaptive import OneContext, OrderZero
from snacbench.rate.coding.range_coder import SHARES, divisible
from snacbench.rate.coding.tables import UNIT, Pairs, StreamTable, untrained

SIZE = 8
COUNTS = np.array([5, 0, 3, 0, 0, 1, 0, 91])
PAIRS = Pairs(np.array([2, 2, 4]), np.array([1, 7, 3]), np.array([3, 1, 2]), strength=4)
TABLE = StreamTable(COUNTS, UNIT // 2, 16, {"previous": PAIRS})
CLOSE = {"abs": 5e-5}  # 2^24 shares, of which each code has one, and weights in 4096ths

STATIC = (COUNTS + 0.5) / (100 + 0.5 * SIZE)


def probabilities(shares: np.ndarray) -> np.ndarray:
    assert shares.sum() == divisible(SIZE)
    assert shares.min() >= 0
    return (shares + 1) / SHARES


def order_zero(learnt: list[int]) -> np.ndarray:
    return (np.bincount(learnt, minlength=SIZE) + 16 * STATIC) / (len(learnt) + 16)


def test_static_shares() -> None:
    assert probabilities(TABLE.shares) == pytest.approx(STATIC, **CLOSE)


@pytest.mark.parametrize("learnt", [[], [1], [1, 1, 6, 7, 1]])
def test_order_zero_learns_the_clip(learnt: list[int]) -> None:
    model = OrderZero(TABLE)
    for symbol in learnt:
        model.learn(symbol)
    assert probabilities(model.shares()) == pytest.approx(order_zero(learnt), **CLOSE)


def test_untrained_order_zero_is_krichevsky_and_trofimovs() -> None:
    model = OrderZero(untrained(SIZE))
    assert probabilities(model.shares()) == pytest.approx(np.full(SIZE, 1 / SIZE), **CLOSE)
    for symbol in (3, 3, 4):
        model.learn(symbol)
    expected = (np.array([0, 0, 0, 2, 1, 0, 0, 0]) + 0.5) / (3 + SIZE / 2)
    assert probabilities(model.shares()) == pytest.approx(expected, **CLOSE)


def test_a_context_adds_what_followed_it_in_training_and_in_the_clip() -> None:
    model = OneContext(TABLE, PAIRS)
    for symbol, context in ((1, 2), (6, 2), (1, 2), (5, 4), (0, -1)):
        model.learn(symbol, context)
    fallback = order_zero([1, 6, 1, 5, 0])
    followed = np.array([0, 3 + 2, 0, 0, 0, 0, 1, 1])
    expected = (followed + 4 * fallback) / (7 + 4)
    assert probabilities(model.shares(2)) == pytest.approx(expected, **CLOSE)
    only_clip = OneContext(TABLE, None)
    only_clip.learn(5, 3)
    expected = (np.eye(SIZE)[5] + 4 * order_zero([5])) / (1 + 4)  # without tables: K / 2 = 4
    assert probabilities(only_clip.shares(3)) == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("context", [-1, 6])
def test_without_a_context_or_a_count_of_it_order_zero_holds(context: int) -> None:
    model, plain = OneContext(TABLE, PAIRS), OrderZero(TABLE)
    model.learn(1, 2)
    plain.learn(1)
    assert np.array_equal(model.shares(context), plain.shares())


def test_a_model_that_is_sure_of_something_else_can_still_write_every_code() -> None:
    model = OneContext(StreamTable(np.array([10**9, 0]), 1, 1), Pairs(*np.zeros((3, 0), int), 1))
    for _ in range(1000):
        model.learn(0, 0)
    shares = model.shares(0)
    assert shares[1] >= 0
    assert shares.sum() == divisible(2)
