"""Footnotes of a table: what its numbers rest on, each said once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snacbench.tables.compare import spanned
from snacbench.tables.entries import Entry, metric_specs
from snacbench.tables.layouts._parts import Fact, Measure, Part
from snacbench.tables.means import Block
from snacbench.tables.notes import (
    agreement_notes,
    codec_notes,
    delay_notes,
    entropy_notes,
    failure_notes,
    lost_notes,
    narrow_notes,
    provenance_note,
    skipped_notes,
)
from snacbench.tables.run import RunRows
from snacbench.tables.table import Column

_FULL_BAND_HZ = 32_000  # metrics at lower rates do not see what a music codec is for


def sample_note(block: Block) -> str:
    """How many clips each row has, and clusters of them."""
    counts = {len(entry.columns.tried(block.domain)) for entry in block.entries}
    tried = {
        entry.rows.clips[clip].id
        for entry in block.entries
        for clip in entry.columns.tried(block.domain).tolist()
    }
    known = {block.clusters.get(clip) for clip in tried} - {None}
    plural = "" if counts == {1} else "s"
    of_clusters = f" of {len(known)} speakers or tracks" if known else ""
    unknown = sum(block.clusters.get(clip) is None for clip in tried)
    independent = ""
    if unknown:
        of_those = "" if unknown == len(tried) else f" of {unknown} of them"
        independent = (
            f" The speaker or track{of_those} is not known: taken as independent of all others."
        )
    not_all = f" in each row, {len(tried)} in all" if counts != {len(tried)} else ""
    return (
        f"n = {spanned(sorted(counts))} clip{plural}{not_all}{of_clusters}, unless a letter says "
        f"otherwise.{independent}"
    )


def beside_notes(block: Block) -> Iterator[str]:
    """Who lacks clips that others have, and which rows are not to be compared."""
    yield from lost_notes({**block.together, "rates": block.coded})
    if len({entry.rows.run.set_sha256 for entry in block.entries}) > 1:
        yield "Rows of different test sets are not ranked: no difference between them means much."


def interval_note(block: Block) -> str:
    """How the intervals were made; empty without any."""
    intervals = [cell.interval for cell in block.cells.values() if cell.interval]
    intervals = [i for i in intervals if i.low is not None]
    if not intervals:
        return ""
    parts = []
    for method in dict.fromkeys(i.method for i in intervals):
        those = [i for i in intervals if i.method == method]
        noun = "clip" if all(i.n == i.clusters for i in those) else "cluster"
        count = spanned([i.clusters for i in those])
        parts.append(f"{method} ({count} {noun}{'' if count == '1' else 's'})")
    level = f"{100 * intervals[0].level:g} %"
    return f"In brackets {level} intervals of the mean: {'; '.join(parts)}."


def column_notes(
    parts: Sequence[tuple[Part, Column]], runs: Sequence[RunRows], scored: set[str]
) -> Iterator[str]:
    """What columns hold, what their metrics cannot hear, and which metrics the runs lack."""
    yield from (part.note for part, _ in parts if isinstance(part, Fact) and part.note)
    measures = [(part, column) for part, column in parts if isinstance(part, Measure)]
    named = [
        f"{part.heading} is {column.key}"
        for part, column in measures
        if column.key in scored and part.heading != column.key
    ]
    if named:
        yield f"Metrics: {'; '.join(named)}."
    specs = metric_specs(runs)
    for _, column in measures:
        spec = specs.get(column.key)
        if spec and spec.rate_hz < _FULL_BAND_HZ:
            yield f"{column.heading} hears nothing above {spec.rate_hz / 2000:g} kHz."
    missing = [(part.heading, column.key) for part, column in measures if column.key not in scored]
    if missing:
        headings, keys = (", ".join(names) for names in zip(*missing, strict=True))
        command = f"snacbench score RUN --metrics {keys.replace(' ', '')}"
        yield f"Not in this run: {headings}; add with: {command}"


def run_notes(
    runs: Sequence[RunRows], entries: Sequence[Entry], *, entropy: bool, stft: bool = False
) -> Iterator[str]:
    """What the runs and their codecs are."""
    anchors = [entry.label for entry in entries if entry.anchor]
    if anchors and len(anchors) < len(entries):
        yield f"Neither ranked nor compared, being yardsticks: {', '.join(anchors)}."
    for rows in runs:
        yield from codec_notes(rows)
        yield from delay_notes(rows)
        if entropy:
            yield from entropy_notes(rows)
        yield from agreement_notes(rows)
        yield from failure_notes(rows)
        yield from skipped_notes(rows)
        if stft:
            yield from narrow_notes(rows)
        yield provenance_note(rows)
