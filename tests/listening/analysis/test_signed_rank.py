from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.listening.analysis.signed_rank import signed_rank_p


def counted_out(differences: list[int]) -> float:
    """The p value by listing every pattern of signs."""
    known = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(known))
    total = ranks.sum()
    seen = min(ranks[known > 0].sum(), total - ranks[known > 0].sum())
    sums = [
        ranks[np.array(signs)].sum()
        for signs in itertools.product([False, True], repeat=len(known))
    ]
    extreme = [min(s, total - s) <= seen for s in sums]
    return float(np.mean(extreme))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
def test_every_pattern_of_signs_counts_the_same(differences: list[int]) -> None:
    expected = counted_out(differences)
    assert signed_rank_p(np.array(differences, float)) == pytest.approx(expected)


def test_without_ties_it_is_scipys_exact_test() -> None:
    differences = np.random.default_rng(0).normal(0.4, 1, 18)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank_p(differences) == pytest.approx(expected)


def test_many_differences_are_left_to_the_normal_approximation() -> None:
    differences = np.random.default_rng(0).normal(0.05, 1, 501)
    near = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank_p(differences) == pytest.approx(near, rel=0.01)


def test_differences_of_zero_say_nothing() -> None:
    assert signed_rank_p(np.zeros(5)) == 1.0
    some = np.array([1.0, 2.0, -3.0, 4.0])
    assert signed_rank_p(np.append(some, 0.0)) == signed_rank_p(some)
