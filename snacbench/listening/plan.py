"""What one listener gets to hear, in which order: a pure function of the test and a number.

Subsets of pages are balanced: over any run of consecutive listener numbers each item is heard
equally often, give or take one, and so is each item at each position. Orders of conditions within a
page are random per listener and page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snacbench.listening.test import ListeningTest

PageKind = Literal["training", "mushra", "ab", "abx"]


@dataclass(frozen=True)
class Page:
    """One page of one listener.

    Attributes
    ----------
    number : int
        Place among all pages of the listener, training included.
    conditions : tuple of str
        In the order in which they stand on the page. For ``ab`` the two sides; for ``abx`` three:
        A, B, and what X is. For MUSHRA the hidden reference is one of them; the open reference
        is not.
    """

    number: int
    kind: PageKind
    item: str
    conditions: tuple[str, ...]


def pages_of(test: ListeningTest, listener_number: int) -> tuple[Page, ...]:
    """All pages of the `listener_number`-th listener (from 0), training pages first."""
    raise NotImplementedError
