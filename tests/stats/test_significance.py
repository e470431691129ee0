from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from snacbench.stats.clusters import cluster_clips
from snacbench.stats.moments import moments_of
from snacbench.stats.significance import sign_flip_p_values, zero_mean_tests


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
        count: one_test(values, [str(i % count) for i in range(240)]).method
        for count in (4, 5, 19, 20)
    }
    assert named == {
        4: "these clusters only: t test over the clips within them",
        5: "t test on cluster means weighted by their clips",
        19: "t test on cluster means weighted by their clips",
        20: "sign-flip permutation of whole clusters",
    }


def test_independent_clips_are_named_as_such():
    assert one_test([1.0, 2, 4]).method == "t test over clips"
    assert one_test(np.arange(30)).method == "sign-flip permutation of clips"


def test_the_t_test_is_the_textbook_one():
    values = [1.0, 2, 4, 3, -1]
    assert one_test(values).p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert one_test(values, ["a"] * 5).p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_a_method_can_be_asked_for():
    values = np.random.default_rng(0).standard_normal(30) + 0.3
    assert one_test(values, method="t").method == "t test over clips"
    assert one_test(values[:6], method="sign-flip").method == "sign-flip permutation of clips"


def test_clusters_of_like_clips_are_no_proof():
    rng = np.random.default_rng(0)
    labels = [str(i % 10) for i in range(200)]
    effects = rng.standard_normal(10)
    effects -= effects.mean() - 0.3
    values = effects[np.arange(200) % 10] + 0.3 * rng.standard_normal(200)
    clustered, independent = one_test(values, labels), one_test(values)
    assert clustered.p_value is not None
    assert independent.p_value is not None
    assert independent.p_value < 0.001
    assert clustered.p_value > 0.1


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
    assert (found.p_value, found.method) == (p_value, method)


def test_equal_differences_of_many_clusters_can_be_tested():
    assert one_test([0.5] * 30).p_value == 1e-4


def test_overwhelming_evidence_is_no_lack_of_it():
    values = 100 + np.random.default_rng(0).standard_normal(3000)
    assert one_test(values, method="t").p_value == 0


def test_methods_are_known_by_name():
    with pytest.raises(ValueError, match="method must be 'auto', 't' or 'sign-flip', found 'anova"):
        one_test([1.0, 2], method="anova")
