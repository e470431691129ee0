"""Whose answers count: complete pages, finished listeners, post-screening by BS.1534-3.

ITU-R BS.1534-3, section 4.1.2, excludes a listener who rates the hidden reference below 90, or the
mid-range (7 kHz) anchor above 90, for more than 15 % of the items that they rated; an item on which
more than 25 % of the listeners do the latter is left out of that count. Everybody is judged once,
against all who came to the screening. Who left early does not count either: who leaves has often
withdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from snacbench.forms import ANCHOR70, REFERENCE
from snacbench.listening.study import Record, Study

GOOD = 90.0
MOST_PERCENT_OF_ITEMS = 15
MOST_PERCENT_OF_LISTENERS = 25

Rule = Literal["unfinished", "reference", "anchor"]


@dataclass(frozen=True)
class Exclusion:
    """A listener whose answers do not count; one for each rule that was broken."""

    listener: str
    rule: Rule
    reason: str


@dataclass(frozen=True)
class Screening:
    """Who was kept, who was not, and why; `rules` says whether those of BS.1534-3 were applied.

    `checks` has of every listener with an answer the complete ``pages`` and the ``pages_planned``,
    on how many of the ``reference_items`` the hidden reference is below 90 (``reference_low``), and
    on how many of the ``anchor_items`` that count the 7 kHz anchor is above 90 (``anchor_high``).
    On `transparent_items` too many rated that anchor above 90 for it to be held against them.
    `broken_pages`, of listener and item, lacked conditions that others rated there, and were left
    out.
    """

    rules: bool
    checks: tuple[Record, ...]
    exclusions: tuple[Exclusion, ...]
    transparent_items: tuple[str, ...]
    broken_pages: Mapping[tuple[str, str], Collection[str]]

    @property
    def before(self) -> tuple[str, ...]:
        """Listeners with an answer."""
        return tuple(check["listener"] for check in self.checks)

    @property
    def kept(self) -> tuple[str, ...]:
        """Listeners whose answers count."""
        out = {exclusion.listener for exclusion in self.exclusions}
        return tuple(name for name in self.before if name not in out)


def screen(study: Study, *, rules: bool = True) -> tuple[Study, Screening]:
    """Drop broken pages, then judge every listener.

    The study that comes back has all answers on complete pages, of all listeners: the results
    before screening. `answers_of` takes those of the listeners kept out of it.
    """
    whole, broken = _complete_pages(study)
    answered = Counter(listener for listener, _ in {(r.listener, r.item) for r in whole.ratings})
    answered.update(choice.listener for choice in whole.choices)
    present = [listener for listener in whole.listeners if answered[listener.id]]
    plans = {one.id: one.pages_planned or 0 for one in present}
    early = {name for name, planned in plans.items() if answered[name] < planned}

    anchors = [r for r in whole.ratings if r.condition == ANCHOR70 and r.listener not in early]
    heard = Counter(r.item for r in anchors)
    high = Counter(r.item for r in anchors if r.score > GOOD)
    transparent = tuple(i for i in heard if _over(MOST_PERCENT_OF_LISTENERS, high[i], heard[i]))

    checks, exclusions = list[Record](), list[Exclusion]()
    for one in present:
        own, pages = [r for r in whole.ratings if r.listener == one.id], answered[one.id]
        low = [r.score < GOOD for r in own if r.condition == REFERENCE]
        rated = [r for r in own if r.condition == ANCHOR70 and r.item not in transparent]
        loud = [r.score > GOOD for r in rated]
        check: Record = {"listener": one.id, "pages": pages, "pages_planned": one.pages_planned}
        check |= {"reference_low": sum(low), "reference_items": len(low)}
        checks.append(check | {"anchor_high": sum(loud), "anchor_items": len(loud)})
        if one.id in early:
            reason = f"answered {pages} of {count(plans[one.id], 'page')}"
            exclusions.append(Exclusion(one.id, "unfinished", reason))
            continue
        broken_by: tuple[tuple[Rule, str, list[bool]], ...] = (
            ("reference", "hidden reference below 90", low),
            ("anchor", "7 kHz anchor above 90", loud),
        )
        for rule, what, of in broken_by if rules else ():
            if _over(MOST_PERCENT_OF_ITEMS, sum(of), len(of)):
                share = f"{sum(of)} of {count(len(of), 'item')} ({100 * sum(of) / len(of):.0f} %)"
                exclusions.append(Exclusion(one.id, rule, f"{what} on {share}"))
    return whole, Screening(rules, tuple(checks), tuple(exclusions), transparent, broken)


def answers_of(study: Study, listeners: Collection[str]) -> Study:
    """The study with the answers of some listeners only."""
    return replace(
        study,
        listeners=tuple(one for one in study.listeners if one.id in listeners),
        answers=tuple(one for one in study.answers if one.listener in listeners),
    )


def _complete_pages(study: Study) -> tuple[Study, dict[tuple[str, str], set[str]]]:
    """The study without pages that lack a condition which others rated on the same item."""
    expected, found = dict[str, set[str]](), dict[tuple[str, str], set[str]]()
    for rating in study.ratings:
        expected.setdefault(rating.item, set()).add(rating.condition)
        found.setdefault((rating.listener, rating.item), set()).add(rating.condition)
    missing = {page: expected[page[1]] - rated for page, rated in found.items()}
    broken = {page: conditions for page, conditions in missing.items() if conditions}
    kept = tuple(one for one in study.answers if (one.listener, one.item) not in broken)
    return replace(study, answers=kept), broken


def count(number: int, noun: str) -> str:
    """``1 item``, ``2 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _over(percent: int, part: int, whole: int) -> bool:
    """Whether a part is more than so many percent, in whole numbers: 3 of 20 is not over 15 %."""
    return 100 * part > percent * whole
