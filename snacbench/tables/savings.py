"""How much rate a codec saves: matched rate for codecs with one rate, Bjontegaard deltas for more.

Which of the two applies follows from how many operating points a model has in the runs. Points
that a model was not trained for (`truncated`) are on no curve.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.stats import curves
from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.curves import BjontegaardDelta, MatchedRate
from snacbench.stats.intervals import sample_size
from snacbench.tables.conditions import without_conditions
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of
from snacbench.tables.side_by_side import Entry, domains_of, entries_of
from snacbench.tables.table_model import Better
from snacbench.tables.writers import finite
from snacbench.types import MetricSpec


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
        noun = {"speech": "speaker", "music": "track"}.get(self.domain, "cluster")
        unit = "" if self.unit == "1" else f"{self.unit} "

        def size(of: MatchedRate | BjontegaardDelta) -> str:
            few = f"; these {noun}s only" if of.clusters < min(FEW_CLUSTERS, of.n) else ""
            return sample_size(of.n, of.clusters, noun, independence_assumed=False) + few

        def ends(low: float | None, high: float | None) -> str:
            return "" if low is None or high is None else f" [{low:+.3g}, {high:+.3g}]"

        def differs(where: str, by: str, rests_on: str) -> str:
            return (
                f"at {where}, {self.of} differs from {self.against} by {by} {unit}in {self.metric} "
                f"({self.better} is better; {rests_on})"
            )

        found = []
        if matched := self.matched:
            found.append(matched.sentence(self.metric, noun))
            if d := matched.difference:
                by = f"{d.mean:+.3g}{ends(d.low, d.high)}"
                found.append(differs(f"{matched.target_kbps:.3g} kbps", by, size(matched)))
        for delta, equal in ((self.rate, "quality"), (self.quality, "rate")):
            if delta is None:
                continue
            rests_on = (
                f"{100 * delta.overlap_share:.0f} % of the range is shared, "
                f"{100 * delta.overlap_of_narrower:.0f} % of the narrower curve; {size(delta)}"
            )
            change = ends(delta.low, delta.high)
            if delta.value is None:
                found.append(
                    f"by {self.metric}, {self.of} is not comparable with {self.against} at equal "
                    f"{equal}: {delta.reason} ({size(delta)})"
                )
            elif equal == "rate":
                found.append(differs("equal rate", f"{delta.value:+.3g}{change}", rests_on))
            else:
                more = "less" if delta.value < 0 else "more"
                change = f", change{change} %" if change else ""
                found.append(
                    f"by {self.metric}, {self.of} needs {abs(delta.value):.3g} % {more} rate than "
                    f"{self.against} for equal quality{change} (Bjontegaard delta, {delta.method}; "
                    f"{rests_on})"
                )
        where = "" if self.domain == ALL_DOMAINS else f"{self.domain}: "
        return [where + sentence for sentence in found]


def savings(
    runs: Sequence[RunRows],
    metrics: Sequence[MetricSpec],
    *,
    of: Sequence[str],
    against: Sequence[str] = (),
    domains: Sequence[str] = (),
) -> list[Saving]:
    """Every model `of` against every model `against` (empty: all with two rates or more).

    By metric and domain; without `domains`, in all that the runs have and over all clips. Models
    under conditions (``opus+loss@5%``) are models of their own, in it only if they are named.
    UserError if the runs have no such model, or none has a curve to compare with.
    """
    models = list(dict.fromkeys(c.spec.model for run in runs for c in run.codecs))
    for name in (*of, *against):
        if name not in models:
            raise UnknownName(f"the runs have no model {name!r}; {did_you_mean(name, models)}")
    runs, _ = without_conditions(runs, keep=(*of, *against))
    entries, clusters, found = entries_of(runs), clusters_of(runs), list[Saving]()
    for metric, domain in product(metrics, domains or domains_of(runs, "both")):
        points: dict[str, list[tuple[Entry, dict[str, float]]]] = {}
        for entry in entries:
            scores = entry.scores(metric.name, domain)
            if scores and not entry.columns.spec.truncated:
                points.setdefault(entry.columns.spec.model, []).append((entry, scores))
        weighed = {model for model, those in points.items() if any(e.kbps(s) for e, s in those)}
        for pair in product(of, against or points):
            if len({*pair}) == 1 or not {*pair} <= weighed:
                continue
            # Rates, like scores, are of the clips that all points have.
            shared = set.intersection(*(set(s) for model in pair for _, s in points[model]))
            both = []
            for model in pair:
                at = {entry.kbps(shared or scores): scores for entry, scores in points[model]}
                those = tuple(curves.RatePoint(kbps, s) for kbps, s in at.items() if kbps)
                both.append(curves.RateCurve(model, those))
            one, anchor = both
            given, better, several = (anchor, one, clusters), metric.better, len(anchor.points) > 1
            saving = Saving(*pair, metric.name, metric.unit, better, domain)
            # Without `against` nobody asked for the curve of a point.
            if len(one.points) == 1 and (several or against):
                matched = curves.matched_rate(one, anchor, clusters, better=better)
                found.append(replace(saving, matched=matched))
            elif len(one.points) > 1 and several:
                rate = curves.bd_rate(*given, better=better)
                quality = curves.bd_quality(*given, better=better)
                found.append(replace(saving, rate=rate, quality=quality))
    if not found:
        raise UserError(
            "nothing to compare: a curve needs a codec with two rates or more beside another one; "
            f"the runs have {', '.join(models)}"
        )
    return found


def savings_text(found: Sequence[Saving]) -> str:
    """Every sentence on a line of its own."""
    return "".join(f"{text}.\n" for saving in found for text in saving.sentences())


def savings_json(found: Sequence[Saving]) -> str:
    """Figures and sentences for a machine; an infinite end of an interval is beyond the curve."""
    described = [{**asdict(s), "sentences": s.sentences()} for s in found]
    return json.dumps(finite(described), indent=1, ensure_ascii=False) + "\n"
