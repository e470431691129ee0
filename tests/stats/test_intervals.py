from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.stats import intervals
from snacbench.stats.clusters import cluster_clips, labels_of, moments_of
from snacbench.stats.intervals import (
    Interval,
    acceleration_of,
    bca_ends,
    bootstrap_counts,
    bootstrap_interval,
    draw_means,
    jackknife_interval,
    leave_one_out_means,
    mean_interval,
    mean_intervals,
    resample_means,
    t_quantile,
    widened_z,
)

NAN = np.nan
SIZES = (1, 4, 2, 9, 3, 3, 1, 6)


# ------------------------------------------------------------------------- clusters and errors


def test_clips_are_numbered_by_cluster_and_unknown_ones_stand_alone():
    found = cluster_clips(["b", None, "b", "c", None], clips=5)
    assert found.index.tolist() == [0, 1, 0, 2, 3]
    assert (found.count, found.independence_assumed, found.one_clip_each) == (4, True, False)
    assert found.unknown.tolist() == [False, True, False, False, True]
    assert not cluster_clips(["b", "a", "b"], clips=3).independence_assumed
    alone = cluster_clips(None, clips=3)
    assert alone.index.tolist() == [0, 1, 2]
    assert alone.independence_assumed
    assert alone.one_clip_each
    assert labels_of(["x", "y"], {"y": "a"}) == [None, "a"]
    assert labels_of(["x", "y"], None) is None
    with pytest.raises(ValueError, match="found 1 cluster labels for 2 clips; give one per clip"):
        cluster_clips(["a"], clips=2)


def moments(values, labels):
    column = np.asarray(values, float)
    table = column[:, None] if column.ndim == 1 else column
    return moments_of(table, cluster_clips(labels, clips=len(table)))


