"""Which metrics rank decodes as listeners do: rank correlations with mean ratings, compared.

Of three scopes: over ``cells`` (item x condition); ``within items``, the mean over items of the
correlation across their conditions, into which it does not enter how hard an item is; over
``conditions``, their means over items.

Intervals of the first two are of these conditions on other items, with other listeners: units of
items (a speaker's, a track's) and listeners are left out one at a time, the variances of both
jackknives added, less half of what both have, with Satterthwaite's degrees of freedom; Fisher's
scale, by the delta method. The third is of other
conditions: Fisher's scale, with the variance of Bonett and Wright (Psychometrika 65(1), 2000) for
rho, and of Fieller, Hartley and Pearson (Biometrika 44, 1957) for tau. docs/validity.md says how
far they cover.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import stdtr

from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.intervals import LEVEL, t_quantile
from snacbench.stats.pairs import holm
from snacbench.types import Floats

Scope = Literal["cells", "within items", "conditions"]
Coefficient = Literal["spearman", "kendall"]
LEAST: Mapping[Scope, Mapping[str, int]] = {
    "cells": {"cells": 10, "items": 5},
    "within items": {"cells": 15, "items": 5},
    "conditions": {"items": 5, "conditions": 7},
}
"""With less of these, nothing is computed."""
LEAST_IN_ITEM = 3  # conditions, for a correlation within it
_MOST_UNITS, _MOST_PAIRED, _ROUNDING, _DIGITS = 40, 2_000, 1e-9, 12
_Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rated:
    """What listeners and metrics said of cells; NaN where they did not. Higher is better.

    `ratings`, shape (listeners, cells); means alone are those of one listener. `scores`, by metric,
    shape (cells,), as are the numbers of each cell's item, of its condition, and of the unit that
    the item is left out with.
    """

    ratings: Floats
    scores: Mapping[str, Floats]
    items: NDArray[np.intp]
    conditions: NDArray[np.intp]
    units: NDArray[np.intp]


@dataclass(frozen=True)
class Agreement:
    """How a metric ranks as listeners do, -1 to 1 (fully); no `value` where `reason` says why.

    `low` and `high` end a 95 % interval; the counts are what it rests on. The best metric's value
    is higher by `behind` on the cells that both have (or lower); `p_holm` is of no difference, by
    Holm's method over all pairs of metrics. The best has neither, nor have those over conditions.
    """

    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    cells: int = 0
    items: int = 0
    conditions: int = 0
    listeners: int = 0
    behind: float | None = None
    p_holm: float | None = None
    reason: str = ""

    @property
    def below(self) -> bool:
        """Whether it is shown to be below the best."""
        return (self.behind or 0.0) > 0 and (self.p_holm or 0.0) <= 1 - LEVEL


def correlations(x: Floats, y: Floats, coefficient: Coefficient = "spearman") -> Floats:
    """Spearman's rho (ties share their mean rank) or Kendall's tau-b of x with each row of y.

    NaN where either has no spread. What differs by rounding alone is tied.
    """
    rows = np.vstack([x, y])
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows = np.round(rows / np.where(largest > 0, largest, 1.0), _DIGITS)
    if coefficient == "spearman":
        order = stats.rankdata(rows, axis=1)
        order -= order.mean(axis=1, keepdims=True)
    else:
        order = np.sign(rows[:, :, None] - rows[:, None, :]).reshape(len(rows), -1)
    size = np.linalg.norm(order[1:], axis=1) * np.linalg.norm(order[0])
    nothing = np.full(len(y), np.nan)
    return np.asarray(np.divide(order[1:] @ order[0], size, out=nothing, where=size > 0))


def agreements(
    rated: Rated, scope: Scope = "cells", coefficient: Coefficient = "spearman"
) -> list[Agreement]:
    """Every metric's, over the rated cells that have its score, the highest value first."""
    heard = np.isfinite(rated.ratings)
    means = _means(np.where(heard, rated.ratings, 0.0).sum(axis=0), heard.sum(axis=0))

    def used(cells: _Mask) -> _Mask:
        """Of some cells those that count: within items, those of items that tell something."""
        kept = cells & (scope != "within items")
        for k in np.unique(rated.items[cells & ~kept]):
            of_item = cells & (rated.items == k)
            kept |= of_item & (of_item.sum() >= LEAST_IN_ITEM and np.ptp(means[of_item]) > 0)
        return kept

    there = {m: used(np.isfinite(means + scores)) for m, scores in rated.scores.items()}
    found = {m: _counted(rated, m, there[m], scope, coefficient) for m in there}
    usable = [m for m, one in found.items() if not one.reason]

    @cache
    def on(cells: bytes) -> tuple[list[str], _Values]:
        mask = np.frombuffer(cells, bool)
        names = [m for m in usable if not (mask & ~there[m]).any()]
        return names, _Values(rated, names, mask, scope, coefficient)

    def less(first: str, second: str = "") -> tuple[float, float, float]:
        """The value of the first less that of the second, its error and degrees of freedom."""
        names, values = on(used(there[first] & there[second or first]).tobytes())
        return values.of([float(m == first) - float(m == second) for m in names])

    for m in usable:
        value, error, freedom = less(m)
        if np.isnan(value):
            where = " within items" if scope == "within items" else ""
            found[m] = replace(found[m], reason=f"all scores or mean ratings are equal{where}")
            continue
        n = found[m].conditions if scope == "conditions" else found[m].cells
        step = 6 / (n**3 - n) if coefficient == "spearman" else 2 / (n**2 - n)
        inside = float(np.clip(value, step - 1, 1 - step))
        if scope == "conditions":
            freedom, error = np.inf, (0.437 / (n - 4)) ** 0.5
            if coefficient == "spearman":
                error = ((1 + inside**2 / 2) / (n - 3)) ** 0.5
        else:
            error = error / (1 - inside**2) if error > _ROUNDING else 0.0
        found[m] = replace(found[m], value=value)
        if error:  # else nothing changes the value, or what is left has none
            half = float(t_quantile(freedom)) * error
            low, high = (float(np.tanh(np.arctanh(inside) + side)) for side in (-half, half))
            found[m] = replace(found[m], low=low, high=high)
    usable = [m for m in usable if not found[m].reason]
    order = sorted(usable, key=lambda m: found[m].value or 0.0, reverse=True)
    tested: dict[tuple[str, str], tuple[float, float]] = {}
    for one, other in combinations(order, 2) if scope != "conditions" else ():
        cells = used(there[one] & there[other])
        if not _counted(rated, one, cells, scope, coefficient).reason:
            behind, error, freedom = less(one, other)
            p = 2 * float(stdtr(freedom, -abs(behind) / error)) if error > _ROUNDING else 1.0
            if not np.isnan(error):
                tested[one, other] = behind, p
    adjusted = holm([p for _, p in tested.values()])
    for (best, m), p_holm in zip(tested, adjusted, strict=True):
        if best == order[0]:
            found[m] = replace(found[m], behind=tested[best, m][0], p_holm=p_holm)
    return [found[m] for m in order] + [one for one in found.values() if one.reason]


