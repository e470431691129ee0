"""Two runs, clip by clip: every metric in every domain, the rates, and the clips that were lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import fsum
from typing import TYPE_CHECKING, Any, Literal

from snacbench.stats.clusters import Clusters
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


@dataclass(frozen=True)
class Question:
    """What is asked of two runs.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Codec of the baseline, codec of the candidate.
    metrics : mapping of str to MetricSpec
    tolerances : mapping of str to float
        Metric, or `KBPS`, -> how much worse the candidate may be, in its unit.
    clips : frozenset of str or None
        Only these; None: all.
    strict : bool
        A gate stops at what was not shown to be within its tolerance.
    level : float
    """

    pairs: tuple[Pair, ...]
    metrics: Mapping[str, MetricSpec]
    tolerances: Mapping[str, float] = field(default_factory=dict)
    clips: frozenset[str] | None = None
    strict: bool = False
    level: float = 0.95


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

    @property
    def differs(self) -> bool:
        """Whether some shared clip has another value in the candidate."""
        found = self.paired.difference
        return found is not None and (found.mean, found.low or 0.0, found.high or 0.0) != (0, 0, 0)


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
    level: float

    @property
    def passed(self) -> bool:
        """Whether nothing is worse, and the candidate has lost no clip that the baseline has."""
        return not (
            any(found.fails for found in self.comparisons)
            or any(found.fails for found in self.rates)
            or any(found.by_candidate for found in self.lost)
        )

    @property
    def failures(self) -> list[str]:
        """Which rows fail the gate and by how much, a line each; rows that repeat others not."""
        lines = [_failure(c) for c in self.comparisons if c.fails and not c.repeats]
        for rate in self.rates:
            if rate.fails:
                more = rate.candidate_kbps - rate.baseline_kbps
                lines.append(
                    f"{rate.domain}, {_pair(rate)}: {more:.3f} kbps more "
                    f"({rate.change_percent:+.2f} %), tolerance {rate.tolerance:g} (n = {rate.n})"
                )
        for lost in self.lost:
            if lost.by_candidate:
                lines.append(f"{lost.candidate}: not coded: {_listed(lost.by_candidate)}")
        return lines

    @property
    def frame(self) -> pd.DataFrame:
        """A row per comparison: its fields, with the difference, its ends and n, and p values."""
        import pandas as pd

        records = []
        for found in self.comparisons:
            difference = found.paired.difference
            record = {key: value for key, value in vars(found).items() if key != "paired"}
            ends = ("mean", "low", "high", "n", "clusters")
            record |= {key: getattr(difference, key, None) for key in ends}
            records.append({**record, "p_value": found.paired.p_value})
        frame = pd.DataFrame.from_records(records)
        return frame.rename(columns={"mean": "difference"})

    @property
    def tables(self) -> list[Table]:
        """Metrics by codec and domain, and rates; remarks are the footnotes of the last one."""
        columns: tuple[Column, ...] = (
            Column("n", "n", digits=0),
            Column("baseline", "baseline", digits=3),
            Column("candidate", "candidate", digits=3),
            Column("difference", "difference", digits=3, kind="estimate", signed=True),
            Column("p_holm", "p (Holm)"),
            Column("verdict", "verdict", kind="text"),
        )
        pairs = list(dict.fromkeys(map(_names, self.comparisons)))
        domains = list(dict.fromkeys(c.domain for c in self.comparisons))
        found = sorted(  # together what stands under one heading
            self.comparisons, key=lambda c: (pairs.index(_names(c)), domains.index(c.domain))
        )
        tables = [Table("", columns, tuple(map(_row, found)), label_heading="metric")]
        if self.rates:
            columns = (
                Column("n", "n", digits=0),
                Column("baseline", "baseline", "kbps", digits=3),
                Column("candidate", "candidate", "kbps", digits=3),
                Column("change", "change", "%", signed=True),
                Column("verdict", "verdict", kind="text"),
            )
            rows = [
                Row(
                    rate.domain,
                    {
                        "n": Cell(rate.n),
                        "baseline": Cell(rate.baseline_kbps),
                        "candidate": Cell(rate.candidate_kbps),
                        "change": Cell(rate.change_percent),
                        "verdict": Cell(text="more than the tolerance, fails" * rate.fails),
                    },
                    group=_pair(rate),
                )
                for rate in self.rates
            ]
            tables.append(Table("", columns, tuple(rows), label_heading="domain"))
        last = replace(tables[-1], footnotes=tuple(remarks(self)))
        return [*tables[:-1], last]


def _names(found: Comparison | RateComparison) -> Pair:
    return found.baseline, found.candidate


def _pair(found: Comparison | RateComparison) -> str:
    same = found.baseline == found.candidate
    return found.baseline if same else f"{found.baseline} → {found.candidate}"


def _row(found: Comparison) -> Row:
    difference, p = found.paired.difference, found.p_corrected
    lost, fails = bool(found.paired.lost_by_first), found.fails
    cells = {
        "n": Cell(difference.n if difference else 0),
        "baseline": Cell(found.baseline_mean),
        "candidate": Cell(found.candidate_mean),
        "difference": Cell(difference.mean if difference else None, difference),
        "p_holm": Cell(text=NOTHING if p is None else f"{p:.2g}"),
        "verdict": Cell(text=found.verdict + ", clips lost" * lost + ", fails" * fails),
    }
    label = f"{found.metric} {ARROWS[found.better]}"
    return Row(label, cells, group=f"{_pair(found)}, {found.domain}")


def compare_runs(baseline: RunRows, candidate: RunRows, question: Question) -> Answer:
    """Compare two runs on the clips that both have, pair by pair."""
    domains = [d for d in baseline.domains if d in candidate.domains and d != ALL_DOMAINS]
    domains = [*domains, ALL_DOMAINS] if len(domains) != 1 else domains
    found = _comparisons(baseline, candidate, question, domains)
    # All domains together may have the clips of one of them only: such a row repeats that one.
    by_domain = [c for c in found if c.domain != ALL_DOMAINS]
    repeated = [[d.domain for d in by_domain if replace(d, domain=ALL_DOMAINS) == c] for c in found]
    found = [replace(c, repeats=(r or [""])[0]) for c, r in zip(found, repeated, strict=True)]
    # Only what differs is tested, so unchanged codecs change no number of the others.
    family = [c for c in found if c.differs and not c.repeats and c.paired.p_value is not None]
    adjusted = holm([c.paired.p_value for c in family if c.paired.p_value is not None])
    corrected = {_key(c): p for c, p in zip(family, adjusted, strict=True)}
    return Answer(
        comparisons=tuple(_judged(c, corrected.get(_key(c)), question.strict) for c in found),
        rates=tuple(_rates(baseline, candidate, question, domains)),
        lost=tuple(_lost(baseline, candidate, question)),
        level=question.level,
    )


def _key(found: Comparison) -> tuple[str, ...]:
    return *_names(found), found.metric, found.repeats or found.domain


_ByCodec = Mapping[str, Mapping[str, float]]
_Sides = tuple[MetricSpec, str, list[_ByCodec]]


def _comparisons(
    baseline: RunRows, candidate: RunRows, question: Question, domains: Sequence[str]
) -> list[Comparison]:
    def scores(run: RunRows, metric: str, domain: str) -> _ByCodec:
        return {
            name: {c: v for c, v in of.items() if question.clips is None or c in question.clips}
            for name, of in scores_of([run], metric, domain).items()
        }

    sides: list[_Sides] = [
        (spec, domain, [scores(run, spec.name, domain) for run in (baseline, candidate)])
        for spec in question.metrics.values()
        for domain in domains
    ]
    shared = [
        (before.get(left, {}), after.get(right, {}))
        for _, _, (before, after) in sides
        for left, right in question.pairs
    ]
    differing = sum(
        any(one[clip] != other[clip] for clip in one.keys() & other.keys()) for one, other in shared
    )
    clusters = clusters_of([baseline, candidate])
    return [one for side in sides for one in _of_metric(question, side, clusters, differing)]


def _of_metric(
    question: Question, side: _Sides, clusters: Clusters, family: int
) -> Iterator[Comparison]:
    spec, domain, (before, after) = side
    names = [pair for pair in question.pairs if before.get(pair[0]) or after.get(pair[1])]
    if not names:
        return
    by_name = {f"baseline {left}": before.get(left, {}) for left, _ in names}
    by_name |= {f"candidate {right}": after.get(right, {}) for _, right in names}
    asked = [(f"candidate {right}", f"baseline {left}") for left, right in names]
    paired = paired_differences(by_name, asked, clusters, level=question.level, family=family)
    for (left, right), difference in zip(names, paired, strict=True):
        both = before.get(left, {}), after.get(right, {})
        shared = both[0].keys() & both[1].keys()
        means = [fsum(one[c] for c in shared) / len(shared) if shared else None for one in both]
        yield Comparison(
            baseline=left,
            candidate=right,
            metric=spec.name,
            unit=spec.unit,
            better=spec.better,
            domain=domain,
            baseline_mean=means[0],
            candidate_mean=means[1],
            paired=difference,
            p_corrected=None,
            tolerance=question.tolerances.get(spec.name),
        )


def _judged(found: Comparison, p_corrected: float | None, strict: bool) -> Comparison:
    difference = found.paired.difference
    verdict = verdict_of(difference, p_corrected, better=found.better, tolerance=found.tolerance)
    stops = fails(
        verdict, difference, better=found.better, tolerance=found.tolerance, strict=strict
    )
    return replace(
        found,
        paired=replace(found.paired, p_holm=p_corrected),
        p_corrected=p_corrected,
        verdict=verdict,
        fails=stops or bool(found.paired.lost_by_first),
    )


def verdict_of(
    difference: Interval | None,
    p_corrected: float | None,
    *,
    better: Better,
    tolerance: float | None,
) -> Verdict:
    """What a mean difference, candidate minus baseline, means.

    Without a tolerance the whole interval must lie on one side of zero, and the difference must
    stand after correction for everything that was compared: the more one looks at, the more
    chance finds. With a tolerance the question is another one: does the interval lie beyond it
    (``worse``), on its good side (``within tolerance``), or across it (``undecided``)?

    Parameters
    ----------
    difference : Interval or None
        In the metric's unit; None where no clip is shared.
    p_corrected : float or None
        Of the hypothesis of no difference; None where it cannot be tested, for example because
        every clip differs by the same.
    tolerance : float or None
        How much worse the candidate may be, in the metric's unit, 0 or more; None: not gated.
    """
    if difference is None:
        return "no shared clips"
    sign = 1 if better == "higher" else -1
    if difference.low is None or difference.high is None:
        return "undecided"  # one clip has no interval
    worst, best = sorted((sign * difference.low, sign * difference.high))
    stands = p_corrected is None or p_corrected < SIGNIFICANT_AT
    if worst > 0 and stands:
        return "better"
    if tolerance is None:
        return "worse" if best < 0 and stands else "no difference seen"
    if best < -tolerance:
        return "worse"
    return "within tolerance" if worst >= -tolerance else "undecided"


def fails(
    verdict: Verdict,
    difference: Interval | None,
    *,
    better: Better,
    tolerance: float | None,
    strict: bool = False,
) -> bool:
    """Whether a gate stops here.

    It stops at ``worse``. Where a tolerance was given and the clips are too few to tell, it stops
    if the mean itself is beyond the tolerance, so that a real loss does not pass for want of
    clips; `strict` stops at whatever was not shown to be within the tolerance.
    """
    if tolerance is None or verdict not in ("undecided", "no shared clips"):
        return verdict == "worse"
    if strict or difference is None:
        return True
    return (-difference.mean if better == "higher" else difference.mean) > tolerance


def _rates(
    baseline: RunRows, candidate: RunRows, question: Question, domains: Sequence[str]
) -> Iterator[RateComparison]:
    tolerance = question.tolerances.get(KBPS)

    def weighed(run: RunRows, codec: str, domain: str) -> dict[str, tuple[float, float]]:
        """Bits and seconds of every clip that was coded and weighed."""
        columns = run.codec(codec)
        clips = [c for c in columns.ok(domain).tolist() if columns.coded["bits"][c] > 0]
        cells = {run.ids[c]: columns.coded[c] for c in clips}
        return {c: (float(cell["bits"]), float(cell["duration_s"])) for c, cell in cells.items()}

    for left, right in question.pairs:
        for domain in domains:
            both = weighed(baseline, left, domain), weighed(candidate, right, domain)
            shared = sorted(both[0].keys() & both[1].keys() & (question.clips or both[0].keys()))
            if question.clips is not None and not question.clips:
                shared = []
            if shared:
                then, now = (
                    sum(side[c][0] for c in shared) / sum(side[c][1] for c in shared) / 1000
                    for side in both
                )
                more = tolerance is not None and now - then > tolerance
                yield RateComparison(
                    left, right, domain, len(shared), then, now, tolerance, fails=more
                )


def _lost(baseline: RunRows, candidate: RunRows, question: Question) -> Iterator[LostClips]:
    def coded_and_failed(run: RunRows, codec: str) -> tuple[set[str], set[str]]:
        columns = run.codec(codec)
        tried, coded = (
            {run.ids[c] for c in numbers}
            for numbers in (columns.tried(ALL_DOMAINS), columns.ok(ALL_DOMAINS))
        )
        if question.clips is not None:
            tried, coded = tried & question.clips, coded & question.clips
        return coded, tried - coded

    for left, right in question.pairs:
        coded, failed = coded_and_failed(baseline, left)
        coded_now, failed_now = coded_and_failed(candidate, right)
        by_candidate, by_baseline = sorted(coded & failed_now), sorted(coded_now & failed)
        yield LostClips(left, right, tuple(by_candidate), tuple(by_baseline))


def remarks(answer: Answer) -> Iterator[str]:
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


def _failure(found: Comparison) -> str:
    """A failed row in words."""
    difference = found.paired.difference
    parts = []
    if difference is not None:
        gate = "" if found.tolerance is None else f", tolerance {found.tolerance:g}"
        unit = "" if found.unit == "1" else f" {found.unit}"
        column = Column("difference", "", digits=3, signed=True)
        ends = Cell(difference.mean, difference).ends(column)
        parts.append(
            f"{found.verdict}, {shown(difference.mean, 3, signed=True)} {ends}".rstrip()
            + f"{unit} ({found.better} is better{gate}; n = {difference.n})"
        )
    if lost := found.paired.lost_by_first:
        parts.append(f"no score for {_listed(lost)}")
    return f"{found.domain}, {found.metric}, {_pair(found)}: {'; '.join(parts) or found.verdict}"


def _listed(clips: Sequence[str]) -> str:
    shown_clips = ", ".join(clips[:_SHOWN_CLIPS])
    more = f" and {len(clips) - _SHOWN_CLIPS} more" if len(clips) > _SHOWN_CLIPS else ""
    return f"{len(clips)} clip{'' if len(clips) == 1 else 's'} ({shown_clips}{more})"


def comparison_markdown(answer: Answer) -> str:
    """The comparison as Markdown tables with their remarks, and which rows fail."""
    parts = [to_markdown(answer.tables).rstrip(), "**passed**" if answer.passed else "**failed**"]
    parts.append("\n".join(f"- {line}" for line in answer.failures))
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_json(answer: Answer) -> str:
    """The comparison for a machine: everything that is known, and ``passed``."""
    described: dict[str, Any] = {
        "passed": answer.passed,
        "failures": answer.failures,
        **asdict(answer),
    }
    for row, found in zip(described["rates"], answer.rates, strict=True):
        row["change_percent"] = found.change_percent
    described["tolerance_of_rates"] = KBPS
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"
