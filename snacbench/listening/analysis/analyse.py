"""All statistics of a study in one place: before screening, and after."""

from __future__ import annotations

from dataclasses import dataclass

from snacbench.listening.analysis.abx import Identification, identifications
from snacbench.listening.analysis.cells import Ratings, ratings_of
from snacbench.listening.analysis.consistency import (
    Agreement,
    IntraclassCorrelation,
    agreements,
    intraclass_correlation,
)
from snacbench.listening.analysis.items import ItemEffect, item_effects
from snacbench.listening.analysis.means import Mean, means_of
from snacbench.listening.analysis.pairs import Friedman, Pair, friedman, pairs_of
from snacbench.listening.analysis.preference import Preference, Strength, preferences, strengths
from snacbench.listening.screening import Options, Screening, answers_of, screen
from snacbench.listening.study import Study
from snacbench.tables.run_rows import ALL_DOMAINS

_BY_THE_STANDARD = Options()


@dataclass(frozen=True, eq=False)
class Analysis:
    """What came of a study; what its form does not have is empty.

    Attributes
    ----------
    study : Study
        Answers of the listeners kept.
    screening : Screening
    ratings : Ratings
        The same as an array.
    means, means_before : tuple of Mean
        After screening, and over everybody.
    agreements : tuple of Agreement
        Of everybody, each against all others.
    """

    study: Study
    screening: Screening
    level: float
    ratings: Ratings
    means: tuple[Mean, ...] = ()
    means_before: tuple[Mean, ...] = ()
    friedman: Friedman | None = None
    pairs: tuple[Pair, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    icc: IntraclassCorrelation | None = None
    items: tuple[ItemEffect, ...] = ()
    preferences: tuple[Preference, ...] = ()
    preferences_before: tuple[Preference, ...] = ()
    strengths: tuple[Strength, ...] = ()
    identifications: tuple[Identification, ...] = ()
    identifications_before: tuple[Identification, ...] = ()

    @property
    def overall(self) -> tuple[Mean, ...]:
        """Means over all domains."""
        return tuple(mean for mean in self.means if mean.domain == ALL_DOMAINS)


def analyse(study: Study, options: Options = _BY_THE_STANDARD, *, level: float = 0.95) -> Analysis:
    """Screen a study and compute what its form asks for.

    Parameters
    ----------
    level : float
        Of all intervals.
    """
    whole, screening = screen(study, options)
    kept = answers_of(whole, screening.kept)
    if study.form == "ab":
        return Analysis(
            kept,
            screening,
            level,
            ratings_of(kept),
            preferences=preferences(kept, level=level),
            preferences_before=preferences(whole, level=level),
            strengths=strengths(kept),
        )
    if study.form == "abx":
        return Analysis(
            kept,
            screening,
            level,
            ratings_of(kept),
            identifications=identifications(kept, level=level),
            identifications_before=identifications(whole, level=level),
        )
    return _of_ratings(whole, kept, screening, level)


def _of_ratings(whole: Study, kept: Study, screening: Screening, level: float) -> Analysis:
    before, ratings = ratings_of(whole), ratings_of(kept)
    return Analysis(
        kept,
        screening,
        level,
        ratings,
        means=means_of(ratings, kept.domains, level=level),
        means_before=means_of(before, whole.domains, level=level),
        friedman=friedman(ratings),
        pairs=pairs_of(ratings, level=level),
        agreements=agreements(before),
        icc=intraclass_correlation(ratings),
        items=item_effects(ratings, kept.domains, level=level),
    )