def unequal(seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = [f"s{g}" for g, size in enumerate(SIZES) for _ in range(size)]
    effects = np.repeat(rng.standard_normal(len(SIZES)), SIZES)
    return effects + rng.standard_normal(len(labels)), labels


def by_matrices(values, labels, variance: float, effect: float):
    """CR2 error and Satterthwaite's degrees of freedom the long way, from n x n matrices."""
    n = len(values)
    groups = [np.flatnonzero(np.array(labels) == name) for name in dict.fromkeys(labels)]
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    omega = variance * np.eye(n)
    for rows in groups:
        omega[np.ix_(rows, rows)] += effect
    columns = []
    for rows in groups:
        size, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = vectors @ np.diag(size**-0.5) @ vectors.T
        columns.append(residual_maker[:, rows] @ root @ np.ones(len(rows)) / n)
    g = np.stack(columns, axis=1)
    b = g.T @ omega @ g
    error = np.sqrt(((g.T @ np.asarray(values)) ** 2).sum())
    return error, np.trace(b) ** 2 / np.trace(b @ b)


def test_sums_and_errors_by_hand():
    m = moments([[1, 1], [2, NAN], [6, 5]], ["a", "b", "a"])
    assert m.mean.tolist() == [3, 3]
    assert m.counts.tolist() == [[2, 2], [1, 0]]
    assert m.residual_sums.tolist() == [[1, 0], [-1, 0]]
    assert m.within.tolist() == [12.5, 8]
    assert (m.n.tolist(), m.clusters.tolist()) == ([3, 2], [2, 1])
    np.testing.assert_equal(m.cluster_means, [[3.5, 3], [2, NAN]])
    m = moments([1, 3, 4, 6], ["a", "a", "b", "b"])
    assert m.plug_in_error[0] == pytest.approx(np.sqrt(2 * 3**2) / 4)
    assert m.robust_error[0] == pytest.approx(1.5)  # cluster means 2 and 5: sd 2.12 over root 2
    assert m.within_error[0] == pytest.approx(np.sqrt(4 / 2 / 4))
    values = np.array([1.0, 2, 4, 8, 16])
    alone = moments(values, None)
    assert alone.robust_error[0] == pytest.approx(values.std(ddof=1) / np.sqrt(5))
    assert alone.degrees_of_freedom[0] == pytest.approx(4)
    none = moments(np.zeros((0, 2)), [])
    assert none.n.tolist() == [0, 0]
    assert np.isnan(none.mean).all()


@pytest.mark.parametrize("values", [[2.0] * 60, np.random.default_rng(0).standard_normal(60)])
def test_clusters_of_one_size_have_one_degree_of_freedom_less_than_clusters(values):
    m = moments(values, [str(i % 12) for i in range(60)])
    assert m.degrees_of_freedom[0] == pytest.approx(11)
    assert m.constant[0] == (m.robust_error[0] == 0) == (np.ptp(values) == 0)


@pytest.mark.parametrize("seed", range(3))
def test_error_and_degrees_of_freedom_agree_with_the_matrix_formulas(seed):
    values, labels = unequal(seed)
    m = moments(values, labels)
    within = m.within[0] / (m.n[0] - m.clusters[0])
    sizes, n = np.array(SIZES), m.n[0]
    spread = (sizes * (m.cluster_means[:, 0] - m.mean[0]) ** 2).sum() / (len(sizes) - 1)
    effect = max(0.0, (spread - within) / ((n - (sizes**2).sum() / n) / (len(sizes) - 1)))
    error, freedom = by_matrices(values, labels, within, effect)
    assert m.robust_error[0] == pytest.approx(error)
    assert m.degrees_of_freedom[0] == pytest.approx(freedom)
    assert freedom < len(SIZES) - 1


def test_a_column_with_gaps_equals_the_column_without_these_clips():
    values, labels = unequal()
    gaps = values.copy()
    gaps[[0, 3, 7]] = NAN  # the first is its cluster's only clip
    kept = np.isfinite(gaps)
    m = moments(np.stack([gaps, values], axis=1), labels)
    alone = moments(values[kept], np.array(labels)[kept].tolist())
    for measure in ("robust_error", "plug_in_error", "within_error", "degrees_of_freedom"):
        assert getattr(m, measure)[0] == pytest.approx(getattr(alone, measure)[0])


# ------------------------------------------------------------------------- intervals of a mean


def speakers(count: int, clips: int):
    rng = np.random.default_rng(0)
    labels = [f"s{i % count}" for i in range(clips)]
    effects = rng.standard_normal(count)
    return rng.standard_normal(clips) + effects[np.arange(clips) % count], labels


def width(found: Interval | None) -> float:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


T4 = 2.7764  # t quantile, 4 degrees of freedom


@pytest.mark.parametrize(
    ("values", "labels", "half", "footnote"),
    [
        (
            [m + d for m in (1, 2, 3, 4, 5) for d in (-0.5, 0.5)],
            list("aabbccddee"),
            T4 * 1.58114 / np.sqrt(5),  # standard deviation of the cluster means
            "10 clips, 5 speakers; 95 % interval: t interval on speaker means weighted by their "
            "clips",
        ),
        (
            [1, 2, 3, 7, 8, 9],
            list("aaabbb"),
            T4 * np.sqrt(4 / 4 / 6),  # 4 is the sum of squares within clusters
            "6 clips, 2 speakers; 95 % interval: these speakers only: t interval over the clips "
            "within them",
        ),
        (
            [1.0, 2, 3],
            ["a"] * 3,
            4.3027 / np.sqrt(3),
            "3 clips, 1 speaker; 95 % interval: these speakers only: t interval over the clips "
            "within them",
        ),
        (
            [1.0, 3],
            None,
            12.7062,
            "2 clips, independence assumed; 95 % interval: t interval over clips",
        ),
        ([0.1] * 40, list("ab") * 20, 0, "40 clips, 2 speakers; 95 % interval: all values are "
         "equal"),
    ],
)  # fmt: skip
def test_t_intervals_by_hand(values, labels, half, footnote):
    found = mean_interval(values, labels)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(
        (found.mean - half, found.mean + half), abs=1e-3
    )
    assert found.footnote("speaker") == f"n = {footnote}"
    assert found.these_clusters_only == ("only" in footnote)
    assert found.independence_assumed == (labels is None)


def test_every_clip_counts_the_same_whatever_its_cluster():
    found = mean_interval([0, 0, 0, 8, 1, 1, 1, 1], list("aaabcdef"))
    assert found.mean == 1.5
    assert found.low + found.high == pytest.approx(2 * 1.5)


def test_twenty_clusters_get_a_bootstrap_wider_than_plain_bca():
    assert "t interval" in mean_interval(*speakers(19, 190)).method
    values, labels = speakers(20, 200)
    found = mean_interval(values, labels)
    assert found.footnote("speaker") == (
        "n = 200 clips, 20 speakers; 95 % interval: BCa bootstrap over speakers"
    )
    sums = np.array([values[g::20].sum() for g in range(20)])
    plain = stats.bootstrap((sums / 10,), np.mean, rng=np.random.default_rng(0))
    expected = plain.confidence_interval.high - plain.confidence_interval.low
    expected *= np.sqrt(20 / 19) * stats.t.ppf(0.975, 19) / 1.96
    assert width(found) == pytest.approx(expected, rel=0.03)
    independent = mean_interval(values)
    assert independent.method == "BCa bootstrap over clips"
    assert width(found) > 1.5 * width(independent)
    assert found == mean_interval(values, labels) != mean_interval(values, labels, seed=2)


def test_a_bootstrap_that_degenerates_is_named(monkeypatch):
    monkeypatch.setattr(intervals, "acceleration_of", lambda table: np.full(table.shape[1], NAN))
    found = mean_interval(*speakers(20, 60))
    assert found.method == "percentile bootstrap over clusters, as BCa degenerates"
    assert width(found) > 0


def test_one_value_has_no_interval():
    found = mean_interval([2.5, NAN], ["a", "b"])
    assert (found.mean, found.low, found.high, found.n) == (2.5, None, None, 1)
    assert found.footnote("speaker") == "n = 1 clip; one value, no interval"


def test_gaps_are_left_out_and_only_clips_with_a_value_decide_on_independence():
    table = np.array([[1.0, NAN, NAN], [2, 4, NAN], [3, 6, NAN]])
    first, second, third = mean_intervals(table, [None, "a", "b"])
    assert (first.n, second.n, second.mean, third) == (3, 2, 5, None)
    assert first.independence_assumed
    assert not second.independence_assumed


def test_columns_together_equal_columns_alone():
    values, labels = speakers(25, 100)
    table = np.stack([values, values**2, -values], axis=1)
    for column, found in zip(table.T, mean_intervals(table, labels, seed=4), strict=True):
        alone = mean_interval(column, labels, seed=4)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high))


