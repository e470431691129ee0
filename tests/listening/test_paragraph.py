"""The paragraph says what was done, and nothing that is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from snacbench.listening.analysis.analyse import analyse
from snacbench.listening.analysis.paragraph import paragraph
from snacbench.listening.read import Source
from snacbench.listening.screening import Options
from snacbench.listening.study import Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, Level
from tests.support.studies import Scores, a_test, ab, abx, choice_study, listener_with, study_of


def said(study: Study, *, options: Options = Options(), **test: Any) -> str:  # noqa: B008
    source = Source(study, a_test(**test) if test else None)
    return paragraph(source, analyse(study, options))


def eight(*without: str) -> Scores:
    """Eight listeners who all rate b above a, each a little differently."""
    return {
        page: {c: score for c, score in of.items() if c not in without}
        for n in range(8)
        for page, of in listener_with(f"l{n}", 4, a=40.0 + n, b=60.0 + 2 * n).items()
    }


def test_mushra_from_a_csv() -> None:
    text = said(study_of(eight()))
    assert text.startswith(
        "In a MUSHRA listening test (ITU-R BS.1534-3), listeners rated 2 systems (a, b), the "
        "hidden reference and two low-pass anchors (3.5 and 7 kHz) against the open reference "
        "from 0 (bad) to 100 (excellent), on 4 items. 8 listeners took part; none was excluded."
    )
    assert "LUFS" not in text  # a CSV does not tell
    assert "Mean scores were b 67.0 [" in text
    assert "a 43.5 [" in text
    assert "(a t interval on listener means)" in text
    assert "Holm's correction for 1 pair." in text
    assert "Friedman" not in text  # of two systems
    assert text.endswith("At a family-wise level of 0.05, b was rated higher than a.")


@pytest.mark.parametrize(
    ("study", "options", "test", "sentence"),
    [
        ({"kbps": {"a": 2.648}}, {}, {}, "rated 2 systems (a at 2.65 kbps, b),"),
        ({}, {}, {"level": Level(match_per_condition=True)},
         "Every condition was set to −23 LUFS on its own, which hides errors of level"),
        ({}, {"rules": False}, {}, "The post-screening of BS.1534-3 was not applied."),
        ({}, {"least_share": 0.5}, {},
         "Who left early counted if they had answered 50 % of their pages or more."),
        ({"simulated": True}, {}, {}, "8 simulated listeners took part"),
        ({}, {}, {"pages_per_listener": 4}, "Each listener was given a balanced random subset of "
         "4 items. 1 training page came first and does not count."),
        ({}, {}, {"pages_per_listener": 4}, "on 4 items of at most 8 s."),
        ({}, {}, {"pages_per_listener": 4}, "set the reference to −23 LUFS, or as much lower as "
         "kept all true peaks at or below −1 dBTP."),
    ],
)  # fmt: skip
def test_what_is_known_is_said(study: Any, options: Any, test: Any, sentence: str) -> None:
    text = said(study_of(eight(), **study), options=Options(**options), **test)
    assert sentence in text
    assert text.startswith("SIMULATED LISTENERS: nobody") == bool(study.get("simulated"))


def test_exclusions_are_counted_by_reason() -> None:
    bad = {
        **listener_with("x", 4, low_references=4),
        **listener_with("y", 4, low_references=4, high_anchors=4),
        **listener_with("z", 2),
    }
    study = study_of({**eight(), **bad})
    listeners = tuple(replace(one, pages_planned=4) for one in study.listeners)
    assert (
        "Of 11 listeners, 3 were excluded (1 did not finish, 2 rated the hidden reference below 90 "
        "on more than 15 % of their items and 1 rated the 7 kHz anchor above 90 on more than 15 % "
        "of their items, 1 of them both), which leaves 8."
    ) in said(replace(study, listeners=listeners))
    nobody = said(study_of(listener_with("x", 4, low_references=4)))
    assert nobody.endswith("which leaves 0. No ratings are left to report.")


def test_without_anchors_and_with_transparent_ones() -> None:
    text = said(study_of(eight(ANCHOR35, ANCHOR70)))
    assert "2 systems (a, b) and the hidden reference against" in text
    assert "screened by the hidden reference alone, there being no anchors" in text
    scores = eight()
    for (_, item), of in scores.items():
        of[ANCHOR70] = 95.0 if item == "i0" else 50.0
    assert "On 1 item the 7 kHz anchor was not held against listeners" in said(study_of(scores))


def test_no_difference_is_not_equality() -> None:
    scores = {
        (f"l{n}", f"i{k}"): {"a": 50.0 + n * (-1) ** n, "b": 50.0, "c": 50.0 + k}
        for n in range(6) for k in range(2)
    }  # fmt: skip
    text = said(study_of(scores))
    assert "Systems did not differ significantly (Friedman: chi-square(2) =" in text
    assert "After correction, no pair differed at a family-wise level of 0.05." in text
    assert "There was no hidden reference to screen listeners by." in text


def test_ab_and_abx() -> None:
    choices = [c for n in range(7) for c in ab(f"l{n}", "aab")]
    text = said(choice_study(choices, "ab"), form="ab")
    assert text.startswith("In an AB preference test, listeners said of pairs of 2 systems (a, b)")
    assert "“no preference” was an answer" in text
    assert "exact sign tests in which each listener counts once" in text
    assert "Preferences were a over b 67 %" in text
    assert text.endswith("At a family-wise level of 0.05, a was preferred to b.")
    assert "BS.1534" not in text
    text = said(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",)))
    assert "Listeners told a from the reference in 12 of 16 trials (75 %" in text
    assert "p = 0.038 after correction); 1 of 2 listeners was above chance." in text
    assert text.endswith("whether anybody hears a difference, not whether most listeners do.")
