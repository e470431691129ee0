"""Two runs, clip by clip: every metric in every domain, the rates, and whether it is no worse."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import fsum
from pathlib import Path
from typing import Literal

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.plugins import metrics as known_metrics
from snacbench.selectors import among, split_selectors
from snacbench.stats.intervals import Interval
from snacbench.stats.pairs import PairedDifference, holm, paired_differences
from snacbench.store.agree import check_agreement
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of, scores_of
from snacbench.tables.side_by_side import SIGNIFICANT_AT
from snacbench.tables.table_model import ARROWS, NOTHING, Better, Cell, Column, Row, Table, shown
from snacbench.tables.writers import to_markdown
from snacbench.types import CodecSpec, MetricSpec

Pair = tuple[str, str]
"""An operating point of the baseline, one of the candidate."""
Verdict = Literal[
    "better", "worse", "within tolerance", "no difference seen", "undecided", "no shared clips", ""
]
KBPS = "kbps"  # stands for the actual rate among the tolerances
_SHOWN_CLIPS = 5
_DIFFERENCE = Column("difference", "difference", digits=3, kind="estimate", signed=True)
_COLUMNS = (
    Column("n", "n", digits=0),
    Column("baseline", "baseline", digits=3),
    Column("candidate", "candidate", digits=3),
    _DIFFERENCE,
    Column("p_holm", "p (Holm)"),
    Column("verdict", "verdict", kind="text"),
)


@dataclass(frozen=True)
class Comparison:
    """One metric, or the rate, in one domain; the difference is candidate minus baseline.

    `p_corrected` is Holm's over all comparisons of two runs that differ on some clip; None where
    none does. Means are over the shared clips. `repeats` is the domain whose clips are all that
    ``all`` has for the metric: such a row has that domain's p and is not counted again. It fails,
    too, if the candidate has no score on a clip on which the baseline has one.
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
    tolerance: float | None = None
    p_corrected: float | None = None
    verdict: Verdict = "undecided"
    fails: bool = False
    repeats: str = ""

    @property
    def codecs(self) -> str:
        """Baseline and candidate by name, once where they are called alike."""
        return " → ".join(dict.fromkeys((self.baseline, self.candidate)))