def test_a_cluster_without_values_hardly_matters_to_a_column():
    values, labels = speakers(40, 200)
    gaps = np.where(np.array(labels) == "s7", NAN, values)
    alone = mean_interval(gaps[np.isfinite(gaps)], [x for x in labels if x != "s7"])
    beside = mean_intervals(np.stack([gaps, values], axis=1), labels)[0]
    assert (beside.mean, beside.clusters) == (pytest.approx(alone.mean), 39)
    assert width(beside) == pytest.approx(width(alone), rel=0.04)


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 30)), min_size=2, max_size=80),
    st.floats(-50, 50),
)
def test_the_interval_holds_the_mean_and_moves_with_the_values(pairs, shift):
    values, labels = [v for v, _ in pairs], [str(c) for _, c in pairs]
    found = mean_interval(values, labels, draws=99)
    moved = mean_interval([v + shift for v in values], labels, draws=99)
    assert width(found) >= 0
    if "bootstrap" not in found.method:
        assert found.low <= found.mean <= found.high
        assert moved.low == pytest.approx(found.low + shift, abs=1e-6)
    assert found.n == len(pairs)


@pytest.mark.parametrize(
    ("of", "values", "options", "message"),
    [
        (mean_interval, [NAN, NAN], {}, "a mean needs a value, found none among 2 clips"),
        (mean_interval, [[1.0, 2.0]], {}, r"must have shape \(clips,\), found \(1, 2\)"),
        (mean_intervals, [1.0, 2.0], {}, r"must have shape \(clips, columns\), found \(2,"),
        (mean_interval, [1.0, np.inf], {}, "1 values are infinite; leave out"),
        (mean_interval, [1.0, 2], {"level": 0}, r"must lie between 0 and 1, such as 0\.95"),
        (mean_interval, [1.0, 2], {"level": 1}, r"must lie between 0 and 1, such as 0\.95"),
    ],
)
def test_what_has_no_interval(of, values, options, message):
    with pytest.raises(ValueError, match=message):
        of(values, **options)
    assert mean_intervals(np.zeros((0, 2))) == [None, None]


