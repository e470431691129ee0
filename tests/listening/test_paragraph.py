"""The paragraph says what was done, and nothing that is not known."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from snacbench.listening.analysis.analyse import analyse
from snacbench.listening.analysis.paragraph import paragraph
from snacbench.listening.read import Source
from snacbench.listening.study import Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, Level
from tests.support.studies import a_test, ab, abx, choice_study, listener_with, study_of


def said(study: Study, *, rules: bool = True, **test: Any) -> str:
    source = Source(study, a_test(**test) if test else None)
    return paragraph(source, analyse(study, rules=rules))


def eight(*without: str) -> Study:
    """Eight listeners who all rate b above a, each a little differently."""
    scores = {
        page: {c: score for c, score in of.items() if c not in without}
        for n in range(8)
        for page, of in listener_with(f"l{n}", 4, a=40.0 + n, b=60.0 + 2 * n).items()
    }
    return study_of(scores)


def test_mushra_from_a_csv() -> None:
    text = said(eight())
    assert text.startswith(
        "In a MUSHRA listening test (ITU-R BS.1534-3), listeners rated 2 systems (a, b), the "
        "hidden reference, a 3.5 kHz low-pass anchor and a 7 kHz low-pass anchor against the open "
        "reference from 0 (bad) to 100 (excellent), on 4 items. 8 listeners took part; none was "
        "excluded."
    )
    assert not re.search("LUFS|Friedman", text)  # a CSV does not tell; of two systems
    for part in ("Mean scores were b 67.0 [", "a 43.5 [", "(a t interval on listener means)"):
        assert part in text
    assert text.endswith("At a family-wise level of 0.05, b was rated higher than a.")


def test_what_is_known_is_said() -> None:
    study = replace(eight(), kbps={"a": 2.648}, domains={"i0": "speech", "i1": "music"})
    text = said(study, rules=False, pages_per_listener=4)
    for sentence in (
        "rated 2 systems (a at 2.65 kbps, b),",
        "on 4 items (1 speech, 1 music) of at most 8 s. One gain per item, for all its conditions, "
        "set the reference to −23 LUFS, or as much lower as kept all true peaks at or below −1 "
        "dBTP. Each listener was given a balanced random subset of 4 pages. 1 training page came "
        "first, and did not count.",
        "The post-screening of BS.1534-3 was not applied.",
    ):
        assert sentence in text
    alone = said(study, level=Level(match_per_condition=True))
    assert "Every condition was set to −23 LUFS on its own, which hides errors of level" in alone


def test_exclusions_are_counted_by_reason() -> None:
    bad = {
        **listener_with("x", 4, low_references=4),
        **listener_with("y", 4, low_references=4, high_anchors=4),
        **listener_with("z", 2),
    }
    good, bad_ones = eight(), study_of(bad)
    listeners = [replace(one, pages_planned=4) for one in good.listeners + bad_ones.listeners]
    study = replace(good, ratings=good.ratings + bad_ones.ratings, listeners=tuple(listeners))
    assert (
        "Of 11 listeners, 3 were excluded (1 did not finish, 2 rated the hidden reference below 90 "
        "on more than 15 % of their items and 1 rated the 7 kHz anchor above 90 on more than 15 % "
        "of their items, 1 of them both), which leaves 8."
    ) in said(study)
    nobody = said(study_of(listener_with("x", 4, low_references=4)))
    assert nobody.endswith("which leaves 0. No answers are left to report.")


def test_without_anchors_with_transparent_ones_and_without_differences() -> None:
    text = said(eight(ANCHOR35, ANCHOR70))
    assert "2 systems (a, b) and the hidden reference against" in text
    assert "Listeners were screened by the hidden reference alone." in text
    assert "was no hidden reference to screen listeners by." in said(eight(ANCHOR70, REFERENCE))
    easy = tuple(
        replace(r, score=95.0) if (r.item, r.condition) == ("i0", ANCHOR70) else r
        for r in eight().ratings
    )
    text = said(replace(eight(), ratings=easy))
    assert "On 1 item the 7 kHz anchor was not held against listeners" in text
    scores = {
        (f"l{n}", f"i{k}"): {"a": 50.0 + n * (-1) ** n, "b": 50.0, "c": 50.0 + k}
        for n in range(6) for k in range(2)
    }  # fmt: skip
    text = said(study_of(scores))
    assert "Systems did not differ significantly (Friedman: chi-square(2) =" in text
    assert "After correction, no pair differed at a family-wise level of 0.05." in text


def test_ab_and_abx() -> None:
    choices = [c for n in range(7) for c in ab(f"l{n}", "aab")]
    text = said(choice_study(choices, "ab"), form="ab")
    assert text.startswith("In an AB preference test, listeners said of pairs of 2 systems (a, b)")
    assert "exact sign tests in which each listener counts once" in text
    assert "Preferences were a over b 67 %" in text
    assert text.endswith("At a family-wise level of 0.05, a was preferred to b.")
    assert "BS.1534" not in text
    text = said(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",)))
    assert "Listeners told a from the reference in 12 of 16 trials (75 %" in text
    assert text.endswith("p = 0.038 after correction); 1 of 2 listeners was above chance.")
