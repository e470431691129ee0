"""The ladder of a codec's rates: nominal, actual, entropy, held out, coded.

What each rung means is said in docs/rates.md. Everything here is over the clips of one domain, and
intervals are over their speakers or tracks, with every estimate made anew without each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, HeldOut, corrected_entropy_bits, held_out_order0
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import Interval, jackknife_interval
from snacbench.tables.footnotes import run_notes
from snacbench.tables.layouts.parts import FEW_TOKENS, range_cell
from snacbench.tables.run_rows import ALL_DOMAINS, CodecColumns, Floats, RunRows, few_clusters
from snacbench.tables.side_by_side import By, Entry, Span, coded_together, domains_of, entries_of
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.types import DOMAINS, CodecSpec
from snacbench.units import bits_per_code, kbps


@dataclass(frozen=True)
class Book:
    """One codebook: its entropy with an interval in bits per token, and its held-out code length.

    `interval` is empty-handed (no ends) where there is a single unit.
    """

    entropy: CodebookEntropy
    interval: Interval
    held_out: HeldOut | None


@dataclass(frozen=True)
class Coded:
    """What a coder wrote: kbps (1000 bit/s) with side information, and bits per token by stream.

    `clips` were written. Bits per token are known where these are all of the codec's clips.
    """

    kbps: float
    bits_per_token: tuple[float, ...]
    clips: int


@dataclass(frozen=True)
class Ladder:
    """The rates of one operating point over one domain, in kbps (1000 bit/s); None: not known.

    `record` is the one of `Entry.record`; `entropy` and `efficiency` have intervals over clusters;
    `held_out_kbps` is the order-0 code length of each half of the clusters under tables trained on
    the other; `n` clips were coded.
    """

    spec: CodecSpec
    record: Mapping[str, Any]
    entropy: Interval | None
    efficiency: Interval | None
    held_out_kbps: float | None
    books: tuple[Book, ...]
    coded: Mapping[str, Coded]
    n: int


def ladder_of(rows: RunRows, codec: CodecColumns, domain: str) -> Ladder:
    """All rates of a codec over the clips of a domain."""
    clips, entry = codec.ok(domain), Entry(codec.spec.name, rows, codec)
    rate = efficiency = held_out_kbps = None
    books: tuple[Book, ...] = ()
    cells = codec.coded[clips]
    if codec.counted(domain):
        rate, efficiency, books = _entropies(rows, codec, domain)
        bits = [book.held_out.bits for book in books if book.held_out is not None]
        if len(bits) == len(books):
            total = math.fsum([*bits, *cells["side_info_bits"]])
            held_out_kbps = kbps(total, math.fsum(cells["duration_s"]))
    coded = {}
    for coder in codec.written:
        written, streams = codec.written_by(coder, clips)
        if len(written):
            cells = codec.coded[written]
            total = math.fsum([*streams, *cells["side_info_bits"]])
            tokens = [book.entropy.tokens for book in books] if len(written) == len(clips) else []
            per_token = tuple((streams / tokens).tolist()) if tokens else ()
            rate_kbps = kbps(total, math.fsum(cells["duration_s"]))
            coded[coder] = Coded(rate_kbps, per_token, len(written))
    record = entry.record(domain, entry.coded(domain))
    return Ladder(codec.spec, record, rate, efficiency, held_out_kbps, books, coded, len(clips))


def _entropies(
    rows: RunRows, codec: CodecColumns, domain: str
) -> tuple[Interval, Interval, tuple[Book, ...]]:
    """Rate in kbps (1000 bit/s), efficiency and every codebook's entropy with their intervals.

    For codecs whose codes were counted, see `CodecColumns.counted`.
    """
    books, streams, clips = codec.entropies(domain), codec.spec.streams, codec.ok(domain)
    units, counts = codec.counts_by_unit(domain)
    cells = codec.coded[clips]
    of_unit = [units.index(unit) for unit in zip(cells["domain"], cells["unit"], strict=True)]
    seconds, side_bits = (
        np.asarray(np.bincount(of_unit, cells[column], minlength=len(units)), float)
        for column in ("duration_s", "side_info_bits")
    )
    tokens = np.array([of_stream.sum(axis=1) for of_stream in counts], float)
    frame_rates_hz = np.array([float(stream.frame_rate_hz) for stream in streams])
    packed_bits = np.array([bits_per_code(stream.codebook_size) for stream in streams])
    # Entropy in bits with one unit left out at a time, shape (units, streams); empty for one.
    left = np.zeros((0, len(counts)))
    if len(units) > 1:
        each_left = [
            [corrected_entropy_bits(of_stream.sum(axis=0) - unit) for unit in of_stream]
            for of_stream in counts
        ]
        left = np.array(each_left).T
    chosen = [rows.clips[clip] for clip in clips.tolist()]
    clustering = cluster_clips([clip.cluster for clip in chosen])
    few = [few_clusters([c.cluster for c in chosen if c.domain == one]) for one in DOMAINS]

    def interval(estimate: float, without: Floats, most: float) -> Interval:
        """From the estimates without each unit; `most` is the highest that it can be."""
        return jackknife_interval(
            float(estimate),
            without,
            seconds[: len(left)],
            n=len(chosen),
            clusters=clustering.count,
            most=float(most),
            independence_assumed=clustering.independence_assumed,
            these_clusters_only=any(few),
        )

    def rate_kbps(bits: Floats, kept: NDArray[np.bool_]) -> float:
        sent = bits @ tokens[:, kept].sum(axis=1) + side_bits[kept].sum()
        return kbps(float(sent), seconds[kept].sum())

    def efficiency(bits: Floats, _: NDArray[np.bool_]) -> float:
        """Streams weighted by their frame rates; how long a unit is does not matter."""
        return float(bits @ frame_rates_hz / (packed_bits @ frame_rates_hz))

    estimates = np.array([book.corrected_bits for book in books])
    tops = np.log2([book.codebook_size for book in books])
    everything, each = np.ones(len(units), bool), np.eye(len(units), dtype=bool)
    rate, share = (
        interval(
            statistic(estimates, everything),
            np.array([statistic(bits, ~one) for bits, one in zip(left, each, strict=False)]),
            statistic(tops, everything),
        )
        for statistic in (rate_kbps, efficiency)
    )
    odd = np.array([unit % 2 == 1 for _, unit in units])
    found = []
    for i, (book, of_stream) in enumerate(zip(books, counts, strict=True)):
        held_out = held_out_order0([of_stream[half] for half in (odd, ~odd)])
        found.append(Book(book, interval(book.corrected_bits, left[:, i], tops[i]), held_out))
    return rate, share, tuple(found)


Ladders = Sequence[tuple[Entry, Ladder]]

_RATE_NOTE = (
    "Actual: padding and side information included, over the clips' duration. Entropy: order 0, "
    "Chao-Wang-Jost estimate. Held out: of tables trained on the other half of the speakers or "
    "tracks."
)
_USE_NOTE = (
    "Bitrate efficiency: of plug-in entropies, as Kumar et al. (2023) define it. Tokens: of the "
    "codebook that has fewest per entry. Dead codes may, with few tokens, only be rare."
)


def ladder_tables(
    runs: Sequence[RunRows], *, by: By = "all", codebooks: bool = False
) -> list[Table]:
    """All tables of the ladder, domain by domain; with `codebooks` one per codec too."""
    tables: list[Table] = []
    for domain in domains_of(runs, by):
        found = [
            (entry, ladder_of(entry.rows, entry.columns, domain))
            for entry in entries_of(runs)
            if len(entry.columns.ok(domain)) and not entry.anchor
        ]
        entries = [entry for entry, _ in found]
        notes = list(run_notes(runs, entries, entropy=True))
        if lost := coded_together(entries, domain).lost:
            listed = ", ".join(f"{label} lacks {count}" for label, count in lost.items())
            # Estimates pool all codes of a codec, so each keeps its own clips.
            notes.insert(
                0,
                f"Every row is over the clips that its codec coded: {listed} that others have.",
            )
        use = _use(found)
        made = [_rates(found, notes), *([use] if use.rows else ())]  # notes stand without a row too
        if codebooks:
            made += [_books(entry, one) for entry, one in found if one.books]
        where = "all clips" if domain == ALL_DOMAINS else domain
        tables += [replace(table, title=f"{table.title}, {where}", domain=domain) for table in made]
    return [table.lettered() for table in tables]


def _coded_cell(one: Ladder, name: str) -> Cell:
    coded = one.coded.get(name)
    if coded is None:
        return Cell()
    fewer = (f"{coded.clips} of {one.n} clips were written.",) if coded.clips < one.n else ()
    return Cell(coded.kbps, n=coded.clips, notes=fewer)


def _estimate(one: Ladder, key: str, interval: Interval | None, factor: float = 1.0) -> Cell:
    """An estimate with its interval, or the range that stands in its place."""
    value = one.record.get(key)
    if isinstance(value, Span):
        return range_cell(factor * value.low, factor * value.high)
    if interval and interval.low is not None and interval.high is not None:
        mean, low, high = (factor * x for x in (interval.mean, interval.low, interval.high))
        interval = replace(interval, mean=mean, low=low, high=high)
    reliable = all(book.entropy.reliable for book in one.books)
    notes = () if reliable else (FEW_TOKENS,)
    return Cell(None if value is None else factor * value, interval, notes=notes)


def _rates(found: Ladders, notes: Sequence[str]) -> Table:
    coders = list(dict.fromkeys(name for _, one in found for name in one.coded))
    columns = (
        Column("nominal_kbps", "nominal"),
        Column("actual_kbps", "actual"),
        Column("entropy_kbps", "entropy", kind="estimate"),
        Column("held_out_kbps", "held out"),
        *(Column(f"{name}_kbps", name) for name in coders),
    )
    rows = []
    for entry, one in found:
        stated = (one.record.get(f"{key}_kbps") for key in ("nominal", "actual"))
        entropy = _estimate(one, "entropy_kbps", one.entropy)
        written = (_coded_cell(one, name) for name in coders)
        cells = (*stated, entropy, one.held_out_kbps, *written)
        rows.append(Row.of(entry.label, columns, *cells))
    more = "What entropy coders really write: 'snacbench entropy RUN' adds it."
    if coders:
        more = "The columns after it are of bytes that coders really wrote, with such tables."
    intervals = [one.entropy for _, one in found if one.entropy and one.entropy.low is not None]
    methods = dict.fromkeys(interval.footnote() for interval in intervals)
    about = [f"In brackets intervals of the entropy: {method}." for method in methods]
    return Table("Rates in kbps", columns, tuple(rows), (_RATE_NOTE, more, *about, *notes))


def _use(found: Ladders) -> Table:
    columns = (
        Column("bitrate_efficiency_percent", "bitrate efficiency", "%", digits=1),
        Column("efficiency_percent", "efficiency corrected", "%", digits=1, kind="estimate"),
        Column("tokens", "tokens", digits=0),
        Column("tokens_per_entry", "tokens per entry", digits=1),
        Column("usage_percent", "usage", "%", digits=1),
        Column("dead", "dead codes", digits=0),
        Column("entries", "of entries", digits=0),
    )
    rows = []
    for entry, one in ((entry, one) for entry, one in found if one.books):
        books = [book.entropy for book in one.books]
        plug_in, entries = one.record.get("bitrate_efficiency"), sum(b.codebook_size for b in books)
        fewest = min(books, key=lambda book: book.tokens / book.codebook_size)
        cells = (
            None if plug_in is None else 100 * plug_in,
            _estimate(one, "efficiency", one.efficiency, 100.0),
            fewest.tokens,
            fewest.tokens / fewest.codebook_size,
            100 * sum(book.used for book in books) / entries,
            sum(book.dead for book in books),
            entries,
        )
        rows.append(Row.of(entry.label, columns, *cells))
    return Table("Use of the codebooks", columns, tuple(rows), (_USE_NOTE,))


def _books(entry: Entry, one: Ladder) -> Table:
    coded = {name: c.bits_per_token for name, c in one.coded.items() if c.bits_per_token}
    columns = (
        Column("entries", "entries", digits=0),
        Column("packed_bits", "packed", "bit", digits=0),
        Column("tokens", "tokens", digits=0),
        Column("plug_in_bits", "plug-in", "bit", digits=3),
        Column("entropy_bits", "entropy", "bit", digits=3, kind="estimate"),
        Column("held_out_bits", "held out", "bit", digits=3),
        *(Column(f"{name}_bits", name, "bit", digits=3) for name in coded),
        Column("perplexity", "perplexity", digits=0),
        Column("usage_percent", "usage", "%", digits=1),
        Column("dead", "dead codes", digits=0),
    )
    rows = []
    for i, book in enumerate(one.books):
        of = book.entropy
        few = () if of.reliable else (FEW_TOKENS,)
        estimate = Cell(of.corrected_bits, interval=book.interval, notes=few)
        cells = (
            of.codebook_size,
            bits_per_code(of.codebook_size),
            of.tokens,
            of.plug_in_bits,
            range_cell(of.lowest_bits, of.highest_bits) if of.range_only else estimate,
            None if book.held_out is None else book.held_out.bits_per_token,
            *(bits[i] for bits in coded.values()),
            None if of.range_only else of.perplexity,
            100 * of.usage,
            of.dead,
        )
        rows.append(Row.of(f"{i + 1}", columns, *cells))
    note = "Bits per token. Perplexity: of the corrected entropy."
    title = f"Codebooks of {entry.label}"
    return Table(title, columns, tuple(rows), (note,), label_heading="codebook")
