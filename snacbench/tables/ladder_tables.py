"""The ladder of rates as tables: rates, what context models save, and how codebooks are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from snacbench.stats.intervals import Interval
from snacbench.tables.code_entropy import Book
from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.entries import Entry, domains_of, entries_of
from snacbench.tables.footnotes import run_notes
from snacbench.tables.ladder import Coded, Ladder, ladder_of
from snacbench.tables.layouts._parts import FEW_TOKENS, range_cell
from snacbench.tables.options import By
from snacbench.tables.run import RunRows
from snacbench.tables.summary import RANGES
from snacbench.tables.table import Cell, Column, Row, Table
from snacbench.tables.together import coded_together
from snacbench.units import bits_per_code

Ladders = Sequence[tuple[Entry, Ladder]]

_NOMINAL = "Nominal: what the authors would state. Actual: bits sent, padding and side information"
_RATE_NOTES = (
    f"{_NOMINAL} included, over the clips' duration.",
    "Entropy: an ideal order-0 coder that knows the codes' statistics (Chao-Wang-Jost estimate).",
    "Held out: the same with tables trained on half of the speakers or tracks, coding the others.",
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
        where = "all clips" if domain == ALL_DOMAINS else domain
        entries = [entry for entry, _ in found]
        notes = (*_lost_note(entries, domain), *run_notes(runs, entries, entropy=True))
        tables.append(_rates(found, where, notes))
        tables += [make(found, where) for make in (_contexts, _use) if _has_any(make, found)]
        if codebooks:
            tables += [_books(entry, one, where) for entry, one in found if one.books]
    return [table.lettered() for table in tables]


def _lost_note(entries: Sequence[Entry], domain: str) -> Iterator[str]:
    """Estimates pool all codes of a codec, so each keeps its own clips; who lacks some is said."""
    if lost := coded_together(entries, domain).lost:
        listed = ", ".join(f"{label} lacks {count}" for label, count in lost.items())
        yield f"Every row is over the clips that its codec coded: {listed} that others have."


def _has_any(make: object, found: Ladders) -> bool:
    if make is _contexts:
        return any(c.coder.conditional for _, one in found for c in one.coded)
    return any(one.books for _, one in found)


def _rates(found: Ladders, where: str, notes: Sequence[str]) -> Table:
    coders = list(dict.fromkeys(c.coder.name for _, one in found for c in _plain(one)))
    columns = (
        Column("nominal_kbps", "nominal"),
        Column("actual_kbps", "actual"),
        Column("entropy_kbps", "entropy"),
        Column("held_out_kbps", "held out"),
        *(Column(f"{name}_kbps", name) for name in coders),
    )
    rows = [Row(entry.label, _rate_cells(one, coders)) for entry, one in found]
    written = (
        ("The columns after it: bytes that the coder really wrote, tables held out likewise.",)
        if coders
        else ("What entropy coders really write: 'snacbench entropy RUN' adds it.",)
    )
    footnotes = (*_RATE_NOTES, *written, *_interval_notes(found), *notes)
    return Table(f"Rates in kbps, {where}", columns, tuple(rows), footnotes)


def _plain(one: Ladder) -> list[Coded]:
    return [coded for coded in one.coded if not coded.coder.shuffled]


def _rate_cells(one: Ladder, coders: Sequence[str]) -> dict[str, Cell]:
    cells = {key: Cell(one.record.get(key)) for key in ("nominal_kbps", "actual_kbps")}
    cells["entropy_kbps"] = _estimate(one.record, "entropy_kbps", one.entropy, _few(one))
    cells["held_out_kbps"] = Cell(one.held_out_kbps)
    for name in coders:
        cells[f"{name}_kbps"] = _coded_cell(one, one.of(name))
    return cells


def _coded_cell(one: Ladder, coded: Coded | None) -> Cell:
    if coded is None:
        return Cell()
    fewer = coded.clips < one.n
    notes = (f"{coded.clips} of {one.n} clips were written.",) if fewer else ()
    return Cell(coded.kbps, n=coded.clips, notes=notes)


def _estimate(
    record: Mapping[str, float | None],
    key: str,
    interval: Interval | None,
    notes: tuple[str, ...],
) -> Cell:
    """An estimate with its interval, or the range that stands in its place."""
    low, high = (record.get(end) for end in RANGES[key])
    if low is not None and high is not None:
        return range_cell(low, high)
    return Cell(record.get(key), interval=interval, notes=notes)


def _few(one: Ladder) -> tuple[str, ...]:
    """What is to be said where some codebook has few tokens."""
    return () if all(book.entropy.reliable for book in one.books) else (FEW_TOKENS,)


def _contexts(found: Ladders, where: str) -> Table:
    """What context models save of the rate that ``adaptive`` needs, beside their controls."""
    names = list(
        dict.fromkeys(c.coder.name for _, one in found for c in one.coded if c.coder.conditional)
    )
    columns = [Column("adaptive_kbps", "adaptive", "kbps")]
    for name in names:
        columns.append(Column(f"{name}_saving_percent", f"{name} saves", "%", digits=1))
        columns.append(Column(f"{name}_control_percent", f"{name} shuffled", "%", digits=1))
    rows = []
    for entry, one in found:
        cells = {"adaptive_kbps": _coded_cell(one, one.of("adaptive"))}
        for name in names:
            cells[f"{name}_saving_percent"] = _saving(one, name, shuffled=False)
            cells[f"{name}_control_percent"] = _saving(one, name, shuffled=True)
        if any(cell.value is not None for cell in cells.values()):
            rows.append(Row(entry.label, cells))
    note = (
        "Savings against adaptive, which knows the same except for the context; negative: the "
        "context costs more than it tells. Shuffled: the same with the tokens of every stream "
        "permuted, where a context can tell nothing and must save nothing."
    )
    return Table(f"Context models, {where}", tuple(columns), tuple(rows), (note,))


def _saving(one: Ladder, name: str, *, shuffled: bool) -> Cell:
    model, plain = (one.of(n, shuffled=shuffled) for n in (name, "adaptive"))
    if model is None or plain is None or model.clips != plain.clips:
        return Cell()
    return Cell(100 * (1 - model.kbps / plain.kbps))


def _use(found: Ladders, where: str) -> Table:
    columns = (
        Column("bitrate_efficiency_percent", "bitrate efficiency", "%", digits=1),
        Column("efficiency_percent", "efficiency corrected", "%", digits=1),
        Column("tokens", "tokens", digits=0),
        Column("tokens_per_entry", "tokens per entry", digits=1),
        Column("usage_percent", "usage", "%", digits=1),
        Column("dead", "dead codes", digits=0),
        Column("entries", "of entries", digits=0),
    )
    rows = [Row(entry.label, _use_cells(one)) for entry, one in found if one.books]
    return Table(f"Use of the codebooks, {where}", columns, tuple(rows), _USE_NOTES)


def _use_cells(one: Ladder) -> dict[str, Cell]:
    books = [book.entropy for book in one.books]
    fewest = min(books, key=lambda book: book.tokens / book.codebook_size)
    entries = sum(book.codebook_size for book in books)
    plug_in = one.record["bitrate_efficiency"]
    shares = {k: v if v is None else 100 * v for k, v in one.record.items() if "effi" in k}
    return {
        "bitrate_efficiency_percent": Cell(None if plug_in is None else 100 * plug_in),
        "efficiency_percent": _estimate(shares, "efficiency", _percent(one.efficiency), _few(one)),
        "tokens": Cell(fewest.tokens),
        "tokens_per_entry": Cell(fewest.tokens / fewest.codebook_size),
        "usage_percent": Cell(100 * sum(book.used for book in books) / entries),
        "dead": Cell(sum(book.dead for book in books)),
        "entries": Cell(entries),
    }


def _percent(interval: Interval | None) -> Interval | None:
    if interval is None or interval.low is None or interval.high is None:
        return interval
    mean, low, high = (100 * end for end in (interval.mean, interval.low, interval.high))
    return replace(interval, mean=mean, low=low, high=high)


def _books(entry: Entry, one: Ladder, where: str) -> Table:
    coded = [c for c in _plain(one) if c.bits_per_token]
    columns = (
        Column("entries", "entries", digits=0),
        Column("packed_bits", "packed", "bit", digits=0),
        Column("tokens", "tokens", digits=0),
        Column("plug_in_bits", "plug-in", "bit", digits=3),
        Column("entropy_bits", "entropy", "bit", digits=3),
        Column("held_out_bits", "held out", "bit", digits=3),
        *(Column(f"{c.coder.name}_bits", c.coder.name, "bit", digits=3) for c in coded),
        Column("perplexity", "perplexity", digits=0),
        Column("usage_percent", "usage", "%", digits=1),
        Column("dead", "dead codes", digits=0),
    )
    rows = []
    for index, book in enumerate(one.books):
        cells = _book_cells(book)
        cells |= {f"{c.coder.name}_bits": Cell(c.bits_per_token[index]) for c in coded}
        rows.append(Row(f"{index + 1}", cells))
    note = "Bits per token. Perplexity: of the corrected entropy."
    title = f"Codebooks of {entry.label}, {where}"
    return Table(title, columns, tuple(rows), (note,), label_heading="codebook")


def _book_cells(book: Book) -> dict[str, Cell]:
    of = book.entropy
    few = () if of.reliable else (FEW_TOKENS,)
    corrected = Cell(of.corrected_bits, interval=book.interval, notes=few)
    held_out = None if book.held_out is None else book.held_out.bits_per_token
    return {
        "entries": Cell(of.codebook_size),
        "packed_bits": Cell(bits_per_code(of.codebook_size)),
        "tokens": Cell(of.tokens),
        "plug_in_bits": Cell(of.plug_in_bits),
        "entropy_bits": range_cell(of.lowest_bits, of.highest_bits) if of.range_only else corrected,
        "held_out_bits": Cell(held_out),
        "perplexity": Cell(None if of.range_only else of.perplexity),
        "usage_percent": Cell(100 * of.usage),
        "dead": Cell(of.dead),
    }


def _interval_notes(found: Ladders) -> list[str]:
    """How the intervals were made, once for each way."""
    intervals = [one.entropy for _, one in found if one.entropy and one.entropy.low is not None]
    notes = dict.fromkeys(interval.footnote() for interval in intervals)
    return [f"In brackets intervals of the entropy: {note}." for note in notes]
