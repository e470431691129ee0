"""A run as tables, plots and reports see it: clips, codecs, scores, and nothing that computes.

`RunRows` holds a cell per clip and codec, some fifty bytes per row; `scores_frame` gives the same
scores as a tidy frame. Where a row was written twice, by a process that was killed between two
files, the last counts.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.later import pd
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
from snacbench.stats.clusters import cluster_clips
from snacbench.store.run_folder import RunFolder
from snacbench.tables.table_model import Cell
from snacbench.types import DOMAINS, Clip, CodecSpec, Domain, Floats
from snacbench.units import BITS_PER_BYTE

ALL_DOMAINS = "all"
NOT_STATED = "not stated"
MOST_UNITS = 40  # even, so that what is numbered round keeps its half

_CODED = [
    ("known", "?"), ("ok", "?"), ("domain", "u1"), ("unit", "u1"),
    ("duration_s", "f8"), ("bits", "f8"), ("side_info_bits", "f8"), ("tokens", "f8"),
    ("low_kbps", "f8"), ("median_kbps", "f8"), ("high_kbps", "f8"), ("realised", "f8"),
]  # fmt: skip
_SCORE = [("ok", "?"), ("undefined", "?"), ("skipped", "?"), ("failed", "?"), ("value", "f8")]
_DELAY = [("known", "?"), ("found", "?"), ("inverted", "?"), ("own_lag_s", "f8")]

Cells = NDArray[Any]
Grouping = Literal["language", "speaker", "gender", "corpus"]
Unit = tuple[int, int]
"""A domain's number, and a unit's number in it, see `units_of`."""


class CodecColumns:
    """Of one codec a cell per clip, which is a number: how it was coded, and what metrics gave.

    `coded` and `delays` (how late decodes come) are structured arrays of shape (clips,), NaN where
    something is not known, and so are `scores` by metric. `written` has by coder and clip the bytes
    of each stream that entropy coders wrote. By a set-level metric clips are scored ``ok`` without
    a value; `embedded` has the digests of their embeddings, of the reference and of the decode.
    """

    def __init__(self, spec: CodecSpec, clips: int) -> None:
        self.spec = spec
        self.coded: Cells = np.zeros(clips, _CODED)
        self.delays: Cells = np.zeros(clips, _DELAY)
        self.scores: dict[str, Cells] = {}
        self.written: dict[str, dict[int, tuple[int, ...]]] = {}
        self.embedded: dict[str, dict[int, tuple[str, str]]] = {}
        self.distances: dict[tuple[str, tuple[int, ...], bool], Cell] = {}  # measured so far
        self.speed: Speed | None = None
        self.cost: Cost | None = None
        self._counts: dict[Unit, list[NDArray[np.int32]]] = {}
        self._counted_at: Cells = np.zeros((clips, len(spec.streams)), np.int64)
        self._folder: RunFolder | None = None

    def take_histogram(self, clip: int, row: CodeHistogram, place: int, folder: RunFolder) -> None:
        """Add how often codes occurred in a coded clip, in place of an earlier row of it."""
        self._folder = folder
        if self._counted_at[clip, row.stream]:
            self._count(clip, self._histogram(clip, row.stream), -1)
        self._count(clip, row)
        self._counted_at[clip, row.stream] = place + 1  # 0: never

    def _histogram(self, clip: int, stream: int) -> CodeHistogram:
        """The row of a clip that was counted."""
        assert self._folder
        place = int(self._counted_at[clip, stream]) - 1
        return self._folder.read_at(CodeHistogram, [place])[0]

    def _count(self, clip: int, row: CodeHistogram, times: int = 1) -> None:
        """Add a clip's codes to those of the unit that it belongs to."""
        unit = (int(self.coded["domain"][clip]), int(self.coded["unit"][clip]))
        if unit not in self._counts:
            sizes = [stream.codebook_size for stream in self.spec.streams]
            self._counts[unit] = [np.zeros(size, np.int32) for size in sizes]
        self._counts[unit][row.stream][row.codes] += times * row.counts.astype(np.int32)

    def only(self, clips: Cells) -> "CodecColumns":
        """The same codec as if it had met some clips only, given by their numbers."""

        def kept(cells: Cells) -> Cells:
            found = np.zeros_like(cells)
            found[clips] = cells[clips]
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
            found._count(clip, self._histogram(clip, stream))
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

    @property
    def varies(self) -> bool:
        """Whether its rate changes within clips."""
        return self.spec.max_segment_frames > 1 or self.over_time(self.ok(ALL_DOMAINS)) is not None

    def over_time(self, clips: Cells) -> Floats | None:
        """Median, 5 and 95 % of the rate within some clips in kbps, as the median clip has each.

        None where it is constant, or nothing is known of it.
        """
        rates = np.array([self.coded[f"{end}_kbps"][clips] for end in ("median", "low", "high")])
        rates = rates[:, ~np.isnan(rates[0])]
        shown = rates.size and (self.spec.max_segment_frames > 1 or np.any(rates[1] < rates[2]))
        return np.median(rates, axis=1) if shown else None

    def tokens_per_s(self, clips: Cells) -> float | None:
        """Code indices per second: as declared, or where it varies those of some clips."""
        seconds = math.fsum(self.coded["duration_s"][clips])
        if self.spec.max_segment_frames == 1 or not seconds:
            return self.spec.tokens_per_s
        return math.fsum(self.coded["tokens"][clips]) / seconds

    def scored(self, metric: str, domain: str) -> tuple[Cells, Cells]:
        """Numbers of the clips of a domain that have an ``ok`` score, and the scores."""
        clips, cells = self.ok(domain), self.scores.get(metric)
        clips = clips[:0] if cells is None else clips[cells["ok"][clips]]
        return clips, np.zeros(0) if cells is None else cells["value"][clips]

    def counted(self, domain: str) -> bool:
        """Whether there are streams, and the codes of every coded clip of a domain were counted."""
        clips = self.ok(domain)
        return bool(self.spec.streams and len(clips) and np.all(self._counted_at[clips]))

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
        left_out = () if clips is None else np.setdiff1d(counted, clips).tolist()
        for clip in left_out:
            for stream, counts in enumerate(pooled):
                row = self._histogram(clip, stream)
                counts[row.codes] -= row.counts
        used = len(counted) - len(left_out)
        return tuple(codebook_entropy(counts, clips=used) for counts in pooled)

    def written_by(self, coder: str, clips: Cells) -> tuple[Cells, Floats]:
        """Those among some clips that a coder wrote, and their bits of each stream, (streams,)."""
        written = self.written.get(coder, {})
        chosen = [clip for clip in clips.tolist() if clip in written]
        of_clip = np.array([written[clip] for clip in chosen], float)
        return np.array(chosen, np.intp), np.asarray(of_clip.sum(axis=0) * BITS_PER_BYTE)


