"""How much rate a codec saves: matched rate for codecs with one rate, Bjontegaard deltas for more.

Which of the two applies follows from how many operating points a model has in the runs. Points
that a model was not trained for (`truncated`) are on no curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.stats.bjontegaard import BjontegaardDelta, bd_quality, bd_rate
from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.curves import RateCurve, RatePoint
from snacbench.stats.intervals import sample_size
from snacbench.stats.matched_rate import MatchedRate, matched_rate
from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.run import RunRows, actual_kbps_of, clusters_of, scores_of
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
                yield where + self._at_equal_rate(self.matched)
        if self.rate and self.quality:
            yield where + self._rate_in_words(self.rate, noun)
            if self.quality.value is not None:
                yield where + self._quality_in_words(self.quality)

    @property
    def _unit(self) -> str:
        return "" if self.unit == "1" else f"{self.unit} "

    def _at_equal_rate(self, matched: MatchedRate) -> str:
        found = matched.difference
        assert found is not None
        ends = _ends(found.low, found.high)
        return (
            f"at {matched.target_kbps:.3g} kbps, {self.of} differs from {self.against} by "
            f"{found.mean:+.3g}{ends} {self._unit}in {self.metric} ({self.better} is better)"
        )

    def _rate_in_words(self, delta: BjontegaardDelta, noun: str) -> str:
        if delta.value is None:
            return (
                f"by {self.metric}, {self.of} cannot be compared with {self.against}: "
                f"{delta.reason}"
            )
        ends = _ends(delta.low, delta.high, " %")
        more = "less" if delta.value < 0 else "more"
        return (
            f"by {self.metric}, {self.of} needs {abs(delta.value):.3g} % {more} rate than "
            f"{self.against} for equal quality{ends and f', change{ends}'} (Bjontegaard delta, "
            f"{delta.method}; {100 * delta.overlap_share:.0f} % of the range is shared; "
            f"{_size(delta, noun)})"
        )

    def _quality_in_words(self, delta: BjontegaardDelta) -> str:
        ends = _ends(delta.low, delta.high)
        return (
            f"at equal rate, {self.of} differs from {self.against} by {delta.value:+.3g}{ends} "
            f"{self._unit}in {self.metric} ({self.better} is better)"
        )


def _size(delta: BjontegaardDelta, noun: str) -> str:
    few = delta.clusters < min(FEW_CLUSTERS, delta.n)
    size = sample_size(delta.n, delta.clusters, noun, independence_assumed=False)
    return size + (f"; these {noun}s only" if few else "")


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
    curves = _curves(runs, metric.name, domain)
    clusters = clusters_of(runs)
    for name in sides[0]:
        for other in sides[1]:
            if name == other or name not in curves or other not in curves:
                continue
            one, anchor = curves[name], curves[other]
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


def _curves(runs: Sequence[RunRows], metric: str, domain: str) -> dict[str, RateCurve]:
    scores = scores_of(runs, metric, domain)
    points: dict[str, dict[float, RatePoint]] = {}
    for run in runs:
        for codec in run.codecs:
            kbps = actual_kbps_of(codec, domain)
            found = scores.get(codec.spec.name)
            if kbps and found and not codec.spec.truncated:
                points.setdefault(codec.spec.model, {})[kbps] = RatePoint(kbps, found)
    return {name: RateCurve(name, tuple(at.values())) for name, at in points.items()}
