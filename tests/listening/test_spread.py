from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.listening.spread import Spread, spread_of
from snacbench.listening.study import Rating, Study

TRUE = Spread(listener=12, listener_system=6, listener_item=8, item=5, item_system=10, residual=15)


def a_study(rng, listeners=20, items=12, systems=5, pages=None, spread=TRUE) -> Study:
    """Unclipped scores of an additive model, of a random subset of items per listener."""
    n = (listeners, items, systems)
    scores = 50 + 10.0 * np.arange(systems) + rng.normal(0, spread.residual, n)
    scores += rng.normal(0, spread.listener, (n[0], 1, 1)) + rng.normal(0, spread.item, (n[1], 1))
    scores += rng.normal(0, spread.listener_system, (n[0], 1, n[2]))
    scores += rng.normal(0, spread.listener_item, (n[0], n[1], 1))
    scores += rng.normal(0, spread.item_system, n[1:])
    ratings = [
        Rating(f"l{who}", f"i{item}", f"s{s}", float(scores[who, item, s]))
        for who in range(listeners)
        for item in rng.permutation(items)[: pages or items]
        for s in range(systems)
    ]
    return Study("pilot", "mushra", (), tuple(f"s{s}" for s in range(systems)), tuple(ratings))


@pytest.mark.parametrize("pages", [None, 6])
def test_variances_are_found_without_bias(pages, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    found = [astuple(spread_of(a_study(rng, pages=pages))) for _ in range(200)]
    variances = np.mean(np.square(found), axis=0)
    assert np.sqrt(variances) == pytest.approx(astuple(TRUE), rel=0.06)


def test_a_hand_worked_example() -> None:
    """Two listeners, two items, two systems; the only deviation is one listener's on a system."""
    scores = {("a", "s0"): 50, ("a", "s1"): 60, ("b", "s0"): 50, ("b", "s1"): 64}
    ratings = [
        Rating(who, item, system, score)
        for (who, system), score in scores.items()
        for item in ("x", "y")
    ]
    study = Study("pilot", "mushra", (), ("s0", "s1"), tuple(ratings))
    # Differences of systems, 10 and 14, differ between listeners only: half of 4 squared is twice
    # the variance. Single scores share it: half of 4 squared over two systems, less that, is 0.
    assert astuple(spread_of(study)) == pytest.approx((0, 2, 0, 0, 0, 0))


def test_incomplete_pages_and_other_conditions_are_left_out() -> None:
    study = a_study(np.random.default_rng(1), 4, 4, 2)
    odd = (Rating("l0", "i9", "s0", 1.0), Rating("l0", "i0", "reference", 100.0))
    more = Study("pilot", "mushra", (), study.systems, (*study.ratings, *odd))
    assert spread_of(more) == spread_of(study)


@pytest.mark.parametrize("shape", [(1, 4, 3), (4, 1, 3), (4, 4, 1)])
def test_too_little_is_refused(shape) -> None:
    study = a_study(np.random.default_rng(0), *shape)
    with pytest.raises(UserError, match="pilot: the spread of ratings takes two systems, and two"):
        spread_of(study)


def test_listeners_with_one_page_each_are_refused() -> None:
    study = a_study(np.random.default_rng(0), 6, 3, 3, pages=1)
    with pytest.raises(UserError, match=r"6 listeners who rated . items on 6 complete pages"):
        spread_of(study)
