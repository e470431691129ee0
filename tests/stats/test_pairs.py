"""Paired tests."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.stats.clusters import cluster_clips, moments_of
from snacbench.stats.intervals import mean_intervals
from snacbench.stats.pairs import (
    SIGN_FLIP,
    T_ON_CLUSTERS,
    WITHIN,
    holm,
    paired_differences,
    sign_flip_p_values,
    zero_mean_tests,
)


def scored(codecs=3, speakers=24, clips=120):
    rng = np.random.default_rng(0)
    names = [f"clip{i}" for i in range(clips)]
    clusters = {name: f"s{i % speakers}" for i, name in enumerate(names)}
    shared = rng.standard_normal(clips)
    columns = [shared + j + rng.standard_normal(clips) for j in range(codecs)]
    scores = {f"codec{j}": dict(zip(names, of, strict=True)) for j, of in enumerate(columns)}
    return scores, clusters


def test_a_pair_by_hand():
    first = {"a": 1.0, "b": 2.0, "c": 4.0, "only here": 100.0}
    second = {"c": 1.0, "b": 1.0, "a": 1.0, "only there": -100.0, "nor here": 0.0}
    (found,) = paired_differences({"x": first, "y": second})
    assert (found.difference.mean, found.difference.n) == (pytest.approx(4 / 3), 3)
    assert found.difference.independence_assumed
    assert found.lost_by_first == ("only there", "nor here")
    assert found.lost_by_second == ("only here",)


def test_every_codec_meets_every_later_one_by_interval_and_corrected_test():
    scores, clusters = scored(codecs=4)
    found = paired_differences(scores, None, clusters, seed=3)
    assert [p.first[-1] + p.second[-1] for p in found] == ["01", "02", "03", "12", "13", "23"]
    assert [pair.p_holm for pair in found] == holm([pair.p_value for pair in found])
    differences = [[scores["codec0"][c] - scores["codec2"][c]] for c in clusters]
    (expected,) = mean_intervals(differences, list(clusters.values()), seed=3)
    assert found[1].difference.low == pytest.approx(expected.low)
    assert found[1].difference.high == pytest.approx(expected.high)
    assert found[1].test == SIGN_FLIP
    assert found != paired_differences(scores, None, clusters, seed=2)
    two = {c: "f10" if c[-1] > "4" else "m10" for c in clusters}
    these_only = paired_differences(scores, [("codec0", "codec1")], two)[0]
    assert (these_only.difference.these_clusters_only, these_only.test) == (True, WITHIN)


def test_pairs_that_cannot_be_tested_are_no_part_of_the_family():
    scores, clusters = scored(codecs=2)
    scores["elsewhere"] = {"another clip": 1.0}
    found = paired_differences(scores, None, clusters)
    assert [pair.p_holm is None for pair in found] == [False, True, True]
    assert found[0].p_holm == found[0].p_value
    assert (found[1].difference, found[1].lost) == (None, 121)
    assert found[1].test == "not tested: no clip has both values"
    assert paired_differences({}) == paired_differences({"alone": {"a": 1.0}}) == []
    with pytest.raises(ValueError, match="no scores of 'codec9'; did you mean"):
        paired_differences(scores, [("codec0", "codec9")])
    for value in (np.nan, np.inf):  # lost, as what is not there
        (one,) = paired_differences({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0, "b": value}})
        assert (one.difference.n, one.lost_by_second) == (1, ("b",))


def test_a_pair_can_be_significant_in_a_large_family():
    factors = {"x": 1.0, "y": 0.9}
    scores = {name: {str(i): (i - 1) * by for i in range(30)} for name, by in factors.items()}
    (alone,) = paired_differences(scores, [("x", "y")])
    (one_of_many,) = paired_differences(scores, [("x", "y")], family=2_000)
    assert alone.p_value * 2_000 > 0.05 > one_of_many.p_value * 2_000


def one_test(values, labels=None):
    table = np.asarray(values, float)[:, None]
    return zero_mean_tests(moments_of(table, cluster_clips(labels or [None] * len(table))))[0]


def test_sign_flips_come_near_all_patterns_are_shared_and_never_give_zero():
    sums = np.random.default_rng(2).standard_normal((12, 4)) + 0.4
    flipped = np.abs(np.array(list(product((1, -1), repeat=12))) @ sums)
    exact = (flipped >= np.abs(sums.sum(axis=0)) - 1e-9).mean(axis=0)
    how = {"permutation_type": "samples", "n_resamples": np.inf}
    both = (sums[:, 0], np.zeros(12))
    theirs = stats.permutation_test(both, lambda x, y: np.mean(x - y), **how)
    assert exact[0] == pytest.approx(theirs.pvalue)
    assert sign_flip_p_values(sums, seed=5) == pytest.approx(exact, abs=0.02)
    assert sign_flip_p_values(np.ones((30, 1)), flips=99)[0] == 1 / 100
    codecs = np.random.default_rng(3).standard_normal((30, 10))
    pairs = codecs[:, :-1] - codecs[:, 1:]
    alone = [sign_flip_p_values(pairs[:, [i]], flips=999)[0] for i in range(pairs.shape[1])]
    assert sign_flip_p_values(pairs, flips=999).tolist() == alone


def test_the_test_is_chosen_by_the_number_of_clusters_and_t_is_the_textbooks():
    values = np.random.default_rng(0).standard_normal(240)
    clusters = {count: [str(i % count) for i in range(240)] for count in (4, 5, 19, 20)}
    named = {count: one_test(values, of)[1] for count, of in clusters.items()}
    assert named == {4: WITHIN, 5: T_ON_CLUSTERS, 19: T_ON_CLUSTERS, 20: SIGN_FLIP}
    values = [1.0, 2, 4, 3, -1]
    p_value = stats.ttest_1samp(values, 0).pvalue
    assert one_test(values) == (pytest.approx(p_value), "t test over clips")
    assert one_test(values, ["a"] * 5)[0] == pytest.approx(one_test(values)[0])


@pytest.mark.parametrize(("values", "labels", "p_value", "method"), [
    ([0.0, 0, 0], None, 1.0, "not tested: all differences are zero"),
    ([np.nan], None, None, "not tested: no clip has both values"),
    ([1.0, np.nan], None, None, "not tested: one clip has both values"),
    ([1.0, 1, 1], None, None, "not tested: the differences do not vary"),
    ([0.5] * 30, None, 1e-4, "sign-flip permutation of clips"),  # many can be tested
    ([1e9, 1e9 + 1, 1e9 + 2], list("aaa"), 3.3333e-19, WITHIN),
])  # fmt: skip
def test_what_can_be_tested_and_what_cannot_says_why(values, labels, p_value, method):
    expected = None if p_value is None else pytest.approx(p_value, rel=1e-3)
    assert one_test(values, labels) == (expected, method)


def test_holm_by_hand():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_is_no_harsher_than_bonferroni(p):
    adjusted = holm(p)
    for before, after in zip(p, adjusted, strict=True):
        assert before <= after <= min(1.0, before * len(p) + 1e-12) or after == max(adjusted)
    assert [a for _, a in sorted(zip(p, adjusted, strict=True))] == sorted(adjusted)
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="p values must lie between 0 and 1, found"):
            holm([*p, wrong])
