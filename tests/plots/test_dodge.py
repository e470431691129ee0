"""Marks at one place are moved apart, as little as needed, and nothing else is moved."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.plots._dodge import MARGIN, side_by_side

ENDS = [1.0, 100.0]  # two marks that span the axis
STEP = 0.05 / 3.5 * np.log(100 * MARGIN**2)


def moved(x: list[float], models: str, width_in: float = 3.5) -> np.ndarray:
    """How far marks between the ends of the axis are moved, in steps."""
    drawn = side_by_side([*x, *ENDS], [*models, "low", "high"], width_in=width_in)
    assert drawn[-2:] == ENDS
    return np.log(np.array(drawn[:-2]) / x) / STEP


def test_three_models_at_one_rate_stand_a_step_apart_about_it() -> None:
    assert moved([9.0, 9.0, 9.0], "abc") == pytest.approx([-1, 0, 1])
    assert moved([9.0, 9.0, 9.0], "abc", width_in=7.0) == pytest.approx([-0.5, 0, 0.5])


def test_marks_that_are_apart_stay() -> None:
    assert side_by_side([8.0, 9.0, 24.0], list("abc"), width_in=3.5) == [8.0, 9.0, 24.0]
    assert side_by_side([], [], width_in=3.5) == []


def test_close_marks_move_only_where_others_cover_each_other_and_only_as_far_as_needed() -> None:
    near = 9.0 * np.exp(0.7 * STEP)
    assert moved([9.0, near], "ab") == pytest.approx([0, 0])
    assert moved([9.0, 9.0, near], "abc") == pytest.approx([-0.7667, 0.2333, 0.5333], abs=1e-3)


def test_marks_of_one_model_keep_together() -> None:
    assert moved([9.0, 9.01], "aa") == pytest.approx([0, 0])
    first, second, other = moved([9.0, 9.01, 9.0], "aab")
    assert first == pytest.approx(second)
    assert first < 0 < other


def test_a_crowd_is_kept_within_four_steps() -> None:
    found = moved([9.0] * 9, "abcdefghi")
    assert np.ptp(found) == pytest.approx(4)
    assert found.mean() == pytest.approx(0)


def test_places_keep_their_order() -> None:
    x = [9.0] * 3 + [9.0 * np.exp(1.1 * STEP)] * 3
    drawn = side_by_side([*x, *ENDS], [*"abcabc", "low", "high"], width_in=3.5)
    assert max(drawn[:3]) < min(drawn[3:6])
