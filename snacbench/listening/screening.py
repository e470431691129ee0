"""Whose answers count: complete pages, finished listeners, post-screening, and rules asked for.

ITU-R BS.1534-3, section 4.1.2, excludes a listener who rates the hidden reference below 90, or the
mid-range (7 kHz) anchor above 90, for more than 15 % of the items that they rated; an item on which
more than 25 % of the listeners do the latter is left out of that count. Everybody is judged once,
against all who came to the screening. Who left early does not count either: who leaves has often
withdrawn. Every other rule is off unless it is asked for.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from snacbench.errors import UserError
from snacbench.forms import ANCHOR70, FORMS, REFERENCE
from snacbench.listening.study import Choice, Listener, Rating, Record, Study

GOOD = 90.0
MOST_PERCENT_OF_ITEMS = 15
MOST_PERCENT_OF_LISTENERS = 25

RULES = {
    "headphones": "failed or skipped the headphone check",
    "attention": "failed an attention check",
    "unheard:SECONDS": "heard more than 15 % of their sounds for less than {} s",
    "fast:SECONDS": "took less than {} s for a page (median)",
    "reference:SCORE": "rated the hidden reference below {} on more than 15 % of their items",
}
"""Rules that can be asked for, besides QUESTION=ANSWER, and whom each excludes."""


@dataclass(frozen=True)
class Exclusion:
    """A listener whose answers do not count; one for each rule that was broken, as asked for."""

    listener: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Screening:
    """Who was kept, who was not, and why; `rules` says whether those of BS.1534-3 were applied.

    All listeners with an answer were there `before`; the answers of those who were `kept` count.
    `asked` has of every rule that was asked for whom it excludes, in words, and how many it kept
    because what it looks at was not recorded of them.

    `checks` has of every listener with an answer the complete ``pages`` and the ``pages_planned``,
    on how many of the ``reference_items`` the hidden reference is below 90 (``reference_low``), and
    on how many of the ``anchor_items`` that count the 7 kHz anchor is above 90 (``anchor_high``);
    medians of a page's time (``page_s``), and of plays and time of a sound on a page (``plays``,
    ``heard_s``), the shortest such time (``least_heard_s``), and `study.Listener.record`.
    On `transparent_items` too many rated that anchor above 90 for it to be held against them.
    `broken_pages`, of listener and item, lacked conditions that others rated there, and were left
    out.
    """

    before: tuple[str, ...]
    kept: tuple[str, ...]
    rules: bool
    checks: tuple[Record, ...]
    exclusions: tuple[Exclusion, ...]
    transparent_items: tuple[str, ...]
    broken_pages: Mapping[tuple[str, str], Collection[str]]
    asked: Mapping[str, tuple[str, int]]


def screen(
    study: Study, *, rules: bool = True, exclude: Sequence[str] = ()
) -> tuple[Study, Screening]:
    """Drop broken pages, then judge every listener: by BS.1534-3, and by `RULES` to `exclude` by.

    Those of BS.1534-3 are for MUSHRA with an open reference. The study that comes back has all
    answers on complete pages, of all listeners: the results before screening. `UserError` for a
    rule that there is not, or by which nobody can be judged.
    """
    form, asked = FORMS[study.form], {rule: _whom(rule, study) for rule in exclude}
    whole, broken = (study, {}) if form.kind == "single" else _complete_pages(study)
    rules = rules and form.by_bs1534
    votes = {(r.listener, r.item, form.kind == "single" and r.condition) for r in whole.ratings}
    answered = Counter(listener for listener, *_ in votes)
    answered.update(choice.listener for choice in whole.choices)
    present = [listener for listener in whole.listeners if answered[listener.id]]
    plans = {one.id: one.pages_planned or 0 for one in present}
    early = {name for name, planned in plans.items() if answered[name] < planned}

    anchors = [r for r in whole.ratings if r.condition == ANCHOR70 and r.listener not in early]
    heard = Counter(r.item for r in anchors)
    high = Counter(r.item for r in anchors if r.score > GOOD)
    transparent = tuple(i for i in heard if _over(MOST_PERCENT_OF_LISTENERS, high[i], heard[i]))

    checks, exclusions, unknown = list[Record](), list[Exclusion](), Counter[str]()
    said = defaultdict[str, list[Rating | Choice]](list)
    for answer in whole.answers:
        said[answer.listener].append(answer)
    for one in present:
        own, pages = replace(whole, answers=tuple(said[one.id])), answered[one.id]
        low = [r.score < GOOD for r in own.ratings if r.condition == REFERENCE]
        rated = [r for r in own.ratings if r.condition == ANCHOR70 and r.item not in transparent]
        loud = [r.score > GOOD for r in rated]
        check: Record = {"listener": one.id, "pages": pages, "pages_planned": one.pages_planned}
        check |= {"reference_low": sum(low), "reference_items": len(low)}
        check |= {"anchor_high": sum(loud), "anchor_items": len(loud)}
        checks.append(check | _listened(own) | one.record)
        if one.id in early:
            reason = f"answered {pages} of {count(plans[one.id], 'page')}"
            exclusions.append(Exclusion(one.id, "unfinished", reason))
            continue
        judged = [(rule, whom, _signs(rule, one, own)) for rule, whom in asked.items()]
        unknown.update(rule for rule, _, signs in judged if not signs)
        judged += [("reference", "hidden reference below 90", low)] * rules
        judged += [("anchor", "7 kHz anchor above 90", loud)] * rules
        for rule, what, of in judged:
            bad, seen = sum(of), len(of)
            if _over(MOST_PERCENT_OF_ITEMS, bad, seen):
                share = f" on {bad} of {count(seen, 'item')} ({100 * bad / seen:.0f} %)"
                few = f" ({bad} of {seen})" * (seen > 1)
                exclusions.append(Exclusion(one.id, rule, what + (few if rule in asked else share)))
    if silent := [rule for rule in asked if unknown[rule] == len(present) - len(early) > 0]:
        raise UserError(f"--exclude {silent[0]}: the answers tell this of no listener")
    before, out = tuple(one.id for one in present), {one.listener for one in exclusions}
    kept = tuple(name for name in before if name not in out)
    told = before, kept, rules, tuple(checks), tuple(exclusions), transparent, broken
    return whole, Screening(*told, {rule: (asked[rule], unknown[rule]) for rule in asked})


def _whom(rule: str, study: Study) -> str:
    """Whom a rule excludes, in words; `UserError` if there is no such rule."""
    question, equals, answer = rule.partition("=")
    questions = dict.fromkeys(name for one in study.listeners for name in one.answers)
    if equals and question in questions:
        return f"answered {answer!r} to the question {question}"
    for known, text in RULES.items():
        if re.fullmatch(re.sub("[A-Z]+", r"-?\\d+(\\.\\d+)?", known), rule):
            return text.format(rule.partition(":")[2])
    listed = ", ".join([*RULES, *(f"{name}=ANSWER" for name in questions)])
    raise UserError(f"--exclude {rule}: there is no such rule; there are {listed}")


def _signs(rule: str, one: Listener, own: Study) -> list[bool]:
    """Of all that a rule looks at in a listener, what speaks against them; empty: nothing known."""
    question, equals, answer = rule.partition("=")
    if equals:
        return [said == answer for name, said in one.answers.items() if name == question]
    (name, _, number), seen = rule.partition(":"), one.observed
    limit, page_s = float(number or 0), _listened(own).get("page_s")
    return {
        "headphones": [seen[k] != "passed" for k in ("headphones",) if k in seen],
        "attention": [seen[k] not in ("0", "0.0") for k in ("attention_failed",) if k in seen],
        "fast": [] if page_s is None else [page_s < limit],
        "unheard": [a.heard_s < limit for a in own.answers if a.heard_s is not None],
        "reference": [r.score < limit for r in own.ratings if r.condition == REFERENCE],
    }[name]


def _listened(own: Study) -> Record:
    """How a listener listened, as far as that was recorded: see `Screening`."""
    names = {"time_s": "page_s", "plays": "plays", "heard_s": "heard_s"}
    found = {to: [getattr(answer, name) for answer in own.answers] for name, to in names.items()}
    known = {name: [value for value in of if value is not None] for name, of in found.items()}
    least = {"least_heard_s": min(known["heard_s"])} if known["heard_s"] else {}
    return {name: median(of) for name, of in known.items() if of} | least


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
