"""Two runs, clip by clip: every metric in every domain, the rates, and the clips that were lost."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import fsum
from typing import TYPE_CHECKING, Literal

from snacbench.stats.intervals import Interval
from snacbench.stats.pairs import PairedDifference, holm, paired_differences
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of, scores_of
from snacbench.tables.table_model import ARROWS, NOTHING, Better, Cell, Column, Row, Table, shown
from snacbench.tables.writers import to_markdown
from snacbench.types import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

Pair = tuple[str, str]
Verdict = Literal[
    "better", "worse", "within tolerance", "no difference seen", "undecided", "no shared clips"
]
KBPS = "kbps"  # stands for the actual rate among the tolerances
SIGNIFICANT_AT = 0.05
_SHOWN_CLIPS = 5
_DIFFERENCE = Column("difference", "difference", digits=3, kind="estimate", signed=True)


@dataclass(frozen=True)
class Question:
    """What is asked of two runs: which codecs (baseline, candidate), by which metrics.

    `tolerances` say how much worse the candidate may be by a metric (or `KBPS`), in its unit; only
    `clips` count, all if None; a `strict` gate stops at what was not shown to be within tolerance.
    """

    pairs: tuple[Pair, ...]
    metrics: Mapping[str, MetricSpec]
    tolerances: Mapping[str, float] = field(default_factory=dict)
    clips: frozenset[str] | None = None
    strict: bool = False

    def asks(self, clip: str) -> bool:
        """Whether a clip counts."""
        return self.clips is None or clip in self.clips


@dataclass(frozen=True)
class Comparison:
    """One metric in one domain; the difference is the candidate's minus the baseline's.

    `p_corrected` (and `paired.p_holm`) is Holm's over all comparisons of two runs that differ on
    some clip; None where none does. Means are over the shared clips. `repeats` is the domain whose
    clips are all that ``all`` has for the metric: such a row has that domain's p and is not counted
    again. It fails, too, if the candidate has no score on a clip on which the baseline has one.
    """

    baseline: str
    candidate: str
    metric: str
    unit: str
    better: Better
    domain: str
    baseline_mean: float | None
    candidate_mean: float | None
    paired: PairedDifference
    p_corrected: float | None
    tolerance: float | None
    verdict: Verdict = "undecided"
    fails: bool = False
    repeats: str = ""


@dataclass(frozen=True)
class RateComparison:
    """Actual rates in kbps (1000 bit/s) over the clips that both codecs coded."""

    baseline: str
    candidate: str
    domain: str
    n: int
    baseline_kbps: float
    candidate_kbps: float
    tolerance: float | None
    fails: bool

    @property
    def change_percent(self) -> float:
        """How much more rate the candidate takes, in percent of the baseline's."""
        return 100 * (self.candidate_kbps / self.baseline_kbps - 1)


