"""AB and ABX: counts, exact tests, and what pooled trials say."""

from __future__ import annotations

import pytest

from snacbench.listening.analysis.abx import guessing_p, identifications, is_right
from snacbench.listening.analysis.preference import preferences, strengths
from snacbench.listening.study import Choice
from tests.listening.studies import ab, abx, choice_study


def test_wins_ties_and_listeners_are_counted() -> None:
    study = choice_study([*ab("x", "aat"), *ab("y", "bbb"), *ab("z", "abt")], "ab")
    (found,) = preferences(study)
    assert (found.wins, found.losses, found.ties) == (3, 4, 2)
    assert (found.for_first, found.for_second, found.undecided) == (1, 1, 1)
    assert found.share == pytest.approx((3 + 1) / 9)
    assert found.p_value == 1.0


def test_each_listener_counts_once() -> None:
    """Six listeners for the first: p = 2 / 64, be it by one answer each or by a hundred."""
    for answers in ("a", "aab", "a" * 20):
        choices = [c for n in range(6) for c in ab(f"l{n}", answers)]
        (found,) = preferences(choice_study(choices, "ab"))
        assert found.p_value == pytest.approx(2 / 64)


def test_which_side_a_system_was_on_does_not_matter() -> None:
    swapped = [Choice("x", "i0", "b", "a", "a"), Choice("x", "i1", "a", "b", "b")]
    (found,) = preferences(choice_study(swapped, "ab"))
    assert (found.wins, found.losses) == (0, 2)


def test_nobody_decided() -> None:
    (found,) = preferences(choice_study(ab("x", "tt"), "ab"))
    assert (found.p_value, found.p_holm) == (None, None)
    assert found.share == 0.5


def test_holm_over_pairs() -> None:
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    choices = [c for n in range(6) for pair in pairs for c in ab(f"l{n}", "a", pair=pair)]
    found = preferences(choice_study(choices, "ab", ("a", "b", "c")))
    assert [one.p_holm for one in found] == pytest.approx([3 * 2 / 64] * 3)


def test_bradley_terry_by_hand() -> None:
    """Odds 2, 2 and 4: strengths 2, 1, 1/2 fit exactly; shares 2/3, 1/2, 1/3."""
    won = {("a", "b"): (2, 1), ("b", "c"): (2, 1), ("a", "c"): (4, 1)}
    choices = [
        Choice("x", f"{pair}{k}", *pair, "a" if k < wins else "b")
        for pair, (wins, losses) in won.items()
        for k in range(wins + losses)
    ]
    found = strengths(choice_study(choices, "ab", ("c", "a", "b")))
    assert [one.system for one in found] == ["a", "b", "c"]
    assert [one.share for one in found] == pytest.approx([2 / 3, 1 / 2, 1 / 3], abs=1e-6)


def test_who_always_wins_has_no_strength() -> None:
    choices = [*ab("x", "aa"), *ab("x", "aa", pair=("a", "c")), *ab("x", "ab", pair=("b", "c"))]
    assert {one.share for one in strengths(choice_study(choices, "ab", ("a", "b", "c")))} == {None}


def test_two_systems_need_no_model() -> None:
    assert {one.share for one in strengths(choice_study(ab("x", "ab"), "ab"))} == {None}


def test_guessing_by_hand() -> None:
    """8 of 8: 1 / 256; 7 of 8 or more: 9 / 256; 12 of 16 or more: .0384."""
    assert guessing_p(8, 8) == pytest.approx(1 / 256)
    assert guessing_p(7, 8) == pytest.approx(9 / 256)
    assert guessing_p(12, 16) == pytest.approx(0.0384, abs=5e-5)


def test_abx_counts_all_trials_and_every_listener() -> None:
    (found,) = identifications(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",)))
    assert (found.correct, found.trials, found.share) == (12, 16, 0.75)
    assert found.p_value == found.p_holm == pytest.approx(0.0384, abs=5e-5)
    one, other = found.by_listener
    assert one.p_value == pytest.approx(1 / 256)
    assert one.p_holm == pytest.approx(2 / 256)
    assert other.p_value == pytest.approx(163 / 256)
    assert found.listeners == 2


def test_one_keen_listener_makes_a_small_pooled_p_and_a_wide_interval() -> None:
    choices = [*abx("keen", 40, 40), *(c for n in range(4) for c in abx(f"l{n}", 5, 10))]
    (found,) = identifications(choice_study(choices, "abx", ("a",)))
    assert found.p_value < 0.001
    assert found.ends.low is not None
    assert found.ends.low < 0.5


def test_holm_over_systems() -> None:
    choices = [*abx("x", 8, 8), *abx("x", 4, 8, system="b")]
    first, second = identifications(choice_study(choices, "abx", ("a", "b", "silent")))
    assert first.p_holm == pytest.approx(2 / 256)
    assert second.p_holm == pytest.approx(163 / 256)


def test_no_idea_is_not_right() -> None:
    assert not is_right(Choice("x", "i", "reference", "a", "tie", x="a"))
    assert is_right(Choice("x", "i", "reference", "a", "b", x="a"))
