from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from snacbench.stats import intervals
from snacbench.stats.clusters import cluster_clips, moments_of
from tests.support.cases import cases

NAN = np.nan
SIZES = (1, 4, 2, 9, 3, 3, 1, 6)


def moments(values, labels=None):
    table = np.asarray(values, float)
    table = table[:, None] if table.ndim == 1 else table
    return moments_of(table, cluster_clips(labels or [None] * len(table)))


def interval(values, labels=None, **options):
    (found,) = intervals.mean_intervals(np.asarray(values, float)[:, None], labels, **options)
    return found


def width(found):
    return found.high - found.low


def speakers(count, clips):
    rng = np.random.default_rng(0)
    effects = rng.standard_normal(count)[np.arange(clips) % count]
    return rng.standard_normal(clips) + effects, [f"s{i % count}" for i in range(clips)]


def clustered(clusters=25, columns=3):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, clusters)
    labels = [f"s{g}" for g, size in enumerate(sizes) for _ in range(size)]
    effects = np.repeat(rng.exponential(1, (clusters, columns)), sizes, axis=0)
    values = effects + rng.exponential(1, (len(labels), columns))
    return values, cluster_clips(labels)


def test_clips_are_numbered_by_cluster_and_unknown_ones_stand_alone():
    found = cluster_clips(["b", None, "b", "c", None])
    assert found.index.tolist() == [0, 1, 0, 2, 3]
    assert (found.count, found.independence_assumed, found.one_clip_each) == (4, True, False)
    alone = cluster_clips([None] * 3)
    assert (alone.count, alone.independence_assumed, alone.one_clip_each) == (3, True, True)


def by_matrices(values, labels, variance, effect):
    """CR2 error and Satterthwaite's degrees of freedom the long way, from n x n matrices."""
    n = len(values)
    groups = [np.flatnonzero(np.array(labels) == name) for name in dict.fromkeys(labels)]
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    omega = variance * np.eye(n)
    columns = []
    for rows in groups:
        omega[np.ix_(rows, rows)] += effect
        size, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = vectors @ np.diag(size**-0.5) @ vectors.T
        columns.append(residual_maker[:, rows] @ root @ np.ones(len(rows)) / n)
    g = np.stack(columns, axis=1)
    b = g.T @ omega @ g
    error = np.sqrt(((g.T @ np.asarray(values)) ** 2).sum())
    return error, np.trace(b) ** 2 / np.trace(b @ b)


@pytest.mark.parametrize("seed", range(3))
def test_error_and_freedom_agree_with_the_matrix_formulas_and_gaps_are_as_if_not_there(seed):
    rng = np.random.default_rng(seed)
    labels = [f"s{g}" for g, size in enumerate(SIZES) for _ in range(size)]
    values = np.repeat(rng.standard_normal(len(SIZES)), SIZES) + rng.standard_normal(len(labels))
    m = moments(values, labels)
    within = m.within[0] / (m.n[0] - m.clusters[0])
    sizes, n = np.array(SIZES), m.n[0]
    spread = (m.residual_sums[:, 0] ** 2 / sizes).sum() / (len(sizes) - 1)
    effect = max(0.0, (spread - within) / ((n - (sizes**2).sum() / n) / (len(sizes) - 1)))
    error, freedom = by_matrices(values, labels, within, effect)
    assert m.robust_error[0] == pytest.approx(error)
    assert m.degrees_of_freedom[0] == pytest.approx(freedom)
    assert freedom < len(SIZES) - 1
    gaps = values.copy()
    gaps[[0, 3, 7]] = NAN  # the first is its cluster's only clip
    kept = np.isfinite(gaps)
    beside = moments(np.stack([gaps, values], axis=1), labels)
    alone = moments(values[kept], np.array(labels)[kept].tolist())
    for measure in ("n", "clusters", "robust_error", "within", "degrees_of_freedom"):
        assert getattr(beside, measure)[0] == pytest.approx(getattr(alone, measure)[0])
    assert intervals.widened_z(beside)[0] == pytest.approx(intervals.widened_z(alone)[0])


T4 = 2.7764  # t quantile, 4 degrees of freedom
WITHIN = "these clusters only: t interval over the clips within them"