@dataclass(frozen=True)
class LostClips:
    """Clips that one codec coded and on which the other failed."""

    baseline: str
    candidate: str
    by_candidate: tuple[str, ...]
    by_baseline: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """All that two runs tell of each other."""

    comparisons: tuple[Comparison, ...]
    rates: tuple[RateComparison, ...]
    lost: tuple[LostClips, ...]
    level: float = 0.95

    @property
    def passed(self) -> bool:
        """Whether nothing is worse, and the candidate has lost no clip that the baseline has."""
        worse = any(c.fails for c in self.comparisons) or any(rate.fails for rate in self.rates)
        return not worse and not any(found.by_candidate for found in self.lost)

    @property
    def failures(self) -> list[str]:
        """Which rows fail the gate and by how much, a line each; rows that repeat others not."""
        lines = []
        for found in self.comparisons:
            if not found.fails or found.repeats:
                continue
            parts = []
            if difference := found.paired.difference:
                gate = "" if found.tolerance is None else f", tolerance {found.tolerance:g}"
                unit = "" if found.unit == "1" else f" {found.unit}"
                cell = Cell(difference.mean, difference)
                number = f"{shown(difference.mean, 3, signed=True)} {cell.ends(_DIFFERENCE)}"
                parts.append(
                    f"{found.verdict}, {number.rstrip()}{unit} ({found.better} is better{gate}; "
                    f"n = {difference.n})"
                )
            if lost := found.paired.lost_by_first:
                parts.append(f"no score for {_listed(lost)}")
            why = "; ".join(parts) or found.verdict
            lines.append(f"{found.domain}, {found.metric}, {_between(found)}: {why}")
        for rate in self.rates:
            if rate.fails:
                more = rate.candidate_kbps - rate.baseline_kbps
                lines.append(
                    f"{rate.domain}, {_between(rate)}: {more:.3f} kbps more "
                    f"({rate.change_percent:+.2f} %), tolerance {rate.tolerance:g} (n = {rate.n})"
                )
        return lines + [
            f"{found.candidate}: not coded: {_listed(found.by_candidate)}"
            for found in self.lost
            if found.by_candidate
        ]

    @property
    def frame(self) -> pd.DataFrame:
        """A row per comparison: its fields, with the difference, its ends and n, and p values."""
        import pandas as pd

        records = []
        for found in self.comparisons:
            record = {key: value for key, value in vars(found).items() if key != "paired"}
            for key in ("mean", "low", "high", "n", "clusters"):
                record[key] = getattr(found.paired.difference, key, None)
            records.append({**record, "p_value": found.paired.p_value})
        return pd.DataFrame.from_records(records).rename(columns={"mean": "difference"})

    @property
    def tables(self) -> list[Table]:
        """Metrics by codec and domain, and rates; remarks are the footnotes of the last one."""
        order = list(dict.fromkeys(map(_between, self.comparisons)))
        domains = list(dict.fromkeys(c.domain for c in self.comparisons))
        n, verdict = Column("n", "n", digits=0), Column("verdict", "verdict", kind="text")
        sides = [Column(side, side, digits=3) for side in ("baseline", "candidate")]
        columns = (n, *sides, _DIFFERENCE, Column("p_holm", "p (Holm)"), verdict)
        rows = []
        for found in sorted(  # together what stands under one heading
            self.comparisons, key=lambda c: (order.index(_between(c)), domains.index(c.domain))
        ):
            difference, p = found.paired.difference, found.p_corrected
            lost = ", clips lost" if found.paired.lost_by_first else ""
            cells = (
                Cell(difference.n if difference else 0),
                Cell(found.baseline_mean),
                Cell(found.candidate_mean),
                Cell(difference.mean if difference else None, difference),
                Cell(text=NOTHING if p is None else f"{p:.2g}"),
                Cell(text=found.verdict + lost + ", fails" * found.fails),
            )
            label, group = f"{found.metric} {ARROWS[found.better]}", _between(found)
            rows.append(Row.of(label, columns, *cells, group=f"{group}, {found.domain}"))
        tables = [Table("", columns, tuple(rows), label_heading="metric")]
        if self.rates:
            sides = [replace(side, unit="kbps") for side in sides]
            columns = (n, *sides, Column("change", "change", "%", signed=True), verdict)
            rows = []
            for rate in self.rates:
                numbers = (rate.n, rate.baseline_kbps, rate.candidate_kbps, rate.change_percent)
                said = Cell(text="more than the tolerance, fails" * rate.fails)
                row = Row.of(rate.domain, columns, *map(Cell, numbers), said, group=_between(rate))
                rows.append(row)
            tables.append(Table("", columns, tuple(rows), label_heading="domain"))
        return [*tables[:-1], replace(tables[-1], footnotes=tuple(_remarks(self)))]


def _between(found: Comparison | RateComparison) -> str:
    same = found.baseline == found.candidate
    return found.baseline if same else f"{found.baseline} → {found.candidate}"


def _listed(clips: Sequence[str]) -> str:
    more = f" and {len(clips) - _SHOWN_CLIPS} more" if len(clips) > _SHOWN_CLIPS else ""
    listed = ", ".join(clips[:_SHOWN_CLIPS])
    return f"{len(clips)} clip{'' if len(clips) == 1 else 's'} ({listed}{more})"


