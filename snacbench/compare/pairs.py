"""Two runs, clip by clip: every metric in every domain, the rates, and the clips that were lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from snacbench.compare.verdict import Verdict, fails, verdict_of
from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.stats.clusters import Clusters
from snacbench.stats.pairs import PairedDifference, holm, paired_differences
from snacbench.tables.columns import ALL_DOMAINS, CodecColumns
from snacbench.tables.run import RunRows, clusters_of, scores_of
from snacbench.types import MetricSpec

Pair = tuple[str, str]
KBPS = "kbps"  # stands for the actual rate among the tolerances


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
    better: Literal["higher", "lower"]
    domain: str
    baseline_mean: float | None
    candidate_mean: float | None
    paired: PairedDifference
    p_corrected: float | None
    tolerance: float | None
    verdict: Verdict
    fails: bool
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
            or any(lost.by_candidate for lost in self.lost)
        )


def pairs_of(baseline: RunRows, candidate: RunRows, texts: Sequence[str]) -> tuple[Pair, ...]:
    """Which codec is compared with which: ``A=B``, or ``A`` for the same name in both runs.

    Without texts: every name that both runs have, or the only codec of each.

    Raises
    ------
    UnknownName
        If a run has no codec of that name.
    UserError
        If there is nothing to compare.
    """
    before, after = ([codec.spec.name for codec in run.codecs] for run in (baseline, candidate))
    if texts:
        asked = [(left, right if equals else left) for left, equals, right in map(_split, texts)]
        for left, right in asked:
            _check_name(left, before, "first")
            _check_name(right, after, "second")
        return tuple(asked)
    common = tuple((name, name) for name in before if name in after)
    if not common and len(before) == len(after) == 1:
        return ((before[0], after[0]),)
    if not common:
        raise UserError(
            f"the runs have no codec in common ({', '.join(before)}; {', '.join(after)}); "
            "say which to compare with --codecs A=B"
        )
    return common


def _split(text: str) -> tuple[str, str, str]:
    left, equals, right = text.partition("=")
    return left.strip(), equals, right.strip()


def _check_name(name: str, known: Sequence[str], which: str) -> None:
    if name not in known:
        raise UnknownName(f"the {which} run has no codec {name!r}; {did_you_mean(name, known)}")


def compare_runs(baseline: RunRows, candidate: RunRows, question: Question) -> Answer:
    """Compare two runs on the clips that both have, pair by pair."""
    return Answer(
        comparisons=tuple(_comparisons(baseline, candidate, question)),
        rates=tuple(_rates(baseline, candidate, question)),
        lost=tuple(_lost(baseline, candidate, question)),
        level=question.level,
    )


def _comparisons(baseline: RunRows, candidate: RunRows, question: Question) -> list[Comparison]:
    sides = [
        (spec, domain, *_scores(baseline, candidate, question, spec, domain))
        for spec in question.metrics.values()
        for domain in _domains(baseline, candidate)
    ]
    # Only what differs is tested, so unchanged codecs change no number of the others.
    differing = sum(
        _differ(before.get(left, {}), after.get(right, {}))
        for _, _, before, after in sides
        for left, right in question.pairs
    )
    clusters = clusters_of([baseline, candidate])
    found = [
        comparison
        for spec, domain, before, after in sides
        for comparison in _of_metric(question, spec, domain, (before, after), (clusters, differing))
    ]
    found = [replace(c, repeats=_repeated(c, found)) for c in found]
    family = [c for c in found if c.differs and not c.repeats and c.paired.p_value is not None]
    adjusted = holm([c.paired.p_value for c in family])
    corrected = {_key(c): p for c, p in zip(family, adjusted, strict=True)}
    return [_judged(c, corrected.get(_key(c)), question) for c in found]


def _differ(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return any(one[clip] != other[clip] for clip in one.keys() & other.keys())


def _key(found: Comparison) -> tuple[str, str, str, str]:
    return found.baseline, found.candidate, found.metric, found.repeats or found.domain


def _repeated(one: Comparison, found: Sequence[Comparison]) -> str:
    """The domain with all the clips that a comparison over all domains has; else empty."""
    if one.domain != ALL_DOMAINS:
        return ""
    same = [
        c.domain for c in found if c.domain != ALL_DOMAINS and replace(c, domain=ALL_DOMAINS) == one
    ]
    return same[0] if same else ""


_ByCodec = Mapping[str, Mapping[str, float]]


def _scores(
    baseline: RunRows, candidate: RunRows, question: Question, spec: MetricSpec, domain: str
) -> tuple[_ByCodec, _ByCodec]:
    """Of both runs: codec -> clip -> value, of the clips that were asked for."""
    before, after = (
        {
            name: {c: v for c, v in scores.items() if question.clips is None or c in question.clips}
            for name, scores in scores_of([run], spec.name, domain).items()
        }
        for run in (baseline, candidate)
    )
    return before, after


def _of_metric(
    question: Question,
    spec: MetricSpec,
    domain: str,
    scores: tuple[_ByCodec, _ByCodec],
    shared_by_all: tuple[Clusters, int],
) -> Iterator[Comparison]:
    (before, after), (clusters, family) = scores, shared_by_all
    names = [
        (left, right) for left, right in question.pairs if before.get(left) or after.get(right)
    ]
    if not names:
        return
    sides = {f"baseline {left}": before.get(left, {}) for left, _ in names}
    sides |= {f"candidate {right}": after.get(right, {}) for _, right in names}
    asked = [(f"candidate {right}", f"baseline {left}") for left, right in names]
    paired = paired_differences(sides, asked, clusters, level=question.level, family=family)
    for (left, right), difference in zip(names, paired, strict=True):
        one, other = before.get(left, {}), after.get(right, {})
        shared = one.keys() & other.keys()
        yield Comparison(
            baseline=left,
            candidate=right,
            metric=spec.name,
            unit=spec.unit,
            better=spec.better,
            domain=domain,
            baseline_mean=_mean([one[clip] for clip in shared]),
            candidate_mean=_mean([other[clip] for clip in shared]),
            paired=difference,
            p_corrected=None,
            tolerance=question.tolerances.get(spec.name),
            verdict="undecided",
            fails=False,
        )


def _judged(found: Comparison, p_corrected: float | None, question: Question) -> Comparison:
    difference, higher = found.paired.difference, found.better == "higher"
    verdict = verdict_of(
        difference, p_corrected=p_corrected, higher_is_better=higher, tolerance=found.tolerance
    )
    stops = fails(
        verdict,
        difference,
        higher_is_better=higher,
        tolerance=found.tolerance,
        strict=question.strict,
    )
    paired = replace(found.paired, p_holm=p_corrected)
    return replace(
        found,
        paired=paired,
        p_corrected=p_corrected,
        verdict=verdict,
        fails=stops or bool(paired.lost_by_first),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _domains(baseline: RunRows, candidate: RunRows) -> list[str]:
    """Domains that both have; all of them together only where there are several."""
    domains = [d for d in baseline.domains if d in candidate.domains and d != ALL_DOMAINS]
    return [*domains, ALL_DOMAINS] if len(domains) != 1 else domains


def _rates(baseline: RunRows, candidate: RunRows, question: Question) -> Iterator[RateComparison]:
    tolerance = question.tolerances.get(KBPS)
    for left, right in question.pairs:
        for domain in _domains(baseline, candidate):
            before = _weighed(baseline, left, domain, question)
            after = _weighed(candidate, right, domain, question)
            shared = sorted(before.keys() & after.keys())
            if not shared:
                continue
            then, now = (_kbps([side[clip] for clip in shared]) for side in (before, after))
            more = now - then
            yield RateComparison(
                left, right, domain, len(shared), then, now, tolerance,
                fails=tolerance is not None and more > tolerance,
            )  # fmt: skip


def _kbps(weighed: Sequence[tuple[float, float]]) -> float:
    return sum(bits for bits, _ in weighed) / sum(seconds for _, seconds in weighed) / 1000


def _weighed(
    run: RunRows, codec: str, domain: str, question: Question
) -> dict[str, tuple[float, float]]:
    """Bits and seconds of every clip that was coded and weighed."""
    columns = _columns(run, codec)
    clips = [c for c in columns.ok(domain) if columns.coded["bits"][c] > 0]
    cells = {run.clips[c].id: columns.coded[c] for c in clips}
    return {
        clip: (float(cell["bits"]), float(cell["duration_s"]))
        for clip, cell in cells.items()
        if question.clips is None or clip in question.clips
    }


def _lost(baseline: RunRows, candidate: RunRows, question: Question) -> Iterator[LostClips]:
    for left, right in question.pairs:
        (coded, failed), (coded_now, failed_now) = (
            _coded_and_failed(run, codec, question)
            for run, codec in ((baseline, left), (candidate, right))
        )
        yield LostClips(
            left,
            right,
            by_candidate=tuple(sorted(coded & failed_now)),
            by_baseline=tuple(sorted(coded_now & failed)),
        )


def _coded_and_failed(run: RunRows, codec: str, question: Question) -> tuple[set[str], set[str]]:
    columns = _columns(run, codec)
    tried = {run.clips[c].id for c in columns.tried(ALL_DOMAINS)}
    coded = {run.clips[c].id for c in columns.ok(ALL_DOMAINS)}
    if question.clips is not None:
        tried, coded = tried & question.clips, coded & question.clips
    return coded, tried - coded


def _columns(run: RunRows, codec: str) -> CodecColumns:
    return next(columns for columns in run.codecs if columns.spec.name == codec)
