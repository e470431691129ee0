"""Numbers and names of a listening test as papers write them."""

from __future__ import annotations

from collections.abc import Sequence

from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE

SIMULATED = "SIMULATED LISTENERS: nobody listened; these figures say nothing about the codecs."


def condition_name(condition: str) -> str:
    """A condition in words; a system by its own name."""
    own = {
        REFERENCE: "hidden reference",
        ANCHOR35: "anchor, 3.5 kHz",
        ANCHOR70: "anchor, 7 kHz",
    }
    return own.get(condition, condition)


def p_text(p: float | None, *, named: bool = False) -> str:
    """A p value; with `named` as ``p = 0.031``."""
    if p is None:
        return "p not defined" if named else "–"
    if p < 0.001:
        return "p < 0.001" if named else "< 0.001"
    text = "1" if p > 0.9995 else f"{p:.3f}"
    return f"p = {text}" if named else text


def count(number: int, noun: str) -> str:
    """``1 item``, ``2 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def percent(share: float) -> str:
    """``95 %``."""
    return f"{100 * share:g} %"
