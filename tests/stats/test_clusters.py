from __future__ import annotations

import pytest

from snacbench.stats.clusters import cluster_clips, labels_of


def test_clips_are_numbered_by_cluster_in_order_of_appearance():
    found = cluster_clips(["b", "a", "b", "c"], clips=4)
    assert found.index.tolist() == [0, 1, 0, 2]
    assert found.count == 3
    assert not found.independence_assumed
    assert not found.one_clip_each


def test_without_labels_every_clip_is_its_own_cluster_and_that_is_recorded():
    found = cluster_clips(None, clips=3)
    assert found.index.tolist() == [0, 1, 2]
    assert found.independence_assumed
    assert found.one_clip_each


def test_a_clip_of_unknown_cluster_is_its_own_cluster():
    found = cluster_clips(["a", None, "a", None], clips=4)
    assert found.index.tolist() == [0, 1, 0, 2]
    assert found.unknown.tolist() == [False, True, False, True]
    assert found.independence_assumed


def test_there_must_be_a_label_for_every_clip():
    with pytest.raises(ValueError, match="found 1 cluster labels for 2 clips; give one per clip"):
        cluster_clips(["a"], clips=2)


def test_labels_follow_the_clips():
    assert labels_of(["x", "y"], {"y": "a"}) == [None, "a"]
    assert labels_of(["x", "y"], None) is None
