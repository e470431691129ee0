"""From runs to tables: a layout's columns, filled and annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.compare import compare, comparison_note, with_marks
from snacbench.tables.entries import Entry, domains_of, entries_of, metric_specs
from snacbench.tables.footnotes import (
    beside_notes,
    column_notes,
    interval_note,
    run_notes,
    sample_note,
)
from snacbench.tables.layouts._parts import EFFICIENCY, Fact, Layout, Part
from snacbench.tables.means import Block, block_of
from snacbench.tables.options import Options
from snacbench.tables.published_figures import with_published
from snacbench.tables.run import RunRows
from snacbench.tables.summary import record_of
from snacbench.tables.table import Cell, Column, Row, Table, ranked
from snacbench.types import MetricSpec

_DEFAULTS = Options()
Filled = Sequence[tuple[Part, Column]]


def tables_of(runs: Sequence[RunRows], layout: Layout, options: Options = _DEFAULTS) -> list[Table]:
    """The tables of some runs in a layout: one per domain, one over all clips, or both.

    Raises
    ------
    UnknownName
        If a baseline is named that is no codec of the runs.
    """
    entries, specs = entries_of(runs), metric_specs(runs)
    scored = {metric for rows in runs for metric in rows.metrics}
    parts = [(part, _column(part, specs, scored, options)) for part in layout.parts(runs)]
    return [
        _table(runs, layout, options, domain=domain, parts=parts, entries=present)
        for domain in domains_of(runs, options.by or layout.by)
        if (present := [e for e in entries if len(e.columns.tried(domain))])
    ]


def _column(part: Part, specs: dict[str, MetricSpec], scored: set[str], options: Options) -> Column:
    if isinstance(part, Fact):
        return part.column
    key = next((metric for metric in part.metrics if metric in scored), part.metrics[0])
    spec = specs.get(key)
    return Column(
        key,
        part.heading,
        spec.unit if spec else "",
        spec.better if spec else None,
        part.digits if options.digits is None else options.digits,
    )


def _table(  # noqa: PLR0913 - all that a table is made of
    runs: Sequence[RunRows],
    layout: Layout,
    options: Options,
    *,
    domain: str,
    parts: Filled,
    entries: Sequence[Entry],
) -> Table:
    metrics = {c.key: c for part, c in parts if not isinstance(part, Fact)}
    block = block_of(entries, list(metrics), domain, ci=options.ci)
    rows = _rows(block, parts)
    parts = _with_numbers(parts, rows, layout)
    footnotes = [sample_note(block), *beside_notes(block), interval_note(block)]
    if options.significance:
        compared = compare(block, metrics, options)
        rows = [replace(r, cells=with_marks(r.cells, r.label, compared)) for r in rows]
        footnotes.append(comparison_note(compared, options))
    footnotes += column_notes(parts, runs, {m for rows in runs for m in rows.metrics})
    if options.published and layout.published:
        codecs = [entry.columns.spec.name for entry in block.entries]
        rows = with_published(rows, codecs, layout.published, parts)
    entropy = any(part is EFFICIENCY for part, _ in parts)
    footnotes += run_notes(runs, entries, entropy=entropy, stft="stft_dac" in metrics)
    where = "all clips" if domain == ALL_DOMAINS else domain
    return ranked(
        Table(
            title=f"{layout.title}, {where}",
            columns=tuple(column for _, column in parts),
            rows=tuple(rows),
            footnotes=tuple(dict.fromkeys(note for note in footnotes if note)),
        )
    ).lettered()


def _rows(block: Block, parts: Filled) -> list[Row]:
    alone = all(entry.anchor for entry in block.entries)
    one_set = len({entry.rows.run.set_sha256 for entry in block.entries}) == 1
    rows = []
    for entry in block.entries:
        record = record_of(entry, block.domain, block.coded.clips.get(entry.label, ()))
        cells = {
            column.key: part.cell(entry, record)
            if isinstance(part, Fact)
            else block.cells.get((entry.label, column.key), Cell())
            for part, column in parts
        }
        rows.append(Row(entry.label, cells, ranked=one_set and (alone or not entry.anchor)))
    return rows


def _with_numbers(parts: Filled, rows: Sequence[Row], layout: Layout) -> Filled:
    """Without the facts that no codec has; a paper's layout keeps all of its columns."""
    if layout.name != "default":
        return parts
    return [
        (part, column)
        for part, column in parts
        if any(row.cells[column.key] != Cell() for row in rows)
    ]
