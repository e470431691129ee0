from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.stats import resample
from snacbench.stats.bca import acceleration_of, bca_ends, percentile_ends
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.moments import moments_of
from snacbench.stats.resample import (
    compact,
    draw_means,
    leave_one_out_means,
    resample_means,
    times_drawn,
    widened_z,
)


def clustered(clusters: int = 25, seed: int = 0, columns: int = 3):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, clusters)
    labels = [f"s{g}" for g, size in enumerate(sizes) for _ in range(size)]
    effects = np.repeat(rng.exponential(1, (clusters, columns)), sizes, axis=0)
    values = effects + rng.exponential(1, (len(labels), columns))
    return values, cluster_clips(labels, clips=len(labels))


def ratio(sums, counts, axis=-1):
    return sums.sum(axis=axis) / counts.sum(axis=axis)


class Drawn:
    """What scipy.stats.bootstrap looks at in an earlier result."""

    def __init__(self, distribution) -> None:
        self.bootstrap_distribution = distribution


def scipy_bootstrap(m, column: int, level: float, **options):
    return stats.bootstrap(
        (m.sums[:, column], m.counts[:, column]),
        ratio,
        paired=True,
        vectorized=True,
        confidence_level=level,
        method="BCa",
        **options,
    )


def test_each_draw_takes_as_many_units_as_there_are():
    times = np.concatenate(list(times_drawn(7, draws=50, seed=3)))
    assert times.shape == (50, 7)
    assert (times.sum(axis=1) == 7).all()


def test_draws_depend_on_the_seed_alone(monkeypatch):
    first = np.concatenate(list(times_drawn(9, draws=40, seed=1)))
    other = np.concatenate(list(times_drawn(9, draws=40, seed=2)))
    assert not np.array_equal(first, other)
    monkeypatch.setattr(resample, "_KEPT_BYTES", 0)
    again = np.concatenate(list(times_drawn(9, draws=40, seed=1)))
    assert np.array_equal(first, again)


def test_a_draw_is_the_mean_over_the_clips_of_the_clusters_drawn():
    values, clustering = clustered(clusters=4)
    times = np.concatenate(list(times_drawn(4, draws=20, seed=0)))
    drawn = draw_means(moments_of(values, clustering), draws=20, seed=0)
    for row, means in zip(times, drawn, strict=True):
        clips = [i for i, c in enumerate(clustering.index) for _ in range(row[c])]
        assert means == pytest.approx(values[clips].mean(axis=0))


def test_leaving_out_one_cluster_by_hand():
    m = moments_of(np.array([[1.0], [3], [8]]), cluster_clips(list("aab"), clips=3))
    assert leave_one_out_means(m)[:, 0].tolist() == [8, 2]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bca_ends_equal_scipys_on_the_same_draws(level):
    values, clustering = clustered()
    m = moments_of(values, clustering)
    draws = draw_means(m, draws=2000, seed=1)
    z = np.full(3, stats.norm.ppf((1 + level) / 2))
    ends = bca_ends(draws, m.mean, acceleration_of(leave_one_out_means(m)), z)
    assert ends.corrected.all()
    for i in range(3):
        theirs = scipy_bootstrap(
            m, i, level, n_resamples=0, bootstrap_result=Drawn(draws[:, i])
        ).confidence_interval
        assert ends.low[i] == pytest.approx(theirs.low, rel=1e-12)
        assert ends.high[i] == pytest.approx(theirs.high, rel=1e-12)


def test_bca_ends_are_near_scipys_own_draws():
    values, clustering = clustered()
    m = moments_of(values, clustering)
    draws = draw_means(m, draws=9999, seed=1)
    ends = bca_ends(draws, m.mean, acceleration_of(leave_one_out_means(m)), np.full(3, 1.959964))
    theirs = scipy_bootstrap(m, 0, 0.95, n_resamples=9999, rng=np.random.default_rng(0))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ends.low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert ends.high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)