def _remarks(answer: Answer) -> Iterator[str]:
    """What a reader of the comparison must know, one sentence each."""
    for lost in answer.lost:
        if lost.by_candidate:
            yield (
                f"candidate {lost.candidate} failed on {_listed(lost.by_candidate)} that the "
                "baseline coded: fails."
            )
        if lost.by_baseline:
            yield f"baseline {lost.baseline} failed on {_listed(lost.by_baseline)}."
    for found in answer.comparisons:
        for clips, who, outcome in (
            (found.paired.lost_by_first, f"candidate {found.candidate}", ": fails"),
            (found.paired.lost_by_second, f"baseline {found.baseline}", ""),
        ):
            if clips:
                yield (
                    f"{found.metric}, {found.domain}: {who} has no score for {_listed(clips)}; "
                    f"left out of both sides{outcome}."
                )
    intervals = [c.paired.difference for c in answer.comparisons if c.paired.difference]
    if any(i.these_clusters_only for i in intervals):
        yield (
            "Fewer than 5 speakers or tracks in some domain: its intervals speak of these only, "
            "and say nothing about others."
        )
    if any(i.independence_assumed for i in intervals):
        yield "Speaker or track of some clips is not known: they were taken as independent."
    if methods := ", ".join(dict.fromkeys(i.method for i in intervals)):
        family = sum(c.p_corrected is not None and not c.repeats for c in answer.comparisons)
        yield (
            f"Differences are candidate minus baseline on shared clips, with {answer.level:.0%} "
            f"intervals ({methods}); p after Holm over {family} comparisons: rows that "
            "are identical clip by clip, and rows of all that repeat a domain, are not counted."
        )
    if any(c.verdict == "undecided" and c.tolerance for c in answer.comparisons):
        yield (
            "undecided: the interval reaches beyond the tolerance and back; only more clips, or "
            "more speakers and tracks, can tell."
        )


def compare_runs(baseline: RunRows, candidate: RunRows, question: Question) -> Answer:
    """Compare two runs on the clips that both have, pair by pair."""
    domains = [d for d in baseline.domains if d in candidate.domains and d != ALL_DOMAINS]
    domains = [*domains, ALL_DOMAINS] if len(domains) != 1 else domains
    found = _comparisons(baseline, candidate, question, domains)
    # All domains together may have the clips of one of them only: such a row repeats that one.
    by_domain = [c for c in found if c.domain != ALL_DOMAINS]
    repeated = [[d.domain for d in by_domain if replace(d, domain=ALL_DOMAINS) == c] for c in found]
    found = [replace(c, repeats=(r or [""])[0]) for c, r in zip(found, repeated, strict=True)]

    def key(c: Comparison) -> tuple[str, ...]:
        return _between(c), c.metric, c.repeats or c.domain

    def differs(c: Comparison) -> bool:
        difference = c.paired.difference
        return difference is not None and any((difference.mean, difference.low, difference.high))

    # Only what differs is tested, so unchanged codecs change no number of the others.
    family = [c for c in found if differs(c) and not c.repeats and c.paired.p_value is not None]
    adjusted = holm([c.paired.p_value for c in family])
    corrected = {key(c): p for c, p in zip(family, adjusted, strict=True)}
    comparisons = []
    for one in found:
        p, lost = corrected.get(key(one)), bool(one.paired.lost_by_first)
        verdict, stops = judged(
            one.paired.difference,
            p,
            better=one.better,
            tolerance=one.tolerance,
            strict=question.strict,
        )
        paired = replace(one.paired, p_holm=p)
        comparisons.append(
            replace(one, paired=paired, p_corrected=p, verdict=verdict, fails=stops or lost)
        )
    rates, lost_clips = _rates_and_lost(baseline, candidate, question, domains)
    return Answer(tuple(comparisons), tuple(rates), tuple(lost_clips))


def _comparisons(
    baseline: RunRows, candidate: RunRows, question: Question, domains: Sequence[str]
) -> list[Comparison]:
    """Without verdicts: differences and their p values, each alone."""
    sides = []
    differing = 0
    for spec in question.metrics.values():
        for domain in domains:
            before, after = (
                {
                    name: {clip: v for clip, v in of.items() if question.asks(clip)}
                    for name, of in scores_of([run], spec.name, domain).items()
                }
                for run in (baseline, candidate)
            )
            pairs = [(old, new) for old, new in question.pairs if before.get(old) or after.get(new)]
            both = [(before.get(old, {}), after.get(new, {})) for old, new in pairs]
            differing += sum(
                any(a[clip] != b[clip] for clip in a.keys() & b.keys()) for a, b in both
            )
            sides += [(spec, domain, pairs, both)] if pairs else []
    clusters = clusters_of([baseline, candidate])
    found = []
    for spec, domain, pairs, both in sides:
        by_name: dict[str, Mapping[str, float]] = {}
        for (old, new), (scores, scores_now) in zip(pairs, both, strict=True):
            by_name |= {f"baseline {old}": scores, f"candidate {new}": scores_now}
        asked = [(f"candidate {new}", f"baseline {old}") for old, new in pairs]
        paired = paired_differences(by_name, asked, clusters, family=differing)
        for (old, new), (scores, scores_now), one in zip(pairs, both, paired, strict=True):
            shared = scores.keys() & scores_now.keys()
            means = [
                fsum(of[clip] for clip in shared) / len(shared) if shared else None
                for of in (scores, scores_now)
            ]
            tolerance = question.tolerances.get(spec.name)
            about = (old, new, spec.name, spec.unit, spec.better, domain)
            found.append(Comparison(*about, means[0], means[1], one, None, tolerance))
    return found


