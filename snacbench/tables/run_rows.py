"""A run as tables, plots and reports see it: clips, codecs, scores, and nothing that computes.

`RunRows` holds a cell per clip and codec, some fifty bytes per row; `scores_frame` gives the same
scores as a tidy frame. Where a row was written twice, by a process that was killed between two
files, the last counts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, codebook_entropy
from snacbench.rows import (
    Agreement,
    Coded,
    CodedBytes,
    CodeHistogram,
    Cost,
    Delay,
    Embedded,
    Run,
    Score,
    Speed,
    SpotCheck,
)
from snacbench.stats.clusters import FEW_CLUSTERS, cluster_clips
from snacbench.store.run_folder import RunFolder
from snacbench.types import DOMAINS, Clip, CodecSpec, Domain
from snacbench.units import BITS_PER_BYTE

if TYPE_CHECKING:
    import pandas as pd

    from snacbench.tables.table_model import Cell

ALL_DOMAINS = "all"
NOT_STATED = "not stated"
MOST_UNITS = 40  # even, so that what is numbered round keeps its half

_CODED = [
    ("known", "?"), ("ok", "?"), ("domain", "u1"), ("unit", "u1"),
    ("duration_s", "f8"), ("bits", "f8"), ("side_info_bits", "f8"),
]  # fmt: skip
_SCORE = [("ok", "?"), ("undefined", "?"), ("skipped", "?"), ("failed", "?"), ("value", "f8")]
_DELAY = [("known", "?"), ("found", "?"), ("inverted", "?"), ("own_lag_s", "f8")]

Cells = NDArray[Any]
Floats = NDArray[np.float64]
Grouping = Literal["language", "speaker", "gender", "corpus"]
Unit = tuple[int, int]
"""A domain's number, and a unit's number in it, see `units_of`."""


@dataclass(frozen=True)
class ClipFacts:
    """What statistics and captions need of a clip: `cluster` is its speaker or track.

    Clips are grouped by the last four, of which each is empty where nobody states it.
    """

    id: str
    domain: Domain
    cluster: str | None = None
    rate_hz: int | None = None
    language: str = ""
    speaker: str = ""
    gender: str = ""
    corpus: str = ""

    @classmethod
    def of(cls, clip: Clip) -> ClipFacts:
        """Those of a clip."""
        return cls(**{field.name: getattr(clip, field.name) for field in fields(cls)})

    def group(self, by: Grouping) -> str:
        """The group that it belongs to; `NOT_STATED` where nobody states one."""
        found: str = getattr(self, by)
        return found or NOT_STATED


class CodecColumns:
    """Of one codec a cell per clip, which is a number: how it was coded, and what metrics gave.

    `coded` and `delays` (how late decodes come) are structured arrays of shape (clips,), NaN where
    something is not known, and so are `scores` by metric. `written` has by coder and clip the bytes
    of each stream that entropy coders wrote. By a set-level metric clips are scored ``ok`` without
    a value; `embedded` has the digests of their embeddings, of the reference and of the decode.
    """

    def __init__(self, spec: CodecSpec) -> None:
        self.spec = spec
        self.coded: Cells = np.zeros(0, _CODED)
        self.delays: Cells = np.zeros(0, _DELAY)
        self.scores: dict[str, Cells] = {}
        self.written: dict[str, dict[int, tuple[int, ...]]] = {}
        self.embedded: dict[str, dict[int, tuple[str, str]]] = {}
        self.distances: dict[tuple[str, tuple[int, ...], bool], Cell] = {}  # measured so far
        self.speed: Speed | None = None
        self.cost: Cost | None = None
        self._counts: dict[Unit, list[NDArray[np.int32]]] = {}
        self._counted_at: Cells = np.zeros((0, len(spec.streams)), np.int64)
        self._folder: RunFolder | None = None

    def take_coded(self, clip: int, row: Coded, unit: int = 0) -> None:
        """Enter how a clip was coded; `unit` is the one of `units_of` that it belongs to."""
        self.coded = _with_room_for(clip, self.coded)
        bits = (np.nan, np.nan) if row.bits is None else (row.bits.total, row.bits.side_info)
        place = DOMAINS.index(row.domain), unit
        self.coded[clip] = (True, row.status == "ok", *place, row.duration_s or 0.0, *bits)

    def take_scores(self, metric: str, clips: Cells, statuses: Cells, values: Cells) -> None:
        """Enter what a metric gave for some clips, each once."""
        cells = np.zeros(int(clips.max()) + 1 if len(clips) else 0, _SCORE)
        known = ~np.isnan(values)
        cells["value"][clips] = values
        for status in ("ok", "undefined", "skipped"):
            cells[status][clips] = (statuses == status) & (known | (status != "ok"))
        cells["failed"][clips] = ~(cells["ok"] | cells["undefined"] | cells["skipped"])[clips]
        self.scores[metric] = cells

    def take_embedded(self, clip: int, row: Embedded) -> None:
        """Enter what a set-level metric keeps of a clip, in place of an earlier row of it."""
        cells = _with_room_for(clip, self.scores.get(row.metric, np.zeros(0, _SCORE)))
        cells[clip] = (*(row.status == name for name, _ in _SCORE[:-1]), np.nan)
        self.scores[row.metric] = cells
        self.embedded.setdefault(row.metric, {})[clip] = row.reference, row.degraded

    def take_histogram(self, clip: int, row: CodeHistogram, place: int, folder: RunFolder) -> None:
        """Add how often codes occurred in a coded clip, in place of an earlier row of it."""
        if clip >= len(self.coded) or not self.coded["ok"][clip]:
            return
        self._counted_at, self._folder = _with_room_for(clip, self._counted_at), folder
        if before := int(self._counted_at[clip, row.stream]):
            (earlier,) = folder.read_at(CodeHistogram, [before - 1])
            self._counts_of(clip)[row.stream][earlier.codes] -= earlier.counts.astype(np.int32)
        self._counts_of(clip)[row.stream][row.codes] += row.counts.astype(np.int32)
        self._counted_at[clip, row.stream] = place + 1  # 0: never

    def _counts_of(self, clip: int) -> list[NDArray[np.int32]]:
        """Counts of each stream in the unit that a clip belongs to."""
        unit = (int(self.coded["domain"][clip]), int(self.coded["unit"][clip]))
        sizes = [stream.codebook_size for stream in self.spec.streams]
        return self._counts.setdefault(unit, [np.zeros(size, np.int32) for size in sizes])

    def only(self, clips: Cells) -> CodecColumns:
        """The same codec as if it had met some clips only, given by their numbers."""

        def kept(cells: Cells) -> Cells:
            found, chosen = np.zeros_like(cells), clips[clips < len(cells)]
            found[chosen] = cells[chosen]
            return found

        found = copy(self)
        found.coded, found.delays, found._counts = kept(self.coded), kept(self.delays), {}
        found.scores = {metric: kept(cells) for metric, cells in self.scores.items()}
        found.written = {
            coder: {clip: of_clip[clip] for clip in clips.tolist() if clip in of_clip}
            for coder, of_clip in self.written.items()
        }
        found._counted_at = kept(self._counted_at)
        for clip, stream in np.argwhere(found._counted_at).tolist():
            assert self._folder
            (row,) = self._folder.read_at(CodeHistogram, [int(found._counted_at[clip, stream]) - 1])
            found._counts_of(clip)[stream][row.codes] += row.counts.astype(np.int32)
        return found

    def tried(self, domain: str) -> Cells:
        """Numbers of the clips of a domain that were coded, or failed to be."""
        known = self.coded["known"]
        if domain != ALL_DOMAINS:
            known = known & (self.coded["domain"] == DOMAINS.index(domain))
        return np.flatnonzero(known)

    def ok(self, domain: str) -> Cells:
        """Numbers of the clips of a domain that were coded."""
        tried = self.tried(domain)
        return np.asarray(tried[self.coded["ok"][tried]])

    def scored(self, metric: str, domain: str) -> tuple[Cells, Cells]:
        """Numbers of the clips of a domain that have an ``ok`` score, and the scores."""
        cells = self.scores.get(metric, np.zeros(0, _SCORE))
        clips = self.ok(domain)
        clips = clips[clips < len(cells)]
        clips = clips[cells["ok"][clips]]
        return clips, cells["value"][clips]

    def counted(self, domain: str) -> bool:
        """Whether there are streams, and the codes of every coded clip of a domain were counted."""
        clips = self.ok(domain)
        counted = self._counted_at[clips[clips < len(self._counted_at)]]
        return bool(self.spec.streams and len(counted) == len(clips) > 0 and np.all(counted))

    def counts_by_unit(self, domain: str) -> tuple[list[Unit], list[NDArray[np.int64]]]:
        """Units of a domain in order, and per stream their counts, (units, codebook_size)."""
        units = sorted(u for u in self._counts if domain in (DOMAINS[u[0]], ALL_DOMAINS))
        streams = zip(*(self._counts[unit] for unit in units), strict=True)
        return units, [np.stack(of_stream).astype(np.int64) for of_stream in streams]

    def entropies(self, domain: str, clips: Cells | None = None) -> tuple[CodebookEntropy, ...]:
        """Entropy per codebook over the clips of a domain, or over some of them.

        Empty for codecs without codebooks, and where the codes of a clip were not counted.
        """
        if not self.counted(domain):
            return ()
        counted = self.ok(domain)
        pooled = [of_stream.sum(axis=0) for of_stream in self.counts_by_unit(domain)[1]]
        left_out = () if clips is None else np.setdiff1d(counted, clips)
        for clip in left_out:
            for counts, place in zip(pooled, self._counted_at[clip].tolist(), strict=True):
                assert self._folder
                (row,) = self._folder.read_at(CodeHistogram, [place - 1])
                counts[row.codes] -= row.counts
        used = len(counted) - len(left_out)
        return tuple(codebook_entropy(counts, clips=used) for counts in pooled)

    def written_by(self, coder: str, clips: Cells) -> tuple[Cells, Floats]:
        """Those among some clips that a coder wrote, and their bits of each stream, (streams,)."""
        written = self.written.get(coder, {})
        chosen = [clip for clip in clips.tolist() if clip in written]
        of_clip = np.array([written[clip] for clip in chosen], float)
        return np.array(chosen, np.intp), np.asarray(of_clip.sum(axis=0) * BITS_PER_BYTE)


def _with_room_for(clip: int, cells: Cells) -> Cells:
    """The same cells, and as many again wherever there are too few."""
    if clip < len(cells):
        return cells
    more = max(clip + 1 - len(cells), len(cells), 64)
    return np.concatenate([cells, np.zeros((more, *cells.shape[1:]), cells.dtype)])


@dataclass(frozen=True)
class RunRows:
    """A run as columns of numbers, whose cells are in the order of `clips`, and its other rows.

    `planned` is how many clips its test set has.
    """

    run: Run
    codecs: tuple[CodecColumns, ...]
    clips: tuple[ClipFacts, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    name: str = ""
    spot_checks: tuple[SpotCheck, ...] = ()
    planned: int = 0
    path: Path | None = None

    @classmethod
    def load(cls, folder: RunFolder, *, histograms: bool = True) -> RunRows:
        """Read a run; StoreError if a line other than an incomplete last one is no row.

        Without `histograms`, which are most of the bytes of a run, there is no entropy, nor what
        entropy coders wrote.
        """
        run = folder.run
        columns = {spec.name: CodecColumns(spec) for spec in run.codecs}
        numbers: dict[str, int] = {}
        facts = {clip.id: ClipFacts.of(clip) for clip in folder.read(Clip)}
        planned = len(facts)
        units = units_of(facts.values())
        for coded in folder.read(Coded):
            facts.setdefault(coded.clip, ClipFacts(coded.clip, coded.domain))
            number = numbers.setdefault(coded.clip, len(numbers))
            unit = units.get(coded.clip, number % MOST_UNITS)  # unknown: a clip for itself
            columns[coded.codec].take_coded(number, coded, unit)
        for delay in folder.read(Delay):
            of, number = columns[delay.codec], numbers.setdefault(delay.clip, len(numbers))
            of.delays = _with_room_for(number, of.delays)
            lag_s = np.nan if delay.own_lag_s is None else delay.own_lag_s
            of.delays[number] = (True, delay.found, delay.inverted, lag_s)
        scores = _score_rows(folder)
        of_clip = [numbers.setdefault(c, len(numbers)) for c in scores["clip"].cat.categories]
        scores["clip"] = np.array(of_clip, np.intp)[scores["clip"].cat.codes]
        for (codec, metric), rows in scores.groupby(["codec", "metric"], sort=False, observed=True):
            found = (rows[column].to_numpy() for column in ("clip", "status", "value"))
            columns[str(codec)].take_scores(str(metric), *found)
        for embedded in folder.read(Embedded):
            number = numbers.setdefault(embedded.clip, len(numbers))
            columns[embedded.codec].take_embedded(number, embedded)
        for place, row in folder.read_placed(CodeHistogram) if histograms else ():
            if row.clip in numbers:
                columns[row.codec].take_histogram(numbers[row.clip], row, place, folder)
        for written in folder.read(CodedBytes) if histograms else ():
            if written.codec in columns and not written.shuffled:
                of, number = columns[written.codec], numbers.get(written.clip, -1)
                if 0 <= number < len(of.coded) and of.coded["ok"][number]:
                    of.written.setdefault(written.coder, {})[number] = written.stream_bytes
        for speed in folder.read(Speed):
            columns[speed.codec].speed = speed
        for cost in folder.read(Cost):
            columns[cost.codec].cost = cost
        return cls(
            run,
            tuple(columns.values()),
            tuple(facts.get(clip, ClipFacts(clip, "unknown")) for clip in numbers),
            agreements=tuple(folder.read(Agreement)),
            name=folder.path.resolve().name,
            spot_checks=tuple(folder.read(SpotCheck)),
            planned=planned,
            path=folder.path,
        )

    def only(self, codecs: Collection[str]) -> RunRows:
        """The same run as if it had some of its operating points only."""
        specs = tuple(spec for spec in self.run.codecs if spec.name in codecs)
        return replace(
            self,
            run=replace(self.run, codecs=specs),
            codecs=tuple(codec for codec in self.codecs if codec.spec.name in codecs),
            agreements=tuple(row for row in self.agreements if row.codec in codecs),
            spot_checks=tuple(row for row in self.spot_checks if row.codec in codecs),
        )

    def codec(self, name: str) -> CodecColumns:
        """The columns of an operating point that the run has."""
        return next(codec for codec in self.codecs if codec.spec.name == name)

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the clips, in the order of the columns' cells."""
        return [clip.id for clip in self.clips]

    def numbers_of(self, clips: Collection[str]) -> list[int]:
        """Numbers of some clips in the columns' cells; those that the run lacks are left out."""
        wanted = frozenset(clips)
        return [number for number, clip in enumerate(self.ids) if clip in wanted]

    @property
    def metrics(self) -> list[str]:
        """Metrics that were scored, those the run was planned with first."""
        planned = [metric.name for metric in self.run.metrics]
        scored = {metric for codec in self.codecs for metric in codec.scores}
        return [m for m in planned if m in scored] + sorted(scored - set(planned))

    @property
    def clip_metrics(self) -> list[str]:
        """Those of `metrics` that give each clip a score of its own."""
        return [m for m in self.metrics if not any(m in codec.embedded for codec in self.codecs)]

    @property
    def domains(self) -> list[str]:
        """Domains of the clips, in a fixed order, then all of them together."""
        present = [d for d in DOMAINS if any(len(codec.tried(d)) for codec in self.codecs)]
        return [*present, ALL_DOMAINS]


