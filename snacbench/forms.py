"""The forms of a listening test: what a page asks, what may be answered, and the words for it.

A form is described here and nowhere else: how its pages are made, what the server takes, how it is
analysed and what tables and papers say of it follow from these fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

REFERENCE, ANCHOR35, ANCHOR70 = "reference", "anchor35", "anchor70"
RESERVED = {
    REFERENCE: "hidden reference", ANCHOR35: "anchor, 3.5 kHz", ANCHOR70: "anchor, 7 kHz",
}  # fmt: skip
"""Conditions that are no codec -> what they are called."""

FormName = Literal[
    "mushra", "mushra-no-anchors", "mushra-no-reference", "acr", "dcr", "ccr", "ab", "abx"
]
Kind = Literal["mushra", "single", "ab", "abx"]
"""What a page looks like; ``single``: one condition is judged, alone or beside the reference."""


@dataclass(frozen=True)
class Form:
    """A form; `answers` are those to a pair, and empty where every condition is rated.

    Ratings lie on `scale`, from the worst to the best. Where a page has an open reference
    (`open_reference`), it can be heard there as often as the listener likes.

    For a paper: `asked` of the listeners, what its `numbers` are, how systems were `tested`, and
    what a winner did (`won`). For the table of comparisons: the `value` of a pair, its `unit`, the
    pair in words (`between`), and `how` it was tested; `file` is its CSV. For both: what a `mean`
    is called, its `digits`, and the `words` of the scale: of fifths from 0 to 100, else of scores.
    """

    label: str
    kind: Kind
    asked: str
    numbers: str
    tested: str
    won: str
    value: str
    unit: str
    between: str
    how: str
    file: str
    answers: tuple[str, ...] = ()
    anchors: bool = False
    scale: tuple[int, int] = (0, 100)
    open_reference: bool = True
    mean: str = "mean score"
    digits: int = 1
    words: tuple[str, ...] = ("bad", "poor", "fair", "good", "excellent")

    @property
    def rates(self) -> bool:
        """Whether conditions are rated, and not compared in pairs."""
        return not self.answers

    @property
    def by_bs1534(self) -> bool:
        """Whether all is rated beside an open reference, on which its post-screening rests."""
        return self.kind == "mushra" and self.open_reference

    def pairs(self, systems: Sequence[str]) -> list[tuple[str, ...]]:
        """What the pages of an item compare; one page, of nothing in particular, where all is.

        Where one condition is judged at a time, the reference is among them, hidden; a pair ends
        with what is judged.
        """
        if self.kind == "single":
            judged = (REFERENCE, *systems)
            return [(REFERENCE, name) if self.open_reference else (name,) for name in judged]
        if self.rates:
            return [()]
        if self.kind == "abx":
            return [(REFERENCE, system) for system in systems]
        return list(combinations(systems, 2))


_MUSHRA = Form(
    label="MUSHRA",
    kind="mushra",
    asked="in a MUSHRA listening test (ITU-R BS.1534-3), listeners rated {heard} against the open "
    "reference from 0 (bad) to 100 (excellent), on {items}.",
    numbers="scores",
    tested="systems were compared by {friedman}two-sided Wilcoxon signed-rank tests on each "
    "listener's mean difference, with Holm's correction for {pairs}.",
    won="was rated higher than",
    value="difference",
    unit="points",
    between="{} − {}",
    how="First minus second; p: Wilcoxon's signed-rank test on each listener's mean difference.",
    file="pairs",
    anchors=True,
)
_ACR = replace(
    _MUSHRA,
    label="ACR",
    kind="single",
    asked="in an absolute category rating test (ITU-T P.800, annex B), listeners heard {heard} one "
    "at a time and rated the quality of each from 1 (bad) to 5 (excellent), on {items}.",
    numbers="mean opinion scores (MOS)",
    value="difference in MOS",
    unit="",
    anchors=False,
    scale=(1, 5),
    digits=2,
    open_reference=False,
    mean="mean opinion score",
)
FORMS: dict[FormName, Form] = {
    "mushra": _MUSHRA,
    "mushra-no-anchors": replace(_MUSHRA, label="MUSHRA without anchors", anchors=False),
    "mushra-no-reference": replace(
        _MUSHRA,
        label="MUSHRA without reference",
        asked="in a multi-stimulus listening test without a reference, listeners rated {heard} "
        "side by side from 0 (bad) to 100 (excellent), on {items}.",
        open_reference=False,
    ),
    "acr": _ACR,
    "dcr": replace(
        _ACR,
        label="DCR",
        asked="in a degradation category rating test (ITU-T P.800, annex D), listeners heard "
        "{heard}, each after the reference, and rated its degradation from 1 (very annoying) to 5 "
        "(inaudible), on {items}.",
        numbers="degradation mean opinion scores (DMOS)",
        value="difference in DMOS",
        open_reference=True,
        mean="degradation mean opinion score",
        words=("very annoying", "annoying", "slightly annoying", "audible", "inaudible"),
    ),
    "ccr": replace(
        _ACR,
        label="CCR",
        asked="in a comparison category rating test (ITU-T P.800, annex E), listeners heard pairs "
        "of the reference with {heard}, in random order, and rated the second against the first "
        "from −3 (much worse) to 3 (much better), on {items}.",
        numbers="comparison mean opinion scores (CMOS), positive where better than the reference,",
        value="difference in CMOS",
        open_reference=True,
        scale=(-3, 3),
        mean="comparison mean opinion score",
        words=(
            *("much worse", "worse", "slightly worse", "about the same"),
            *("slightly better", "better", "much better"),
        ),
    ),
    "ab": Form(
        label="AB",
        kind="ab",
        asked="in an AB preference test, listeners said of pairs of {heard} which of the two they "
        "preferred, on {items}.",
        numbers="preferences, ties counting half,",
        tested="pairs were compared by exact sign tests in which each listener counts once, with "
        "Holm's correction for {pairs}.",
        won="was preferred to",
        value="preference for the first",
        unit="%",
        between="{} over {}",
        how="Answers: for the first, neither, the second; 50 % is even. p: exact sign test, each "
        "listener counting once.",
        file="preferences",
        answers=("a", "b", "tie"),
    ),
    "abx": Form(
        label="ABX",
        kind="abx",
        asked="in an ABX test, listeners heard the reference, the output of a system, and a third "
        "signal that was one of these two, and said which one it was, for {heard} on {items}.",
        numbers="shares of right answers",
        tested="guessing was tested by one-sided exact binomial tests over all trials, with Holm's "
        "correction for {pairs}, and for each listener, with Holm's correction over listeners.",
        won="",
        value="right answers",
        unit="%",
        between="{} from {}",
        how="Answers: right and wrong; 50 % is even. p: exact binomial test over all trials.",
        file="abx",
        answers=("a", "b"),
    ),
}
