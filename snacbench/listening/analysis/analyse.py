"""All statistics of a study in one place: before screening, and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from snacbench.listening.screening import Screening, answers_of, screen
from snacbench.listening.study import Study
from snacbench.rows import ConditionSummary
from snacbench.tables.run_rows import ALL_DOMAINS


@dataclass(frozen=True, eq=False)
class Analysis:
    """What came of a study; what its form does not have is empty.

    `study` holds the answers of the listeners kept and `ratings` the same as an array; `whole` and
    `means_before` are of everybody.
    """

    whole: Study
    study: Study
    screening: Screening
    level: float
    ratings: Ratings
    means: tuple[ConditionSummary, ...] = ()
    means_before: tuple[ConditionSummary, ...] = ()
    friedman: Friedman | None = None
    comparisons: tuple[Comparison, ...] = ()
    items: Sequence[Record] = ()

    @property
    def overall(self) -> tuple[ConditionSummary, ...]:
        """Means over all domains."""
        return tuple(mean for mean in self.means if mean.domain == ALL_DOMAINS)


def analyse(study: Study, *, rules: bool = True, level: float = 0.95) -> Analysis:
    """Screen a study, by the `rules` of BS.1534-3 too, and compute what its form asks for.

    All intervals are of one `level`.
    """
    whole, screening = screen(study, rules=rules)
    kept = answers_of(whole, screening.kept)
    ratings = ratings_of(kept)
    if study.form in ("ab", "abx"):
        compare = preferences if study.form == "ab" else identifications
        return Analysis(
            whole, kept, screening, level, ratings, comparisons=compare(kept, level=level)
        )
    return Analysis(
        whole,
        kept,
        screening,
        level,
        ratings,
        means=means_of(kept, level=level),
        means_before=means_of(whole, level=level),
        friedman=friedman(ratings),
        comparisons=pairs_of(ratings, level=level),
        items=item_effects(kept, level=level),
    )
