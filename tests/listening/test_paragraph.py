"""The paragraph says what was done, and nothing that is not known."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

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


def bad() -> Study:
    """The eight, and three who are excluded."""
    scores = {
        **listener_with("x", 4, low_references=4),
        **listener_with("y", 4, low_references=4, high_anchors=4),
        **listener_with("z", 2),
    }
    good, others = eight(), study_of(scores)
    listeners = [replace(one, pages_planned=4) for one in good.listeners + others.listeners]
    return replace(good, ratings=good.ratings + others.ratings, listeners=tuple(listeners))


KNOWN = replace(eight(), kbps={"a": 2.648}, domains={"i0": "speech", "i1": "music"})
EASY = tuple(
    replace(r, score=95.0) if (r.item, r.condition) == ("i0", ANCHOR70) else r
    for r in eight().ratings
)
EQUAL = {
    (f"l{n}", f"i{k}"): {"a": 50.0 + n * (-1) ** n, "b": 50.0, "c": 50.0 + k}
    for n in range(6) for k in range(2)
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts", "absent"),
    [
        (said(eight()),
         ["2 systems (a, b), the hidden reference, a 3.5 kHz low-pass anchor and a 7 kHz low-pass",
          "on 4 items. 8 listeners took part; none was excluded.", "(a t interval on listener",
          "Mean scores were b 67.0 [", "a 43.5 [", "level of 0.05, b was rated higher than a."],
         "LUFS|Friedman"),  # a CSV does not tell; of two systems
        (said(KNOWN, rules=False, pages_per_listener=4),
         ["a at 2.65 kbps, b", "(1 speech, 1 music) of at most 8 s. One gain per item",
          "−23 LUFS, or", "−1 dBTP", "subset of 4 pages. 1 training page came first",
          "The post-screening of BS.1534-3 was not applied."], "hides"),
        (said(KNOWN, level=Level(match_per_condition=True)),
         ["Every condition was set to −23 LUFS on its own, which hides errors"], "One gain"),
        (said(bad()),
         ["Of 11 listeners, 3 were excluded (1 did not finish, 2 rated the hidden reference below",
          "and 1 rated the 7 kHz anchor above", "1 of them both), which leaves 8."], "none was"),
        (said(study_of(listener_with("x", 4, low_references=4))),
         ["which leaves 0. No answers are left to report."], "Mean"),
        (said(eight(ANCHOR35, ANCHOR70)), ["2 systems (a, b) and the hidden reference"], "anchor"),
        (said(replace(eight(), ratings=EASY)), ["On 1 item the 7 kHz anchor was not held"], "LUFS"),
        (said(study_of(EQUAL)),
         ["did not differ significantly (Friedman: chi-square(2) =", "no pair differed"], "LUFS"),
        (said(choice_study([c for n in range(7) for c in ab(f"l{n}", "aab")], "ab"), form="ab"),
         ["In an AB preference test, listeners said of pairs of 2 systems (a, b)", "sign tests",
          "Preferences were a over b 67 %", "a was preferred to b."], "BS.1534"),
        (said(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",))),
         ["Listeners told a from the reference in 12 of 16 trials (75 %",
          "p = 0.038 after correction); 1 of 2 listeners was above chance."], "BS.1534"),
    ],
)  # fmt: skip
def test_what_is_known_is_said_and_nothing_else(text: str, parts: list[str], absent: str) -> None:
    assert [part for part in parts if part not in text] == []
    assert not re.search(absent, text)


def test_by_what_listeners_were_screened() -> None:
    assert "Listeners were screened by the hidden reference alone." in said(
        eight(ANCHOR35, ANCHOR70)
    )
    assert "was no hidden reference to screen listeners by." in said(eight(ANCHOR70, REFERENCE))
