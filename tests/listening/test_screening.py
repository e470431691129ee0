"""Screening by BS.1534-3, above all where a rule begins to hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snacbench.listening.screening import answers_of, screen
from snacbench.listening.study import Listener, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE
from tests.support.studies import Scores, ab, choice_study, listener_with, study_of

LOW, HIGH = "hidden reference below 90 on", "7 kHz anchor above 90 on"


def excluded(study: Study) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for one in screen(study)[1].exclusions:
        reasons.setdefault(one.listener, []).append(one.reason)
    return reasons


def planned(study: Study, pages: int) -> Study:
    listeners = tuple(replace(one, pages_planned=pages) for one in study.listeners)
    return replace(study, listeners=listeners)


def good(count: int, items: int = 20) -> Scores:
    return {k: v for n in range(count) for k, v in listener_with(f"good{n}", items).items()}


def among(count: int, items: int = 20, **bad: Any) -> Study:
    """So many good listeners, and x who is not."""
    return study_of({**good(count, items), **listener_with("x", items, **bad)})


@pytest.mark.parametrize(
    ("study", "reasons"),
    [
        (among(3), []),  # 90 is neither below nor above
        (among(3, low_references=3), []),  # 15 % and not more
        (among(3, low_references=4), [f"{LOW} 4 of 20 items (20 %)"]),
        (among(3, 7, low_references=1), []),  # 14 %
        (among(3, 6, low_references=1), [f"{LOW} 1 of 6 items (17 %)"]),
        (among(12, high_anchors=3), []),
        (among(3, high_anchors=4), [f"{HIGH} 4 of 20 items (20 %)"]),  # 1 of 4 is 25 % of listeners
    ],
)
def test_where_a_rule_begins_to_hold(study: Study, reasons: list[str]) -> None:
    assert excluded(study) == ({"x": reasons} if reasons else {})


def test_an_anchor_that_more_than_a_quarter_find_good_says_more_of_the_item() -> None:
    """1 of 3 listeners is 33 %: those items are left out of the count, above and below."""
    study = among(2, high_anchors=4)
    whole, found = screen(study)
    assert (whole, found.exclusions) == (study, ())
    assert found.transparent_items == ("i0", "i1", "i2", "i3")
    (check,) = [c for c in found.checks if c.listener == "x"]
    assert (check.anchor_high, check.anchor_items) == (0, 16)
    # Who left early has no say in it.
    early = {k: v for n in range(3) for k, v in listener_with(f"e{n}", 2, high_anchors=2).items()}
    assert screen(planned(study_of({**good(4, 6), **early}), 6))[1].transparent_items == ()


def test_without_the_rules_and_without_anchors() -> None:
    _, found = screen(among(3, low_references=20), rules=False)
    assert found.kept == ("good0", "good1", "good2", "x")
    assert found.checks[-1].reference_low == 20
    scores = {**good(3), **listener_with("x", 20, low_references=4)}
    for of in scores.values():
        del of[ANCHOR70], of[ANCHOR35]
    assert list(excluded(study_of(scores))) == ["x"]


def test_who_left_early_is_excluded() -> None:
    """Where no plan is known the source says who finished."""
    study = planned(study_of({**good(3, 6), **listener_with("x", 3)}), 6)
    assert excluded(study) == {"x": ["answered 3 of 6 pages"]}
    pairs = planned(choice_study([*ab("x", "ab"), *ab("y", "a")], "ab"), 2)
    assert excluded(pairs) == {"y": ["answered 1 of 2 pages"]}
    study = study_of({**good(2), **listener_with("x", 1)})
    listeners = (*study.listeners[:-1], Listener("x", finished=False))
    assert excluded(replace(study, listeners=listeners)) == {"x": ["left early, after 1 page"]}
    assert excluded(study) == {}


def test_a_page_without_a_condition_is_left_out_and_who_says_nothing_does_not_count() -> None:
    study = among(2, 4)
    ratings = tuple(
        r for r in study.ratings if (r.listener, r.item, r.condition) != ("x", "i2", REFERENCE)
    )
    listeners = (*study.listeners, Listener("shy"))
    whole, found = screen(replace(study, ratings=ratings, listeners=listeners))
    assert found.broken_pages == {("x", "i2"): {REFERENCE}}
    assert not [r for r in whole.ratings if (r.listener, r.item) == ("x", "i2")]
    assert found.before == ("good0", "good1", "x")
    kept = answers_of(study, {"good1"})
    assert {r.listener for r in kept.ratings} == {one.id for one in kept.listeners} == {"good1"}