def _counted(
    rated: Rated, metric: str, cells: _Mask, scope: Scope, coefficient: Coefficient
) -> Agreement:
    """What an agreement would rest on, and why there is none."""
    has = {
        "cells": int(cells.sum()),
        "items": len(set(rated.items[cells])),
        "conditions": len(set(rated.conditions[cells])),
        "listeners": int(np.isfinite(rated.ratings[:, cells]).any(axis=1).sum()),
    }
    few = [f"{has[k]} of {n} {k}" for k, n in LEAST[scope].items() if has[k] < n]
    reason = f"too few: {', '.join(few)}" if few else ""
    if coefficient == "kendall" and scope == "cells" and has["cells"] > _MOST_PAIRED:
        reason = f"more than {_MOST_PAIRED:,} cells: take spearman"
    return Agreement(metric, reason=reason, **has)


class _Values:
    """Values of some metrics on some cells: all, and without units of items, listeners, pages.

    A page is what one listener, or group of them, rated of one unit. What both jackknives count is
    what pages add by themselves; in a two-way analysis of variance it would be taken off once.
    """

    def __init__(
        self, rated: Rated, metrics: list[str], cells: _Mask, scope: Scope, coefficient: Coefficient
    ) -> None:
        scores = np.stack([rated.scores[m] for m in metrics])
        index = rated.conditions if scope == "conditions" else rated.items
        members = [np.flatnonzero((index == k) & cells) for k in np.unique(index[cells])]

        @cache  # most items are as they were before
        def within(k: int, of: bytes) -> Floats | None:
            """Of an item; None where it tells nothing."""
            there = np.isfinite(means := np.frombuffer(of))
            if there.sum() < LEAST_IN_ITEM or not np.ptp(means[there]):
                return None
            return correlations(means[there], scores[:, members[k][there]], coefficient)

        def value(sums: Floats, counts: NDArray[np.intp]) -> Floats:
            means = _means(sums, counts)
            if scope == "within items":
                found = [within(k, means[at].tobytes()) for k, at in enumerate(members)]
                told = np.array([one for one in found if one is not None]).reshape(-1, len(scores))
                mean = np.nansum(told, axis=0) / max(len(told), 1)
                return np.where(np.isfinite(told).any(axis=0), mean, np.nan)
            of = np.vstack([means, scores])
            if scope == "conditions":
                of = np.stack([np.nanmean(of[:, at], axis=1) for at in members], axis=1)
            of = of[:, np.isfinite(of[0])]
            return correlations(of[0], of[1:], coefficient)

        heard = np.isfinite(rated.ratings) & cells
        people, units = np.flatnonzero(heard.any(axis=1)), rated.units
        if len(np.unique(units[cells])) < FEW_CLUSTERS:
            units = rated.items
        rows = _split(people)
        own = np.stack([np.where(heard, rated.ratings, 0.0)[k].sum(axis=0) for k in rows])
        counted = np.stack([heard[k].sum(axis=0) for k in rows])
        sums, counts = own.sum(axis=0), counted.sum(axis=0)
        self.whole, self.without = value(sums, counts), list[tuple[Floats, Floats]]()
        self.pages = np.zeros((0, 0, len(metrics)))
        if scope == "conditions":
            return
        parts = [np.isin(units, part) & cells for part in _split(np.unique(units[cells]))]
        left = [value(sums, counts * ~at) for at in parts]
        self.without = [(np.array(left), np.array([float(at.sum()) for at in parts]))]
        if len(rows) > 1:
            both, nothing = list(zip(own, counted, strict=True)), np.full(len(metrics), np.nan)
            left = [value(sums - a, counts - b) for a, b in both]
            self.without.append((np.array(left), counted.sum(axis=1).astype(float)))
            pages = [
                [value(sums - a * at, counts - b * at) if b[at].any() else nothing for a, b in both]
                for at in parts
            ]
            self.pages = np.array(pages)

    def of(self, weights: list[float]) -> tuple[float, float, float]:
        """A weighted sum of the values, its standard error and degrees of freedom; NaN: undefined.

        The delete-m jackknife's, as `stats.intervals.jackknife_interval` has it.
        """
        at = np.flatnonzero(weights)  # others may have no value
        signs, parts = np.array(weights)[at], list[tuple[float, float]]()
        whole = float(self.whole[at] @ signs)
        if not all(np.isfinite(left[:, at]).all() for left, _ in self.without):
            return whole, np.nan, np.nan
        for left, sizes in self.without:
            h, of = sizes.sum() / sizes, left[:, at] @ signs
            pseudo = h * whole - (h - 1) * of
            centre = len(h) * whole - ((1 - 1 / h) * of).sum()
            parts.append((float(((pseudo - centre) ** 2 / (h - 1)).mean()), len(h) - 1.0))
        if len(parts) > 1:
            moved = whole - self.pages[..., at] @ signs
            units, each = len(moved), np.isfinite(moved).sum() / len(moved)
            shared = float(np.nansum((moved - np.nanmean(moved, axis=0)) ** 2))
            # Ranks move in jumps, which squares exaggerate: half of it, as simulated tests have it.
            shared *= 0.5 * units / (units - 1) * (each - 1) / each
            parts[1] = max(parts[1][0] - shared, 0.0), parts[1][1]
        total, spread = sum(v for v, _ in parts), sum(v**2 / f for v, f in parts)
        return whole, total**0.5, total**2 / spread if spread else 1.0


def _means(sums: Floats, counts: NDArray[np.intp]) -> Floats:
    """NaN where there is nothing; to so many digits that equal ratings in any order are equal."""
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return np.asarray(np.round(means, _DIGITS - 3))


def _split(numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """One by one, or in so many groups that the work stays bounded."""
    return np.array_split(numbers, min(len(numbers), _MOST_UNITS))