@dataclass(frozen=True)
class Answer:
    """All that two runs tell of each other.

    `rates` are actual ones in kbps (1000 bit/s) over all clips that both coded, without interval or
    test. `not_coded` are clips that only the candidate has lost, by its codec, `not_compared` the
    set-level metrics that both have.
    """

    comparisons: tuple[Comparison, ...]
    rates: tuple[Comparison, ...]
    not_coded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_compared: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is worse, and the candidate has lost no clip that the baseline has."""
        return not self.not_coded and not any(c.fails for c in (*self.comparisons, *self.rates))

    @property
    def failures(self) -> list[str]:
        """Which rows fail the gate and by how much, a line each; rows that repeat others not."""
        lines = []
        for found in (*self.comparisons, *self.rates):
            if not found.fails or found.repeats:
                continue
            parts = []
            if difference := found.paired.difference:
                gate = "" if found.tolerance is None else f", tolerance {found.tolerance:g}"
                unit = "" if found.unit == "1" else f" {found.unit}"
                ends = Cell(difference.mean, difference).ends(_DIFFERENCE)
                number = f"{shown(difference.mean, 3, signed=True)} {ends}".rstrip()
                parts.append(
                    f"{found.verdict}, {number}{unit} ({found.better} is better{gate}; "
                    f"n = {difference.n})"
                )
            if lost := found.paired.lost_by_first:
                parts.append(f"no score for {_listed(lost)}")
            why = "; ".join(parts) or found.verdict
            lines.append(f"{found.domain}, {found.metric}, {found.codecs}: {why}")
        return lines + [f"{name}: not coded: {_listed(of)}" for name, of in self.not_coded.items()]

    @property
    def tables(self) -> list[Table]:
        """Metrics by codec and domain, and rates; remarks are the footnotes of the last one."""
        tables: list[Table] = []
        for comparisons, heading in ((self.comparisons, "metric"), (self.rates, "domain")):
            rows = []
            for found in comparisons:
                difference, p = found.paired.difference, found.p_corrected
                lost = ", clips lost" if found.paired.lost_by_first else ""
                cells = (
                    difference.n if difference else 0,
                    found.baseline_mean,
                    found.candidate_mean,
                    Cell(difference.mean if difference else None, difference),
                    Cell(text=NOTHING if p is None else f"{p:.2g}"),
                    Cell(text=found.verdict + lost + ", fails" * found.fails),
                )
                about = [f"{found.metric} {ARROWS[found.better]}", found.domain]
                label, beside = about if heading == "metric" else about[::-1]
                rows.append(Row.of(label, _COLUMNS, *cells, group=f"{found.codecs}, {beside}"))
            if rows or not tables:
                tables.append(Table("", _COLUMNS, tuple(rows), label_heading=heading))
        return [*tables[:-1], replace(tables[-1], footnotes=tuple(self._remarks()))]

    def _remarks(self) -> Iterator[str]:
        """What a reader of the comparison must know, one sentence each."""
        for found in self.comparisons:
            for clips, side in (
                (found.paired.lost_by_first, f"candidate {found.candidate}"),
                (found.paired.lost_by_second, f"baseline {found.baseline}"),
            ):
                if clips:
                    what = f"{found.metric}, {found.domain}"
                    yield f"{what}: {side} has no score for {_listed(clips)}; left out of both."
        if self.not_compared:
            yield (
                f"Not compared, being one figure for all clips: {', '.join(self.not_compared)}; "
                "see snacbench table."
            )
        intervals = [c.paired.difference for c in self.comparisons if c.paired.difference]
        if any(i.these_clusters_only for i in intervals):
            yield (
                "Fewer than 5 speakers or tracks in some domain: its intervals speak of these "
                "only, and say nothing about others."
            )
        if any(i.independence_assumed for i in intervals):
            yield "Speaker or track of some clips is not known: they were taken as independent."
        if methods := ", ".join(dict.fromkeys(i.method for i in intervals)):
            family = sum(c.p_corrected is not None and not c.repeats for c in self.comparisons)
            yield (
                f"Differences are candidate minus baseline on shared clips, with 95% intervals "
                f"({methods}); p after Holm over {family} comparisons: rows that are identical "
                "clip by clip, and rows of all that repeat a domain, are not counted."
            )


def _listed(clips: Sequence[str]) -> str:
    more = f" and {len(clips) - _SHOWN_CLIPS} more" if len(clips) > _SHOWN_CLIPS else ""
    listed = ", ".join(clips[:_SHOWN_CLIPS])
    return f"{len(clips)} clip{'' if len(clips) == 1 else 's'} ({listed}{more})"


def comparison_markdown(answer: Answer) -> str:
    """The comparison as Markdown tables with their remarks, and which rows fail."""
    parts = [to_markdown(answer.tables).rstrip(), "**passed**" if answer.passed else "**failed**"]
    parts.append("\n".join(f"- {line}" for line in answer.failures))
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_json(answer: Answer) -> str:
    """The comparison for a machine: everything that is known, and ``passed``."""
    described = {"passed": answer.passed, "failures": answer.failures, **asdict(answer)}
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def compare(  # noqa: PLR0913 - keyword-only options of one comparison
    baseline: Path,
    candidate: Path,
    *,
    codecs: str | Sequence[str] = (),
    metrics: Sequence[str] = (),
    tolerances: Mapping[str, float] | None = None,
    strict: bool = False,
) -> Answer:
    """Compare two run folders on the clips that both have; docs/comparing.md has the rules.

    `codecs` are selectors as for a run, or ``A=B`` where the candidate names one otherwise; no
    `codecs` or `metrics`: all that both have. `tolerances`: by metric, or ``kbps`` for the actual
    rate, how much worse the candidate may be, in its unit; `strict` fails what was not shown to be
    within.

    StoreError if the runs must not be compared, UserError if a name is in neither, a tolerance is
    below 0, or there is nothing to compare.
    """
    folders = RunFolder.open(baseline), RunFolder.open(candidate)
    check_agreement(*folders, why="cannot be compared", metrics=list(metrics))
    runs = tuple(RunRows.load(folder, histograms=False) for folder in folders)
    specs = shared_metrics(runs, metrics)
    allowed = dict(tolerances or {})
    for name, value in allowed.items():
        if name not in (known := [*specs, KBPS]):
            raise UnknownName(f"tolerance: {name!r} is not compared; {did_you_mean(name, known)}")
        if not 0 <= value < float("inf"):
            raise UserError(
                f"the tolerance of {name} is {value}; expected a number of 0 or more, how much "
                "worse the candidate may be in the metric's unit"
            )
    texts = ",".join([codecs] if isinstance(codecs, str) else codecs)
    pairs = pairs_of(runs[0].run.codecs, runs[1].run.codecs, texts)
    domains = [d for d in runs[0].domains if d in runs[1].domains and d != ALL_DOMAINS]
    domains = [*domains, ALL_DOMAINS] if len(domains) != 1 else domains
    comparisons = []
    for one in _comparisons(runs, pairs, specs.values(), domains):
        tolerance, paired = allowed.get(one.metric), one.paired
        verdict, fails = judged(
            paired.difference, one.p_corrected,
            better=one.better, tolerance=tolerance, strict=strict,
        )  # fmt: skip
        fails = fails or bool(paired.lost_by_first)
        comparisons.append(replace(one, tolerance=tolerance, verdict=verdict, fails=fails))
    rates = [_rate(runs, pair, domain, allowed.get(KBPS)) for pair in pairs for domain in domains]
    not_coded: dict[str, list[str]] = {}
    for pair in pairs:
        old, new = (run.codec(name) for run, name in zip(runs, pair, strict=True))
        gone = {*new.tried(ALL_DOMAINS)} - {*new.ok(ALL_DOMAINS)}
        before = set(runs[0].named(old.ok(ALL_DOMAINS)))
        if lost := {runs[1].ids[clip] for clip in gone} & before:
            not_coded[pair[1]] = sorted({*lost, *not_coded.get(pair[1], ())})
    of_sets = [m for m in runs[0].metrics if all(m in r.metrics for r in runs) and m not in specs]
    left_out = () if metrics else tuple(m for m in of_sets if m not in runs[0].clip_metrics)
    return Answer(tuple(comparisons), tuple(filter(None, rates)), not_coded, left_out)


def shared_metrics(runs: Sequence[RunRows], names: Sequence[str]) -> dict[str, MetricSpec]:
    """Specs of the metrics that are named, or that all runs have scores of; UserError if none."""
    common = [m for m in runs[0].clip_metrics if all(m in run.clip_metrics for run in runs)]
    for name in names:
        if any(name in run.metrics and name not in run.clip_metrics for run in runs):
            raise UserError(
                f"{name} is one figure for all clips of a codec, and clips have none to compare; "
                "leave it out, and see snacbench table"
            )
        if name not in common:
            near = did_you_mean(name, common) if common else "nor of any other metric in common"
            raise UnknownName(f"not every run has scores of {name!r}; {near}")
    chosen = names or common
    if not chosen:
        raise UserError("the runs have scores of no metric in common; see snacbench score")
    specs = {spec.name: spec for run in runs for spec in run.run.metrics}
    if set(chosen) - specs.keys():  # added to a run later, so not in its plan
        specs = {m.spec.name: m.spec for m in known_metrics().values()} | specs
    if gone := sorted(set(chosen) - specs.keys()):
        raise UserError(
            f"{', '.join(gone)}: neither run.json nor an installed package says what it is; "
            "install the package that it came from, or name other metrics"
        )
    return {name: specs[name] for name in chosen}


def pairs_of(
    baseline: Sequence[CodecSpec], candidate: Sequence[CodecSpec], texts: str = ""
) -> list[Pair]:
    """Which operating points of two runs are compared with which.

    `texts` are selectors, separated by commas: ``A=B``, or ``A`` for the same names in both runs;
    empty: every name that both have, or the only operating point of each.

    UserError if there is nothing to compare, or the sides of an equals sign are not as many.
    """
    before, after = ([spec.name for spec in specs] for specs in (baseline, candidate))
    chosen = [(name, name) for name in before if name in after] if not texts else []
    for selector in split_selectors(texts):
        left, equals, right = selector.partition("=")
        ours = [spec.name for spec in among(baseline, left)]
        theirs = [spec.name for spec in among(candidate, right if equals else left)]
        if equals and len(ours) != len(theirs):
            raise UserError(
                f"--codecs {selector}: {left} is {', '.join(ours)}, {right} is "
                f"{', '.join(theirs)}; name one of each, or as many"
            )
        chosen += (
            zip(ours, theirs, strict=True) if equals else [(n, n) for n in ours if n in theirs]
        )
    if not texts and len(before) == len(after) == 1:
        return [(before[0], after[0])]
    if texts and not chosen:
        raise UnknownName(f"no codec that both runs have is named {texts}")
    if not chosen:
        raise UserError(
            f"the runs have no codec in common ({', '.join(before)}; {', '.join(after)}); "
            "say which to compare with --codecs A=B"
        )
    return list(dict.fromkeys(chosen))


def _comparisons(
    runs: Sequence[RunRows],
    pairs: Sequence[Pair],
    metrics: Iterable[MetricSpec],
    domains: Sequence[str],
) -> list[Comparison]:
    """Without verdicts: differences, with p values that are corrected for all that differ."""
    # So unchanged codecs change no other number.
    asked, differing = [], 0
    for spec in metrics:
        for domain in domains:
            before, after = (scores_of([run], spec.name, domain) for run in runs)
            both = [(pair, before.get(pair[0], {}), after.get(pair[1], {})) for pair in pairs]
            both = [(pair, one, other) for pair, one, other in both if one or other]
            for _, one, other in both:
                differing += any(one[clip] != other[clip] for clip in one.keys() & other.keys())
            asked += [(spec, domain, both)] if both else []
    clusters, found = clusters_of(runs), list[Comparison]()
    for spec, domain, both in asked:
        by_name = {f"baseline {old}": one for (old, _), one, _ in both}
        by_name |= {f"candidate {new}": other for (_, new), _, other in both}
        named = [(f"candidate {new}", f"baseline {old}") for (old, new), _, _ in both]
        differences = paired_differences(by_name, named, clusters, family=differing)
        for (pair, *sides), paired in zip(both, differences, strict=True):
            shared = sides[0].keys() & sides[1].keys()
            means = [fsum(of[c] for c in shared) / len(shared) if shared else None for of in sides]
            about = (*pair, spec.name, spec.unit, spec.better, domain)
            found.append(Comparison(*about, means[0], means[1], paired))
    places = [(*pair, domain) for pair in pairs for domain in domains]
    found.sort(key=lambda c: places.index((c.baseline, c.candidate, c.domain)))
    # All domains together may have the clips of one of them only: such a row repeats that one.
    alike = {replace(c, domain=ALL_DOMAINS): c.domain for c in reversed(found)}
    found = [replace(c, repeats=alike[c]) if c.domain == ALL_DOMAINS != alike[c] else c
             for c in found]  # fmt: skip
    family = []
    for c in found:
        ends = (d := c.paired.difference) and (d.mean, d.low, d.high)
        if ends and any(ends) and not c.repeats and c.paired.p_value is not None:
            family.append(c)
    adjusted = holm([c.paired.p_value for c in family])
    p_of = {(c.baseline, c.candidate, c.metric, c.domain): p
            for c, p in zip(family, adjusted, strict=True)}  # fmt: skip
    for at, c in enumerate(found):
        p = p_of.get((c.baseline, c.candidate, c.metric, c.repeats or c.domain))
        found[at] = replace(c, paired=replace(c.paired, p_holm=p), p_corrected=p)
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


def _rate(
    runs: Sequence[RunRows], pair: Pair, domain: str, tolerance: float | None
) -> Comparison | None:
    """The rates of a pair in a domain; None where no clip was weighed on both sides."""
    sides = [(run, run.codec(name)) for run, name in zip(runs, pair, strict=True)]
    oks = ((run, codec.coded, codec.ok(domain)) for run, codec in sides)
    clips = set.intersection(*({*run.named(ok[cells["bits"][ok] > 0])} for run, cells, ok in oks))
    if not clips:
        return None
    rates = []
    for run, codec in sides:
        cells = codec.coded[sorted(run.numbers_of(clips), key=run.ids.__getitem__)]
        rates.append(sum(cells["bits"].tolist()) / sum(cells["duration_s"].tolist()) / 1000)
    then, now = rates
    difference = Interval(now - then, None, None, 0.95, len(clips), len(clips), "totals")
    paired = PairedDifference(pair[1], pair[0], difference, None, None, "", (), ())
    worse = tolerance is not None and difference.mean > tolerance
    verdict: Verdict = "" if tolerance is None else "worse" if worse else "within tolerance"
    one = Comparison(*pair, KBPS, KBPS, "lower", domain, then, now, paired, tolerance)
    return replace(one, verdict=verdict, fails=worse)
