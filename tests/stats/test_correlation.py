from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.stats.correlation import rank_correlation, weighted_spearman


def two_metrics(codecs: int = 3, clips: int = 60):
    rng = np.random.default_rng(0)
    first, second = {}, {}
    for j in range(codecs):
        x = rng.standard_normal(clips) + j
        y = x + rng.standard_normal(clips)
        first[f"codec{j}"] = {f"clip{i}": float(v) for i, v in enumerate(x)}
        second[f"codec{j}"] = {f"clip{i}": float(v) for i, v in enumerate(y)}
    return first, second


@pytest.mark.parametrize(
    ("count", "method"),
    [
        (3, "these clusters only: percentile bootstrap over the clips within them"),
        (10, "percentile bootstrap over clusters"),
        (20, "BCa bootstrap over clusters"),
        (60, "BCa bootstrap over clips"),
    ],
)
def test_the_value_is_scipys_and_the_method_goes_by_the_number_of_clusters(count, method):
    first, second = two_metrics()
    found = rank_correlation(first, second, {f"clip{i}": f"s{i % count}" for i in range(60)})
    x, y = ([v for column in side.values() for v in column.values()] for side in (first, second))
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.low < found.value < found.high
    assert (found.n, found.clips, found.clusters, found.method) == (180, 60, count, method)
    assert (found.these_clusters_only, found.independence_assumed) == (count == 3, False)


@pytest.mark.parametrize("digits", [9, 0])
def test_each_draw_has_scipys_value_on_the_clips_drawn(digits):
    rng = np.random.default_rng(1)
    x = np.round(rng.standard_normal(40), digits)
    y = np.round(x + rng.standard_normal(40), digits)
    unit_of = np.arange(40) % 7
    times = rng.multinomial(7, [1 / 7] * 7, 20).astype(float)
    for row, value in zip(times, weighted_spearman(x, y, unit_of)(times), strict=True):
        drawn = np.repeat(np.arange(40), row[unit_of].astype(int))
        assert value == pytest.approx(stats.spearmanr(x[drawn], y[drawn]).statistic)


def test_what_only_one_metric_has_is_left_out_and_what_is_undefined_must_be():
    first, second = two_metrics()
    del first["codec1"]["clip3"]
    del second["codec2"]
    second["another codec"] = {"clip0": 1.0}
    found = rank_correlation(first, second, draws=99)
    assert (found.n, found.independence_assumed) == (119, True)
    second["codec1"]["clip4"] = float("nan")
    with pytest.raises(ValueError, match="codec1: the value of clip 'clip4' is nan; leave out"):
        rank_correlation(first, second)


def test_many_clusters_do_without_acceleration():
    found = rank_correlation(*two_metrics(codecs=1, clips=600), draws=99)
    assert found.method == "BCa bootstrap over clips"


def test_without_a_value_or_an_interval_there_is_a_reason():
    found = rank_correlation(*two_metrics(codecs=5, clips=1))
    assert found.value is not None
    assert (found.low, found.reason) == (None, "one cluster: no interval")
    first, second = two_metrics()
    level = {codec: dict.fromkeys(column, 1.0) for codec, column in second.items()}
    for found in (rank_correlation(first, level), rank_correlation({}, {})):
        assert found.value is None
        assert found.reason == "fewer than three pairs, or a metric without any spread"
