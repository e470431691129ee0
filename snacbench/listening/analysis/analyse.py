"""All statistics of a study in one place: before screening, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from snacbench.listening.analysis.comparisons import (
    Comparison,
    Friedman,
    friedman,
    identifications,
    pairs_of,
    preferences,
)
from snacbench.listening.analysis.estimates import (
    Ratings,
    Record,
    item_effects,
    means_of,
    ratings_of,
)
from snacbench.listening.screening import Options, Screening, answers_of, screen
from snacbench.listening.study import Study
from snacbench.rows import ConditionSummary
from snacbench.tables.run_rows import ALL_DOMAINS

_BY_THE_STANDARD = Options()


@dataclass(frozen=True, eq=False)
class Analysis:
    """What came of a study; what its form does not have is empty.

    `study` holds the answers of the listeners kept and `ratings` the same as an array;
    `means_before` and `agreements`, by listener, are of everybody.
    """

    study: Study
    screening: Screening
    level: float
    ratings: Ratings
    means: tuple[ConditionSummary, ...] = ()
    means_before: tuple[ConditionSummary, ...] = ()
    friedman: Friedman | None = None
    comparisons: tuple[Comparison, ...] = ()
    agreements: Mapping[str, Record] = field(default_factory=dict)
    items: Sequence[Record] = ()

    @property
    def overall(self) -> tuple[ConditionSummary, ...]:
        """Means over all domains."""
        return tuple(mean for mean in self.means if mean.domain == ALL_DOMAINS)


def analyse(study: Study, options: Options = _BY_THE_STANDARD, *, level: float = 0.95) -> Analysis:
    """Screen a study and compute what its form asks for, with intervals of one `level`."""
    whole, screening = screen(study, options)
    kept = answers_of(whole, screening.kept)
    ratings = ratings_of(kept)
    if study.form in ("ab", "abx"):
        compare = preferences if study.form == "ab" else identifications
        return Analysis(kept, screening, level, ratings, comparisons=compare(kept, level=level))
    return Analysis(
        kept,
        screening,
        level,
        ratings,
        means=means_of(kept, level=level),
        means_before=means_of(whole, level=level),
        friedman=friedman(ratings),
        comparisons=pairs_of(ratings, level=level),
        agreements=agreements(ratings_of(whole)),
        items=item_effects(kept, level=level),
    )


def agreements(ratings: Ratings) -> dict[str, Record]:
    """Every listener against the mean of the others, on the systems under test.

    ``correlation`` is Pearson's over the pairs of item and system that the listener rated, None
    where there are fewer than three, or no spread; ``offset`` is by how many points the listener
    rates higher. Reference and anchors are left out: whoever finds these agrees with everybody.
    """
    scores = ratings.scores[:, :, : len(ratings.systems)]
    table = scores.reshape(len(scores), scores.shape[1] * scores.shape[2])
    there = np.isfinite(table)
    sums, counts = np.where(there, table, 0.0).sum(axis=0), there.sum(axis=0)
    found = {}
    for row, listener in enumerate(ratings.listeners):
        shared = there[row] & (counts > 1)
        own = table[row, shared]
        others = (sums[shared] - own) / (counts[shared] - 1)
        varied = len(own) > 2 and np.ptp(own) > 0 and np.ptp(others) > 0
        correlation = float(np.corrcoef(own, others)[0, 1]) if varied else None
        offset = float((own - others).mean()) if len(own) else None
        found[listener] = {"correlation": correlation, "offset": offset}
    return found
