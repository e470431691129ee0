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

from snacbench.listening.study import Study
from snacbench.listening.test import ANCHOR70, REFERENCE
from snacbench.listening.words import count

GOOD = 90.0
MOST_PERCENT_OF_ITEMS = 15
MOST_PERCENT_OF_LISTENERS = 25

Rule = Literal["unfinished", "reference", "anchor"]


@dataclass(frozen=True)
class ListenerCheck:
    """What the rules saw of one listener: complete pages answered, and of how many planned.

    `reference_low` items have the hidden reference below 90, of the `reference_items` on which it
    was rated; `anchor_high` have the 7 kHz anchor above 90, of the `anchor_items` that count.
    """

    listener: str
    pages: int
    pages_planned: int | None
    reference_low: int
    reference_items: int
    anchor_high: int
    anchor_items: int


@dataclass(frozen=True)
class Exclusion:
    """A listener whose answers do not count; one for each rule that was broken."""

    listener: str
    rule: Rule
    reason: str


@dataclass(frozen=True)
class Screening:
    """Who was kept, who was not, and why; `rules` says whether those of BS.1534-3 were applied.

    `checks` has every listener with an answer; on `transparent_items` too many rated the 7 kHz
    anchor above 90 for it to be held against them. `broken_pages`, of listener and item, lacked
    conditions that others rated there, and were left out.
    """

    rules: bool
    checks: tuple[ListenerCheck, ...]
    exclusions: tuple[Exclusion, ...]
    transparent_items: tuple[str, ...]
    broken_pages: Mapping[tuple[str, str], Collection[str]]

    @property
    def before(self) -> tuple[str, ...]:
        """Listeners with an answer."""
        return tuple(check.listener for check in self.checks)

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
    unfinished = list[Exclusion]()
    for one in present:
        pages, planned = answered[one.id], one.pages_planned
        if planned is None and not one.finished:
            reason = f"left early, after {count(pages, 'page')}"
            unfinished.append(Exclusion(one.id, "unfinished", reason))
        elif planned is not None and pages < planned:
            reason = f"answered {pages} of {count(planned, 'page')}"
            unfinished.append(Exclusion(one.id, "unfinished", reason))
    early = {exclusion.listener for exclusion in unfinished}

    anchors = [r for r in whole.ratings if r.condition == ANCHOR70 and r.listener not in early]
    heard = Counter(r.item for r in anchors)
    high = Counter(r.item for r in anchors if r.score > GOOD)
    transparent = tuple(i for i in heard if _over(MOST_PERCENT_OF_LISTENERS, high[i], heard[i]))

    checks, broke_rules = list[ListenerCheck](), list[Exclusion]()
    for one in present:
        own = [r for r in whole.ratings if r.listener == one.id]
        low = [r.score < GOOD for r in own if r.condition == REFERENCE]
        loud = [
            r.score > GOOD for r in own if r.condition == ANCHOR70 and r.item not in transparent
        ]
        check = ListenerCheck(
            one.id, answered[one.id], one.pages_planned, sum(low), len(low), sum(loud), len(loud)
        )
        checks.append(check)
        broken_by: tuple[tuple[Rule, str, list[bool]], ...] = (
            ("reference", "hidden reference below 90", low),
            ("anchor", "7 kHz anchor above 90", loud),
        )
        for rule, what, of in broken_by if rules and one.id not in early else ():
            if _over(MOST_PERCENT_OF_ITEMS, sum(of), len(of)):
                share = f"{sum(of)} of {count(len(of), 'item')} ({100 * sum(of) / len(of):.0f} %)"
                broke_rules.append(Exclusion(one.id, rule, f"{what} on {share}"))
    exclusions = (*unfinished, *broke_rules)
    return whole, Screening(rules, tuple(checks), exclusions, transparent, broken)


def answers_of(study: Study, listeners: Collection[str]) -> Study:
    """The study with the answers of some listeners only."""
    return replace(
        study,
        listeners=tuple(one for one in study.listeners if one.id in listeners),
        ratings=tuple(one for one in study.ratings if one.listener in listeners),
        choices=tuple(one for one in study.choices if one.listener in listeners),
    )


def _complete_pages(study: Study) -> tuple[Study, dict[tuple[str, str], set[str]]]:
    """The study without pages that lack a condition which others rated on the same item."""
    expected, found = dict[str, set[str]](), dict[tuple[str, str], set[str]]()
    for rating in study.ratings:
        expected.setdefault(rating.item, set()).add(rating.condition)
        found.setdefault((rating.listener, rating.item), set()).add(rating.condition)
    missing = {page: expected[page[1]] - rated for page, rated in found.items()}
    broken = {page: conditions for page, conditions in missing.items() if conditions}
    kept = tuple(r for r in study.ratings if (r.listener, r.item) not in broken)
    return replace(study, ratings=kept), broken


def _over(percent: int, part: int, whole: int) -> bool:
    """Whether a part is more than so many percent, in whole numbers: 3 of 20 is not over 15 %."""
    return 100 * part > percent * whole