@pytest.mark.parametrize(("values", "labels", "half", "footnote"), [
    ([m + d for m in (1, 2, 3, 4, 5) for d in (-0.5, 0.5)], list("aabbccddee"),
     T4 * 1.58114 / np.sqrt(5),  # standard deviation of the cluster means
     "10 clips, 5 clusters; 95 % interval: t interval on cluster means weighted by their clips"),
    ([1, 2, 3, 7, 8, 9], list("aaabbb"),
     T4 * np.sqrt(4 / 4 / 6),  # 4 is the sum of squares within clusters
     f"6 clips, 2 clusters; 95 % interval: {WITHIN}"),
    ([1, 2, 3], ["a"] * 3, 4.3027 / np.sqrt(3), f"3 clips, 1 cluster; 95 % interval: {WITHIN}"),
    ([0.1] * 40, list("ab") * 20, 0, "40 clips, 2 clusters; 95 % interval: all values are equal"),
    ([2.5, NAN], ["a", "b"], None, "1 clip; one value, no interval"),
])  # fmt: skip
def test_t_intervals_by_hand(values, labels, half, footnote):
    found = interval(values, labels)
    assert found.mean == pytest.approx(np.nanmean(values))  # every clip counts the same
    if half is None:
        assert (found.low, found.high) == (None, None)
    else:
        ends = found.mean - half, found.mean + half
        assert (found.low, found.high) == pytest.approx(ends, abs=1e-3)
    assert found.footnote() == f"n = {footnote}"


def test_twenty_clusters_get_a_bootstrap_wider_than_plain_bca(monkeypatch):
    assert "t interval" in interval(*speakers(19, 190)).method
    values, labels = speakers(20, 200)
    found = interval(values, labels)
    said = "n = 200 clips, 20 clusters; 95 % interval: BCa bootstrap over clusters"
    assert found.footnote() == said
    sums = np.array([values[g::20].sum() for g in range(20)])
    plain = stats.bootstrap((sums / 10,), np.mean, rng=np.random.default_rng(0))
    expected = plain.confidence_interval.high - plain.confidence_interval.low
    expected *= np.sqrt(20 / 19) * stats.t.ppf(0.975, 19) / 1.96
    assert width(found) == pytest.approx(expected, rel=0.03)
    independent = interval(values)
    assert independent.method == "BCa bootstrap over clips"
    assert width(found) > 1.5 * width(independent)
    assert found == interval(values, labels) != interval(values, labels, seed=2)
    monkeypatch.setattr(intervals, "acceleration_of", lambda table: np.full(table.shape[1], NAN))
    found = interval(values, labels)
    assert found.method == "percentile bootstrap over clusters, as BCa degenerates"
    assert width(found) > 0


def test_columns_together_equal_columns_alone_and_gaps_are_left_out():
    values, labels = speakers(25, 100)
    table = np.stack([values, values**2, -values], axis=1)
    for column, found in zip(table.T, intervals.mean_intervals(table, labels, seed=4), strict=True):
        alone = interval(column, labels, seed=4)
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    gaps = np.array([[1.0, NAN, NAN], [2, 4, NAN], [3, 6, NAN]])
    first, second, third = intervals.mean_intervals(gaps, [None, "a", "b"])
    assert (first.n, second.n, second.mean, third) == (3, 2, 5, None)
    assert (first.independence_assumed, second.independence_assumed) == (True, False)
    # A cluster without any value hardly matters to a column.
    values, labels = speakers(40, 200)
    gaps = np.where(np.array(labels) == "s7", NAN, values)
    alone = interval(gaps[np.isfinite(gaps)], [x for x in labels if x != "s7"])
    beside = intervals.mean_intervals(np.stack([gaps, values], axis=1), labels)[0]
    assert (beside.mean, beside.clusters) == (pytest.approx(alone.mean), 39)
    assert width(beside) == pytest.approx(width(alone), rel=0.04)
    assert intervals.mean_intervals(np.zeros((0, 2))) == [None, None]


def test_the_interval_holds_the_mean_and_moves_with_the_values():
    for n in range(2, 81, 2):
        rng = np.random.default_rng(n)
        values, labels = rng.uniform(-100, 100, n), [str(c) for c in rng.integers(0, n, n)]
        found, moved = (interval(values + shift, labels, draws=99) for shift in (0, 20))
        assert found.low <= found.mean <= found.high
        assert moved.low == pytest.approx(found.low + 20, abs=1e-6)


