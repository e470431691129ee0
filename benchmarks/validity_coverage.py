"""How often intervals of docs/validity.md hold the truth, on simulated MUSHRA tests.

    python benchmarks/validity_coverage.py           # all designs, 400 tests each
    python benchmarks/validity_coverage.py 1000

Ratings have the standard deviations of listening tests (docs/listening-tests.md), are rounded and
clipped to 0 to 100. Metrics think of conditions what correlates by `agree` with their quality, know
half of an item's own deviation, and err. The truth over cells and within items is the same
statistic for the same conditions over 6,000 items, of expected ratings; over conditions that of the
normal distribution which conditions are drawn from.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import stats

from snacbench.stats.rank_agreement import LEAST, Coefficient, Rated, Scope, agreements
from snacbench.types import Floats

DESIGNS = ((8, 6, 10, 0.5), (12, 8, 15, 0.8), (15, 10, 20, 0.9), (10, 7, 10, 0.8))
"""Items, conditions, listeners, agreement."""
SCOPES: tuple[Scope, ...] = ("cells", "within items", "conditions")
_WORLDS = 20  # sets of conditions, whose truth takes longest


def main(tests: int = 400) -> None:
    """Print the share of intervals that hold the truth, with its standard error."""
    for items, conditions, listeners, agree in DESIGNS:
        for scope in SCOPES[: 3 if conditions >= LEAST["conditions"]["conditions"] else 2]:
            shape = (items, conditions, listeners)
            share = _coverage(shape, agree, scope, tests)
            error = 100 * (share * (1 - share) / tests) ** 0.5
            print(f"{shape} {agree} {scope:<13}{100 * share:5.1f} % +- {error:.1f}", flush=True)


def _coverage(
    shape: tuple[int, int, int],
    agree: float,
    scope: Scope,
    tests: int,
    coefficient: Coefficient = "spearman",
) -> float:
    (items, conditions, listeners), rng, held = shape, np.random.default_rng(0), 0
    item, condition = np.indices((items, conditions)).reshape(2, -1)
    for test in range(tests):
        if scope == "conditions" or test % max(1, tests // _WORLDS) == 0:
            quality, other = rng.normal(0, 20, (2, conditions))
            thought = agree * quality + np.sqrt(1 - agree**2) * other
            truth = 6 / np.pi * np.arcsin(agree / 2)
            if scope != "conditions":
                truth = _truth(*_cells(rng, 6_000, quality, thought), scope)
        good, score = _cells(rng, items, quality, thought)
        spreads = ((1, 1, 12.0), (1, conditions, 6.0), (items, 1, 7.5), (items, conditions, 16.0))
        heard = 50 + good + sum(rng.normal(0, sd, (listeners, *of)) for *of, sd in spreads)
        ratings = np.clip(np.rint(heard), 0, 100).reshape(listeners, -1)
        rated = Rated(ratings, {"metric": score.ravel()}, item, condition, item)
        (one,) = agreements(rated, scope, coefficient)
        held += one.low is not None and one.high is not None and one.low <= truth <= one.high
    return held / tests


def _cells(
    rng: np.random.Generator, items: int, quality: Floats, thought: Floats
) -> tuple[Floats, Floats]:
    easy, own = rng.normal(0, 8, (items, 1)), rng.normal(0, 10, (items, len(quality)))
    score = thought + 0.3 * easy + rng.normal(0, 10, (items, 1)) + 0.5 * own
    return quality + easy + own, score + rng.normal(0, 8, own.shape)


def _truth(good: Floats, score: Floats, scope: Scope) -> float:
    if scope == "cells":
        return float(stats.spearmanr(good.ravel(), score.ravel()).statistic)
    of = [stats.rankdata(one, axis=1) for one in (good, score)]
    a, b = (one - one.mean(axis=1, keepdims=True) for one in of)
    return float(((a * b).sum(axis=1) / (a * a).sum(axis=1)).mean())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
