"""Numbers and names of a listening test as papers write them."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """``1 item``, ``2 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