def judged(
    difference: Interval | None,
    p_corrected: float | None,
    *,
    better: Better,
    tolerance: float | None,
    strict: bool = False,
) -> tuple[Verdict, bool]:
    """What a mean difference, candidate minus baseline, means, and whether a gate stops at it.

    Without a tolerance the whole interval must lie on one side of zero, and the difference must
    stand after correction for everything that was compared (`p_corrected`; None where it cannot be
    tested, for example because every clip differs by the same): the more one looks at, the more
    chance finds. With one, of 0 or more in the metric's unit, the question is another: does the
    interval lie beyond it (``worse``), on its good side (``within tolerance``), or across it?

    A gate stops at ``worse``. Where the clips are too few to tell it stops if the mean itself is
    beyond the tolerance, so that a real loss does not pass for want of clips, or if it is `strict`.
    """
    if difference is None:  # no clip is shared
        return "no shared clips", tolerance is not None
    sign = 1 if better == "higher" else -1
    if difference.low is not None and difference.high is not None:  # one clip has no interval
        worst, best = sorted((sign * difference.low, sign * difference.high))
        stands = p_corrected is None or p_corrected < SIGNIFICANT_AT
        if worst > 0 and stands:
            return "better", False
        if best < -(tolerance or 0.0) and (stands or tolerance is not None):
            return "worse", True
        if tolerance is None:
            return "no difference seen", False
        if worst >= -tolerance:
            return "within tolerance", False
    beyond = tolerance is not None and (strict or -sign * difference.mean > tolerance)
    return "undecided", beyond


def _rates_and_lost(
    baseline: RunRows, candidate: RunRows, question: Question, domains: Sequence[str]
) -> tuple[list[RateComparison], list[LostClips]]:
    tolerance = question.tolerances.get(KBPS)
    rates, lost = [], []

    def coded(run: RunRows, codec: str, domain: str) -> dict[str, tuple[float, float]]:
        """Bits and seconds of every clip that was coded; no bits where it was not weighed."""
        columns = run.codec(codec)
        cells = {run.ids[c]: columns.coded[c] for c in columns.ok(domain).tolist()}
        asked = {clip: cell for clip, cell in cells.items() if question.asks(clip)}
        return {c: (float(cell["bits"]), float(cell["duration_s"])) for c, cell in asked.items()}

    def failed(run: RunRows, codec: str, *, but: Collection[str]) -> set[str]:
        tried = {run.ids[c] for c in run.codec(codec).tried(ALL_DOMAINS)}
        return {clip for clip in tried if question.asks(clip)} - set(but)

    for old, new in question.pairs:
        for domain in domains:
            both = coded(baseline, old, domain), coded(candidate, new, domain)
            shared = sorted(both[0].keys() & both[1].keys())
            shared = [c for c in shared if all(side[c][0] > 0 for side in both)]
            if shared:
                then, now = (
                    sum(side[c][0] for c in shared) / sum(side[c][1] for c in shared) / 1000
                    for side in both
                )
                more = tolerance is not None and now - then > tolerance
                rates.append(
                    RateComparison(old, new, domain, len(shared), then, now, tolerance, more)
                )
        before, after = coded(baseline, old, ALL_DOMAINS), coded(candidate, new, ALL_DOMAINS)
        by_candidate = sorted(failed(candidate, new, but=after) & before.keys())
        by_baseline = sorted(failed(baseline, old, but=before) & after.keys())
        lost.append(LostClips(old, new, tuple(by_candidate), tuple(by_baseline)))
    return rates, lost


def comparison_markdown(answer: Answer) -> str:
    """The comparison as Markdown tables with their remarks, and which rows fail."""
    parts = [to_markdown(answer.tables).rstrip(), "**passed**" if answer.passed else "**failed**"]
    parts.append("\n".join(f"- {line}" for line in answer.failures))
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_json(answer: Answer) -> str:
    """The comparison for a machine: everything that is known, and ``passed``."""
    described = {"passed": answer.passed, "failures": answer.failures, **asdict(answer)}
    for row, found in zip(described["rates"], answer.rates, strict=True):
        row["change_percent"] = found.change_percent
    described["tolerance_of_rates"] = KBPS
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"