def test_bca_falls_back_to_percentiles_where_it_degenerates():
    draws = np.stack([np.linspace(0, 1, 101)] * 4, axis=1)
    estimate = np.array([2.0, 0.5, 0.5, 0.5])  # beyond all draws; fine; undefined; turns round
    acceleration = np.array([0.0, 0.0, np.nan, 0.6])
    ends = bca_ends(draws, estimate, acceleration, np.full(4, 1.959964))
    assert ends.corrected.tolist() == [False, True, False, False]
    assert ends.low == pytest.approx(np.full(4, 0.025), abs=1e-6)
    assert ends.high == pytest.approx(np.full(4, 0.975), abs=1e-6)


def test_acceleration_is_zero_for_symmetric_data_and_undefined_without_spread():
    assert acceleration_of(np.array([[1.0, 1], [2, 1], [3, 1]]))[0] == 0
    assert np.isnan(acceleration_of(np.ones((3, 1)))[0])


def test_percentiles_take_infinite_draws():
    draws = np.array([-np.inf] * 5 + [1.0, 2, 3, 4, 5] + [np.inf])[:, None]
    ends = percentile_ends(draws, np.array([1.959964]))
    assert (ends.low[0], ends.high[0]) == (-np.inf, np.inf)
    assert percentile_ends(draws, np.array([0.0])).low[0] == 1.0


def test_tails_are_widened_as_for_t_with_equal_clusters():
    rng = np.random.default_rng(0)
    labels = [str(i % 20) for i in range(100)]
    m = moments_of(rng.standard_normal((100, 1)), cluster_clips(labels, clips=100))
    assert widened_z(m, 0.95)[0] == pytest.approx(np.sqrt(20 / 19) * stats.t.ppf(0.975, 19))


def test_compacting_gives_factors_of_the_table():
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((200, 9))
    left, right = np.triu_indices(9, 1)
    pairs = basis[:, left] - basis[:, right]
    narrow, wide = compact(pairs)
    assert narrow.shape == (200, 8)
    assert narrow @ wide == pytest.approx(pairs, abs=1e-12)


@pytest.mark.parametrize("columns", [3, 60])
def test_what_cannot_be_compacted_stays(columns):
    table = np.random.default_rng(0).standard_normal((80, columns))
    narrow, wide = compact(table)
    assert np.array_equal(narrow @ wide, table)


def test_resampled_means_keep_the_columns_paired():
    values, clustering = clustered(columns=1)
    both = np.concatenate([values, values + 1], axis=1)
    found = resample_means(both, clustering, level=0.95, draws=200, seed=0)
    assert found.draws[:, 1] - found.draws[:, 0] == pytest.approx(np.ones(200))
    assert found.correctable
    assert not found.these_clusters_only


def test_below_five_clusters_clips_are_resampled_within_them():
    values = np.array([0.0, 1, 2, 100, 101, 102])[:, None]
    clustering = cluster_clips(list("aaabbb"), clips=6)
    found = resample_means(values, clustering, level=0.95, draws=4000, seed=0)
    assert found.these_clusters_only
    assert found.draws.std() == pytest.approx(np.sqrt(4 / 4 / 6), rel=0.05)  # pooled, n - 2
    assert found.z == pytest.approx(stats.t.ppf(0.975, 4))


def test_undefined_draws_are_left_out_of_an_interval():
    values, clustering = clustered(columns=1)
    found = resample_means(values, clustering, level=0.95, draws=500, seed=0)
    drawn = found.draws[:, 0].copy()
    drawn[::2] = np.nan
    low, high, method = found.interval(float(found.means[0]), drawn, found.leave_one_out[:, 0])
    assert low < found.means[0] < high
    assert method == "BCa bootstrap over clusters"


def test_an_infinite_draw_makes_it_a_percentile_interval():
    values, clustering = clustered(columns=1)
    found = resample_means(values, clustering, level=0.95, draws=500, seed=0)
    drawn = found.draws[:, 0].copy()
    drawn[:100] = np.inf
    _, high, method = found.interval(float(found.means[0]), drawn, found.leave_one_out[:, 0])
    assert high == np.inf
    assert method == "percentile bootstrap over clusters"