def test_t_quantiles_are_those_of_scipy_to_the_last_bit_and_widen_the_tails():
    freedom = np.array([np.nan, -1.0, 0.0, 0.5, 1.0, 4.3, 39.0, 2_999.0, np.inf])
    np.testing.assert_array_equal(intervals.t_quantile(freedom), stats.t.ppf(0.975, freedom))
    values = np.random.default_rng(0).standard_normal(100)
    z = intervals.widened_z(moments(values, [str(i % 20) for i in range(100)]))
    assert z[0] == pytest.approx(np.sqrt(20 / 19) * stats.t.ppf(0.975, 19))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bca_ends_equal_scipys_on_the_same_draws(level):
    m = moments_of(*clustered())
    draws = intervals.draw_means(m, draws=2000, seed=1)
    z = np.full(3, stats.norm.ppf((1 + level) / 2))
    acceleration = intervals.acceleration_of(intervals.leave_one_out_means(m))
    low, high, corrected = intervals.bca_ends(draws, m.mean, acceleration, z)
    assert corrected.all()
    for i in range(3):
        theirs = stats.bootstrap(
            (m.residual_sums[:, i] + m.counts[:, i] * m.mean[i], m.counts[:, i]),
            lambda sums, counts, axis=-1: sums.sum(axis=axis) / counts.sum(axis=axis),
            paired=True, vectorized=True, confidence_level=level, n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=draws[:, i]),
        ).confidence_interval  # fmt: skip
        assert (low[i], high[i]) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_bca_falls_back_to_percentiles_where_it_degenerates():
    draws = np.stack([np.linspace(0, 1, 101)] * 4, axis=1)
    estimate = np.array([2.0, 0.5, 0.5, 0.5])  # beyond all draws; fine; undefined; turns round
    acceleration = np.array([0.0, 0.0, np.nan, 0.6])
    low, high, corrected = intervals.bca_ends(draws, estimate, acceleration, np.full(4, 1.959964))
    assert corrected.tolist() == [False, True, False, False]
    assert low == pytest.approx(np.full(4, 0.025), abs=1e-6)
    assert high == pytest.approx(np.full(4, 0.975), abs=1e-6)
    flat = intervals.acceleration_of(np.array([[1.0, 1], [2, 1], [3, 1]]))
    np.testing.assert_equal(flat, [0, NAN])
    infinite = np.array([-np.inf] * 5 + [1.0, 2, 3, 4, 5] + [np.inf])[:, None]
    none = np.array([np.nan])
    low, high, _ = intervals.bca_ends(infinite, none, none, np.array([1.959964]))
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert intervals.bca_ends(infinite, none, none, np.array([0.0]))[0][0] == 1.0


def of_mean(values, weights):
    """The jackknife of a weighted mean."""
    without = [(np.delete(values, i), np.delete(weights, i)) for i in range(len(values))]
    left = [np.average(some, weights=of) for some, of in without]
    whole = np.average(values, weights=weights)
    return intervals.jackknife_interval(whole, left, weights, n=len(values), clusters=len(values))


def test_the_jackknife_is_the_t_interval_of_a_mean_and_covers_where_units_differ_in_size():
    values = np.random.default_rng(0).normal(5, 2, 9)
    found, expected = of_mean(values, np.ones(9)), interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.clusters, found.method) == (expected.mean, 9, "jackknife over clips")
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        found = of_mean(rng.normal(0, 1, 25), rng.uniform(1, 6, 25))
        hits += found.low < 0 < found.high
    assert 0.92 < hits / 400 < 0.98


@pytest.mark.parametrize(("left", "facts", "method"), cases(__file__)["jackknife"])
def test_the_jackknife_says_what_was_left_out_and_ends_at_the_largest_value(left, facts, method):
    found = intervals.jackknife_interval(9.9, left, [1] * len(left), most=10.0, **facts)
    assert (found.mean, found.method, found.high) == (9.9, method, 10.0 if left else None)
    assert found.low is None if not left else found.low < 9.9
