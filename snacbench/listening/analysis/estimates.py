"""Ratings as an array, and their means with intervals.

A listener's ratings resemble each other, so listeners are what was sampled: whatever is said of
"listeners like these" rests on how much the result changes when one of them is left out. Where all
listeners rated all items, everything here reduces to the t interval on listener means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from snacbench.listening.study import Study
from snacbench.listening.test import RESERVED
from snacbench.rows import ConditionSummary
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import DOMAINS

Floats = NDArray[np.float64]
Record = dict[str, Any]
"""A line of a table, by the names of the columns that files have."""

LEAST_ITEMS = 5
"""Below this many items, nothing is said about items that were not in the test."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Every rating of a study.

    `scores`, shape (listeners, items, conditions), run from 0 (bad) to 100 (excellent) and are NaN
    where a listener did not rate. Conditions are the systems in the test's order, then the
    reference and the anchors.
    """

    listeners: tuple[str, ...]
    items: tuple[str, ...]
    conditions: tuple[str, ...]
    scores: Floats

    @property
    def systems(self) -> list[str]:
        """Conditions under test; their columns are the first ones."""
        return [name for name in self.conditions if name not in RESERVED]

    @property
    def complete(self) -> bool:
        """Whether every listener rated every condition of every item."""
        return bool(np.isfinite(self.scores).all())


def ratings_of(study: Study) -> Ratings:
    """The ratings of a study as one array."""
    rated, heard = {r.condition for r in study.ratings}, {r.item for r in study.ratings}
    items = dict.fromkeys([*study.domains, *(r.item for r in study.ratings)])
    names = (
        tuple(dict.fromkeys(r.listener for r in study.ratings)),
        tuple(item for item in items if item in heard),
        tuple(name for name in (*study.systems, *RESERVED) if name in rated),
    )
    scores = np.full(tuple(map(len, names)), np.nan)
    listener, item, condition = ({name: i for i, name in enumerate(of)} for of in names)
    for r in study.ratings:
        if r.condition in condition:
            scores[listener[r.listener], item[r.item], condition[r.condition]] = r.score
    return Ratings(*names, scores)


@dataclass(frozen=True)
class Estimate:
    """A mean with two intervals; their ends are None where there are too few listeners, or items.

    `low` and `high`: over listeners like these, on these items. `low_both` and `high_both`: over
    listeners and items like these. `n` is the number of values.
    """

    mean: float
    low: float | None
    high: float | None
    low_both: float | None
    high_both: float | None
    listeners: int
    items: int
    n: int


def estimate(
    values: Floats, level: float = 0.95, *, lowest: float = -math.inf, highest: float = math.inf
) -> Estimate:
    """The mean in which every item counts the same, with its intervals.

    The mean over items of the mean over the listeners who rated it: with random subsets of items
    per listener it estimates the same as if everybody had rated everything. Its variance over
    listeners is that of the jackknife which leaves out one listener at a time (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, eq. 11.5), with listeners - 1 degrees of
    freedom; for complete data these are the textbook standard error and t interval of the listener
    means.

    Over items as well: the sum of that variance and of the variance of the item means over their
    number, with Satterthwaite's degrees of freedom. What listener and item have in common counts in
    both, which errs on the wide side (Cameron, Gelbach and Miller, "Robust inference with multiway
    clustering", Journal of Business and Economic Statistics 29(2), 2011, subtract it).

    `values`, shape (listeners, items), are NaN where not rated, and at least one is there; `lowest`
    and `highest` are where the scale ends, and intervals with it.
    """
    there = np.isfinite(values)
    values = values[there.any(axis=1)][:, there.any(axis=0)]
    there = np.isfinite(values)
    listeners, items = values.shape
    filled, counts = np.where(there, values, 0.0), there.sum(axis=0)
    sums = filled.sum(axis=0)
    item_means = sums / counts
    mean = float(item_means.mean())
    low = high = low_both = high_both = None

    def interval(variance: float, freedom: float) -> list[float]:
        half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
        return [min(max(end, lowest), highest) for end in (mean - half, mean + half)]

    if listeners > 1:
        others = np.where(counts > there, counts - there, np.nan)  # NaN: none but this listener
        without = np.nanmean((sums - filled) / others, axis=1)
        by_listener = float(without.var()) * (listeners - 1)
        low, high = interval(by_listener, listeners - 1)
        if items >= LEAST_ITEMS:
            by_item = float(item_means.var(ddof=1)) / items
            parts = by_listener**2 / (listeners - 1) + by_item**2 / (items - 1)
            both = by_listener + by_item
            low_both, high_both = interval(both, both**2 / parts if parts > 0 else 1.0)
    return Estimate(mean, low, high, low_both, high_both, listeners, items, int(counts.sum()))


def listener_means(values: Floats) -> Floats:
    """Mean over the items (axis 1) that each listener rated; NaN for one without a value.

    For what is compared within listeners, such as differences of two systems on a page: there,
    how hard an item is cancels, and which items a listener got is chance. Taking off item means as
    well gains little and, with few listeners an item, finds differences that are not there
    (simulated: 5 to 12 % of the time at a level of 5 %, where plain means keep to 3 to 5 %).
    """
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1))


def means_of(study: Study, *, level: float = 0.95) -> tuple[ConditionSummary, ...]:
    """Every condition over all items, then over those of each domain where there are several."""
    ratings, found = ratings_of(study), []
    domains = [study.domains.get(item, "unknown") for item in ratings.items]
    present = [domain for domain in DOMAINS if domain in domains]
    for domain in (ALL_DOMAINS, *(present if len(present) > 1 else ())):
        rows = [k for k, of in enumerate(domains) if domain in (ALL_DOMAINS, of)]
        for column, condition in enumerate(ratings.conditions):
            scores = ratings.scores[:, rows, column]
            if np.isfinite(scores).any():
                names = ("first_quartile", "median", "third_quartile")
                quartiles = map(float, np.nanpercentile(scores, [25, 50, 75]))
                told: Record = dict(zip(names, quartiles, strict=True))
                told |= vars(estimate(scores, level, lowest=0.0, highest=100.0))
                kbps = study.kbps.get(condition)
                found.append(ConditionSummary(condition, domain, **told, kbps=kbps))
    return tuple(found)


def item_effects(study: Study, *, level: float = 0.95) -> list[Record]:
    """Every item, hardest first: how it was rated, 0 to 100, higher is better.

    ``mean`` is over systems and listeners, with its interval over listeners; ``mean_NAME`` is that
    of a condition over listeners.
    """
    ratings, found = ratings_of(study), []
    for row, item in enumerate(ratings.items):
        scores = ratings.scores[:, row]
        rated = np.flatnonzero(np.isfinite(scores).any(axis=0))
        of_systems = scores[:, [k for k in rated if k < len(ratings.systems)]]
        if of_systems.size and np.isfinite(of_systems).all(axis=1).any():
            e = estimate(of_systems.mean(axis=1)[:, None], level, lowest=0.0, highest=100.0)
            record: Record = {"item": item, "domain": study.domains.get(item, "unknown")}
            record |= {name: getattr(e, name) for name in ("mean", "low", "high", "listeners")}
            means = {f"mean_{ratings.conditions[k]}": np.nanmean(scores[:, k]) for k in rated}
            found.append(record | {name: float(mean) for name, mean in means.items()})
    return sorted(found, key=lambda one: one["mean"])
