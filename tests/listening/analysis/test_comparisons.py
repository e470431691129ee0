"""Friedman, Wilcoxon, Holm, AB and ABX: published and hand-worked examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from snacbench.listening.analysis.comparisons import (
    friedman,
    guessing_p,
    identifications,
    is_right,
    pairs_of,
    preferences,
    signed_rank_p,
)
from snacbench.listening.analysis.ratings import ratings_of
from snacbench.listening.study import Choice
from tests.listening.studies import ab, abx, choice_study, study_of


def one_item(**columns: list[float]) -> dict[tuple[str, str], dict[str, float]]:
    count = len(next(iter(columns.values())))
    return {(f"l{k}", "i0"): {n: v[k] for n, v in columns.items()} for k in range(count)}


def test_friedman_agrees_with_the_example_of_scipys_documentation() -> None:
    """Pulse before, after and five minutes after exercise (halved, to fit on the scale)."""
    study = study_of(
        one_item(
            before=[36, 48, 44, 46, 37, 38, 41],
            after=[60, 60, 66, 60, 50.5, 48, 56],
            later=[38, 47.5, 52, 48, 42, 36, 38],
        )
    )
    found = friedman(ratings_of(study))
    assert found.statistic == pytest.approx(10.57142857142857)
    assert found.p_value == pytest.approx(0.005063414171757498)
    assert found.w == pytest.approx(10.57142857142857 / (7 * 2))
    assert (found.listeners, found.systems) == (7, 3)


def test_friedman_by_hand() -> None:
    """Two listeners, rank sums 2, 4, 6: 12 / (2 x 3 x 4) (4 + 16 + 36) - 3 x 2 x 4 = 4."""
    found = friedman(ratings_of(study_of(one_item(a=[1, 2], b=[5, 6], c=[8, 9]))))
    assert found.statistic == pytest.approx(4)
    assert found.w == pytest.approx(1)


def test_friedman_takes_pages_that_have_all_systems() -> None:
    """An item without c, on which a is good, does not help a."""
    scores = one_item(a=[1, 2], b=[5, 6], c=[8, 9])
    scores |= {(f"l{k}", "i1"): {"a": 100.0, "b": 5.0} for k in (0, 1)}
    assert friedman(ratings_of(study_of(scores))).statistic == pytest.approx(4)


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1.0, 2.0], "b": [2.0, 3.0]},
        {"a": [1.0], "b": [2.0], "c": [3.0]},
        {"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]},
    ],
    ids=["two systems", "one listener", "all alike"],
)
def test_friedman_has_no_value(columns: dict[str, list[float]]) -> None:
    assert friedman(ratings_of(study_of(one_item(**columns)))) is None


def test_wilcoxon_by_hand() -> None:
    """Six listeners, all for the first: 2 of the 64 sign patterns are so extreme."""
    study = study_of(one_item(a=[51, 52, 53, 54, 55, 56], b=[50, 50, 50, 50, 50, 50]))
    (pair,) = pairs_of(ratings_of(study))
    assert pair.p_value == pytest.approx(2 / 64)
    assert pair.value == pytest.approx(3.5)
    assert pair.d_z == pytest.approx(3.5 / np.std([1, 2, 3, 4, 5, 6], ddof=1))
    assert pair.superiority == 1


def test_holm_by_hand() -> None:
    """p values .031, .031, .156: times 3, times 2 but not below the first, times 1."""
    a, b = [60.0] * 6, [51.0, 52, 53, 54, 55, 56]
    c = [50.0, 53.5, 53.4, 51.5, 50.5, 54.5]
    pairs = pairs_of(ratings_of(study_of(one_item(a=a, b=b, c=c))))
    p = [pair.p_value or 0 for pair in pairs]
    assert p[:2] == pytest.approx([2 / 64, 2 / 64])
    assert [pair.p_holm for pair in pairs] == pytest.approx([3 * p[0], 3 * p[0], p[2]])
    assert p[2] == pytest.approx(stats.wilcoxon(np.subtract(b, c)).pvalue)


def test_the_listener_is_the_unit_not_the_page() -> None:
    """Twenty pages of each of two listeners are two differences: nothing can be shown by them."""
    scores = {
        (f"l{n}", f"i{k}"): {"a": 60.0 + n, "b": 50.0 + k / 9} for n in (0, 1) for k in range(20)
    }
    (pair,) = pairs_of(ratings_of(study_of(scores)))
    assert pair.p_value == pytest.approx(0.5)
    assert pair.listeners == 2


def test_equal_systems_do_not_differ() -> None:
    (pair,) = pairs_of(ratings_of(study_of(one_item(a=[3, 4, 5], b=[3, 4, 5]))))
    assert (pair.p_value, pair.p_holm, pair.value) == (1.0, 1.0, 0.0)


def test_a_single_listener_cannot_be_tested() -> None:
    (pair,) = pairs_of(ratings_of(study_of(one_item(a=[3], b=[5]))))
    assert (pair.p_value, pair.p_holm, pair.low) == (None, None, None)


def test_reference_and_anchors_are_not_compared() -> None:
    columns = {"a": [3.0, 4], "reference": [99.0, 100], "anchor35": [1.0, 2]}
    assert pairs_of(ratings_of(study_of(one_item(**columns)))) == ()


def counted_out(differences: list[int]) -> float:
    """The signed-rank p value by listing every pattern of signs."""
    known = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(known))
    total = ranks.sum()
    seen = min(ranks[known > 0].sum(), total - ranks[known > 0].sum())
    patterns = itertools.product([False, True], repeat=len(known))
    sums = [ranks[np.array(signs)].sum() for signs in patterns]
    return float(np.mean([min(s, total - s) <= seen for s in sums]))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
def test_every_pattern_of_signs_counts_the_same(differences: list[int]) -> None:
    expected = counted_out(differences)
    assert signed_rank_p(np.array(differences, float)) == pytest.approx(expected)


def test_without_ties_it_is_scipys_exact_test_and_many_are_left_to_the_normal() -> None:
    few = np.random.default_rng(0).normal(0.4, 1, 18)
    assert signed_rank_p(few) == pytest.approx(stats.wilcoxon(few, method="exact").pvalue)
    many = np.random.default_rng(0).normal(0.05, 1, 501)
    exact = stats.wilcoxon(many, method="exact").pvalue
    assert signed_rank_p(many) == pytest.approx(exact, rel=0.01)
    assert signed_rank_p(np.zeros(5)) == 1.0


# --------------------------------------------------------------------------------- AB and ABX


def test_wins_ties_and_listeners_are_counted() -> None:
    study = choice_study([*ab("x", "aat"), *ab("y", "bbb"), *ab("z", "abt")], "ab")
    (found,) = preferences(study)
    assert found.answers == (3, 2, 4)
    assert (found.for_first, found.for_second, found.listeners) == (1, 1, 3)
    assert found.value == pytest.approx((3 + 1) / 9)
    assert found.p_value == 1.0


@pytest.mark.parametrize("answers", ["a", "aab", "a" * 20])
def test_each_listener_counts_once(answers: str) -> None:
    """Six listeners for the first: p = 2 / 64, be it by one answer each or by a hundred."""
    choices = [c for n in range(6) for c in ab(f"l{n}", answers)]
    (found,) = preferences(choice_study(choices, "ab"))
    assert found.p_value == pytest.approx(2 / 64)


def test_which_side_a_system_was_on_does_not_matter() -> None:
    swapped = [Choice("x", "i0", "b", "a", "a"), Choice("x", "i1", "a", "b", "b")]
    (found,) = preferences(choice_study(swapped, "ab"))
    assert found.answers == (0, 0, 2)


def test_nobody_decided() -> None:
    (found,) = preferences(choice_study(ab("x", "tt"), "ab"))
    assert (found.p_value, found.p_holm, found.value) == (None, None, 0.5)


def test_holm_over_pairs_of_preferences() -> None:
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    choices = [c for n in range(6) for pair in pairs for c in ab(f"l{n}", "a", pair=pair)]
    found = preferences(choice_study(choices, "ab", ("a", "b", "c")))
    assert [one.p_holm for one in found] == pytest.approx([3 * 2 / 64] * 3)


def test_guessing_by_hand() -> None:
    """8 of 8: 1 / 256; 7 of 8 or more: 9 / 256; 12 of 16 or more: .0384."""
    assert guessing_p(8, 8) == pytest.approx(1 / 256)
    assert guessing_p(7, 8) == pytest.approx(9 / 256)
    assert guessing_p(12, 16) == pytest.approx(0.0384, abs=5e-5)


def test_abx_counts_all_trials_and_every_listener() -> None:
    (found,) = identifications(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",)))
    assert (found.answers, found.value, found.listeners) == ((12, 4), 0.75, 2)
    assert found.p_value == found.p_holm == pytest.approx(0.0384, abs=5e-5)
    one, other = found.by_listener
    assert (one.p_value, one.p_holm) == pytest.approx((1 / 256, 2 / 256))
    assert other.p_value == pytest.approx(163 / 256)


def test_one_keen_listener_makes_a_small_pooled_p_and_a_wide_interval() -> None:
    choices = [*abx("keen", 40, 40), *(c for n in range(4) for c in abx(f"l{n}", 5, 10))]
    (found,) = identifications(choice_study(choices, "abx", ("a",)))
    assert found.p_value < 0.001
    assert found.low < 0.5


def test_holm_over_systems() -> None:
    choices = [*abx("x", 8, 8), *abx("x", 4, 8, system="b")]
    first, second = identifications(choice_study(choices, "abx", ("a", "b", "silent")))
    assert (first.p_holm, second.p_holm) == pytest.approx((2 / 256, 163 / 256))


def test_no_idea_is_not_right() -> None:
    assert not is_right(Choice("x", "i", "reference", "a", "tie", x="a"))
    assert is_right(Choice("x", "i", "reference", "a", "b", x="a"))
