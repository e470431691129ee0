"""How well listeners agree: each with the others, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snacbench.listening.analysis.cells import Ratings, systems_of
from snacbench.stats.clusters import Floats

_LEAST_CELLS = 3


@dataclass(frozen=True)
class Agreement:
    """One listener against the mean of all others, on the systems under test.

    Attributes
    ----------
    correlation : float or None
        Pearson's, -1 to 1, over the pairs of item and system that the listener rated; None where
        there are fewer than three, or no spread.
    offset : float or None
        By how many points the listener rates higher than the others.
    cells : int
        Pairs of item and system that it rests on.
    """

    listener: str
    correlation: float | None
    offset: float | None
    cells: int


@dataclass(frozen=True)
class IntraclassCorrelation:
    """Reliability of the ratings as measurements of a system on an item, up to 1.

    Two-way random effects, absolute agreement (Shrout and Fleiss, "Intraclass correlations: uses in
    assessing rater reliability", Psychological Bulletin 86(2), 1979, case 2). With mean squares of
    n targets (item and system), k listeners, and the rest:

    - ICC(2,1) ``= (T - E) / (T + (k - 1) E + k (L - E) / n)``: of one listener's rating;
    - ICC(2,k) ``= (T - E) / (T + (L - E) / n)``: of the mean of all k listeners.

    Attributes
    ----------
    single, average : float or None
        ICC(2,1) and ICC(2,k); None unless two listeners or more rated all items.
    targets, listeners : int
    reason : str
    """

    single: float | None
    average: float | None
    targets: int
    listeners: int
    reason: str = ""


def agreements(ratings: Ratings) -> tuple[Agreement, ...]:
    """Every listener against the mean of the others.

    Reference and anchors are left out: whoever finds these agrees with everybody.
    """
    table = _cells(ratings)
    there = np.isfinite(table)
    sums, counts = np.where(there, table, 0.0).sum(axis=0), there.sum(axis=0)
    found = []
    for row, listener in enumerate(ratings.listeners):
        shared = there[row] & (counts > 1)
        own = table[row, shared]
        others = (sums[shared] - own) / (counts[shared] - 1)
        varied = len(own) >= _LEAST_CELLS and np.ptp(own) > 0 and np.ptp(others) > 0
        correlation = float(np.corrcoef(own, others)[0, 1]) if varied else None
        offset = float((own - others).mean()) if len(own) else None
        found.append(Agreement(listener, correlation, offset, len(own)))
    return tuple(found)


def intraclass_correlation(ratings: Ratings) -> IntraclassCorrelation:
    """ICC(2,1) and ICC(2,k) over the listeners who rated every system on every item."""
    table = _cells(ratings)
    table = table[:, np.isfinite(table).any(axis=0)]
    whole = table[np.isfinite(table).all(axis=1)]
    listeners, targets = whole.shape
    if listeners < 2 or targets < 2:
        reason = "it needs two listeners who rated all items, and two systems or items"
        return IntraclassCorrelation(None, None, targets, listeners, reason)
    single, average = shrout_fleiss_2(whole.T)
    reason = "" if np.isfinite(single) else "the ratings do not vary"
    return IntraclassCorrelation(_known(single), _known(average), targets, listeners, reason)


def shrout_fleiss_2(table: Floats) -> tuple[float, float]:
    """ICC(2,1) and ICC(2,k), see `IntraclassCorrelation`; NaN without any spread.

    Parameters
    ----------
    table : array, shape (targets, judges)
        No gaps.
    """
    n, k = table.shape
    grand = table.mean()
    by_target, by_judge = table.mean(axis=1), table.mean(axis=0)
    targets = k * ((by_target - grand) ** 2).sum() / (n - 1)
    judges = n * ((by_judge - grand) ** 2).sum() / (k - 1)
    rest = table - by_target[:, None] - by_judge + grand
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = (judges - error) / n
        single = np.divide(targets - error, targets + (k - 1) * error + k * apart)
        average = np.divide(targets - error, targets + apart)
    return float(single), float(average)


def _cells(ratings: Ratings) -> Floats:
    """Scores of the systems under test, shape (listeners, items x systems)."""
    columns = [ratings.conditions.index(name) for name in systems_of(ratings)]
    listeners, items, _ = ratings.scores.shape
    return ratings.scores[:, :, columns].reshape(listeners, items * len(columns))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
