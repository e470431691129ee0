from __future__ import annotations

import numpy as np
import pytest

from snacbench.stats.intervals import mean_interval
from snacbench.stats.multiple import holm
from snacbench.stats.pairs import all_pairs, paired_differences
from snacbench.stats.significance import SIGN_FLIP


def scored(codecs: int = 3, speakers: int = 24, clips: int = 120, seed: int = 0):
    rng = np.random.default_rng(seed)
    names = [f"clip{i}" for i in range(clips)]
    clusters = {name: f"s{i % speakers}" for i, name in enumerate(names)}
    shared = rng.standard_normal(clips)
    scores = {
        f"codec{j}": dict(zip(names, shared + j + rng.standard_normal(clips), strict=True))
        for j in range(codecs)
    }
    return scores, clusters


def test_every_codec_meets_every_later_one():
    found = all_pairs(scored(codecs=4)[0])
    assert [(p.first, p.second) for p in found] == [
        ("codec0", "codec1"),
        ("codec0", "codec2"),
        ("codec0", "codec3"),
        ("codec1", "codec2"),
        ("codec1", "codec3"),
        ("codec2", "codec3"),
    ]


def test_a_pair_by_hand():
    first = {"a": 1.0, "b": 2.0, "c": 4.0, "only here": 100.0}
    second = {"c": 1.0, "b": 1.0, "a": 1.0, "only there": -100.0, "nor here": 0.0}
    (found,) = all_pairs({"x": first, "y": second})
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(4 / 3)
    assert found.difference.n == 3
    assert found.difference.independence_assumed
    assert found.lost_by_first == ("only there", "nor here")
    assert found.lost_by_second == ("only here",)
    assert found.lost == 3
    assert found.effect is not None
    assert found.effect.superiority == pytest.approx(2.5 / 3)


def test_the_interval_is_that_of_the_differences():
    scores, clusters = scored()
    found = all_pairs(scores, clusters, seed=3)[1]
    differences = [scores["codec0"][c] - scores["codec2"][c] for c in clusters]
    expected = mean_interval(differences, list(clusters.values()), seed=3)
    assert found.difference is not None
    assert found.difference.low == pytest.approx(expected.low)
    assert found.difference.high == pytest.approx(expected.high)
    assert found.test == SIGN_FLIP


def test_p_values_are_corrected_over_all_pairs():
    found = all_pairs(*scored(codecs=5, seed=1), method="t")
    p = [pair.p_value for pair in found if pair.p_value is not None]
    assert len(p) == 10
    assert [pair.p_holm for pair in found] == holm(p)


def test_pairs_that_cannot_be_tested_are_no_part_of_the_family():
    scores, clusters = scored(codecs=2)
    scores["elsewhere"] = {"another clip": 1.0}
    found = all_pairs(scores, clusters)
    assert [pair.p_holm is None for pair in found] == [False, True, True]
    assert found[0].p_holm == found[0].p_value
    assert found[1].difference is None
    assert found[1].effect is None
    assert found[1].test == "not tested: no clip has both values"
    assert found[1].lost == 121


def test_chosen_pairs_are_a_family_of_their_own():
    scores, clusters = scored(codecs=5)
    found = paired_differences(scores, [("codec3", "codec1")], clusters)
    assert len(found) == 1
    assert found[0].p_holm == found[0].p_value
    assert found[0].difference is not None
    assert found[0].difference.mean > 0


def test_a_family_of_many_pairs_can_still_be_significant():
    scores, clusters = scored(codecs=24, clips=48)  # 276 pairs
    assert min(pair.p_holm for pair in all_pairs(scores, clusters, draws=99) if pair.p_holm) < 0.03


def test_a_pair_can_be_significant_in_the_family_of_its_caller():
    scores = {
        name: {str(i): (i - 1) * factor for i in range(30)}
        for name, factor in (("x", 1.0), ("y", 0.9))
    }
    (alone,) = paired_differences(scores, [("x", "y")])
    (one_of_many,) = paired_differences(scores, [("x", "y")], family=2_000)
    assert alone.p_value * 2_000 > 0.05 > one_of_many.p_value * 2_000


def test_two_speakers_are_tested_as_these_only():
    scores, _ = scored(codecs=2)
    (found,) = all_pairs(scores, {c: "f10" if c[-1] > "4" else "m10" for c in scores["codec0"]})
    assert found.difference is not None
    assert found.difference.these_clusters_only
    assert "these clusters only" in found.test


def test_the_result_depends_on_the_seed_alone():
    scores, clusters = scored()
    assert all_pairs(scores, clusters, seed=1) == all_pairs(scores, clusters, seed=1)
    assert all_pairs(scores, clusters, seed=1) != all_pairs(scores, clusters, seed=2)


def test_nothing_to_compare():
    assert all_pairs({}) == []
    assert all_pairs({"alone": {"a": 1.0}}) == []
    (found,) = all_pairs({"x": {}, "y": {}})
    assert found.difference is None


def test_a_pair_names_codecs_that_have_scores():
    with pytest.raises(ValueError, match="no scores of 'codec9'; did you mean"):
        paired_differences(scored()[0], [("codec0", "codec9")])


def test_undefined_values_must_be_left_out():
    with pytest.raises(ValueError, match="y: the value of clip 'b' is nan; leave out clips"):
        all_pairs({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0, "b": float("nan")}})
