"""The forms of a listening test: what a page asks, what may be answered, and the words for it.

A form is described here and nowhere else: how its pages are made, what the server takes, how it is
analysed and what tables and papers say of it follow from its fields in ``forms.yaml``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import yaml

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


FORMS: dict[FormName, Form] = {}
"""What ``forms.yaml`` says of each form."""
for _name, _told in yaml.load(
    Path(__file__).with_suffix(".yaml").read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
).items():
    _told |= {field: tuple(value) for field, value in _told.items() if isinstance(value, list)}
    FORMS[_name] = Form(**_told)