def units_of(clips: Iterable[ClipFacts]) -> dict[str, int]:
    """Unit of every clip, from 0, counted in each domain anew.

    Units are what intervals of code statistics leave out one at a time: a speaker or a track, or
    several of them, as more than `MOST_UNITS` in a domain would only cost memory. Where a domain
    has fewer clusters than can stand for others, its clips are the units, and an interval speaks
    of these clusters only. Units with an even number are one half to train on, those with an odd
    number the other: no cluster has clips in both.
    """
    by_domain: dict[str, list[ClipFacts]] = {}
    for clip in clips:
        by_domain.setdefault(clip.domain, []).append(clip)
    found: dict[str, int] = {}
    for members in by_domain.values():
        labels = [clip.cluster for clip in members]
        numbers = cluster_clips(labels).index.tolist()
        if few_clusters(labels):
            seen = [0, 0]
            for place, cluster in enumerate(numbers):  # a number for each clip, of its half
                half = cluster % 2
                numbers[place] = 2 * seen[half] + half
                seen[half] += 1
        found.update({c.id: n % MOST_UNITS for c, n in zip(members, numbers, strict=True)})
    return found


def few_clusters(labels: Sequence[str | None]) -> bool:
    """Whether clips are of so few speakers or tracks that nothing can be said about others."""
    clustering = cluster_clips(labels)
    return clustering.count < FEW_CLUSTERS and not clustering.one_clip_each


