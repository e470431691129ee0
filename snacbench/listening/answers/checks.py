"""What can be seen of a listener's care while the test still runs.

Flags are there to be looked at; who is left out is decided in the analysis, over all answers.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from snacbench.listening.study import Choice, Rating, Study
from snacbench.listening.test import ANCHOR70, REFERENCE

MAX_SHARE = 0.15  # ITU-R BS.1534-3, section 4.1.2: of a listener's items
_GOOD = 90.0
_FAST_S = 2.0  # per signal: nobody compares in less
_MIN_CHOICES = 6  # all alike by chance in one listener of 32


@dataclass(frozen=True)
class Checks:
    """Signs of one listener's care.

    Attributes
    ----------
    reference_below_90_share : float or None
        Share of pages whose hidden reference was rated below 90; lower is better.
    anchor70_above_90_share : float or None
        Share of pages whose 7 kHz anchor was rated above 90; lower is better.
    median_page_s : float or None
        Median time spent on a page, in seconds.
    flags : tuple of str
        ``reference``, ``anchor70``, ``fast``, ``identical``: what deserves a look.
    """

    reference_below_90_share: float | None
    anchor70_above_90_share: float | None
    median_page_s: float | None
    flags: tuple[str, ...]


def checks_of(study: Study, listener: str) -> Checks:
    """What the answers of a listener so far show."""
    ratings = [rating for rating in study.ratings if rating.listener == listener]
    choices = [choice for choice in study.choices if choice.listener == listener]
    reference = _share([r.score < _GOOD for r in ratings if r.condition == REFERENCE])
    anchor = _share([r.score > _GOOD for r in ratings if r.condition == ANCHOR70])
    times_s = _page_times_s([*ratings, *choices])
    median_s = statistics.median(times_s.values()) if times_s else None
    rated_pages = {rating.page for rating in ratings}
    signals = len(ratings) / len(rated_pages) if ratings else 2.0
    flags = {
        "reference": reference is not None and reference > MAX_SHARE,
        "anchor70": anchor is not None and anchor > MAX_SHARE,
        "fast": median_s is not None and median_s < _FAST_S * signals,
        "identical": _identical_page(ratings) or _identical_choices(choices),
    }
    return Checks(reference, anchor, median_s, tuple(name for name, up in flags.items() if up))


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None


def _page_times_s(answers: Sequence[Rating | Choice]) -> dict[int | None, float]:
    return {answer.page: answer.time_s for answer in answers if answer.time_s is not None}


def _identical_page(ratings: Sequence[Rating]) -> bool:
    """Whether on some page every signal got the same score."""
    pages: dict[int | None, list[float]] = {}
    for rating in ratings:
        pages.setdefault(rating.page, []).append(rating.score)
    return any(len(scores) > 1 and len(set(scores)) == 1 for scores in pages.values())


def _identical_choices(choices: Sequence[Choice]) -> bool:
    return len(choices) >= _MIN_CHOICES and len({choice.answer for choice in choices}) == 1
