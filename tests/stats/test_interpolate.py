from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import interpolate, optimize

from snacbench.stats.interpolate import (
    first_reach,
    integral,
    isotonic,
    mean_gap,
    slopes,
    value_at,
)

SCIPY = {"pchip": interpolate.PchipInterpolator, "akima": interpolate.Akima1DInterpolator}


def points(seed: int, rows: int = 5, count: int = 6):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.1, 2, (rows, count)), axis=1)
    return x, rng.standard_normal((rows, count))


@pytest.mark.parametrize("kind", ["pchip", "akima"])
@pytest.mark.parametrize("count", [3, 4, 6])
def test_curves_and_areas_equal_scipys(kind, count):
    x, y = points(seed=count, count=count)
    d = slopes(x, y, kind)
    low, high = x[:, 0] + 0.07, x[:, -1] - 0.03
    for i in range(len(x)):
        theirs = SCIPY[kind](x[i], y[i])
        at = np.linspace(x[i, 0], x[i, -1], 30)
        ours = [float(value_at(x[i], y[i], d[i], place)) for place in at]
        assert ours == pytest.approx(theirs(at), abs=1e-12)
        assert integral(x, y, d, low, high)[i] == pytest.approx(
            float(theirs.integrate(low[i], high[i])), abs=1e-12
        )


def test_two_points_make_a_line():
    assert slopes(np.array([0.0, 2]), np.array([1.0, 5]), "pchip").tolist() == [2, 2]


def test_akima_of_a_straight_line_is_the_line():
    x = np.array([0.0, 1, 3, 4])
    assert slopes(x, 2 * x, "akima") == pytest.approx(np.full(4, 2.0))


def test_one_x_serves_many_curves():
    x, y = points(0)
    assert slopes(x[0], y, "pchip")[2] == pytest.approx(slopes(x[0], y[2], "pchip"))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9))
def test_isotonic_equals_scipys(values):
    y = np.array(values)
    assert isotonic(y) == pytest.approx(optimize.isotonic_regression(y).x, abs=1e-12)


def test_what_rises_already_stays_exactly():
    y = np.array([[0.1, 0.2, 0.3], [0.7, 0.7, 0.9]])
    assert np.array_equal(isotonic(y), y)


def test_first_reach_inverts_the_curve():
    x = np.array([0.0, 1, 2.5, 4])
    y = np.array([[1.0, 2, 2.2, 5]] * 4)
    level = np.array([1.3, 2.0, 2.1, 4.9])
    d = slopes(x, y, "pchip")
    found = first_reach(x, y, d, level)
    back = [float(value_at(x, y[0], d[0], place)) for place in found]
    assert back == pytest.approx(level.tolist(), abs=1e-12)
    assert found[1] == pytest.approx(1.0)


def test_on_a_plateau_the_smallest_place_counts():
    x, y = np.array([0.0, 1, 2, 3]), np.array([[1.0, 2, 2, 3]])
    assert first_reach(x, y, slopes(x, y, "pchip"), np.array([2.0]))[0] == pytest.approx(1.0)


def test_beyond_the_ends_there_is_no_place():
    x, y = np.array([0.0, 1, 2]), np.array([[1.0, 2, 3]] * 4)
    found = first_reach(x, y, slopes(x, y, "pchip"), np.array([0.9, 1.0, 3.0, 3.1]))
    assert found.tolist() == pytest.approx([-np.inf, 0.0, 2.0, np.inf])


def test_the_gap_of_parallel_lines_is_their_distance():
    x = np.array([0.0, 1, 2, 3])
    for method in ("pchip", "akima", "cubic"):
        gap = mean_gap(x, 2 * x, x + 1.5, 2 * (x + 1.5) + 0.7, method)
        assert float(gap) == pytest.approx(0.7)


def test_there_is_no_gap_without_overlap_or_where_x_falls():
    x = np.array([0.0, 1, 2, 3])
    falling = np.array([0.0, 2, 1, 3])
    both = np.stack([x + 5, falling])
    assert np.isnan(mean_gap(x, x, both, x, "pchip")).all()