# -------------------------------------------------------------------------------- the bootstrap


def test_t_quantiles_are_those_of_scipy_to_the_last_bit():
    freedom = np.array([np.nan, -1.0, 0.0, 0.5, 1.0, 4.3, 39.0, 2_999.0, np.inf])
    for share in (0.025, 0.5, 0.975, 0.999):
        np.testing.assert_array_equal(t_quantile(share, freedom), stats.t.ppf(share, freedom))


def clustered(clusters: int = 25, columns: int = 3):
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, clusters)
    labels = [f"s{g}" for g, size in enumerate(sizes) for _ in range(size)]
    effects = np.repeat(rng.exponential(1, (clusters, columns)), sizes, axis=0)
    values = effects + rng.exponential(1, (len(labels), columns))
    return values, cluster_clips(labels, clips=len(labels))


def test_each_draw_takes_as_many_units_as_there_are_and_depends_on_the_seed_alone(monkeypatch):
    first, other = (
        np.concatenate(list(bootstrap_counts(9, draws=40, seed=seed))) for seed in (1, 2)
    )
    assert first.shape == (40, 9)
    assert (first.sum(axis=1) == 9).all()
    assert not np.array_equal(first, other)
    monkeypatch.setattr(intervals, "_KEPT_BYTES", 0)
    again = np.concatenate(list(bootstrap_counts(9, draws=40, seed=1)))
    assert np.array_equal(first, again)


def test_a_draw_is_the_mean_over_the_clips_of_the_clusters_drawn():
    values, clustering = clustered(clusters=4)
    times = np.concatenate(list(bootstrap_counts(4, draws=20, seed=0)))
    drawn = draw_means(moments_of(values, clustering), draws=20, seed=0)
    for row, means in zip(times, drawn, strict=True):
        clips = [i for i, c in enumerate(clustering.index) for _ in range(row[c])]
        assert means == pytest.approx(values[clips].mean(axis=0))
    assert leave_one_out_means(moments([1.0, 3, 8], list("aab")))[:, 0].tolist() == [8, 2]


class Drawn:
    """What scipy.stats.bootstrap looks at in an earlier result."""

    def __init__(self, distribution) -> None:
        self.bootstrap_distribution = distribution


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bca_ends_equal_scipys_on_the_same_draws(level):
    values, clustering = clustered()
    m = moments_of(values, clustering)
    draws = draw_means(m, draws=2000, seed=1)
    z = np.full(3, stats.norm.ppf((1 + level) / 2))
    low, high, corrected = bca_ends(draws, m.mean, acceleration_of(leave_one_out_means(m)), z)
    assert corrected.all()
    for i in range(3):
        theirs = stats.bootstrap(
            (m.residual_sums[:, i] + m.counts[:, i] * m.mean[i], m.counts[:, i]),
            lambda sums, counts, axis=-1: sums.sum(axis=axis) / counts.sum(axis=axis),
            paired=True,
            vectorized=True,
            confidence_level=level,
            n_resamples=0,
            bootstrap_result=Drawn(draws[:, i]),
        ).confidence_interval
        assert low[i] == pytest.approx(theirs.low, rel=1e-12)
        assert high[i] == pytest.approx(theirs.high, rel=1e-12)


def test_bca_falls_back_to_percentiles_where_it_degenerates():
    draws = np.stack([np.linspace(0, 1, 101)] * 4, axis=1)
    estimate = np.array([2.0, 0.5, 0.5, 0.5])  # beyond all draws; fine; undefined; turns round
    acceleration = np.array([0.0, 0.0, np.nan, 0.6])
    low, high, corrected = bca_ends(draws, estimate, acceleration, np.full(4, 1.959964))
    assert corrected.tolist() == [False, True, False, False]
    assert low == pytest.approx(np.full(4, 0.025), abs=1e-6)
    assert high == pytest.approx(np.full(4, 0.975), abs=1e-6)
    np.testing.assert_equal(acceleration_of(np.array([[1.0, 1], [2, 1], [3, 1]])), [0, NAN])
    infinite = np.array([-np.inf] * 5 + [1.0, 2, 3, 4, 5] + [np.inf])[:, None]
    none = np.array([np.nan])
    low, high, _ = bca_ends(infinite, none, none, np.array([1.959964]))
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert bca_ends(infinite, none, none, np.array([0.0]))[0][0] == 1.0


