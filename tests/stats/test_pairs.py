from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.stats.clusters import cluster_clips, moments_of
from snacbench.stats.intervals import mean_interval
from snacbench.stats.pairs import (
    SIGN_FLIP,
    effect_sizes,
    holm,
    paired_differences,
    sign_flip_p_values,
    zero_mean_tests,
)


def scored(codecs: int = 3, speakers: int = 24, clips: int = 120):
    rng = np.random.default_rng(0)
    names = [f"clip{i}" for i in range(clips)]
    clusters = {name: f"s{i % speakers}" for i, name in enumerate(names)}
    shared = rng.standard_normal(clips)
    scores = {
        f"codec{j}": dict(zip(names, shared + j + rng.standard_normal(clips), strict=True))
        for j in range(codecs)
    }
    return scores, clusters


def test_every_codec_meets_every_later_one_and_p_values_are_corrected_over_these_pairs():
    found = paired_differences(scored(codecs=4)[0], draws=99)
    assert [p.first[-1] + p.second[-1] for p in found] == ["01", "02", "03", "12", "13", "23"]
    assert [pair.p_holm for pair in found] == holm([pair.p_value for pair in found])


def test_a_pair_by_hand():
    first = {"a": 1.0, "b": 2.0, "c": 4.0, "only here": 100.0}
    second = {"c": 1.0, "b": 1.0, "a": 1.0, "only there": -100.0, "nor here": 0.0}
    (found,) = paired_differences({"x": first, "y": second})
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(4 / 3)
    assert found.difference.n == 3
    assert found.difference.independence_assumed
    assert found.lost_by_first == ("only there", "nor here")
    assert found.lost_by_second == ("only here",)
    assert found.lost == 3
    assert found.effect is not None
    assert found.effect.superiority == pytest.approx(2.5 / 3)


def test_the_interval_is_that_of_the_differences_and_depends_on_the_seed_alone():
    scores, clusters = scored()
    found = paired_differences(scores, None, clusters, seed=3)
    differences = [scores["codec0"][c] - scores["codec2"][c] for c in clusters]
    expected = mean_interval(differences, list(clusters.values()), seed=3)
    assert found[1].difference is not None
    assert found[1].difference.low == pytest.approx(expected.low)
    assert found[1].difference.high == pytest.approx(expected.high)
    assert found[1].test == SIGN_FLIP
    assert found == paired_differences(scores, None, clusters, seed=3)
    assert found != paired_differences(scores, None, clusters, seed=2)


def test_pairs_that_cannot_be_tested_are_no_part_of_the_family():
    scores, clusters = scored(codecs=2)
    scores["elsewhere"] = {"another clip": 1.0}
    found = paired_differences(scores, None, clusters)
    assert [pair.p_holm is None for pair in found] == [False, True, True]
    assert found[0].p_holm == found[0].p_value
    assert (found[1].difference, found[1].effect) == (None, None)
    assert found[1].test == "not tested: no clip has both values"
    assert found[1].lost == 121
    assert paired_differences({}) == paired_differences({"alone": {"a": 1.0}}) == []


def test_a_pair_can_be_significant_in_a_large_family():
    scores, clusters = scored(codecs=24, clips=48)  # 276 pairs
    found = paired_differences(scores, None, clusters, draws=99)
    assert min(pair.p_holm for pair in found if pair.p_holm) < 0.03
    scores = {
        name: {str(i): (i - 1) * factor for i in range(30)}
        for name, factor in (("x", 1.0), ("y", 0.9))
    }
    (alone,) = paired_differences(scores, [("x", "y")])
    (one_of_many,) = paired_differences(scores, [("x", "y")], family=2_000)
    assert alone.p_value * 2_000 > 0.05 > one_of_many.p_value * 2_000


def test_two_speakers_are_tested_as_these_only():
    scores, _ = scored(codecs=2)
    clusters = {c: "f10" if c[-1] > "4" else "m10" for c in scores["codec0"]}
    (found,) = paired_differences(scores, None, clusters)
    assert found.difference is not None
    assert found.difference.these_clusters_only
    assert "these clusters only" in found.test


def test_what_is_no_pair():
    with pytest.raises(ValueError, match="no scores of 'codec9'; did you mean"):
        paired_differences(scored()[0], [("codec0", "codec9")])
    with pytest.raises(ValueError, match="y: the value of clip 'b' is nan; leave out clips"):
        paired_differences({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0, "b": float("nan")}})


# ----------------------------------------------------------------------------------- tests


def one_test(values, labels=None):
    table = np.asarray(values, float)[:, None]
    return zero_mean_tests(moments_of(table, cluster_clips(labels, clips=len(table))))[0]


def test_sign_flips_by_hand_and_over_all_patterns_where_they_are_few():
    # |sum| of 8 patterns of (3, 1, 2), the first sign up: 6 0 4 2 and, mirrored, the same.
    p = sign_flip_p_values(np.array([[3.0, 3], [1, -1], [2, -2]]))
    assert p.tolist() == [1 / 4, 1.0]
    sums = np.random.default_rng(0).standard_normal((8, 3)) + 0.5
    flipped = np.abs(np.array(list(product((1, -1), repeat=8))) @ sums)
    expected = (flipped >= np.abs(sums.sum(axis=0)) - 1e-9).mean(axis=0)
    assert sign_flip_p_values(sums) == pytest.approx(expected)


