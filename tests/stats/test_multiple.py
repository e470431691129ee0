from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.stats.multiple import holm


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_adjusted_values_stop_at_one():
    assert holm([0.9, 0.6]) == [1.0, 1.0]


def test_one_test_needs_no_correction():
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_is_no_harsher_than_bonferroni(p):
    adjusted = holm(p)
    for before, after in zip(p, adjusted, strict=True):
        assert before <= after <= min(1.0, before * len(p) + 1e-12) or after == max(adjusted)
    assert [a for _, a in sorted(zip(p, adjusted, strict=True))] == sorted(adjusted)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
def test_p_values_are_probabilities(wrong):
    with pytest.raises(ValueError, match="p values must lie between 0 and 1, found"):
        holm([0.5, wrong])
