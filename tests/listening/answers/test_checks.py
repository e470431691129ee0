from __future__ import annotations

import pytest

from snacbench.listening.answers.checks import Checks, checks_of
from snacbench.listening.study import Choice, Listener, Rating, Study


def study_of(*pages: dict[str, float], time_s: float | None = 60.0) -> Study:
    ratings = tuple(
        Rating("ann", f"item-{number}", condition, score, number, place, time_s)
        for number, page in enumerate(pages)
        for place, (condition, score) in enumerate(page.items())
    )
    return Study("t", "mushra", (Listener("ann"),), ("snac",), ratings)


GOOD = {"reference": 100.0, "anchor70": 40.0, "snac": 70.0}


def test_a_careful_listener() -> None:
    assert checks_of(study_of(*[GOOD] * 4), "ann") == Checks(0.0, 0.0, 60.0, ())


def test_nothing_rated_yet() -> None:
    assert checks_of(study_of(), "ann") == Checks(None, None, None, ())


def test_others_do_not_count() -> None:
    assert checks_of(study_of(GOOD), "bob") == Checks(None, None, None, ())


@pytest.mark.parametrize(
    ("bad", "of", "flags"),
    [
        ({**GOOD, "reference": 89.0}, 6, ("reference",)),
        ({**GOOD, "reference": 89.0}, 7, ()),  # 1 of 7 is 14.3 %
        ({**GOOD, "reference": 90.0}, 1, ()),
        ({**GOOD, "anchor70": 91.0}, 6, ("anchor70",)),
        ({**GOOD, "anchor70": 90.0}, 1, ()),
        (dict.fromkeys(GOOD, 95.0), 9, ("identical",)),
    ],
)
def test_flags(bad: dict[str, float], of: int, flags: tuple[str, ...]) -> None:
    assert checks_of(study_of(bad, *[GOOD] * (of - 1)), "ann").flags == flags


def test_two_seconds_a_signal_are_too_fast() -> None:
    assert checks_of(study_of(GOOD, time_s=5.9), "ann").flags == ("fast",)
    assert checks_of(study_of(GOOD, time_s=6.0), "ann").flags == ()
    assert checks_of(study_of(GOOD, time_s=None), "ann").median_page_s is None


def test_pairs_answered_all_alike() -> None:
    choices = tuple(Choice("ann", "i", "a1", "b1", "a", None, n, 30.0) for n in range(6))
    study = Study("t", "ab", (Listener("ann"),), ("a1", "b1"), choices=choices)
    assert checks_of(study, "ann") == Checks(None, None, 30.0, ("identical",))
    few = Study("t", "ab", (Listener("ann"),), ("a1", "b1"), choices=choices[:5])
    assert checks_of(few, "ann").flags == ()
