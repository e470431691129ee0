"""Studies whose every number is known, and simulated ones: what is true of them is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snacbench.forms import ANCHOR35, ANCHOR70, REFERENCE
from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import Item, ListeningTest, System

GOOD = {REFERENCE: 100.0, ANCHOR70: 50.0, ANCHOR35: 20.0}

Scores = dict[tuple[str, str], dict[str, float]]


def study_of(scores: Mapping[tuple[str, str], Mapping[str, float]], **fields: Any) -> Study:
    """A MUSHRA study of (listener, item) -> condition -> score."""
    ratings = tuple(
        Rating(listener, item, condition, score)
        for (listener, item), of in scores.items()
        for condition, score in of.items()
    )
    names = dict.fromkeys(r.condition for r in ratings)
    made: dict[str, Any] = {
        "name": "t", "form": "mushra" if ANCHOR70 in names else "mushra-no-anchors",
        "listeners": tuple(map(Listener, dict.fromkeys(r.listener for r in ratings))),
        "systems": tuple(n for n in names if n not in (REFERENCE, ANCHOR35, ANCHOR70)),
        "answers": ratings,
    }  # fmt: skip
    return Study(**{**made, **fields})


def listener_with(name: str, items: int, *, low_references: int = 0, high_anchors: int = 0,
                  **scores: float) -> Scores:  # fmt: skip
    """A listener who misses the reference on the first items, and takes the anchor for good."""
    found = {(name, f"i{n}"): {**GOOD, "a": 40.0, "b": 60.0, **scores} for n in range(items)}
    for place, of in enumerate(found.values()):
        of[REFERENCE] = 89.0 if place < low_references else 90.0
        of[ANCHOR70] = 91.0 if place < high_anchors else 90.0
    return found


def a_test(**fields: Any) -> ListeningTest:
    rates = {"a@2kbps": 2.1, "a@4kbps": 4.2, "b": 3.0}
    given: dict[str, Any] = {
        "id": "t1", "title": "A test", "run": "../run", "run_id": "r", "set_sha256": "ab" * 32,
        "systems": tuple(System(name=name, kbps=kbps) for name, kbps in rates.items()),
        "items": tuple(Item(id=f"{d}-{k}", clip=f"set/{d}{k}", domain=d, duration_s=8.0)
                       for d in ("speech", "music") for k in (1, 2, 3)),
        "training": (Item(id="practice", clip="set/p", duration_s=8.0),),
    }  # fmt: skip
    return ListeningTest(**{**given, **fields})


def numbered_test(items: int = 6, form: str = "mushra", systems: int = 3, **fields: Any) -> Any:
    """A test of ``codec-0`` and so on, heard on ``item-0`` and so on."""
    codecs = tuple(System(name=f"codec-{i}", kbps=float(i)) for i in range(systems))
    heard = tuple(Item(id=f"item-{i}", clip=f"set/{i}", duration_s=8) for i in range(items))
    return a_test(id="t", form=form, systems=codecs, items=heard, **{"training": (), **fields})


def ab(listener: str, answers: str, *, item: str = "i0",
       pair: tuple[str, str] = ("a", "b")) -> list[Choice]:  # fmt: skip
    """Answers as a word: a, b and t for a tie, one per item."""
    words: Any = ("tie" if letter == "t" else letter for letter in answers)
    return [Choice(listener, f"{item}-{k}", *pair, word) for k, word in enumerate(words)]


def abx(listener: str, right: int, trials: int, *, system: str = "a") -> list[Choice]:
    return [
        Choice(listener, f"i{k}", REFERENCE, system, "a" if k < right else "b", x=REFERENCE)
        for k in range(trials)
    ]


def choice_study(choices: Sequence[Choice], form: str, systems: Any = ("a", "b")) -> Study:
    listeners = tuple(map(Listener, dict.fromkeys(c.listener for c in choices)))
    return Study("t", form, listeners, tuple(systems), tuple(choices))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Deviations(Spread):
    """Those that cancel where systems are compared, too: see `Spread`."""

    listener: float = 12.0  # generous or strict on all scores
    listener_item: float = 7.5  # of a listener on an item, for all systems alike


NOTHING_DEVIATES = Deviations(0, 0, 0, 0, 0)


def simulate(
    test: ListeningTest, listeners: int, means: Mapping[str, float],
    spread: Deviations = Deviations(), *, careless: int = 0, dropouts: int = 0, seed: int = 0,
) -> Study:  # fmt: skip
    """Answers to a test: listener n hears what `design.pages_of` deals to number n.

    The quality that a listener hears is a point on a scale that goes on beyond 0 and 100. Ratings
    are that quality, clipped and rounded as a slider does; preferences and ABX answers come from it
    as in Thurstone's law of comparative judgement, case V (Psychological Review 34, 1927).
    `means` of the systems are over listeners and items: what items deviate by is centred. The
    hidden reference gets 100, 80 where it is missed, in one of 50 cases. In form ``ab`` differences
    below 5 are "no preference"; in ``abx`` 63 % hear a difference of 10 points from the reference.
    The first listeners are `careless` and answer anything, the last `dropouts` stop half-way."""
    means = {ANCHOR35: 20.0, ANCHOR70: 40.0, **means}
    ids, rng = [item.id for item in test.items], np.random.default_rng([seed, 99])
    of_items = rng.normal(0, spread.item_system, (len(ids), len(means)))
    of_items = np.array(list(means.values())) + of_items - of_items.mean(axis=0)
    of_items = dict(zip(ids, of_items, strict=True))
    people, answers = list[Listener](), list[Rating | Choice]()
    for number in range(listeners):
        rng, name = np.random.default_rng([seed, number]), f"simulated-{number + 1:03d}"
        guessing, finished = number < careless, number < listeners - dropouts
        taste = rng.normal(0, spread.listener) + rng.normal(0, spread.listener_system, len(means))
        pages = [page for page in pages_of(test, number) if not page.training]
        people.append(Listener(name, {}, len(pages)))
        for i, page in enumerate(pages if finished else pages[: len(pages) // 2]):
            error = rng.normal(0, spread.listener_item) + rng.normal(0, spread.residual, len(means))
            heard = dict(zip(means, of_items[page.item] + taste + error, strict=True))
            heard[REFERENCE] = 100.0
            guess = "a" if rng.integers(2) else "b"
            if test.form.startswith("mushra"):
                heard[REFERENCE] = 80.0 if rng.random() < 0.02 else 100.0
                for place, c in enumerate(page.conditions):
                    score = rng.integers(0, 101) if guessing else np.clip(np.rint(heard[c]), 0, 100)
                    answers.append(Rating(name, page.item, c, float(score), i, place))
                continue
            a, b, x = (*page.conditions, None)[:3]
            difference = heard[a] - heard[b]
            answer = "a" if difference > 0 else "b"
            if x is not None:
                unheard = rng.random() < np.exp(-abs(difference) / 10)
                answer = guess if unheard else "a" if x == a else "b"
            elif test.allow_tie and abs(difference) < 5:
                answer = "tie"
            answer = guess if guessing else answer
            answers.append(Choice(name, page.item, a, b, answer, x=x, page=i))
    return Study.of(test, tuple(people), tuple(answers))
