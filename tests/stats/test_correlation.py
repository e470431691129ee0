from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.stats.clusters import cluster_clips
from snacbench.stats.correlation import _kendall, _Sample, _spearman, rank_correlation

KINDS = ("spearman", "kendall")


def two_metrics(codecs: int = 3, clips: int = 60, seed: int = 0, digits: int = 9):
    rng = np.random.default_rng(seed)
    first, second = {}, {}
    for j in range(codecs):
        x = rng.standard_normal(clips) + j
        y = x + rng.standard_normal(clips)
        first[f"codec{j}"] = {f"clip{i}": round(float(v), digits) for i, v in enumerate(x)}
        second[f"codec{j}"] = {f"clip{i}": round(float(v), digits) for i, v in enumerate(y)}
    return first, second


def speakers(count: int, clips: int = 60):
    return {f"clip{i}": f"s{i % count}" for i in range(clips)}


def flat(scores):
    return [value for column in scores.values() for value in column.values()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_is_scipys_over_clips_and_codecs(kind):
    first, second = two_metrics()
    statistic = {"spearman": stats.spearmanr, "kendall": stats.kendalltau}[kind]
    found = rank_correlation(first, second, speakers(20), kind=kind)
    assert found.value == pytest.approx(statistic(flat(first), flat(second)).statistic)
    assert (found.n, found.clips, found.clusters) == (180, 60, 20)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.method == "BCa bootstrap over clusters"


@pytest.mark.parametrize("digits", [9, 0])
@pytest.mark.parametrize("compute", [_spearman, _kendall])
def test_each_draw_has_scipys_value_on_the_clips_drawn(compute, digits):
    rng = np.random.default_rng(1)
    x = np.round(rng.standard_normal(40), digits)
    y = np.round(x + rng.standard_normal(40), digits)
    labels = [str(i % 7) for i in range(40)]
    sample = _Sample(x, y, np.arange(40), cluster_clips(labels, clips=40), few=False)
    times = sample.lottery(20, seed=0)
    statistic = stats.spearmanr if compute is _spearman else stats.kendalltau
    for row, value in zip(times, compute(sample)(times), strict=True):
        drawn = np.repeat(np.arange(40), row[sample.unit_of].astype(int))
        assert value == pytest.approx(statistic(x[drawn], y[drawn]).statistic)


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_one_metric_has_is_left_out(kind):
    first, second = two_metrics()
    del first["codec1"]["clip3"]
    del second["codec2"]
    second["another codec"] = {"clip0": 1.0}
    assert rank_correlation(first, second, kind=kind, draws=99).n == 119


@pytest.mark.parametrize(
    ("count", "method"),
    [
        (3, "these clusters only: percentile bootstrap over the clips within them"),
        (10, "percentile bootstrap over clusters"),
        (60, "BCa bootstrap over clips"),
    ],
)
def test_the_method_goes_by_the_number_of_clusters(count, method):
    found = rank_correlation(*two_metrics(), speakers(count))
    assert found.method == method
    assert found.these_clusters_only == (count == 3)
    assert not found.independence_assumed


def test_without_clusters_independence_is_assumed():
    assert rank_correlation(*two_metrics(), draws=99).independence_assumed


def test_many_clusters_do_without_acceleration():
    found = rank_correlation(*two_metrics(codecs=1, clips=600), draws=99)
    assert found.method == "BCa bootstrap over clips"


def test_too_many_clusters_for_kendall_leave_the_value():
    found = rank_correlation(*two_metrics(codecs=1, clips=5001), kind="kendall")
    assert found.value is not None
    assert (found.low, found.reason) == (None, "no interval: 5001 clusters are too many")


def test_one_clip_through_many_codecs_has_a_value_but_no_interval():
    found = rank_correlation(*two_metrics(codecs=5, clips=1))
    assert found.value is not None
    assert (found.low, found.reason) == (None, "one cluster: no interval")


def test_a_metric_without_spread_has_no_correlation():
    first, second = two_metrics()
    level = {codec: dict.fromkeys(column, 1.0) for codec, column in second.items()}
    found = rank_correlation(first, level)
    assert found.value is None
    assert found.reason == "fewer than three pairs, or a metric without any spread"
    assert rank_correlation({}, {}).value is None


def test_kinds_are_known_by_name():
    with pytest.raises(ValueError, match="kind must be 'spearman' or 'kendall', found 'pearson'"):
        rank_correlation(*two_metrics(), kind="pearson")


def test_undefined_values_must_be_left_out():
    first, second = two_metrics()
    second["codec1"]["clip4"] = float("nan")
    with pytest.raises(ValueError, match="codec1: the value of clip 'clip4' is nan; leave out"):
        rank_correlation(first, second)