def scores_of(runs: Sequence[RunRows], metric: str, domain: str) -> dict[str, dict[str, float]]:
    """The ``ok`` scores of a metric in a domain: codec -> clip id -> value; without lost ones."""
    found: dict[str, dict[str, float]] = {}
    for rows in runs:
        for codec in rows.codecs:
            if metric in codec.scores:
                clips, values = codec.scored(metric, domain)
                named = zip((rows.ids[clip] for clip in clips), values.tolist(), strict=True)
                found.setdefault(codec.spec.name, {}).update(named)
    return found


def clusters_of(runs: Sequence[RunRows]) -> dict[str, str | None]:
    """Speaker or track of every clip, None where it is not known."""
    return {clip.id: clip.cluster for rows in runs for clip in rows.clips}


def actual_kbps_of(codec: CodecColumns, domain: str) -> float | None:
    """Actual rate in kbps (1000 bit/s) over a domain's coded clips; None if nothing was weighed."""
    return kbps_of(codec.coded[codec.ok(domain)])


def kbps_of(coded: Cells) -> float | None:
    """Actual rate in kbps (1000 bit/s) over some coded clips; None if nothing was weighed."""
    duration_s, bits = float(np.sum(coded["duration_s"])), float(np.sum(coded["bits"]))
    return bits / duration_s / 1000 if duration_s and not math.isnan(bits) else None


