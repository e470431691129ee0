from __future__ import annotations

import numpy as np
import pytest

from snacbench.stats.intervals import mean_interval
from snacbench.stats.jackknife import jackknife_interval


def of_mean(values: np.ndarray, weights: np.ndarray):
    """The jackknife of a weighted mean."""
    whole = np.average(values, weights=weights)
    left = [
        np.average(np.delete(values, i), weights=np.delete(weights, i)) for i in range(len(values))
    ]
    return jackknife_interval(whole, left, weights, n=len(values), clusters=len(values))


def test_for_a_mean_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(5, 2, 9)
    found, expected = of_mean(values, np.ones(9)), mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.clusters, found.method) == (expected.mean, 9, "jackknife over clips")


def test_it_covers_where_units_differ_in_size():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        weights = rng.uniform(1, 6, 25)
        found = of_mean(rng.normal(0, 1, 25), weights)
        hits += found.low < 0 < found.high
    assert 0.92 < hits / 400 < 0.98


def test_one_unit_gives_no_interval():
    found = jackknife_interval(3.0, [], [], n=4, clusters=1)
    assert (found.mean, found.low, found.high) == (3.0, None, None)
    assert found.method == "one cluster, no interval"


def test_it_ends_at_the_largest_value_there_can_be():
    found = jackknife_interval(9.9, [9.0, 10.0, 10.7], [1, 1, 1], n=3, clusters=3, most=10.0)
    assert found.high == 10.0
    assert found.low < 9.9


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
def test_the_method_says_what_was_left_out(facts, method):
    assert jackknife_interval(1.0, [0.9, 1.0, 1.1], [1, 1, 1], **facts).method == method


@pytest.mark.parametrize("weights", [[1, 1], [1, 0, 1], [[1, 1, 1]]])
def test_every_unit_needs_a_weight(weights):
    with pytest.raises(ValueError, match="give one weight above 0 per unit"):
        jackknife_interval(1.0, [1, 2, 3], weights, n=3, clusters=3)
