"""Studies whose every number is known, and tests to plan for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, Item, ListeningTest, System

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
        "name": "t",
        "form": "mushra" if ANCHOR70 in names else "mushra-no-anchors",
        "listeners": tuple(map(Listener, dict.fromkeys(r.listener for r in ratings))),
        "systems": tuple(n for n in names if n not in (REFERENCE, ANCHOR35, ANCHOR70)),
        "ratings": ratings,
    }
    return Study(**{**made, **fields})


def listener_with(
    name: str, items: int, *, low_references: int = 0, high_anchors: int = 0, **scores: float
) -> Scores:
    """A listener who misses the reference on the first items, and takes the anchor for good."""
    return {
        (name, f"i{place}"): {
            **GOOD,
            REFERENCE: 89.0 if place < low_references else 90.0,
            ANCHOR70: 91.0 if place < high_anchors else 90.0,
            "a": 40.0,
            "b": 60.0,
            **scores,
        }
        for place in range(items)
    }


def a_test(**fields: Any) -> ListeningTest:
    given: dict[str, Any] = {
        "id": "t1",
        "title": "A test",
        "run": "../run",
        "run_id": "r",
        "set_sha256": "ab" * 32,
        "systems": (System(name="a@2kbps", kbps=2.1), System(name="a@4kbps", kbps=4.2),
                    System(name="b", kbps=3.0)),
        "items": tuple(
            Item(id=f"{d}-{k}", clip=f"set/{d}{k}", domain=d, duration_s=8.0)
            for d in ("speech", "music") for k in (1, 2, 3)
        ),
        "training": (Item(id="practice", clip="set/p", duration_s=8.0),),
    }  # fmt: skip
    return ListeningTest(**{**given, **fields})


def numbered_test(
    items: int = 6, form: str = "mushra", systems: int = 3, **fields: Any
) -> ListeningTest:
    """``codec-0`` and so on, heard on ``item-0`` and so on."""
    return a_test(
        id="t",
        form=form,
        systems=tuple(System(name=f"codec-{i}", kbps=float(i)) for i in range(systems)),
        items=tuple(Item(id=f"item-{i}", clip=f"set/{i}", duration_s=8) for i in range(items)),
        **{"training": (), **fields},
    )


def ab(
    listener: str, answers: str, *, item: str = "i0", pair: tuple[str, str] = ("a", "b")
) -> list[Choice]:
    """Answers as a word: a, b and t for a tie, one per item."""
    return [
        Choice(listener, f"{item}-{k}", *pair, {"a": "a", "b": "b", "t": "tie"}[letter])  # type: ignore[arg-type]
        for k, letter in enumerate(answers)
    ]


def abx(listener: str, right: int, trials: int, *, system: str = "a") -> list[Choice]:
    return [
        Choice(listener, f"i{k}", REFERENCE, system, "a" if k < right else "b", x=REFERENCE)
        for k in range(trials)
    ]


def choice_study(
    choices: Sequence[Choice], form: str, systems: Sequence[str] = ("a", "b")
) -> Study:
    listeners = tuple(map(Listener, dict.fromkeys(c.listener for c in choices)))
    return Study("t", form, listeners, tuple(systems), choices=tuple(choices))  # type: ignore[arg-type]