_TEXTS = ("clip", "codec", "metric", "status", "reason")


def _score_rows(folder: RunFolder) -> pd.DataFrame:
    """All scores, the last of each clip, codec and metric; texts stay one object each."""
    import pandas as pd

    known: dict[str, dict[str, int]] = {column: {} for column in _TEXTS}
    codes, values = {column: array("i") for column in _TEXTS}, array("d")
    for block in folder.read_blocks(Score):
        for column, texts in known.items():
            found = map(attrgetter(column), block.rows)
            codes[column].extend([texts.setdefault(text, len(texts)) for text in found])
        values.extend(
            [np.nan if r.value is None or r.status != "ok" else r.value for r in block.rows]
        )
    columns: dict[str, Any] = {}
    for column, texts in known.items():
        numbers, index = np.array(codes[column], np.intc), pd.Index(texts, dtype=str)
        columns[column] = pd.Categorical.from_codes(numbers, index)
    frame = pd.DataFrame({**columns, "value": np.array(values, float)})
    return frame.drop_duplicates(["clip", "codec", "metric"], keep="last")


def scores_frame(run: RunFolder | Path) -> pd.DataFrame:
    """Every score of a run folder, one row each; StoreError if it holds no run.

    Columns: ``clip``, ``domain``, ``cluster`` (speaker or track; missing where not known),
    ``codec`` (operating point), ``model``, ``kbps`` (of this clip), ``tokens_per_s``, ``metric``,
    ``value`` (NaN unless ``status`` is ``ok``), ``status`` and ``reason``.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    frame, specs = _score_rows(folder), folder.run.codecs
    domains: dict[str, str] = {}
    clusters: dict[str, str | None] = {}
    for one in folder.read(Clip):
        domains[one.id], clusters[one.id] = one.domain, one.cluster
    kbps: dict[tuple[str, str], float] = {}
    for row in folder.read(Coded):
        domains.setdefault(row.clip, row.domain)
        if row.bits is not None and row.duration_s:
            kbps[row.clip, row.codec] = row.bits.total / row.duration_s / 1000
        else:
            kbps[row.clip, row.codec] = np.nan
    clip, codec = frame["clip"].astype(object), frame["codec"].astype(object)
    frame["domain"] = clip.map(domains).fillna("unknown").astype("category")
    frame["cluster"] = clip.map(clusters)
    frame["model"] = codec.map({spec.name: spec.model for spec in specs})
    tokens_per_s = codec.map({spec.name: spec.tokens_per_s for spec in specs})
    frame["tokens_per_s"] = tokens_per_s.astype(float)
    frame["kbps"] = [kbps.get(pair, np.nan) for pair in zip(clip, codec, strict=True)]
    about = ["clip", "domain", "cluster", "codec", "model", "kbps", "tokens_per_s"]
    return frame[[*about, "metric", "value", "status", "reason"]].reset_index(drop=True)
