"""How much rate a codec saves: matched rate for codecs with one rate, Bjontegaard deltas for more.

Which of the two applies follows from how many operating points a model has in the runs. Points
that a model was not trained for (`truncated`) are on no curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.curves import BjontegaardDelta, RateCurve, RatePoint, bd_quality, bd_rate
from snacbench.stats.intervals import sample_size
from snacbench.stats.matched_rate import MatchedRate, matched_rate
from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.entries import Entry, entries_of
from snacbench.tables.run import RunRows, clusters_of
from snacbench.types import MetricSpec

NOUNS = {"speech": "speaker", "music": "track"}


@dataclass(frozen=True)
class Saving:
    """What one model's rate is worth in another's, by one metric in one domain.

    Either `matched` is there, where `of` has one rate, or `rate` and `quality` are.
    """

    of: str
    against: str
    metric: str
    unit: str
    better: Literal["higher", "lower"]
    domain: str
    matched: MatchedRate | None = None
    rate: BjontegaardDelta | None = None
    quality: BjontegaardDelta | None = None

    def sentences(self) -> Iterator[str]:
        """In words that a paper can take over, without full stops."""
        noun = NOUNS.get(self.domain, "cluster")
        where = "" if self.domain == ALL_DOMAINS else f"{self.domain}: "
        if self.matched:
            yield where + self.matched.sentence(self.metric, noun)
            if self.matched.difference:
                yield where + self._at_equal_rate(self.matched, noun)
        if self.rate and self.quality:
            yield where + self._rate_in_words(self.rate, noun)
            yield where + self._quality_in_words(self.quality, noun)

    @property
    def _unit(self) -> str:
        return "" if self.unit == "1" else f"{self.unit} "

    def _at_equal_rate(self, matched: MatchedRate, noun: str) -> str:
        found = matched.difference
        assert found is not None
        ends = _ends(found.low, found.high)
        return (
            f"at {matched.target_kbps:.3g} kbps, {self.of} differs from {self.against} by "
            f"{found.mean:+.3g}{ends} {self._unit}in {self.metric} ({self.better} is better; "
            f"{_size(matched.n, matched.clusters, noun)})"
        )

    def _rate_in_words(self, delta: BjontegaardDelta, noun: str) -> str:
        if delta.value is None:
            return (
                f"by {self.metric}, no rate of {self.of} is comparable with {self.against} at "
                f"equal quality: {delta.reason} ({_size(delta.n, delta.clusters, noun)})"
            )
        ends = _ends(delta.low, delta.high, " %")
        more = "less" if delta.value < 0 else "more"
        return (
            f"by {self.metric}, {self.of} needs {abs(delta.value):.3g} % {more} rate than "
            f"{self.against} for equal quality{ends and f', change{ends}'} (Bjontegaard delta, "
            f"{delta.method}; {_shared(delta)}; {_size(delta.n, delta.clusters, noun)})"
        )

    def _quality_in_words(self, delta: BjontegaardDelta, noun: str) -> str:
        if delta.value is None:
            return (
                f"by {self.metric}, {self.of} is not comparable with {self.against} at equal rate: "
                f"{delta.reason} ({_size(delta.n, delta.clusters, noun)})"
            )
        ends = _ends(delta.low, delta.high)
        return (
            f"at equal rate, {self.of} differs from {self.against} by {delta.value:+.3g}{ends} "
            f"{self._unit}in {self.metric} ({self.better} is better; "
            f"{_shared(delta)}; {_size(delta.n, delta.clusters, noun)})"
        )


def _size(n: int, clusters: int, noun: str) -> str:
    few = clusters < min(FEW_CLUSTERS, n)
    size = sample_size(n, clusters, noun, independence_assumed=False)
    return size + (f"; these {noun}s only" if few else "")


def _shared(delta: BjontegaardDelta) -> str:
    return (
        f"{100 * delta.overlap_share:.0f} % of the range is shared, "
        f"{100 * delta.overlap_of_narrower:.0f} % of the narrower curve"
    )


def _ends(low: float | None, high: float | None, unit: str = "") -> str:
    if low is None or high is None:
        return ""
    return f" [{low:+.3g}, {high:+.3g}]{unit}"


def savings(
    runs: Sequence[RunRows],
    metrics: Sequence[MetricSpec],
    *,
    of: Sequence[str],
    against: Sequence[str] = (),
    domains: Sequence[str] = (),
) -> list[Saving]:
    """Every model `of` against every model `against`, per metric and domain.

    Parameters
    ----------
    runs : sequence of RunRows
        On the same test set.
    metrics : sequence of MetricSpec
    of : sequence of str
        Models.
    against : sequence of str
        Models to compare them with; empty: all that have two rates or more.
    domains : sequence of str
        Empty: all that the runs have.

    Raises
    ------
    UnknownName
        If the runs have no such model.
    UserError
        If no model has a curve to compare with.
    """
    models = list(dict.fromkeys(c.spec.model for run in runs for c in run.codecs))
    for name in (*of, *against):
        if name not in models:
            raise UnknownName(f"the runs have no model {name!r}; {did_you_mean(name, models)}")
    chosen = domains or _domains(runs)
    found = [
        saving
        for metric in metrics
        for domain in chosen
        for saving in _savings(runs, metric, domain, (of, against or models))
        if against or not _is_pointless(saving)
    ]
    if not found:
        raise UserError(
            "nothing to compare: a curve needs a codec with two rates or more beside another one; "
            f"the runs have {', '.join(models)}"
        )
    return found


def _domains(runs: Sequence[RunRows]) -> list[str]:
    """Domains of the runs; all of them together only where there are several."""
    found = [d for d in dict.fromkeys(d for run in runs for d in run.domains) if d != ALL_DOMAINS]
    return [*found, ALL_DOMAINS] if len(found) != 1 else found


def _is_pointless(saving: Saving) -> bool:
    """Of all against all, what nobody asked for: a curve of one point."""
    return saving.matched is not None and saving.matched.lowest_kbps == saving.matched.highest_kbps


def _savings(
    runs: Sequence[RunRows],
    metric: MetricSpec,
    domain: str,
    sides: tuple[Sequence[str], Sequence[str]],
) -> Iterator[Saving]:
    points = _points(runs, metric.name, domain)
    clusters = clusters_of(runs)
    for name in sides[0]:
        for other in sides[1]:
            if name == other or name not in points or other not in points:
                continue
            one, anchor = _curves(points, name, other)
            base = Saving(name, other, metric.name, metric.unit, metric.better, domain)
            if len(one.points) == 1:
                matched = matched_rate(one, anchor, clusters, better=metric.better)
                yield replace(base, matched=matched)
            elif len(anchor.points) > 1:
                yield replace(
                    base,
                    rate=bd_rate(anchor, one, clusters, better=metric.better),
                    quality=bd_quality(anchor, one, clusters, better=metric.better),
                )


_Points = dict[str, list[tuple[Entry, dict[str, float]]]]


def _points(runs: Sequence[RunRows], metric: str, domain: str) -> _Points:
    """Model -> its operating points with their scores."""
    points: _Points = {}
    for entry in entries_of(runs):
        scores = entry.scores(metric, domain)
        if scores and not entry.columns.spec.truncated:
            points.setdefault(entry.columns.spec.model, []).append((entry, scores))
    return {model: of for model, of in points.items() if any(e.kbps(s) for e, s in of)}


def _curves(points: _Points, *models: str) -> list[RateCurve]:
    """Curves to be compared: rates, like scores, are of the clips that all points have."""
    every = [scores.keys() for model in models for _, scores in points[model]]
    shared = set.intersection(*map(set, every))
    curves = []
    for model in models:
        at: dict[float, RatePoint] = {}
        for entry, scores in points[model]:
            if kbps := entry.kbps(shared or scores):
                at[kbps] = RatePoint(kbps, scores)
        curves.append(RateCurve(model, tuple(at.values())))
    return curves
