"""Codecs beside each other: their figures, the clips that these rest on, means and tests.

A mean over whatever survived would reward who fails on the hard clips. So the figures of a column,
in one domain and on one test set, are all taken over the clips on which every codec has a value. A
codec that lacks half of the clips that any of them has, or more, gets no figure and takes no clip
from the others. Yardsticks take none either: what they lack is mostly where they are exact, and
SI-SDR infinite. Nor do points under conditions, which are no competitors.
"""

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from snacbench.errors import StoreError
from snacbench.rate.entropy import bitrate_efficiency, entropy_kbps
from snacbench.rows import Speed
from snacbench.stats.clusters import cluster_clips, score_table
from snacbench.stats.intervals import Interval, jackknife_interval, mean_intervals
from snacbench.stats.pairs import PairedDifference, paired_differences
from snacbench.stats.sets import DISTANCES, FEWEST, EmbeddingSet, kernel_step
from snacbench.store.embeddings import kept
from snacbench.tables import run_rows
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, Grouping, RunRows
from snacbench.tables.table_model import SIGNIFICANT, Cell, Column
from snacbench.types import DOMAINS, MetricSpec
from snacbench.units import BITS_PER_KILOBIT, kbps

By = Literal["domain", "all", "both"]
RATES = "rates"  # stands for them among the metrics
MUST_HAVE_MORE_THAN = 0.5  # of the clips that any codec has
SIGNIFICANT_AT = 0.05


class Span(NamedTuple):
    """A figure with its least and greatest value; `value` is None where only these are known."""

    value: float | None
    low: float
    high: float


def real_time_factor(speed: Speed | None) -> tuple[Span, Span, Span] | None:
    """Seconds of computing per second of audio: of encoding, decoding, both; None: not measured."""
    if speed is None or not speed.encode_s:
        return None
    audio_s = speed.duration_s * speed.batch

    def span(seconds: Sequence[float]) -> Span:
        ends = (statistics.median(seconds), min(seconds), max(seconds))
        return Span(*(end / audio_s for end in ends))

    both = [a + b for a, b in zip(speed.encode_s, speed.decode_s, strict=True)]
    return span(speed.encode_s), span(speed.decode_s), span(both)


