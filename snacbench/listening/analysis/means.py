"""Mean, interval, median and quartiles of every condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snacbench.listening.analysis.cells import Ends, Ratings, estimate
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import DOMAINS, Domain

LOWEST, HIGHEST = 0.0, 100.0


@dataclass(frozen=True)
class Mean:
    """The score of a condition in a domain, 0 to 100, higher is better.

    Attributes
    ----------
    mean : float
        Every item counts the same, and within it every listener.
    ends : Ends
        Its intervals.
    median, first_quartile, third_quartile : float
        Of all ratings.
    n, listeners, items : int
        Ratings, and who gave them on what.
    """

    condition: str
    domain: str
    mean: float
    ends: Ends
    median: float
    first_quartile: float
    third_quartile: float
    n: int
    listeners: int
    items: int


def means_of(
    ratings: Ratings, domains: Mapping[str, Domain], *, level: float = 0.95
) -> tuple[Mean, ...]:
    """Every condition over all items, then over those of each domain where there are several.

    Parameters
    ----------
    domains : mapping from item to domain
    level : float
        Of the intervals, which end where the scale ends.
    """
    if not ratings.listeners:
        return ()
    found = _domain_means(ratings, ALL_DOMAINS, level)
    for domain, items in items_by_domain(ratings.items, domains).items():
        found += _domain_means(ratings.only(items=items), domain, level)
    return tuple(found)


def items_by_domain(items: Sequence[str], domains: Mapping[str, Domain]) -> dict[Domain, list[str]]:
    """Items of each domain, in the order of `DOMAINS`; empty where there is only one domain."""
    found = {d: [i for i in items if domains.get(i, "unknown") == d] for d in DOMAINS}
    present = {domain: names for domain, names in found.items() if names}
    return present if len(present) > 1 else {}


def _domain_means(ratings: Ratings, domain: str, level: float) -> list[Mean]:
    e = estimate(ratings.scores)
    ends = e.within(level, LOWEST, HIGHEST)
    found = []
    for c, condition in enumerate(ratings.conditions):
        scores = ratings.scores[:, :, c]
        scores = scores[np.isfinite(scores)]
        if not len(scores):
            continue
        first, median, third = map(float, np.percentile(scores, [25, 50, 75]))
        found.append(
            Mean(
                condition,
                domain,
                float(e.mean[c]),
                ends[c],
                median=median,
                first_quartile=first,
                third_quartile=third,
                n=len(scores),
                listeners=int(e.listeners[c]),
                items=int(e.items[c]),
            )
        )
    return found