def test_sign_flips_agree_with_scipys_permutation_test():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 10)) + np.array([[0.6], [0]])
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p_values((a - b)[:, None])[0] == pytest.approx(theirs.pvalue)


def test_random_patterns_come_near_all_patterns_and_never_give_zero():
    sums = np.random.default_rng(2).standard_normal((14, 4)) + 0.4
    exact = sign_flip_p_values(sums, flips=2**13)
    drawn = sign_flip_p_values(sums, flips=2**13 - 1, seed=5)
    assert drawn == pytest.approx(exact, abs=0.02)
    assert not np.array_equal(drawn, exact)
    assert sign_flip_p_values(np.ones((30, 1)), flips=99)[0] == 1 / 100


def test_many_dependent_columns_give_the_same_as_each_alone():
    codecs = np.random.default_rng(3).standard_normal((30, 10))
    left, right = np.triu_indices(10, 1)
    pairs = codecs[:, left] - codecs[:, right]
    together = sign_flip_p_values(pairs, flips=999)
    alone = [sign_flip_p_values(pairs[:, [i]], flips=999)[0] for i in range(pairs.shape[1])]
    assert together.tolist() == alone


def test_the_test_is_chosen_by_the_number_of_clusters():
    values = np.random.default_rng(0).standard_normal(240)
    named = {
        count: one_test(values, [str(i % count) for i in range(240)])[1] for count in (4, 5, 19, 20)
    }
    assert named == {
        4: "these clusters only: t test over the clips within them",
        5: "t test on cluster means weighted by their clips",
        19: "t test on cluster means weighted by their clips",
        20: "sign-flip permutation of whole clusters",
    }
    assert one_test([1.0, 2, 4])[1] == "t test over clips"
    assert one_test(np.arange(30))[1] == "sign-flip permutation of clips"


def test_the_t_test_is_the_textbook_one():
    values = [1.0, 2, 4, 3, -1]
    assert one_test(values)[0] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert one_test(values, ["a"] * 5)[0] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_clusters_of_like_clips_are_no_proof():
    rng = np.random.default_rng(0)
    effects = rng.standard_normal(10)
    effects -= effects.mean() - 0.3
    values = effects[np.arange(200) % 10] + 0.3 * rng.standard_normal(200)
    clustered, independent = one_test(values, [str(i % 10) for i in range(200)]), one_test(values)
    assert independent[0] < 0.001
    assert clustered[0] > 0.1


@pytest.mark.parametrize(
    ("values", "labels", "p_value", "method"),
    [
        ([0.0, 0, 0], None, 1.0, "not tested: all differences are zero"),
        ([np.nan], None, None, "not tested: no clip has both values"),
        ([1.0, np.nan], None, None, "not tested: one clip has both values"),
        ([1.0, 1, 1], None, None, "not tested: the differences do not vary"),
        ([1.0, -1] * 6, list("aabbccddeeff"), None, "not tested: the differences do not vary"),
        ([0.5] * 30, None, 1e-4, "sign-flip permutation of clips"),  # many can be tested
        ([1e9, 1e9 + 1, 1e9 + 2], list("aaa"), 3.3333e-19, "these clusters only: t test over the "
         "clips within them"),
    ],
)  # fmt: skip
def test_what_can_be_tested_and_what_cannot_says_why(values, labels, p_value, method):
    expected = None if p_value is None else pytest.approx(p_value, rel=1e-3)
    assert one_test(values, labels) == (expected, method)


# -------------------------------------------------------------------- Holm's correction, effects


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_is_no_harsher_than_bonferroni(p):
    adjusted = holm(p)
    for before, after in zip(p, adjusted, strict=True):
        assert before <= after <= min(1.0, before * len(p) + 1e-12) or after == max(adjusted)
    assert [a for _, a in sorted(zip(p, adjusted, strict=True))] == sorted(adjusted)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
def test_p_values_are_probabilities(wrong):
    with pytest.raises(ValueError, match="p values must lie between 0 and 1, found"):
        holm([0.5, wrong])


@pytest.mark.parametrize(
    ("differences", "labels", "d_z", "superiority"),
    [
        # Cluster means 2, 3, 1, 5, 4, 0.
        ([1, 3, 3, 1, 5, 4, 0], list("aabcdef"), 2.5 / np.std(range(6), ddof=1), 6 / 7 + 1 / 14),
        ([1, 2, -1, 0], None, None, (2 + 0.5) / 4),  # ties count half; below five clusters no d_z
        ([1.0, 2, 3, 4, 5, 6], list("aabbcc"), None, 1),
        ([0.1] * 6, None, None, 1),  # nor without spread
    ],
)
def test_effect_sizes_by_hand(differences, labels, d_z, superiority):
    table = np.asarray(differences, float)[:, None]
    (found,) = effect_sizes(table, moments_of(table, cluster_clips(labels, clips=len(table))))
    assert found is not None
    assert found.d_z == pytest.approx(d_z)
    assert found.superiority == pytest.approx(superiority)
