"""The mean of item means: hand-worked, against textbook formulas, and how well intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.listening.analysis.ratings import estimate, listener_means, ratings_of
from tests.listening.studies import listener_with, study_of

NAN = np.nan


def half_width(e) -> float:
    return (e.high - e.low) / 2


def test_complete_data_give_the_t_interval_on_listener_means() -> None:
    """Means 2, 4, 9: mean 5, standard deviation 3.606, standard error 2.082."""
    e = estimate(np.array([[1.0, 3], [4, 4], [8, 10]]))
    error = np.std([2, 4, 9], ddof=1) / np.sqrt(3)
    assert e.mean == pytest.approx(5)
    assert (e.low, e.high) == pytest.approx(stats.t.interval(0.95, 2, 5, error))
    assert (e.listeners, e.items, e.n) == (3, 2, 6)


def test_every_item_counts_the_same_and_the_jackknife_by_hand() -> None:
    """Item means 2 (of 1, 3) and 8 (of one listener): 5, not the mean of all three, 4.

    Without the 1st: (3 + 8) / 2 = 5.5; without the 2nd only item 1 is left: 1. Variance (2 - 1) / 2
    of the squared distances from 3.25: 0.5 (2 x 2.25^2) = 5.0625.
    """
    e = estimate(np.array([[1, NAN], [3, 8]]))
    assert e.mean == pytest.approx(5)
    assert half_width(e) == pytest.approx(2.25 * stats.t.ppf(0.975, 1))


def test_one_listener_gives_no_interval_and_ends_stop_where_the_scale_ends() -> None:
    e = estimate(np.array([[1.0, 3]]))
    assert (e.low, e.high) == (None, None)
    assert estimate(np.array([[95.0, 95], [99, 100]]), lowest=0, highest=100).high == 100


def test_four_items_say_nothing_of_other_items_and_five_do() -> None:
    """Item means 1 to 5, listeners alike: no variance over listeners, 2.5 / 5 over items."""
    four = estimate(np.array([[1.0, 2, 3, 4]] * 3))
    assert (four.low, four.low_both, four.high_both) == (2.5, None, None)
    five = estimate(np.array([[1.0, 2, 3, 4, 5]] * 3))
    assert (five.low, five.high) == (3, 3)
    expected = np.sqrt(0.5) * stats.t.ppf(0.975, 4)
    assert five.high_both - five.mean == pytest.approx(expected)
    same = estimate(np.full((4, 5), 7.0))
    assert (same.low, same.high, same.low_both, same.high_both) == (7, 7, 7, 7)


def test_listener_means_are_over_what_was_rated() -> None:
    means = listener_means(np.array([[20, NAN], [20, 80], [NAN, NAN]]))
    assert means[:2] == pytest.approx([20, 50])
    assert np.isnan(means[2])


def test_ratings_come_as_an_array_with_systems_first() -> None:
    found = ratings_of(study_of({**listener_with("x", 2), **listener_with("y", 1)}))
    assert found.conditions == ("a", "b", "reference", "anchor35", "anchor70")
    assert found.systems == ["a", "b"]
    assert found.scores.shape == (2, 2, 5)
    assert np.isnan(found.scores[1, 1]).all()
    assert not found.complete


@pytest.mark.slow
@pytest.mark.parametrize(
    ("listeners", "items", "pages"), [(12, 8, 8), (20, 12, 12), (24, 12, 4), (30, 9, 3)]
)
def test_intervals_cover_what_they_say(listeners: int, items: int, pages: int) -> None:
    """95 % intervals of a mean and of a difference over listeners, and of a mean over both."""
    rng = np.random.default_rng(7)
    fixed = rng.normal(0, 5, (items, 2))
    fixed -= fixed.mean(axis=0)
    hits = np.zeros(3)
    studies = 2_000
    for _ in range(studies):
        for drawn in (False, True):
            effects = rng.normal(0, 5, (items, 2)) if drawn else fixed
            y = 50 + effects + rng.normal(0, 8, (listeners, 1, 1))
            y = y + rng.normal(0, 4, (listeners, 1, 2)) + rng.normal(0, 9, (listeners, items, 2))
            for row in y:
                row[rng.permutation(items)[pages:]] = NAN
            if drawn:
                e = estimate(y[:, :, 0])
                hits[2] += e.low_both <= 50 <= e.high_both
            else:
                for k, (values, truth) in enumerate(((y[..., 0], 50), (y[..., 0] - y[..., 1], 0))):
                    e = estimate(values)
                    hits[k] += e.low <= truth <= e.high
    assert hits[:2] / studies == pytest.approx([0.955, 0.955], abs=0.02), hits / studies
    assert 0.935 <= hits[2] / studies <= 0.985, hits / studies
