"""The ladder of a codec's rates: nominal, actual, entropy, held out, coded.

What each rung means is said in docs/rates.md. Everything here is over the clips of one domain, and
intervals are over their speakers or tracks, with every estimate made anew without each of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.entropy import CodebookEntropy, corrected_entropy_bits, held_out_bits
from snacbench.stats.clusters import cluster_clips
from snacbench.stats.intervals import Interval, jackknife_interval
from snacbench.tables.conditions import left_out_note, without_conditions
from snacbench.tables.footnotes import run_notes
from snacbench.tables.layouts import parts as p
from snacbench.tables.run_rows import ALL_DOMAINS, Cells, RunRows
from snacbench.tables.side_by_side import By, Entry, coded_together, domains_of, entries_of
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.types import DOMAINS, Floats
from snacbench.units import bits_per_code, kbps


class Book(NamedTuple):
    """One codebook: its entropy with an interval in bits per token, and its held-out bits in all.

    `interval` is empty-handed (no ends) where there is a single unit.
    """

    entropy: CodebookEntropy
    interval: Interval
    held_out: float | None


class Coded(NamedTuple):
    """What a coder wrote: kbps (1000 bit/s) with side information, and bits per token by stream.

    `clips` were written. Bits per token are known where these are all of the codec's clips.
    """

    kbps: float
    bits_per_token: tuple[float, ...]
    clips: int


class Ladder(NamedTuple):
    """The rates of one operating point over one domain, in kbps (1000 bit/s); None: not known.

    `record` is the one of `Entry.record`; `entropy` and `efficiency` have intervals over clusters;
    `held_out_kbps` is the order-0 code length of each half of the clusters under tables trained on
    the other; `n` clips were coded.
    """

    entry: Entry
    record: Mapping[str, Any]
    entropy: Interval | None
    efficiency: Interval | None
    held_out_kbps: float | None
    books: tuple[Book, ...]
    coded: Mapping[str, Coded]
    n: int


def ladder_of(entry: Entry, domain: str) -> Ladder:
    """All rates of a codec over the clips of a domain."""
    codec = entry.columns
    clips = codec.ok(domain)

    def rate_kbps(bits: Iterable[float], of: Cells) -> float:
        """Of the bits of codes, with the side information of the clips that they are of."""
        cells = codec.coded[of]
        return kbps(math.fsum([*bits, *cells["side_info_bits"]]), math.fsum(cells["duration_s"]))

    rate = efficiency = held_out_kbps = None
    books: tuple[Book, ...] = ()
    if codec.counted(domain):
        rate, efficiency, books = _entropies(entry, domain)
        bits = [book.held_out for book in books if book.held_out is not None]
        held_out_kbps = rate_kbps(bits, clips) if len(bits) == len(books) else None
    coded = {}
    for coder in codec.written:
        written, streams = codec.written_by(coder, clips)
        if len(written):
            tokens = [book.entropy.tokens for book in books] if len(written) == len(clips) else []
            per_token = tuple((streams / tokens).tolist()) if tokens else ()
            coded[coder] = Coded(rate_kbps(streams, written), per_token, len(written))
    record = entry.record(domain, entry.coded(domain))
    return Ladder(entry, record, rate, efficiency, held_out_kbps, books, coded, len(clips))


def _entropies(entry: Entry, domain: str) -> tuple[Interval, Interval, tuple[Book, ...]]:
    """Rate in kbps (1000 bit/s), efficiency and every codebook's entropy with their intervals."""
    # For codecs whose codes were counted, see `CodecColumns.counted`.
    codec = entry.columns
    books, streams, clips = codec.entropies(domain), codec.spec.streams, codec.ok(domain)
    units, counts = codec.counts_by_unit(domain)
    cells = codec.coded[clips]
    own = [cells[(cells["domain"] == domain) & (cells["unit"] == unit)] for domain, unit in units]
    seconds, side_bits = (  # in any order of the clips
        np.array([math.fsum(of_unit[column]) for of_unit in own])
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

    def rate_kbps(bits: Floats, kept: NDArray[np.bool_]) -> float:
        sent = bits @ tokens[:, kept].sum(axis=1) + side_bits[kept].sum()
        return kbps(float(sent), math.fsum(seconds[kept]))

    def efficiency(bits: Floats, _: NDArray[np.bool_]) -> float:
        """Streams weighted by their frame rates; how long a unit is does not matter."""
        return float(bits @ frame_rates_hz / (packed_bits @ frame_rates_hz))

    estimates = np.array([book.corrected_bits for book in books])
    tops = np.log2([book.codebook_size for book in books])
    every, each = np.ones(len(units), bool), np.eye(len(units), dtype=bool)
    # Estimate, the same without each unit, and the highest that it can be.
    asked = [(book.corrected_bits, left[:, i], float(tops[i])) for i, book in enumerate(books)]
    for figure in (rate_kbps, efficiency):
        without = np.array([figure(bits, ~one) for bits, one in zip(left, each, strict=False)])
        asked.append((figure(estimates, every), without, figure(tops, every)))
    chosen = [entry.rows.clips[clip] for clip in clips.tolist()]
    clustering = cluster_clips([clip.cluster for clip in chosen])
    by_domain = ([clip.cluster for clip in chosen if clip.domain == one] for one in DOMAINS)
    few = [cluster_clips(labels).few for labels in by_domain]
    *of_books, rate, share = (
        jackknife_interval(
            estimate, without, seconds[: len(left)], n=len(chosen), clusters=clustering.count,
            most=most, independence_assumed=clustering.independence_assumed,
            these_clusters_only=any(few),
        )
        for estimate, without, most in asked
    )  # fmt: skip
    odd = np.array([unit % 2 == 1 for _, unit in units])
    held_out = (held_out_bits([of_stream[half] for half in (odd, ~odd)]) for of_stream in counts)
    return rate, share, tuple(map(Book, books, of_books, held_out))


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
    runs, out = without_conditions(runs)  # whose rates are those of the points without
    for domain in domains_of(runs, by):
        ours = (entry for entry in entries_of(runs) if not entry.anchor)
        entries = [entry for entry in ours if len(entry.columns.ok(domain))]
        found = [ladder_of(entry, domain) for entry in entries]
        notes = list(run_notes(runs, entries, entropy=True))
        notes += [left_out_note(out, "'snacbench table RUN'")] if out else []
        if lost := coded_together(entries, domain).lost:
            listed = ", ".join(f"{label} lacks {count}" for label, count in lost.items())
            # Estimates pool all codes of a codec, so each keeps its own clips.
            own = f"Every row is over the clips that its codec coded: {listed} that others have."
            notes.insert(0, own)
        counted = [one for one in found if one.books]
        made = [_rates(found, notes), *([_use(counted)] if counted else [])]
        if any(entry.columns.varies for entry in entries):
            facts = (p.CLIPS_KBPS, p.OVER_TIME)
            of = {o.entry.label: {f.column: f.of(o.entry, o.record) for f in facts} for o in found}
            made.append(_table("Spread of the rates", of, " ".join(fact.note for fact in facts)))
        if codebooks:
            made += map(_books, counted)
        where = "all clips" if domain == ALL_DOMAINS else domain
        tables += [replace(table, title=f"{table.title}, {where}", domain=domain) for table in made]
    return [table.lettered() for table in tables]


def _estimate(one: Ladder, fact: p.Fact, interval: Interval | None, factor: float = 1.0) -> Cell:
    """An estimate with its interval times a factor, or the range that stands in its place."""
    cell = fact.of(one.entry, one.record)
    if cell.interval:
        return cell
    if interval and interval.low is not None and interval.high is not None:
        mean, low, high = (factor * x for x in (interval.mean, interval.low, interval.high))
        interval = replace(interval, mean=mean, low=low, high=high)
    notes = () if all(book.entropy.reliable for book in one.books) else (p.FEW_TOKENS,)
    return replace(cell, interval=interval, notes=notes)


def _rates(found: Sequence[Ladder], notes: Sequence[str]) -> Table:
    coders = list(dict.fromkeys(name for one in found for name in one.coded))
    columns = (
        Column("nominal_kbps", "nominal"),
        Column("actual_kbps", "actual"),
        Column("entropy_kbps", "entropy", kind="estimate"),
        Column("held_out_kbps", "held out"),
        *(Column(f"{name}_kbps", name) for name in coders),
    )
    rows = []
    for one in found:
        entropy = _estimate(one, p.ENTROPY, one.entropy)
        cells = [p.NOMINAL.of(one.entry, one.record), p.KBPS.of(one.entry, one.record), entropy]
        row = Row.of(one.entry.label, columns[:4], *cells, one.held_out_kbps)
        written = {}
        for name, coded in one.coded.items():
            fewer = (f"{coded.clips} of {one.n} clips were written.",) * (coded.clips < one.n)
            written[f"{name}_kbps"] = Cell(coded.kbps, n=coded.clips, notes=fewer)
        rows.append(replace(row, cells={**row.cells, **written}))
    more = "What entropy coders really write: 'snacbench entropy RUN' adds it."
    if coders:
        more = "The columns after it are of bytes that coders really wrote, with such tables."
    intervals = [one.entropy for one in found if one.entropy and one.entropy.low is not None]
    methods = dict.fromkeys(interval.footnote() for interval in intervals)
    about = [f"In brackets intervals of the entropy: {method}." for method in methods]
    return Table("Rates in kbps", columns, tuple(rows), (_RATE_NOTE, more, *about, *notes))


def _use(found: Sequence[Ladder]) -> Table:
    rows: dict[str, dict[Column, Cell | float | None]] = {}
    for one in found:
        books = [book.entropy for book in one.books]
        entries = sum(book.codebook_size for book in books)
        fewest = min(books, key=lambda book: book.tokens / book.codebook_size)
        corrected = replace(p.EFFICIENCY.column, heading="efficiency corrected", better=None)
        rows[one.entry.label] = {
            replace(p.PLUG_IN_EFFICIENCY.column, better=None):
                p.PLUG_IN_EFFICIENCY.of(one.entry, one.record),
            corrected: _estimate(one, p.EFFICIENCY, one.efficiency, 100.0),
            Column("tokens", "tokens", digits=0): fewest.tokens,
            Column("tokens_per_entry", "tokens per entry", digits=1):
                fewest.tokens / fewest.codebook_size,
            Column("usage_percent", "usage", "%", digits=1):
                100 * sum(book.used for book in books) / entries,
            Column("dead", "dead codes", digits=0): sum(book.dead for book in books),
            Column("entries", "of entries", digits=0): entries,
        }  # fmt: skip
    return _table("Use of the codebooks", rows, _USE_NOTE)


def _books(one: Ladder) -> Table:
    coded = {name: c.bits_per_token for name, c in one.coded.items() if c.bits_per_token}
    rows: dict[str, dict[Column, Cell | float | None]] = {}
    for i, book in enumerate(one.books):
        of = book.entropy
        few = () if of.reliable else (p.FEW_TOKENS,)
        estimate = Cell(of.corrected_bits, interval=book.interval, notes=few)
        rows[f"{i + 1}"] = {
            Column("entries", "entries", digits=0): of.codebook_size,
            Column("packed_bits", "packed", "bit", digits=0): bits_per_code(of.codebook_size),
            Column("tokens", "tokens", digits=0): of.tokens,
            Column("plug_in_bits", "plug-in", "bit", digits=3): of.plug_in_bits,
            Column("entropy_bits", "entropy", "bit", digits=3, kind="estimate"):
                p.range_cell(of.lowest_bits, of.highest_bits) if of.range_only else estimate,
            Column("held_out_bits", "held out", "bit", digits=3):
                None if book.held_out is None else book.held_out / of.tokens,
            **{Column(f"{n}_bits", n, "bit", digits=3): bits[i] for n, bits in coded.items()},
            Column("perplexity", "perplexity", digits=0):
                None if of.range_only else 2.0**of.corrected_bits,
            Column("usage_percent", "usage", "%", digits=1): 100 * (of.used / of.codebook_size),
            Column("dead", "dead codes", digits=0): of.dead,
        }  # fmt: skip
    note = "Bits per token. Perplexity: of the corrected entropy."
    return _table(f"Codebooks of {one.entry.label}", rows, note, "codebook")


def _table(
    title: str,
    rows: Mapping[str, Mapping[Column, Cell | float | None]],
    note: str,
    label_heading: str = "codec",
) -> Table:
    """A table of rows, by label, that all have the same columns."""
    columns = tuple(next(iter(rows.values())))
    made = (Row.of(label, columns, *cells.values()) for label, cells in rows.items())
    return Table(title, columns, tuple(made), (note,), label_heading)