@dataclass(frozen=True)
class Entry:
    """A codec of a run: the codec's name, with the run's where several runs have that codec."""

    label: str
    rows: RunRows
    columns: CodecColumns

    @property
    def anchor(self) -> bool:
        """Whether it is a yardstick (low-pass, noise, the signal itself), and no competitor."""
        return self.columns.spec.anchor

    @property
    def competes(self) -> bool:
        """Whether it is ranked, and takes clips from others: no yardstick, under no condition."""
        return not (self.columns.spec.anchor or self.columns.spec.condition)

    def within(self, by: Grouping, group: str) -> "Entry":
        """The same codec on the clips of a group, and nothing else."""
        clips = enumerate(self.rows.clips)
        members = [n for n, clip in clips if run_rows.group_of(clip, by) == group]
        return replace(self, columns=self.columns.only(np.array(members, np.intp)))

    def scores(self, metric: str, domain: str) -> dict[str, float]:
        """Clip id -> value of the ``ok`` scores of a metric in a domain."""
        return self.rows.scores(self.columns, metric, domain)

    def coded(self, domain: str) -> list[str]:
        """Ids of the clips of a domain that were coded."""
        return self.rows.named(self.columns.ok(domain))

    def kbps(self, clips: Collection[str]) -> float | None:
        """Actual rate in kbps (1000 bit/s) over some coded clips; None if they were not weighed."""
        coded = self.columns.coded[self.rows.numbers_of(clips)]
        return run_rows.kbps_of(coded[coded["ok"]])

    def record(self, domain: str, clips: Collection[str]) -> dict[str, Any]:
        """All figures that are no means of metrics, by the key of their column, and ``domain``.

        What does not apply is missing or None. Rates (``*_kbps``, 1000 bit/s) are totals over the
        total duration of `clips`, so that short clips with much padding do not weigh more than they
        cost; without clips there are none, and ``n`` is of all coded. ``clips_kbps`` are the median
        and 5 to 95 % of the clips' rates, ``over_time_kbps`` those within clips. A varying
        ``tokens_per_s`` is measured. ``efficiency_percent`` is corrected,
        ``bitrate_efficiency_percent`` of plug-in entropies; a `Span` without value stands where
        some codebook has fewer tokens than entries. Speeds are the same in every
        domain, since they were measured apart.
        """
        columns, spec = self.columns, self.columns.spec
        ok = np.array(self.rows.numbers_of(clips), int)
        record: dict[str, Any] = {
            "domain": domain,
            "n": len(ok) or len(columns.ok(domain)),
            "nominal_kbps": spec.nominal_kbps,
            "tokens_per_s": columns.tokens_per_s(ok if len(ok) else columns.ok(domain)),
            "params_m": spec.params_m,
        }
        if columns.speed and (factors := real_time_factor(columns.speed)):
            record |= {"rtf_encode": factors[0], "rtf_decode": factors[1]}
            record["rtf_batch"] = columns.speed.batch
            record["rtf_unstable"] = columns.speed.unstable
        if (cost := columns.cost) and not cost.reason:
            sides = {"encode": cost.encode_macs_per_s, "decode": cost.decode_macs_per_s}
            record |= {f"{k}_gmacs_per_s": 1e-9 * sum(v.values()) for k, v in sides.items() if v}
            delay_ms = None if cost.delay_s is None else 1e3 * cost.delay_s
            record |= {"delay_ms": "file" if cost.whole_file else delay_ms, "peak_mb": cost.peak_mb}
        coded = columns.coded[ok]
        if spec.condition:
            known = coded["realised"][np.isfinite(coded["realised"])]
            record |= {
                "condition": spec.condition,
                "realised": math.fsum(known) / len(known) if len(known) else None,
            }
        duration_s, bits = math.fsum(coded["duration_s"]), math.fsum(coded["bits"])
        if not duration_s or math.isnan(bits):
            return record
        record["actual_kbps"] = kbps(bits, duration_s)
        rates = coded["bits"] / coded["duration_s"] / BITS_PER_KILOBIT
        record["clips_kbps"] = Span(*np.percentile(rates, (50, 5, 95)).tolist())
        if (within := columns.over_time(ok)) is not None:
            record["over_time_kbps"] = Span(*within.tolist())
        side_bits = math.fsum(coded["side_info_bits"])
        if books := columns.entropies(domain, ok):
            low, high = (
                (
                    entropy_kbps(books, duration_s=duration_s, other_bits=int(side_bits), value=v),
                    100 * bitrate_efficiency(books, spec, value=v),
                )
                for v in ("lowest", "highest")
            )
            ranges = any(book.range_only for book in books)
            for key, *ends in zip(("entropy_kbps", "efficiency_percent"), low, high, strict=True):
                record[key] = Span(None, *ends) if ranges else ends[0]
            record["bitrate_efficiency_percent"] = 100 * bitrate_efficiency(books, spec)
        return record


def entries_of(runs: Sequence[RunRows]) -> list[Entry]:
    """All codecs of all runs, in order; one of several is named with its run's folder or id."""
    names = Counter(codec.spec.name for rows in runs for codec in rows.codecs)
    folders = Counter(rows.name for rows in runs)
    taken: Counter[str] = Counter()
    entries = []
    for rows in runs:
        for codec in rows.codecs:
            name = codec.spec.name
            of_run = rows.name if rows.name and folders[rows.name] == 1 else rows.run.id
            label = name if names[name] == 1 else f"{name} ({of_run})"
            taken[label] += 1
            label = label if taken[label] == 1 else f"{label} #{taken[label]}"
            entries.append(Entry(label, rows, codec))
    return entries


def domains_of(runs: Sequence[RunRows], by: By) -> list[str]:
    """Domains that get a table; all clips together only where that is another table."""
    present: list[str] = [d for d in DOMAINS if any(d in rows.domains for rows in runs)]
    if by == "all":
        return [ALL_DOMAINS]
    return [*present, ALL_DOMAINS] if by == "both" and len(present) > 1 else present