@dataclass(frozen=True)
class RunRows:
    """A run as columns of numbers, whose cells are in the order of `clips`, and its other rows.

    `planned` is how many clips its test set has. `lost` is a frame of the rows without a number,
    failed or undefined, the codings first: ``clip``, ``codec``, ``metric``, ``status``, ``reason``.
    """

    run: Run
    codecs: tuple[CodecColumns, ...]
    clips: tuple[Clip, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    name: str = ""
    spot_checks: tuple[SpotCheck, ...] = ()
    planned: int = 0
    path: Path | None = None
    lost: "pd.DataFrame | None" = field(default=None, compare=False)

    @classmethod
    def load(cls, folder: RunFolder, *, histograms: bool = True) -> "RunRows":
        """Read a run; StoreError if a line other than an incomplete last one is no row.

        Without `histograms`, which are most of the bytes of a run, there is no entropy, nor what
        entropy coders wrote.
        """
        run, listed = folder.run, {clip.id: clip for clip in folder.read(Clip)}
        frames = coded, delays, scores, embedded = [_frame(folder, kind) for kind in _KEPT]
        ids = list(dict.fromkeys(c for frame in frames for c in frame["clip"].cat.categories))
        numbers = {clip: number for number, clip in enumerate(ids)}
        units = units_of(listed.values())
        # What is known of clips that rows name, and the run's list does not.
        domains: dict[str, Domain] = dict(zip(coded["clip"], coded["domain"], strict=True))
        named = (Clip(c, Path(), "", 0, 0, 0, domain=domains.get(c, "unknown")) for c in ids)
        lost = pd.concat([of[of["status"].isin(_LOST)] for of in (coded, scores, embedded)])
        unit_of = np.array([units.get(clip, n % MOST_UNITS) for n, clip in enumerate(ids)])
        for frame in frames:
            of_clip = [numbers[clip] for clip in frame["clip"].cat.categories]
            frame["clip"] = np.array(of_clip, np.intp)[frame["clip"].cat.codes]
            frame["known"] = True
        coded["ok"], coded["unit"] = coded["status"] == "ok", unit_of[coded["clip"]]
        coded["domain"] = [DOMAINS.index(domain) for domain in coded["domain"]]
        columns = {spec.name: CodecColumns(spec, len(ids)) for spec in run.codecs}
        _fill(coded, lambda codec: columns[codec].coded)
        _fill(delays, lambda codec: columns[codec].delays)
        for frame in (scores, embedded):
            valued = frame["value"].notna() | (frame is embedded)
            for status in ("undefined", "skipped"):
                frame[status] = frame["status"] == status
            frame["ok"] = (frame["status"] == "ok") & valued
            frame["failed"] = ~(frame["ok"] | frame["undefined"] | frame["skipped"])
            _fill(frame, lambda codec, metric: columns[codec].scores.setdefault(
                metric, np.zeros(len(ids), _SCORE)))  # fmt: skip
        for row in embedded.to_dict("records"):
            of = columns[row["codec"]].embedded.setdefault(row["metric"], {})
            of[row["clip"]] = row["reference"], row["degraded"]
        for place, counts in folder.read_placed(CodeHistogram) if histograms else ():
            number, one = numbers.get(counts.clip), columns[counts.codec]
            if number is not None and one.coded["ok"][number]:
                one.take_histogram(number, counts, place, folder)
        for written in folder.read(CodedBytes) if histograms else ():
            number, codec = numbers.get(written.clip), columns.get(written.codec)
            if codec and number is not None and codec.coded["ok"][number] and not written.shuffled:
                codec.written.setdefault(written.coder, {})[number] = written.stream_bytes
        for speed in folder.read(Speed):
            columns[speed.codec].speed = speed
        for cost in folder.read(Cost):
            columns[cost.codec].cost = cost
        return cls(
            run, tuple(columns.values()), tuple(listed.get(clip.id, clip) for clip in named),
            agreements=tuple(folder.read(Agreement)), name=folder.path.resolve().name,
            spot_checks=tuple(folder.read(SpotCheck)), planned=len(listed), path=folder.path,
            lost=lost.reindex(columns=["clip", "codec", "metric", "status", "reason"]),
        )  # fmt: skip

    def only(self, codecs: Collection[str]) -> "RunRows":
        """Of some of its operating points only; `run` still names all of them."""
        kept = tuple(codec for codec in self.codecs if codec.spec.name in codecs)
        return replace(self, codecs=kept)

    def codec(self, name: str) -> CodecColumns:
        """The columns of an operating point that the run has."""
        return next(codec for codec in self.codecs if codec.spec.name == name)

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the clips, in the order of the columns' cells."""
        return [clip.id for clip in self.clips]

    def named(self, numbers: Cells) -> list[str]:
        """Ids of clips by their numbers."""
        return list(map(self.ids.__getitem__, numbers.tolist()))

    def numbers_of(self, clips: Collection[str]) -> list[int]:
        """Numbers of some clips in the columns' cells; those that the run lacks are left out."""
        wanted = frozenset(clips)
        return [number for number, clip in enumerate(self.ids) if clip in wanted]

    def scores(self, codec: CodecColumns, metric: str, domain: str) -> dict[str, float]:
        """Clip id -> value of the ``ok`` scores of a metric in a domain."""
        clips, values = codec.scored(metric, domain)
        return dict(zip(self.named(clips), values.tolist(), strict=True))

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


def group_of(clip: Clip, by: Grouping) -> str:
    """The group that a clip belongs to; `NOT_STATED` where nobody states one."""
    stated: str = getattr(clip, by)
    return stated or NOT_STATED


def units_of(clips: Iterable[Clip]) -> dict[str, int]:
    """Unit of every clip, from 0, counted in each domain anew.

    Units are what intervals of code statistics leave out one at a time: a speaker or a track, or
    several of them, as more than `MOST_UNITS` in a domain would only cost memory. Where a domain
    has fewer clusters than can stand for others, its clips are the units, and an interval speaks
    of these clusters only. Units with an even number are one half to train on, those with an odd
    number the other: no cluster has clips in both.
    """
    by_domain: dict[str, list[Clip]] = {}
    for clip in clips:
        by_domain.setdefault(clip.domain, []).append(clip)
    found: dict[str, int] = {}
    for members in by_domain.values():
        clustering = cluster_clips([clip.cluster for clip in members])
        numbers = clustering.index.tolist()
        if clustering.few:  # a number for each clip, of its half
            unused = count(0, 2), count(1, 2)
            numbers = [next(unused[cluster % 2]) for cluster in numbers]
        found.update({c.id: n % MOST_UNITS for c, n in zip(members, numbers, strict=True)})
    return found


def scores_of(runs: Sequence[RunRows], metric: str, domain: str) -> dict[str, dict[str, float]]:
    """The ``ok`` scores of a metric in a domain: codec -> clip id -> value; without lost ones."""
    found: dict[str, dict[str, float]] = {}
    for rows in runs:
        for codec in rows.codecs:
            if metric in codec.scores:
                scores = rows.scores(codec, metric, domain)
                found.setdefault(codec.spec.name, {}).update(scores)
    return found


def clusters_of(runs: Sequence[RunRows]) -> dict[str, str | None]:
    """Speaker or track of every clip, None where it is not known."""
    return {clip.id: clip.cluster for rows in runs for clip in rows.clips}


def actual_kbps_of(codec: CodecColumns, domain: str) -> float | None:
    """Actual rate in kbps (1000 bit/s) over a domain's coded clips; None if nothing was weighed."""
    return kbps_of(codec.coded[codec.ok(domain)])


def kbps_of(coded: Cells) -> float | None:
    """Actual rate in kbps (1000 bit/s) over some coded clips; None if nothing was weighed."""
    duration_s, bits = math.fsum(coded["duration_s"]), math.fsum(coded["bits"])
    return bits / duration_s / 1000 if duration_s and not math.isnan(bits) else None


_LOST = ("failed", "undefined")
# Of rows that are read as a frame: its columns of text, and of numbers.
_KEPT: Mapping[type, tuple[tuple[str, ...], Mapping[str, Callable[[Any], float | None]]]] = {
    Coded: (("clip", "codec", "status", "reason", "domain"), {
        "duration_s": lambda row: row.duration_s or 0.0,
        "bits": lambda row: row.bits and row.bits.total,
        "side_info_bits": lambda row: row.bits and row.bits.side_info,
        "tokens": attrgetter("tokens"),
        "low_kbps": lambda row: row.rate and row.rate.low_kbps,
        "median_kbps": lambda row: row.rate and row.rate.median_kbps,
        "high_kbps": lambda row: row.rate and row.rate.high_kbps,
        "realised": attrgetter("realised"),
    }),
    Delay: (("clip", "codec"),
            {name: attrgetter(name) for name in ("found", "inverted", "own_lag_s")}),
    Score: (("clip", "codec", "metric", "status", "reason"),
            {"value": lambda row: row.value if row.status == "ok" else None}),
    Embedded: (("clip", "codec", "metric", "status", "reason", "reference", "degraded"),
               {"value": lambda _: None}),
}  # fmt: skip


def _frame(folder: RunFolder, kind: type[Any]) -> "pd.DataFrame":
    """All rows of a kind, the last of each clip, codec and metric; texts stay one object each."""
    texts, numbers = _KEPT[kind]
    known = {column: defaultdict[str, int](count().__next__) for column in texts}  # numbered
    codes = {column: array("i") for column in texts}
    values = {column: array("d") for column in numbers}
    for _, block in folder.read_blocks(kind):
        for column, seen in known.items():
            codes[column].extend(map(seen.__getitem__, map(attrgetter(column), block)))
        for column, value_of in numbers.items():
            of_rows = np.array([*map(value_of, block)], float)  # None becomes NaN
            values[column].frombytes(of_rows.tobytes())
    columns: dict[str, Any] = {}
    for column, seen in known.items():
        index = pd.Index(list(seen), dtype=str)
        columns[column] = pd.Categorical.from_codes(np.array(codes[column], np.intc), index)
    frame = pd.DataFrame({**columns, **{c: np.array(v, float) for c, v in values.items()}})
    key = [column for column in ("clip", "codec", "metric") if column in texts]
    return frame.drop_duplicates(key, keep="last")


def _fill(frame: "pd.DataFrame", cells_of: Callable[..., Cells]) -> None:
    """Enter rows into the structured arrays of their codecs, or of codecs and metrics."""
    key = [column for column in ("codec", "metric") if column in frame]
    for of, rows in frame.groupby(key, sort=False, observed=True):
        cells = cells_of(*of)
        for column in cells.dtype.names or ():
            cells[column][rows["clip"]] = rows[column]


def scores_frame(run: RunFolder | Path) -> "pd.DataFrame":
    """Every score of a run folder, one row each; StoreError if it holds no run.

    Columns: ``clip``, ``domain``, ``cluster`` (speaker or track; missing where not known),
    ``codec`` (operating point), ``model``, ``condition`` (empty: none), ``kbps`` (of this clip),
    ``tokens_per_s``, ``metric``, ``value`` (NaN unless ``status`` is ``ok``), ``status`` and
    ``reason``.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    frame, coded, specs = _frame(folder, Score), _frame(folder, Coded), folder.run.codecs
    clips = list(folder.read(Clip))
    domains = dict(zip(coded["clip"], coded["domain"], strict=True))
    domains |= {clip.id: clip.domain for clip in clips}
    coded = coded.set_index(["clip", "codec"])
    kbps = coded["bits"] / coded["duration_s"].where(coded["duration_s"] > 0) / 1000
    clip, codec = frame["clip"].astype(object), frame["codec"].astype(object)
    frame["domain"] = clip.map(domains).fillna("unknown").astype("category")
    frame["cluster"] = clip.map({one.id: one.cluster for one in clips})
    frame["model"] = codec.map({spec.name: spec.model for spec in specs})
    frame["condition"] = codec.map({spec.name: spec.condition for spec in specs})
    tokens_per_s = codec.map({spec.name: spec.tokens_per_s for spec in specs})
    pairs, measured = list(zip(clip, codec, strict=True)), coded["tokens"] / coded["duration_s"]
    for column, of_pair in (("kbps", kbps.to_dict()), ("tokens_per_s", measured.to_dict())):
        frame[column] = [of_pair.get(pair, np.nan) for pair in pairs]
    frame["tokens_per_s"] = tokens_per_s.astype(float).fillna(frame["tokens_per_s"])
    about = ["clip", "domain", "cluster", "codec", "model", "condition", "kbps", "tokens_per_s"]
    return frame[[*about, "metric", "value", "status", "reason"]].reset_index(drop=True)
