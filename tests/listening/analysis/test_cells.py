"""The mean of item means: hand-worked, against textbook formulas, and how well intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.listening.analysis.cells import estimate, listener_means, ratings_of, systems_of
from tests.listening.studies import listener_with, study_of

NAN = np.nan


def table(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, float)[:, :, None]


def test_complete_data_give_the_t_interval_on_listener_means() -> None:
    """Means 2, 4, 9: mean 5, standard deviation 3.606, standard error 2.082."""
    e = estimate(table([[1, 3], [4, 4], [8, 10]]))
    assert e.mean[0] == pytest.approx(5)
    assert e.error[0] == pytest.approx(np.std([2, 4, 9], ddof=1) / np.sqrt(3))
    low, high = e.ends(0.95)
    assert (low[0], high[0]) == pytest.approx(stats.t.interval(0.95, 2, 5, e.error[0]))
    assert (e.listeners[0], e.items[0], e.n[0]) == (3, 2, 6)


def test_every_item_counts_the_same_however_many_rated_it() -> None:
    """Item means 2 (of 1, 3) and 8 (of one listener): 5, not the mean of all three, 4."""
    e = estimate(table([[1, NAN], [3, 8]]))
    assert e.mean[0] == pytest.approx(5)


def test_the_jackknife_by_hand() -> None:
    """Without the 1st: (3 + 8) / 2 = 5.5; without the 2nd only item 1 is left: 1.

    Variance (2 - 1) / 2 of the squared distances from 3.25: 0.5 (2 x 2.25^2) = 5.0625.
    """
    e = estimate(table([[1, NAN], [3, 8]]))
    assert e.error[0] == pytest.approx(2.25)


def test_one_listener_gives_no_interval() -> None:
    (ends,) = estimate(table([[1, 3]])).within(0.95, 0, 100)
    assert (ends.low, ends.high) == (None, None)


def test_ends_stop_where_the_scale_ends() -> None:
    (ends,) = estimate(table([[95, 95], [99, 100]])).within(0.95, 0, 100)
    assert ends.high == 100


def test_four_items_say_nothing_of_other_items_and_five_do() -> None:
    rng = np.random.default_rng(1)
    (four,) = estimate(rng.normal(50, 9, (8, 4, 1))).within(0.95, 0, 100)
    (five,) = estimate(rng.normal(50, 9, (8, 5, 1))).within(0.95, 0, 100)
    assert four.low is not None
    assert (four.low_both, four.high_both) == (None, None)
    assert five.low_both is not None


def test_over_items_as_well_by_hand() -> None:
    """Item means 1 to 5, listeners alike: no variance over listeners, 2.5 / 5 over items."""
    e = estimate(table([[1, 2, 3, 4, 5]] * 3))
    assert e.error[0] == 0
    assert e.error_both[0] == pytest.approx(np.sqrt(0.5))
    assert e.freedom_both[0] == pytest.approx(4)


def test_identical_ratings_have_no_width() -> None:
    (ends,) = estimate(table([[7.0] * 5] * 4)).within(0.95, 0, 100)
    assert (ends.low, ends.high, ends.low_both, ends.high_both) == (7, 7, 7, 7)


def test_listener_means_of_complete_data_are_plain_means() -> None:
    assert listener_means(table([[1, 3], [4, 4], [8, 10]]))[:, 0] == pytest.approx([2, 4, 9])


def test_listener_means_are_over_what_was_rated() -> None:
    means = listener_means(table([[20, NAN], [20, 80], [NAN, NAN]]))[:, 0]
    assert means[:2] == pytest.approx([20, 50])
    assert np.isnan(means[2])


def test_ratings_come_as_an_array_with_systems_first() -> None:
    found = ratings_of(study_of({**listener_with("x", 2), **listener_with("y", 1)}))
    assert found.conditions == ("a", "b", "reference", "anchor35", "anchor70")
    assert systems_of(found) == ["a", "b"]
    assert found.scores.shape == (2, 2, 5)
    assert np.isnan(found.scores[1, 1]).all()
    assert not found.complete
    assert found.only(items=["i1"]).listeners == ("x",)


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
                low, high = estimate(y).ends_both(0.95)
                hits[2] += low[0] <= 50 <= high[0]
            else:
                for k, (values, truth) in enumerate(((y, 50), (y[:, :, :1] - y[:, :, 1:], 0))):
                    low, high = estimate(values).ends(0.95)
                    hits[k] += low[0] <= truth <= high[0]
    assert hits[:2] / studies == pytest.approx([0.955, 0.955], abs=0.02), hits / studies
    assert 0.935 <= hits[2] / studies <= 0.985, hits / studies
