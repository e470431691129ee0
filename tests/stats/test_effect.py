from __future__ import annotations

import numpy as np
import pytest

from snacbench.stats.clusters import cluster_clips
from snacbench.stats.effect import effect_sizes
from snacbench.stats.moments import moments_of


def effect(differences, labels=None):
    table = np.asarray(differences, float)[:, None]
    m = moments_of(table, cluster_clips(labels, clips=len(table)))
    return effect_sizes(table, m)[0]


def test_standardised_difference_of_cluster_means_by_hand():
    found = effect([1, 3, 3, 1, 5, 4, 0], list("aabcdef"))
    means = np.array([2, 3, 1, 5, 4, 0])
    assert found is not None
    assert found.d_z == pytest.approx(means.mean() / means.std(ddof=1))


def test_superiority_counts_ties_half():
    found = effect([1, 2, -1, 0])
    assert found is not None
    assert found.superiority == (2 + 0.5) / 4


def test_below_five_clusters_there_is_no_standardised_difference():
    found = effect([1.0, 2, 3, 4, 5, 6], list("aabbcc"))
    assert found is not None
    assert found.d_z is None
    assert found.superiority == 1


def test_equal_differences_have_none_either():
    found = effect([0.1] * 6)
    assert found is not None
    assert found.d_z is None


def test_no_shared_clip_no_effect():
    assert effect([np.nan, np.nan]) is None
