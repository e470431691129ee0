"""How much rate a codec saves: matched rate for codecs with one rate, Bjontegaard deltas for more.

Which of the two applies follows from how many operating points a model has in the runs. Points
that a model was not trained for (`truncated`) are on no curve.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.curves import BjontegaardDelta, RateCurve, RatePoint, bd_quality, bd_rate
from snacbench.stats.intervals import sample_size
from snacbench.stats.matched_rate import MatchedRate, matched_rate
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of
from snacbench.tables.side_by_side import Entry, domains_of, entries_of
from snacbench.tables.table_model import Better
from snacbench.types import MetricSpec

_NOUNS = {"speech": "speaker", "music": "track"}


@dataclass(frozen=True)
class Saving:
    """What one model's rate is worth in another's, by one metric in one domain.

    Either `matched` is there, where `of` has one rate, or `rate` and `quality` are.
    """

    of: str
    against: str
    metric: str
    unit: str
    better: Better
    domain: str
    matched: MatchedRate | None = None
    rate: BjontegaardDelta | None = None
    quality: BjontegaardDelta | None = None

    def sentences(self) -> list[str]:
        """In words that a paper can take over, without full stops."""
        noun = _NOUNS.get(self.domain, "cluster")
        found: list[str] = []
        if self.matched:
            found.append(self.matched.sentence(self.metric, noun))
            if difference := self.matched.difference:
                ends = _ends(difference.low, difference.high)
                found.append(
                    f"at {self.matched.target_kbps:.3g} kbps, {self.of} differs from "
                    f"{self.against} by {difference.mean:+.3g}{ends} {self._in_metric}"
                    f"{_size(self.matched.n, self.matched.clusters, noun)})"
                )
        if self.rate and self.quality:
            found += [self._rate_in_words(self.rate, noun), self._quality_in_words(noun)]
        where = "" if self.domain == ALL_DOMAINS else f"{self.domain}: "
        return [where + sentence for sentence in found]

    @property
    def _in_metric(self) -> str:
        unit = "" if self.unit == "1" else f"{self.unit} "
        return f"{unit}in {self.metric} ({self.better} is better; "

    def _rate_in_words(self, delta: BjontegaardDelta, noun: str) -> str:
        size = _size(delta.n, delta.clusters, noun)
        if delta.value is None:
            return (
                f"by {self.metric}, no rate of {self.of} is comparable with {self.against} at "
                f"equal quality: {delta.reason} ({size})"
            )
        ends = _ends(delta.low, delta.high, " %")
        more = "less" if delta.value < 0 else "more"
        return (
            f"by {self.metric}, {self.of} needs {abs(delta.value):.3g} % {more} rate than "
            f"{self.against} for equal quality{ends and f', change{ends}'} (Bjontegaard delta, "
            f"{delta.method}; {_shared(delta)}; {size})"
        )

    def _quality_in_words(self, noun: str) -> str:
        delta = self.quality
        assert delta is not None
        size = _size(delta.n, delta.clusters, noun)
        if delta.value is None:
            return (
                f"by {self.metric}, {self.of} is not comparable with {self.against} at equal rate: "
                f"{delta.reason} ({size})"
            )
        return (
            f"at equal rate, {self.of} differs from {self.against} by "
            f"{delta.value:+.3g}{_ends(delta.low, delta.high)} {self._in_metric}"
            f"{_shared(delta)}; {size})"
        )


def _size(n: int, clusters: int, noun: str) -> str:
    few = f"; these {noun}s only" if clusters < min(FEW_CLUSTERS, n) else ""
    return sample_size(n, clusters, noun, independence_assumed=False) + few


def _shared(delta: BjontegaardDelta) -> str:
    return (
        f"{100 * delta.overlap_share:.0f} % of the range is shared, "
        f"{100 * delta.overlap_of_narrower:.0f} % of the narrower curve"
    )


def _ends(low: float | None, high: float | None, unit: str = "") -> str:
    return "" if low is None or high is None else f" [{low:+.3g}, {high:+.3g}]{unit}"


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
        Empty: all that the runs have, and all of them together where there are several.

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
    found = [
        saving
        for metric in metrics
        for domain in domains or domains_of(runs, "both")
        for saving in _savings(runs, metric, domain, of, against or models)
        # Of all against all, nobody asked for a curve of one point.
        if against
        or not (saving.matched and saving.matched.lowest_kbps == saving.matched.highest_kbps)
    ]
    if not found:
        raise UserError(
            "nothing to compare: a curve needs a codec with two rates or more beside another one; "
            f"the runs have {', '.join(models)}"
        )
    return found


_Points = Mapping[str, list[tuple[Entry, dict[str, float]]]]


def _savings(
    runs: Sequence[RunRows],
    metric: MetricSpec,
    domain: str,
    of: Sequence[str],
    against: Sequence[str],
) -> Iterator[Saving]:
    points: dict[str, list[tuple[Entry, dict[str, float]]]] = {}
    for entry in entries_of(runs):
        scores = entry.scores(metric.name, domain)
        if scores and not entry.columns.spec.truncated:
            points.setdefault(entry.columns.spec.model, []).append((entry, scores))
    weighed = {model: p for model, p in points.items() if any(e.kbps(s) for e, s in p)}
    clusters = clusters_of(runs)
    for name in of:
        for other in against:
            if name == other or name not in weighed or other not in weighed:
                continue
            one, anchor = _curves(weighed, name, other)
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


def _curves(points: _Points, *models: str) -> list[RateCurve]:
    """Curves to be compared: rates, like scores, are of the clips that all points have."""
    every = [set(scores) for model in models for _, scores in points[model]]
    shared = set.intersection(*every)
    curves = []
    for model in models:
        at: dict[float, RatePoint] = {}
        for entry, scores in points[model]:
            if kbps := entry.kbps(shared or scores):
                at[kbps] = RatePoint(kbps, scores)
        curves.append(RateCurve(model, tuple(at.values())))
    return curves


def savings_text(found: Sequence[Saving], *, markdown: bool) -> str:
    """Every sentence on a line of its own."""
    lines = [text for saving in found for text in saving.sentences()]
    return "".join(f"- {line}.\n" if markdown else f"{line}.\n" for line in lines)


def savings_json(found: Sequence[Saving]) -> str:
    """Figures and sentences for a machine; an infinite end of an interval is beyond the curve."""

    def finite(value: Any) -> Any:
        """Infinite ends as ``"inf"`` and ``"-inf"``, which JSON has no numbers for."""
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [finite(item) for item in value]
        return str(value) if value in (float("inf"), float("-inf")) else value

    described = [{**asdict(s), "sentences": s.sentences()} for s in found]
    return json.dumps(finite(described), indent=1, ensure_ascii=False) + "\n"
