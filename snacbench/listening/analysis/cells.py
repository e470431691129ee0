"""Ratings as an array, and the mean of item means with its standard errors.

A listener's ratings resemble each other, so listeners are what was sampled: whatever is said of
"listeners like these" rests on how much the result changes when one of them is left out. Where all
listeners rated all items, everything here reduces to the t interval on listener means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from snacbench.listening.study import Study
from snacbench.listening.test import RESERVED
from snacbench.stats.clusters import Floats

LEAST_ITEMS = 5
"""Below this many items, nothing is said about items that were not in the test."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Every rating of a study.

    Attributes
    ----------
    conditions : tuple of str
        Systems first, in the test's order, then the reference and the anchors.
    scores : array, shape (listeners, items, conditions)
        0 (bad) to 100 (excellent); NaN where a listener did not rate.
    """

    listeners: tuple[str, ...]
    items: tuple[str, ...]
    conditions: tuple[str, ...]
    scores: Floats

    def column(self, condition: str) -> Floats:
        """Scores of a condition, shape (listeners, items)."""
        return np.asarray(self.scores[:, :, self.conditions.index(condition)])

    def only(
        self, *, items: Sequence[str] | None = None, conditions: Sequence[str] | None = None
    ) -> Ratings:
        """Some items, some conditions, and the listeners who rated any of them."""
        items = self.items if items is None else items
        conditions = self.conditions if conditions is None else conditions
        rows = [self.items.index(item) for item in items]
        columns = [self.conditions.index(condition) for condition in conditions]
        scores = self.scores[:, rows][:, :, columns]
        heard = np.flatnonzero(np.isfinite(scores).any(axis=(1, 2)))
        listeners = tuple(self.listeners[row] for row in heard)
        return Ratings(listeners, tuple(items), tuple(conditions), scores[heard])

    @property
    def complete(self) -> bool:
        """Whether every listener rated every condition of every item."""
        return bool(np.isfinite(self.scores).all())


def ratings_of(study: Study) -> Ratings:
    """The ratings of a study as one array."""
    rated = {r.condition for r in study.ratings}
    systems = [name for name in study.systems if name in rated]
    conditions = [*systems, *(name for name in RESERVED if name in rated)]
    items = list(dict.fromkeys([*study.domains, *(r.item for r in study.ratings)]))
    items = [i for i in items if i in {r.item for r in study.ratings}]
    listeners = list(dict.fromkeys(r.listener for r in study.ratings))
    scores = np.full((len(listeners), len(items), len(conditions)), np.nan)
    places = [{name: i for i, name in enumerate(names)} for names in (listeners, items, conditions)]
    for r in study.ratings:
        if r.condition in places[2]:
            place = (places[0][r.listener], places[1][r.item], places[2][r.condition])
            scores[place] = r.score
    return Ratings(tuple(listeners), tuple(items), tuple(conditions), scores)


def systems_of(ratings: Ratings) -> list[str]:
    """Conditions under test."""
    return [name for name in ratings.conditions if name not in RESERVED]


@dataclass(frozen=True)
class Ends:
    """Intervals of one mean; None where there are too few listeners, or items.

    `low` and `high`: over listeners like these, on these items. `low_both` and `high_both`: over
    listeners and items like these.
    """

    low: float | None = None
    high: float | None = None
    low_both: float | None = None
    high_both: float | None = None


@dataclass(frozen=True, eq=False)
class Estimate:
    """Means of item means, each array of shape (columns,), with two standard errors.

    Attributes
    ----------
    error, freedom
        Of the mean over listeners like these, on these items.
    error_both, freedom_both
        Of the mean over listeners like these and items like these; NaN below `LEAST_ITEMS` items.
    listeners, items, n
        With a value; `n` is the number of values.
    """

    mean: Floats
    error: Floats
    freedom: Floats
    error_both: Floats
    freedom_both: Floats
    listeners: Floats
    items: Floats
    n: Floats

    def ends(self, level: float) -> tuple[Floats, Floats]:
        """Interval over listeners, t distribution with listeners - 1 degrees of freedom."""
        half = stats.t.ppf((1 + level) / 2, self.freedom) * self.error
        return self.mean - half, self.mean + half

    def ends_both(self, level: float) -> tuple[Floats, Floats]:
        """Interval over listeners and items."""
        half = stats.t.ppf((1 + level) / 2, self.freedom_both) * self.error_both
        return self.mean - half, self.mean + half

    def within(self, level: float, lowest: float, highest: float) -> list[Ends]:
        """Both intervals of every column, cut where the scale ends."""
        four = (*self.ends(level), *self.ends_both(level))
        cut = [np.clip(end, lowest, highest) for end in four]
        return [Ends(*(_known(end[k]) for end in cut)) for k in range(len(self.mean))]


def estimate(values: Floats) -> Estimate:
    """The mean in which every item counts the same, with standard errors.

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

    Parameters
    ----------
    values : array, shape (listeners, items, columns)
        NaN: not rated.
    """
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    sums, counts = filled.sum(axis=0), there.sum(axis=0)
    item_means = _ratio(sums, counts)
    mean = _mean(item_means, axis=0)
    heard = there.any(axis=1)
    without = _mean(_ratio(sums - filled, counts - there), axis=1)
    listeners, items = heard.sum(axis=0), (counts > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(heard, without, 0.0).sum(axis=0) / listeners
        squares = np.where(heard, (without - middle) ** 2, 0.0).sum(axis=0)
        by_listener = np.where(listeners > 1, squares * (listeners - 1) / listeners, np.nan)
        spread = np.where(counts > 0, (item_means - mean) ** 2, 0.0).sum(axis=0)
        by_item = np.where(items >= LEAST_ITEMS, spread / (items - 1) / items, np.nan)
        both = by_listener + by_item
        parts = by_listener**2 / (listeners - 1) + by_item**2 / (items - 1)
        freedom_both = np.where(both > 0, both**2 / np.where(parts > 0, parts, 1.0), 1.0)
    return Estimate(
        mean=mean,
        error=np.sqrt(by_listener),
        freedom=np.maximum(listeners - 1.0, 1.0),
        error_both=np.sqrt(both),
        freedom_both=freedom_both,
        listeners=listeners.astype(float),
        items=items.astype(float),
        n=counts.sum(axis=0).astype(float),
    )


def listener_means(values: Floats) -> Floats:
    """Mean of each listener over the items that they rated, shape (listeners, columns).

    For what is compared within listeners, such as differences of two systems on a page: there,
    how hard an item is cancels, and which items a listener got is chance. Taking off item means as
    well gains little and, with few listeners an item, finds differences that are not there
    (simulated: 5 to 12 % of the time at a level of 5 %, where plain means keep to 3 to 5 %). NaN
    for a listener without a value.

    Parameters
    ----------
    values : array, shape (listeners, items, columns)
    """
    return _mean(values, axis=1)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ratio(sums: Floats, counts: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(counts > 0, sums / counts, np.nan))


def _mean(values: Floats, axis: int) -> Floats:
    """Mean over what is there; NaN without anything, and without numpy's warning."""
    there = np.isfinite(values)
    return _ratio(np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis))
