from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.stats import intervals
from snacbench.stats.intervals import Interval, mean_interval, mean_intervals

NAN = np.nan


def speakers(count: int, clips: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = [f"s{i % count}" for i in range(clips)]
    effects = rng.standard_normal(count)
    return rng.standard_normal(clips) + effects[np.arange(clips) % count], labels


def test_t_interval_on_cluster_means_by_hand():
    values = [m + d for m in (1, 2, 3, 4, 5) for d in (-0.5, 0.5)]
    found = mean_interval(values, [str(m) for m in (1, 2, 3, 4, 5) for _ in range(2)])
    half = 2.7764 * 1.58114 / np.sqrt(5)  # t(4), standard deviation of the cluster means
    assert (found.mean, found.n, found.clusters) == (3.0, 10, 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), abs=1e-3)
    assert found.method == "t interval on cluster means weighted by their clips"
    assert not found.independence_assumed


def test_every_clip_counts_the_same_whatever_its_cluster():
    found = mean_interval([0, 0, 0, 8, 1, 1, 1, 1], list("aaabcdef"))
    assert found.mean == 1.5
    assert found.low is not None
    assert found.high is not None
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_below_five_clusters_it_speaks_of_these_only():
    found = mean_interval([1, 2, 3, 7, 8, 9], list("aaabbb"))
    half = 2.7764 * np.sqrt(4 / 4 / 6)  # t(4); 4 is the sum of squares within clusters
    assert found.mean == 5
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half), abs=1e-3)
    assert found.these_clusters_only
    assert found.footnote("speaker") == (
        "n = 6 clips, 2 speakers; 95 % interval: these speakers only: t interval over the clips "
        "within them"
    )


def test_one_cluster_is_these_only_too():
    found = mean_interval([1.0, 2, 3], ["a"] * 3)
    theirs = stats.ttest_1samp([1, 2, 3], 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.footnote("track") == (
        "n = 3 clips, 1 track; 95 % interval: these tracks only: t interval over the clips within "
        "them"
    )


@pytest.mark.parametrize("clips", [2, 4, 12])
def test_few_independent_clips_get_the_textbook_interval(clips):
    values = np.arange(clips) ** 1.5
    found = mean_interval(values)
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert not found.these_clusters_only
    assert found.footnote() == (
        f"n = {clips} clips, independence assumed; 95 % interval: t interval over clips"
    )


def test_twenty_clusters_get_a_bootstrap_wider_than_plain_bca():
    values, labels = speakers(20, 200)
    found = mean_interval(values, labels)
    assert found.method == "BCa bootstrap over clusters"
    assert found.footnote("speaker") == (
        "n = 200 clips, 20 speakers; 95 % interval: BCa bootstrap over speakers"
    )
    sums = np.array([values[g::20].sum() for g in range(20)])
    plain = stats.bootstrap((sums / 10,), np.mean, rng=np.random.default_rng(0))
    width = plain.confidence_interval.high - plain.confidence_interval.low
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(
        width * np.sqrt(20 / 19) * stats.t.ppf(0.975, 19) / 1.96, rel=0.03
    )


def test_nineteen_clusters_do_not():
    assert "t interval" in mean_interval(*speakers(19, 190)).method


def test_clustered_clips_get_a_wider_interval_than_independent_ones():
    values, labels = speakers(30, 300)
    clustered, independent = mean_interval(values, labels), mean_interval(values)
    assert independent.method == "BCa bootstrap over clips"
    assert independent.independence_assumed
    assert width(clustered) > 1.5 * width(independent)


def width(found: Interval) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_a_bootstrap_that_degenerates_is_named(monkeypatch):
    monkeypatch.setattr(intervals, "acceleration_of", lambda table: np.full(table.shape[1], NAN))
    found = mean_interval(*speakers(20, 60))
    assert found.method == "percentile bootstrap over clusters, as BCa degenerates"
    assert width(found) > 0


def test_one_value_has_no_interval():
    found = mean_interval([2.5, NAN], ["a", "b"])
    assert (found.mean, found.low, found.high, found.n) == (2.5, None, None, 1)
    assert found.footnote("speaker") == "n = 1 clip; one value, no interval"


def test_equal_values_have_an_interval_without_width():
    for clips in (2, 10, 40):
        found = mean_interval([0.1] * clips)
        assert (found.low, found.high) == (found.mean, found.mean)
        assert found.mean == pytest.approx(0.1)
        assert found.method == "all values are equal"


def test_gaps_are_left_out_and_counted():
    table = np.array([[1.0, NAN, NAN], [2, 4, NAN], [3, 6, NAN]])
    first, second, third = mean_intervals(table, ["a", None, "b"])
    assert first is not None
    assert second is not None
    assert third is None
    assert (first.n, second.n) == (3, 2)
    assert second.mean == 5


def test_only_clips_with_a_value_decide_whether_independence_was_assumed():
    first, second = mean_intervals([[1.0, NAN], [2, 2], [3, 3]], [None, "a", "b"])
    assert first is not None
    assert second is not None
    assert first.independence_assumed
    assert not second.independence_assumed


def test_columns_together_equal_columns_alone():
    values, labels = speakers(25, 100)
    table = np.stack([values, values**2, -values], axis=1)
    together = mean_intervals(table, labels, seed=4)
    for column, found in zip(table.T, together, strict=True):
        alone = mean_interval(column, labels, seed=4)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high))


def test_a_cluster_without_values_hardly_matters_to_a_column():
    values, labels = speakers(40, 200)
    gaps = np.where(np.array(labels) == "s7", NAN, values)
    alone = mean_interval(gaps[np.isfinite(gaps)], [x for x in labels if x != "s7"])
    beside = mean_intervals(np.stack([gaps, values], axis=1), labels)[0]
    assert beside is not None
    assert (beside.mean, beside.clusters) == (pytest.approx(alone.mean), 39)
    assert width(beside) == pytest.approx(width(alone), rel=0.04)


def test_the_same_seed_gives_the_same_interval():
    values, labels = speakers(20, 60)
    assert mean_interval(values, labels, seed=1) == mean_interval(values, labels, seed=1)
    assert mean_interval(values, labels, seed=1) != mean_interval(values, labels, seed=2)


def test_no_clips_no_intervals():
    assert mean_intervals(np.zeros((0, 2))) == [None, None]


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 30)), min_size=2, max_size=80),
    st.floats(-50, 50),
)
def test_the_interval_holds_the_mean_and_moves_with_the_values(pairs, shift):
    values, labels = [v for v, _ in pairs], [str(c) for _, c in pairs]
    found = mean_interval(values, labels, draws=99)
    moved = mean_interval([v + shift for v in values], labels, draws=99)
    assert found.low is not None
    assert found.high is not None
    if "bootstrap" not in found.method:
        assert found.low <= found.mean <= found.high
        assert moved.low == pytest.approx(found.low + shift, abs=1e-6)
    assert found.n == len(pairs)


def test_a_mean_needs_a_value():
    with pytest.raises(ValueError, match="a mean needs a value, found none among 2 clips"):
        mean_interval([NAN, NAN])


def test_one_column_has_one_dimension():
    with pytest.raises(ValueError, match=r"values must have shape \(clips,\), found \(1, 2\)"):
        mean_interval([[1.0, 2.0]])


def test_a_table_has_two():
    with pytest.raises(ValueError, match=r"values must have shape \(clips, columns\), found \(2,"):
        mean_intervals([1.0, 2.0])


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="1 values are infinite; leave out"):
        mean_interval([1.0, np.inf])


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match=r"the level must lie between 0 and 1, such as 0\.95"):
        mean_interval([1.0, 2.0], level=level)
