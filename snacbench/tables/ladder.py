"""The ladder of a codec's rates: nominal, actual, entropy, held out, coded, conditional.

What each rung means is said in docs/rates.md. Everything here is over the clips of one domain, and
intervals are over their speakers or tracks, with every estimate made anew without each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, HeldOut, corrected_entropy_bits, held_out_order0
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import Interval, jackknife_interval
from snacbench.tables.footnotes import run_notes
from snacbench.tables.layouts._parts import FEW_TOKENS, range_cell
from snacbench.tables.records import RANGES, record_of
from snacbench.tables.run_rows import (
    ALL_DOMAINS,
    CodecColumns,
    Coder,
    Floats,
    RunRows,
    few_clusters,
)
from snacbench.tables.side_by_side import By, Entry, coded_together, domains_of, entries_of
from snacbench.tables.table_model import Cell, Column, Kind, Row, Table
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

    coder: Coder
    kbps: float
    bits_per_token: tuple[float, ...]
    clips: int


@dataclass(frozen=True)
class Ladder:
    """The rates of one operating point over one domain, in kbps (1000 bit/s); None: not known.

    Attributes
    ----------
    record : mapping
        See `records.record_of`: nominal and actual rate, entropy, efficiencies.
    entropy, efficiency : Interval or None
        With intervals over clusters.
    held_out_kbps : float or None
        Order-0 code length of each half of the clusters under tables trained on the other.
    books : tuple of Book
    coded : tuple of Coded
    n : int
    """

    spec: CodecSpec
    record: Mapping[str, float | None]
    entropy: Interval | None
    efficiency: Interval | None
    held_out_kbps: float | None
    books: tuple[Book, ...]
    coded: tuple[Coded, ...]
    n: int

    def of(self, name: str, *, shuffled: bool = False) -> Coded | None:
        """What the coder of a name wrote, or its control."""
        return next((c for c in self.coded if c.coder == Coder(name, shuffled)), None)

    @property
    def conditional(self) -> Coded | None:
        """The context model with the lowest rate over all clips."""
        models = [c for c in self.coded if c.coder.conditional and not c.coder.shuffled]
        complete = [model for model in models if model.clips == self.n]
        return min(complete, key=lambda model: model.kbps, default=None)

    @property
    def few_tokens(self) -> tuple[str, ...]:
        """What is to be said where some codebook has few tokens."""
        return () if all(book.entropy.reliable for book in self.books) else (FEW_TOKENS,)


def ladder_of(rows: RunRows, codec: CodecColumns, domain: str) -> Ladder:
    """All rates of a codec over the clips of a domain."""
    clips, entry = codec.ok(domain), Entry(codec.spec.name, rows, codec)
    rate = efficiency = held_out_kbps = None
    books: tuple[Book, ...] = ()
    if codec.counted(domain):
        rate, efficiency, books = _entropies(rows, codec, domain)
        bits = [book.held_out.bits for book in books if book.held_out is not None]
        if len(bits) == len(books):
            cells = codec.coded[clips]
            total = math.fsum([*bits, *cells["side_info_bits"]])
            held_out_kbps = kbps(total, math.fsum(cells["duration_s"]))
    coded = []
    for coder in codec.written:
        written = codec.written_clips(coder, clips)
        if len(written):
            cells = codec.coded[written]
            duration_s, streams = math.fsum(cells["duration_s"]), codec.written_bits(coder, written)
            tokens = [book.entropy.tokens for book in books] if len(written) == len(clips) else []
            one = Coded(
                coder=coder,
                kbps=kbps(math.fsum([*streams, *cells["side_info_bits"]]), duration_s),
                bits_per_token=tuple((streams / tokens).tolist()) if tokens else (),
                clips=len(written),
            )
            coded.append(one)
    record = record_of(entry, domain, entry.coded(domain))
    return Ladder(
        codec.spec, record, rate, efficiency, held_out_kbps, books, tuple(coded), len(clips)
    )


def _entropies(
    rows: RunRows, codec: CodecColumns, domain: str
) -> tuple[Interval, Interval, tuple[Book, ...]]:
    """Rate in kbps (1000 bit/s), efficiency and every codebook's entropy with their intervals.

    For codecs whose codes were counted, see `CodecColumns.counted`.
    """
    books, streams = codec.entropies(domain), codec.spec.streams
    units, counts = codec.counts_by_unit(domain)
    place = {unit: i for i, unit in enumerate(units)}
    cells = codec.coded[codec.ok(domain)]
    of_unit = [place[pair] for pair in zip(cells["domain"].tolist(), cells["unit"].tolist())]  # noqa: B905
    seconds, side_bits = (
        np.asarray(np.bincount(of_unit, cells[column], minlength=len(units)), float)
        for column in ("duration_s", "side_info_bits")
    )
    tokens = np.array([of_stream.sum(axis=1) for of_stream in counts], float)
    frame_rates_hz = np.array([float(stream.frame_rate_hz) for stream in streams])
    packed_bits = np.array([bits_per_code(stream.codebook_size) for stream in streams])

    def rate_kbps(bits: Floats, kept: NDArray[np.bool_]) -> float:
        sent = bits @ tokens[:, kept].sum(axis=1) + side_bits[kept].sum()
        return kbps(float(sent), seconds[kept].sum())

    def efficiency(bits: Floats, _: NDArray[np.bool_]) -> float:
        """Streams weighted by their frame rates; how long a unit is does not matter."""
        return float(bits @ frame_rates_hz / (packed_bits @ frame_rates_hz))

    # Entropy in bits with one unit left out at a time, shape (units, streams); empty for one.
    left = np.zeros((0, len(counts)))
    if len(units) > 1:
        each_left = [
            [corrected_entropy_bits(of_stream.sum(axis=0) - unit) for unit in of_stream]
            for of_stream in counts
        ]
        left = np.array(each_left).T
    estimates = np.array([book.corrected_bits for book in books])
    tops = np.log2([book.codebook_size for book in books])
    everything, each = np.ones(len(units), bool), np.eye(len(units), dtype=bool)
    interval = partial(_interval, rows, codec, domain, seconds[: len(left)])
    rate, share = (
        interval(
            float(statistic(estimates, everything)),
            np.array([statistic(bits, ~one) for bits, one in zip(left, each, strict=False)]),
            float(statistic(tops, everything)),
        )
        for statistic in (rate_kbps, efficiency)
    )
    odd = np.array([unit % 2 == 1 for _, unit in units])
    found = tuple(
        Book(
            book,
            interval(book.corrected_bits, left[:, i], float(tops[i])),
            held_out_order0([of_stream[half] for half in (odd, ~odd)]),
        )
        for i, (book, of_stream) in enumerate(zip(books, counts, strict=True))
    )
    return rate, share, found


def _interval(  # noqa: PLR0913, PLR0917 - the first four are the same for all of a codec
    rows: RunRows,
    codec: CodecColumns,
    domain: str,
    weights: Floats,
    estimate: float,
    left: Floats,
    most: float,
) -> Interval:
    """Of an estimate, from those without each unit; `most` is the highest that it can be."""
    chosen = [rows.clips[clip] for clip in codec.ok(domain).tolist()]
    clustering = cluster_clips([clip.cluster for clip in chosen], clips=len(chosen))
    by_domain = [[c.cluster for c in chosen if c.domain == one] for one in DOMAINS]
    return jackknife_interval(
        estimate,
        left,
        weights,
        n=len(chosen),
        clusters=clustering.count,
        most=most,
        independence_assumed=clustering.independence_assumed,
        these_clusters_only=any(few_clusters(labels) for labels in by_domain),
    )


Ladders = Sequence[tuple[Entry, Ladder]]

_RATE_NOTES = (
    "Nominal: what the authors would state. Actual: bits sent, padding and side information "
    "included, over the clips' duration.",
    "Entropy: an ideal order-0 coder that knows the codes' statistics (Chao-Wang-Jost estimate).",
    "Held out: the same with tables trained on half of the speakers or tracks, coding the others.",
)
_CONTEXT_NOTE = (
    "Savings against adaptive, which knows the same except for the context; negative: the "
    "context costs more than it tells. Shuffled: the same with the tokens of every stream "
    "permuted, where a context can tell nothing and must save nothing."
)
_USE_NOTES = (
    "Bitrate efficiency: plug-in entropies over bits, as Kumar et al. (2023) define it; low with "
    "few tokens. Efficiency: the same of corrected entropies.",
    "Tokens and tokens per entry: of the codebook that has fewest per entry. Usage: entries "
    "that occur; dead: those that do not, which with few tokens may only be rare.",
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
        made = [_rates(found, notes)]
        made += [table for table in (_contexts(found), _use(found)) if table.rows]
        if codebooks:
            made += [_books(entry, one) for entry, one in found if one.books]
        where = "all clips" if domain == ALL_DOMAINS else domain
        tables += [replace(table, title=f"{table.title}, {where}", domain=domain) for table in made]
    return [table.lettered() for table in tables]


Makers = Mapping[Column, Callable[[Ladder], Cell]]


def _filled(found: Ladders, columns: Makers) -> list[Row]:
    return [
        Row(entry.label, {column.key: make(one) for column, make in columns.items()})
        for entry, one in found
    ]


def _rates(found: Ladders, notes: Sequence[str]) -> Table:
    coders = dict.fromkeys(
        c.coder.name for _, one in found for c in one.coded if not c.coder.shuffled
    )
    columns: Makers = {
        Column("nominal_kbps", "nominal"): lambda one: Cell(one.record.get("nominal_kbps")),
        Column("actual_kbps", "actual"): lambda one: Cell(one.record.get("actual_kbps")),
        Column("entropy_kbps", "entropy", kind="estimate"): lambda one: _estimate(
            one, "entropy_kbps", one.entropy
        ),
        Column("held_out_kbps", "held out"): lambda one: Cell(one.held_out_kbps),
        **{Column(f"{c}_kbps", c): partial(_coded_cell, name=c) for c in coders},
    }
    written = (
        "The columns after it: bytes that the coder really wrote, tables held out likewise."
        if coders
        else "What entropy coders really write: 'snacbench entropy RUN' adds it."
    )
    intervals = [one.entropy for _, one in found if one.entropy and one.entropy.low is not None]
    methods = dict.fromkeys(interval.footnote() for interval in intervals)
    about = [f"In brackets intervals of the entropy: {method}." for method in methods]
    footnotes = (*_RATE_NOTES, written, *about, *notes)
    return Table("Rates in kbps", tuple(columns), tuple(_filled(found, columns)), footnotes)


def _coded_cell(one: Ladder, name: str) -> Cell:
    coded = one.of(name)
    if coded is None:
        return Cell()
    fewer = coded.clips < one.n
    notes = (f"{coded.clips} of {one.n} clips were written.",) if fewer else ()
    return Cell(coded.kbps, n=coded.clips, notes=notes)


def _estimate(one: Ladder, key: str, interval: Interval | None, factor: float = 1.0) -> Cell:
    """An estimate with its interval, or the range that stands in its place."""
    low, high = (one.record.get(end) for end in RANGES[key])
    if low is not None and high is not None:
        return range_cell(factor * low, factor * high)
    if interval and interval.low is not None and interval.high is not None:
        mean, low, high = (factor * x for x in (interval.mean, interval.low, interval.high))
        interval = replace(interval, mean=mean, low=low, high=high)
    value = one.record.get(key)
    return Cell(None if value is None else factor * value, interval, notes=one.few_tokens)


def _contexts(found: Ladders) -> Table:
    """What context models save of the rate that ``adaptive`` needs, beside their controls."""

    def saving(one: Ladder, name: str, *, shuffled: bool) -> Cell:
        model, plain = (one.of(n, shuffled=shuffled) for n in (name, "adaptive"))
        if model is None or plain is None or model.clips != plain.clips:
            return Cell()
        return Cell(100 * (1 - model.kbps / plain.kbps))

    names = dict.fromkeys(
        c.coder.name for _, one in found for c in one.coded if c.coder.conditional
    )
    columns: dict[Column, Callable[[Ladder], Cell]] = {
        Column("adaptive_kbps", "adaptive", "kbps"): partial(_coded_cell, name="adaptive")
    }
    for name in names:
        for key, heading, shuffled in (("saving", "saves", False), ("control", "shuffled", True)):
            column = Column(f"{name}_{key}_percent", f"{name} {heading}", "%", digits=1)
            columns[column] = partial(saving, name=name, shuffled=shuffled)
    rows = [
        r for r in _filled(found, columns) if any(c.value is not None for c in r.cells.values())
    ]
    return Table("Context models", tuple(columns), tuple(rows if names else ()), (_CONTEXT_NOTE,))


def _use(found: Ladders) -> Table:
    def books(one: Ladder) -> list[CodebookEntropy]:
        return [book.entropy for book in one.books]

    def fewest(one: Ladder) -> CodebookEntropy:
        return min(books(one), key=lambda book: book.tokens / book.codebook_size)

    def entries(one: Ladder) -> int:
        return sum(book.codebook_size for book in books(one))

    def plug_in(one: Ladder) -> Cell:
        share = one.record["bitrate_efficiency"]
        return Cell(None if share is None else 100 * share)

    columns: Makers = {
        _percent("bitrate_efficiency", "bitrate efficiency"): plug_in,
        _percent("efficiency", "efficiency corrected", kind="estimate"): lambda one: _estimate(
            one, "efficiency", one.efficiency, 100.0
        ),
        Column("tokens", "tokens", digits=0): lambda one: Cell(fewest(one).tokens),
        Column("tokens_per_entry", "tokens per entry", digits=1): lambda one: Cell(
            fewest(one).tokens / fewest(one).codebook_size
        ),
        _percent("usage", "usage"): lambda one: Cell(
            100 * sum(book.used for book in books(one)) / entries(one)
        ),
        Column("dead", "dead codes", digits=0): lambda one: Cell(sum(b.dead for b in books(one))),
        Column("entries", "of entries", digits=0): lambda one: Cell(entries(one)),
    }
    rows = _filled([(entry, one) for entry, one in found if one.books], columns)
    return Table("Use of the codebooks", tuple(columns), tuple(rows), _USE_NOTES)


def _percent(key: str, heading: str, kind: Kind = "value") -> Column:
    return Column(f"{key}_percent", heading, "%", digits=1, kind=kind)


def _books(entry: Entry, one: Ladder) -> Table:
    coded = [c for c in one.coded if c.bits_per_token and not c.coder.shuffled]

    def entropy(book: Book) -> Cell:
        of = book.entropy
        if of.range_only:
            return range_cell(of.lowest_bits, of.highest_bits)
        few = () if of.reliable else (FEW_TOKENS,)
        return Cell(of.corrected_bits, interval=book.interval, notes=few)

    def empty(_: Book) -> Cell:
        return Cell()  # filled below: it depends on the codebook's place

    columns: Mapping[Column, Callable[[Book], Cell]] = {
        Column("entries", "entries", digits=0): lambda b: Cell(b.entropy.codebook_size),
        Column("packed_bits", "packed", "bit", digits=0): lambda b: Cell(
            bits_per_code(b.entropy.codebook_size)
        ),
        Column("tokens", "tokens", digits=0): lambda b: Cell(b.entropy.tokens),
        Column("plug_in_bits", "plug-in", "bit", digits=3): lambda b: Cell(b.entropy.plug_in_bits),
        Column("entropy_bits", "entropy", "bit", digits=3, kind="estimate"): entropy,
        Column("held_out_bits", "held out", "bit", digits=3): lambda b: Cell(
            None if b.held_out is None else b.held_out.bits_per_token
        ),
        **{Column(f"{c.coder.name}_bits", c.coder.name, "bit", digits=3): empty for c in coded},
        Column("perplexity", "perplexity", digits=0): lambda b: Cell(
            None if b.entropy.range_only else b.entropy.perplexity
        ),
        _percent("usage", "usage"): lambda b: Cell(100 * b.entropy.usage),
        Column("dead", "dead codes", digits=0): lambda b: Cell(b.entropy.dead),
    }
    rows = []
    for index, book in enumerate(one.books):
        cells = {column.key: make(book) for column, make in columns.items()}
        cells |= {f"{c.coder.name}_bits": Cell(c.bits_per_token[index]) for c in coded}
        rows.append(Row(f"{index + 1}", cells))
    note = "Bits per token. Perplexity: of the corrected entropy."
    title = f"Codebooks of {entry.label}"
    return Table(title, tuple(columns), tuple(rows), (note,), label_heading="codebook")
