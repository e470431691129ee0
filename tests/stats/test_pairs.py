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
    found = paired_differences(scored(codecs=4)[0])
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


def test_the_interval_is_that_of_the_differences():
    scores, clusters = scored()
    found = paired_differences(scores, None, clusters, seed=3)[1]
    differences = [scores["codec0"][c] - scores["codec2"][c] for c in clusters]
    expected = mean_interval(differences, list(clusters.values()), seed=3)
    assert found.difference is not None
    assert found.difference.low == pytest.approx(expected.low)
    assert found.difference.high == pytest.approx(expected.high)
    assert found.test == SIGN_FLIP


def test_p_values_are_corrected_over_paired_differences():
    found = paired_differences(scored(codecs=5, seed=1)[0], method="t")
    p = [pair.p_value for pair in found if pair.p_value is not None]
    assert len(p) == 10
    assert [pair.p_holm for pair in found] == holm(p)


def test_pairs_that_cannot_be_tested_are_no_part_of_the_family():
    scores, clusters = scored(codecs=2)
    scores["elsewhere"] = {"another clip": 1.0}
    found = paired_differences(scores, None, clusters)
    assert [pair.p_holm is None for pair in found] == [False, True, True]
    assert found[0].p_holm == found[0].p_value
    assert found[1].difference is None
    assert found[1].effect is None
    assert found[1].test == "not tested: no clip has both values"
    assert found[1].lost == 121


def test_a_family_of_many_pairs_can_still_be_significant():
    scores, clusters = scored(codecs=24, clips=48)  # 276 pairs
    assert (
        min(
            pair.p_holm
            for pair in paired_differences(scores, None, clusters, draws=99)
            if pair.p_holm
        )
        < 0.03
    )


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
    (found,) = paired_differences(
        scores, None, {c: "f10" if c[-1] > "4" else "m10" for c in scores["codec0"]}
    )
    assert found.difference is not None
    assert found.difference.these_clusters_only
    assert "these clusters only" in found.test


def test_the_result_depends_on_the_seed_alone():
    scores, clusters = scored()
    assert paired_differences(scores, None, clusters, seed=1) == paired_differences(
        scores, None, clusters, seed=1
    )
    assert paired_differences(scores, None, clusters, seed=1) != paired_differences(
        scores, None, clusters, seed=2
    )


def test_nothing_to_compare():
    assert paired_differences({}) == []
    assert paired_differences({"alone": {"a": 1.0}}) == []
    (found,) = paired_differences({"x": {}, "y": {}})
    assert found.difference is None


def test_a_pair_names_codecs_that_have_scores():
    with pytest.raises(ValueError, match="no scores of 'codec9'; did you mean"):
        paired_differences(scored()[0], [("codec0", "codec9")])
    with pytest.raises(ValueError, match="y: the value of clip 'b' is nan; leave out clips"):
        paired_differences({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0, "b": float("nan")}})


# ----------------------------------------------------------------------------------- tests


def moments(values, labels=None):
    table = np.asarray(values, float)
    table = table[:, None] if table.ndim == 1 else table
    return moments_of(table, cluster_clips(labels, clips=len(table)))


def one_test(values, labels=None, **options):
    return zero_mean_tests(moments(values, labels), **options)[0]


def test_sign_flips_by_hand():
    # |sum| of 8 patterns of (3, 1, 2), the first sign up: 6 0 4 2 and, mirrored, the same.
    p = sign_flip_p_values(np.array([[3.0, 3], [1, -1], [2, -2]]))
    assert p.tolist() == [1 / 4, 1.0]


def test_all_patterns_are_tried_where_they_are_few():
    rng = np.random.default_rng(0)
    sums = rng.standard_normal((8, 3)) + 0.5
    patterns = np.array(list(product((1, -1), repeat=8)))
    flipped = np.abs(patterns @ sums)
    expected = (flipped >= np.abs(sums.sum(axis=0)) - 1e-9).mean(axis=0)
    assert sign_flip_p_values(sums) == pytest.approx(expected)


def test_sign_flips_agree_with_scipys_permutation_test():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 10)) + np.array([[0.6], [0]])
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p_values((a - b)[:, None])[0] == pytest.approx(theirs.pvalue)


def test_random_patterns_come_near_all_patterns():
    sums = np.random.default_rng(2).standard_normal((14, 4)) + 0.4
    exact = sign_flip_p_values(sums, flips=2**13)
    drawn = sign_flip_p_values(sums, flips=2**13 - 1, seed=5)
    assert drawn == pytest.approx(exact, abs=0.02)
    assert not np.array_equal(drawn, exact)


def test_many_dependent_columns_give_the_same_as_each_alone():
    rng = np.random.default_rng(3)
    codecs = rng.standard_normal((30, 10))
    left, right = np.triu_indices(10, 1)
    pairs = codecs[:, left] - codecs[:, right]
    together = sign_flip_p_values(pairs, flips=999)
    alone = [sign_flip_p_values(pairs[:, [i]], flips=999)[0] for i in range(pairs.shape[1])]
    assert together.tolist() == alone


def test_random_patterns_never_give_zero():
    assert sign_flip_p_values(np.ones((30, 1)), flips=99)[0] == 1 / 100


def test_the_test_is_chosen_by_the_number_of_clusters():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(240)
    named = {
        count: one_test(values, [str(i % count) for i in range(240)])[1] for count in (4, 5, 19, 20)
    }
    assert named == {
        4: "these clusters only: t test over the clips within them",
        5: "t test on cluster means weighted by their clips",
        19: "t test on cluster means weighted by their clips",
        20: "sign-flip permutation of whole clusters",
    }


def test_independent_clips_are_named_as_such():
    assert one_test([1.0, 2, 4])[1] == "t test over clips"
    assert one_test(np.arange(30))[1] == "sign-flip permutation of clips"


def test_the_t_test_is_the_textbook_one():
    values = [1.0, 2, 4, 3, -1]
    assert one_test(values)[0] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert one_test(values, ["a"] * 5)[0] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_a_method_can_be_asked_for():
    values = np.random.default_rng(0).standard_normal(30) + 0.3
    assert one_test(values, method="t")[1] == "t test over clips"
    assert one_test(values[:6], method="sign-flip")[1] == "sign-flip permutation of clips"


def test_clusters_of_like_clips_are_no_proof():
    rng = np.random.default_rng(0)
    labels = [str(i % 10) for i in range(200)]
    effects = rng.standard_normal(10)
    effects -= effects.mean() - 0.3
    values = effects[np.arange(200) % 10] + 0.3 * rng.standard_normal(200)
    clustered, independent = one_test(values, labels), one_test(values)
    assert clustered[0] is not None
    assert independent[0] is not None
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
    ],
)
def test_what_cannot_be_tested_says_why(values, labels, p_value, method):
    found = one_test(values, labels)
    assert (found[0], found[1]) == (p_value, method)


def test_equal_differences_of_many_clusters_can_be_tested():
    assert one_test([0.5] * 30)[0] == 1e-4


def test_overwhelming_evidence_is_no_lack_of_it():
    values = 100 + np.random.default_rng(0).standard_normal(3000)
    assert one_test(values, method="t")[0] == 0


def test_methods_are_known_by_name():
    with pytest.raises(ValueError, match="method must be 'auto', 't' or 'sign-flip', found 'anova"):
        one_test([1.0, 2], method="anova")


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
