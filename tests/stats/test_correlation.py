from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.stats.correlation import rank_correlation


def two_metrics(codecs: int = 3, clips: int = 60):
    rng = np.random.default_rng(0)
    first, second = {}, {}
    for j in range(codecs):
        x = np.round(rng.standard_normal(clips) + j, 1)  # with ties
        y = x + rng.standard_normal(clips)
        first[f"codec{j}"] = {f"clip{i}": float(v) for i, v in enumerate(x)}
        second[f"codec{j}"] = {f"clip{i}": float(v) for i, v in enumerate(y)}
    return first, second


@pytest.mark.parametrize(
    ("count", "method"),
    [
        (3, "these clusters only: jackknife over the clips within them"),
        (20, "jackknife over clusters"),
        (60, "jackknife over clips"),
    ],
)
def test_the_value_is_scipys_and_the_interval_leaves_out_whole_units(count, method):
    first, second = two_metrics()
    found = rank_correlation(first, second, {f"clip{i}": f"s{i % count}" for i in range(60)})
    x, y = (
        np.array([v for column in side.values() for v in column.values()])
        for side in (first, second)
    )
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert (found.n, found.clips, found.method) == (180, 60, method)
    units = count if count >= 5 else 60
    left = [
        np.arctanh(stats.spearmanr(x[kept], y[kept]).statistic)
        for kept in (np.arange(180) % 60 % units != unit for unit in range(units))
    ]
    freedom = units - 1
    error = np.sqrt(freedom / units * ((left - np.mean(left)) ** 2).sum())  # units of one size
    half = stats.t.ppf(0.975, freedom) * error
    z = np.arctanh(found.value)
    assert (found.low, found.high) == pytest.approx(tuple(np.tanh([z - half, z + half])))


def test_what_only_one_metric_has_is_left_out_and_what_is_undefined_must_be():
    first, second = two_metrics()
    del first["codec1"]["clip3"]
    del second["codec2"]
    second["another codec"] = {"clip0": 1.0}
    assert rank_correlation(first, second).n == 119
    second["codec1"]["clip4"] = float("nan")
    with pytest.raises(ValueError, match="codec1: the value of clip 'clip4' is nan; leave out"):
        rank_correlation(first, second)


def test_many_clusters_are_left_out_in_groups():
    found = rank_correlation(*two_metrics(codecs=1, clips=600))
    assert found.method == "jackknife over 500 groups of clusters"
    alone = rank_correlation(*two_metrics(codecs=1, clips=500))
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.2)


def test_without_a_value_or_an_interval_there_is_a_reason():
    found = rank_correlation(*two_metrics(codecs=5, clips=1))
    assert found.value is not None
    assert (found.low, found.reason) == (None, "one cluster: no interval")
    first, second = two_metrics()
    level = {codec: dict.fromkeys(column, 1.0) for codec, column in second.items()}
    for found in (rank_correlation(first, level), rank_correlation({}, {})):
        assert found.value is None
        assert found.reason == "fewer than three pairs, or a metric without any spread"