def test_tails_are_widened_as_for_t_with_equal_clusters():
    values = np.random.default_rng(0).standard_normal(100)
    m = moments(values, [str(i % 20) for i in range(100)])
    assert widened_z(m, 0.95)[0] == pytest.approx(np.sqrt(20 / 19) * stats.t.ppf(0.975, 19))


def test_resampled_means_keep_columns_paired_and_below_five_clusters_resample_clips_within_them():
    values, clustering = clustered(columns=1)
    both = np.concatenate([values, values + 1], axis=1)
    drawn, _, _ = resample_means(both, clustering, level=0.95, draws=200, seed=0)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(np.ones(200))
    values = np.array([0.0, 1, 2, 100, 101, 102])[:, None]
    clustering = cluster_clips(list("aaabbb"), clips=6)
    drawn, _, z = resample_means(values, clustering, level=0.95, draws=4000, seed=0)
    assert drawn.std() == pytest.approx(np.sqrt(4 / 4 / 6), rel=0.05)  # pooled, n - 2
    assert z == pytest.approx(stats.t.ppf(0.975, 4))


def test_undefined_draws_are_left_out_and_an_infinite_one_makes_it_a_percentile_interval():
    values, clustering = clustered(columns=1)
    drawn, left, z = resample_means(values, clustering, level=0.95, draws=500, seed=0)
    mean, drawn = values.mean(), drawn[:, 0]
    drawn[::2] = np.nan
    low, high, method = bootstrap_interval(mean, drawn, left[:, 0], z, clustering)
    assert low < mean < high
    assert method == "BCa bootstrap over clusters"
    drawn[:100] = np.inf
    _, high, method = bootstrap_interval(mean, drawn, left[:, 0], z, clustering)
    assert (high, method) == (np.inf, "percentile bootstrap over clusters")


# -------------------------------------------------------------------------------- the jackknife


def of_mean(values: np.ndarray, weights: np.ndarray):
    """The jackknife of a weighted mean."""
    whole = np.average(values, weights=weights)
    left = [
        np.average(np.delete(values, i), weights=np.delete(weights, i)) for i in range(len(values))
    ]
    return jackknife_interval(whole, left, weights, n=len(values), clusters=len(values))


def test_for_a_mean_the_jackknife_is_the_t_interval():
    values = np.random.default_rng(0).normal(5, 2, 9)
    found, expected = of_mean(values, np.ones(9)), mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.clusters, found.method) == (expected.mean, 9, "jackknife over clips")


def test_the_jackknife_covers_where_units_differ_in_size():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        weights = rng.uniform(1, 6, 25)
        found = of_mean(rng.normal(0, 1, 25), weights)
        hits += found.low < 0 < found.high
    assert 0.92 < hits / 400 < 0.98


@pytest.mark.parametrize(
    ("facts", "method"),
    [
        ({"n": 9, "clusters": 3}, "jackknife over clusters"),
        ({"n": 9, "clusters": 6}, "jackknife over 3 groups of clusters"),
        (
            {"n": 3, "clusters": 2, "these_clusters_only": True},
            "these clusters only: jackknife over the clips within them",
        ),
    ],
)
def test_the_jackknife_says_what_was_left_out_and_ends_at_the_largest_value(facts, method):
    found = jackknife_interval(9.9, [9.0, 10.0, 10.7], [1, 1, 1], most=10.0, **facts)
    assert (found.method, found.high) == (method, 10.0)
    assert found.low < 9.9
    alone = jackknife_interval(3.0, [], [], n=4, clusters=1)
    assert (alone.mean, alone.low, alone.method) == (3.0, None, "one cluster, no interval")


@pytest.mark.parametrize("weights", [[1, 1], [1, 0, 1], [[1, 1, 1]]])
def test_every_unit_needs_a_weight(weights):
    with pytest.raises(ValueError, match="give one weight above 0 per unit"):
        jackknife_interval(1.0, [1, 2, 3], weights, n=3, clusters=3)