def groups_of(runs: Sequence[RunRows], by: Grouping) -> list[str]:
    """The groups that the clips of some runs make, by name; what nobody states comes last."""
    found = {run_rows.group_of(clip, by) for rows in runs for clip in rows.clips}
    return sorted(found, key=lambda group: (group == run_rows.NOT_STATED, group))


def metric_specs(runs: Sequence[RunRows]) -> dict[str, MetricSpec]:
    """What is known of the metrics of several runs; the first run that knows one is believed."""
    return {spec.name: spec for rows in reversed(runs) for spec in rows.run.metrics}


@dataclass(frozen=True)
class Together:
    """What the figures of a column rest on, by label of the codec.

    `clips` are those of each codec's figure, none where it has too few. `lost` counts, of those
    that compete, the clips that another one has; `left_out` are those that lack too many.
    """

    clips: dict[str, frozenset[str]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def words(self, what: str) -> str:
        """Who lost how many clips, in a sentence; empty where nobody did."""
        if not self.lost:
            return ""
        kept = {len(self.clips[label]) for label in self.lost if label not in self.left_out}
        listed = ", ".join(f"{label} lacks {count}" for label, count in self.lost.items())
        if not kept:
            return f"{what}: no figure where half of the clips are lacking, or more ({listed})."
        n = " or ".join(map(str, sorted(kept)))
        out = f"; no figure for {', '.join(self.left_out)}" if self.left_out else ""
        return f"{what}: over the {n} clips that all codecs have ({listed}){out}."


def together(entries: Sequence[Entry], own: Mapping[str, Collection[str]]) -> Together:
    """The clips that figures beside each other rest on.

    `own`: label -> clips with a value; who is absent never had any to lose.
    """
    found = Together()
    for test_set in dict.fromkeys(entry.rows.run.set_sha256 for entry in entries):
        beside = [e for e in entries if e.rows.run.set_sha256 == test_set and e.label in own]
        competing = [e for e in beside if e.competes] or beside
        sets = {e.label: frozenset(own[e.label]) for e in beside}
        of_any = frozenset[str]().union(*(sets[e.label] for e in competing))
        enough = {k for k, clips in sets.items() if len(clips) > MUST_HAVE_MORE_THAN * len(of_any)}
        kept = [sets[e.label] for e in competing if e.label in enough]
        common = frozenset.intersection(*kept) if kept else frozenset[str]()
        for label, clips in sets.items():
            found.clips[label] = clips & common if label in enough else frozenset()
        for entry in competing:
            if lost := len(of_any - sets[entry.label]):
                found.lost[entry.label] = lost
                if entry.label not in enough:
                    found.left_out.append(entry.label)
    return found


def coded_together(entries: Sequence[Entry], domain: str) -> Together:
    """The clips of a domain that rates beside each other are taken over."""
    return together(entries, {entry.label: entry.coded(domain) for entry in entries})


Scores = dict[str, dict[str, float]]


def scored_together(entries: Sequence[Entry], metric: str, domain: str) -> tuple[Scores, Together]:
    """The scores that means beside each other are taken over: label -> clip -> value."""
    own = {
        entry.label: entry.scores(metric, domain)
        for entry in entries
        if metric in entry.columns.scores or not len(entry.columns.ok(domain))
    }
    found = together(entries, own)
    kept = {
        label: scores
        if len(scores) == len(found.clips[label])  # nothing is left out of them
        else {clip: value for clip, value in scores.items() if clip in found.clips[label]}
        for label, scores in own.items()
    }
    return {label: scores for label, scores in kept.items() if scores}, found


CellKey = tuple[str, str]
"""Of a mean: the label of an entry, the name of a metric."""


@dataclass(frozen=True)
class Block:
    """The scores of some codecs and metrics in one domain, and the cells they become.

    `scores` are by metric, those that means rest on, none of a set-level one; `together` says of
    each metric, and of `RATES`, which clips its figures rest on. `clusters` maps a clip to its
    speaker or track.
    """

    domain: str
    entries: Sequence[Entry]
    scores: Mapping[str, Scores]
    together: Mapping[str, Together]
    clusters: Mapping[str, str | None]
    cells: Mapping[CellKey, Cell]


def block_of(entries: Sequence[Entry], metrics: Sequence[str], domain: str, *, ci: bool) -> Block:
    """Figures over the clips that all codecs have; `ci`: with intervals, of means by one draw."""
    scores, beside = dict[str, Scores](), dict[str, Together]()
    of_sets = set_level_among(entries)
    for metric in metrics:
        found, beside[metric] = scored_together(entries, metric, domain)
        scores[metric] = {} if metric in of_sets else found
    clusters = run_rows.clusters_of(list({id(e.rows): e.rows for e in entries}.values()))
    keys = [(label, metric) for metric in metrics for label in scores[metric]]
    intervals: dict[CellKey, Interval | None] = {}
    if ci and keys:
        columns = {f"{i}": scores[metric][label] for i, (label, metric) in enumerate(keys)}
        clips, table = score_table(columns)
        each = mean_intervals(table, [clusters.get(clip) for clip in clips])
        intervals = dict(zip(keys, each, strict=True))
    cells = {}
    for entry in entries:
        tried = len(entry.columns.tried(domain))
        for metric in (metric for metric in metrics if metric in entry.columns.scores):
            key, values = (entry.label, metric), scores[metric].get(entry.label, {})
            mean = math.fsum(values.values()) / len(values) if values else None
            cell = Cell(mean, intervals.get(key), len(values))
            if metric in of_sets:
                on = beside[metric].clips.get(entry.label, frozenset())
                cell = set_cell(entry.rows, entry.columns, metric, on, ci=ci)
            if (n := cell.n or 0) < tried:
                cell = replace(cell, notes=(_why_fewer(entry, metric, domain, n), *cell.notes))
            cells[key] = cell
    beside[RATES] = coded_together(entries, domain)
    return Block(domain, entries, scores, beside, clusters, cells)


def set_level_among(entries: Sequence[Entry]) -> set[str]:
    """Metrics of some codecs that belong to sets of clips."""
    return {metric for entry in entries for metric in entry.columns.embedded}


def set_cell(
    rows: RunRows, codec: CodecColumns, metric: str, clips: Collection[str], *, ci: bool
) -> Cell:
    """A codec's distance over some of its clips, each with its own reference; `ci`: its interval.

    It depends on these clips of this codec alone. The interval is the jackknife's, over their
    clusters (at most `MOST_UNITS` groups of them), decodes and references left out together. A cell
    without a value says why.
    """
    numbers = sorted(rows.numbers_of(clips), key=rows.ids.__getitem__)
    key = metric, tuple(numbers), ci
    if key not in codec.distances:
        spec = next(m for m in rows.run.metrics if m.name == metric)
        codec.distances[key] = _measured(rows, codec, spec, numbers, ci=ci)
    return codec.distances[key]


def _measured(
    rows: RunRows, codec: CodecColumns, spec: MetricSpec, numbers: Sequence[int], *, ci: bool
) -> Cell:
    clips = [rows.clips[number] for number in numbers]
    empty = Cell(n=len(clips))
    if not clips or spec.distance is None or rows.path is None:
        return empty
    clustering = cluster_clips([clip.cluster for clip in clips])
    index = np.arange(len(clips)) if clustering.few else clustering.index
    units = min(int(index.max()) + 1, run_rows.MOST_UNITS) if ci else 1
    digests = zip(*(codec.embedded[spec.name][number] for number in numbers), strict=True)
    sets = []
    try:
        for side in digests:
            values = [kept(rows.path, digest).astype(float) for digest in side]
            unit = np.repeat(index % units, list(map(len, values)))
            sets.append(EmbeddingSet(np.concatenate(values), unit))
    except StoreError as error:
        return replace(empty, notes=(f"{spec.name}: {error}",))
    reference, degraded = sets
    n, dimensions = reference.values.shape
    if min(n, len(degraded.values)) < FEWEST:
        return replace(empty, notes=(f"{n} embedding, {FEWEST} are needed for a distance",))
    found, interval = DISTANCES[spec.distance](reference, degraded, units), None
    if units > 1 and not np.isnan(found.left_out).any():
        interval = jackknife_interval(
            found.value, found.left_out, reference.sizes(units), n=len(clips),
            clusters=clustering.count, independence_assumed=clustering.independence_assumed,
            these_clusters_only=clustering.few,
        )  # fmt: skip
        if interval.low is not None:
            interval = replace(interval, low=max(interval.low, spec.range[0]))
    poor = f"{n} embeddings of {dimensions} dimensions, too few to know how they spread: reads high"
    notes = (poor,) if spec.distance == "frechet" and n <= 2 * dimensions else ()
    if spec.distance == "kernel" and (step := kernel_step(n)) > 1:
        notes = (f"{n} embeddings, of which one in {step} counts",)
    return Cell(found.value, interval, len(clips), notes=notes)


def _why_fewer(entry: Entry, metric: str, domain: str, n: int) -> str:
    """Why a mean rests on fewer clips than were tried."""
    tried, ok = len(entry.columns.tried(domain)), entry.columns.ok(domain)
    having = len(entry.columns.scored(metric, domain)[0])
    cells = entry.columns.scores[metric][ok]
    undefined, skipped = int(cells["undefined"].sum()), int(cells["skipped"].sum())
    reasons = [
        (tried - len(ok), "not coded"),
        (undefined, "undefined"),
        (skipped, "not meant for the metric"),
        (len(ok) - having - undefined - skipped, "without a score"),
        (having - n, "not used, as another codec lacks them" if n else "too few for a mean"),
    ]
    listed = ", ".join(f"{count} {reason}" for count, reason in reasons if count)
    return f"n = {n} of {tried} clips ({listed})"


def significance(
    block: Block, columns: Mapping[str, Column], baseline: str
) -> tuple[set[CellKey], str]:
    """Which means differ from the best, or from a baseline's, and a footnote on how they do.

    Paired comparisons within one domain, corrected by Holm within each metric. Against the best,
    the family is all pairs of codecs: which one is best was seen in the same scores. Against a
    baseline that was named beforehand, it is the pairs with it, none where it met no clip.
    """
    competing = [e.label for e in block.entries if e.competes or e.label == baseline]
    significant: set[CellKey] = set()
    kept: list[PairedDifference] = []
    family = 0
    for metric, column in columns.items():
        scores = {k: v for k, v in block.scores[metric].items() if k in competing}
        against, chosen = baseline, list[tuple[str, str]]()
        if baseline in scores:
            chosen = [(label, baseline) for label in scores if label != baseline]
        elif not baseline and len(scores) >= 2 and column.better is not None:
            most = max(map(len, scores.values()))  # as in `Table.ranked`
            means = {
                label: block.cells[label, metric].value or 0.0
                for label in scores
                if len(scores[label]) == most
            }
            against = (max if column.better == "higher" else min)(means, key=means.__getitem__)
            chosen = list(combinations(scores, 2))
        pairs = paired_differences(scores, chosen, block.clusters) if chosen else []
        family = max(family, len(pairs))
        for pair in pairs:
            if against in (pair.first, pair.second):
                kept.append(pair)
                if pair.p_holm is not None and pair.p_holm <= SIGNIFICANT_AT:
                    other = pair.second if pair.first == against else pair.first
                    significant.add((other, metric))
    tested = [(pair, pair.difference) for pair in kept if pair.difference]
    if not tested:
        return significant, ""
    return significant, (
        f"{SIGNIFICANT} differs from {baseline or 'the best of the column'} (paired, p ≤ "
        f"{SIGNIFICANT_AT:g}): {'; '.join(dict.fromkeys(pair.test for pair, _ in tested))}; "
        f"Holm's correction over {'its' if baseline else 'all'} pairs within one metric and domain "
        f"({family} comparisons); n = {spanned([d.n for _, d in tested])} shared clips, "
        f"{spanned([d.clusters for _, d in tested])} clusters."
    )


def spanned(values: Sequence[int]) -> str:
    """``12``, or ``10 to 12`` where they differ."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
