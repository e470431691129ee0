"""From runs to tables: a layout's columns, filled, marked and annotated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snacbench.errors import UnknownName, did_you_mean
from snacbench.plugins import running
from snacbench.store.run_folder import RunFolder
from snacbench.tables.footnotes import table_notes
from snacbench.tables.layouts import layouts
from snacbench.tables.layouts.parts import Fact, Layout, Measure, Part
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows
from snacbench.tables.side_by_side import (
    By,
    Entry,
    block_of,
    domains_of,
    entries_of,
    metric_specs,
    significance,
)
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.tables.writers import records_of, to_csv, to_markdown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Options:
    """What a layout is asked for; None: as the layout has it.

    `by` domain, over all clips, or both; with intervals (`ci`) and marks of what differs from the
    best or from `baseline`; `labels` are what codecs are called, in rows and notes; without
    `caption` there is neither title nor notes. `complete` is for data files: with intervals, and
    with all clips even where they are of one domain.
    """

    by: By | None = None
    ci: bool = False
    significance: bool = False
    baseline: str = ""
    digits: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    caption: bool = True
    complete: bool = False


_DEFAULTS = Options()


def tables_of(runs: Sequence[RunRows], layout: Layout, options: Options = _DEFAULTS) -> list[Table]:
    """The tables of some runs in a layout; UnknownName if one asked for is no codec of theirs."""
    entries, specs = entries_of(runs), metric_specs(runs)
    known = [entry.label for entry in entries]
    for name in options.labels:
        if name not in known:
            raise UnknownName(f"no codec named {name!r} to label; {did_you_mean(name, known)}")
    scored = {metric for rows in runs for metric in rows.metrics}
    parts: list[tuple[Part, Column]] = []
    with running("layouts", layout.name):
        chosen = list(layout.parts(runs))
    for part in chosen:
        if isinstance(part, Measure):
            key = next((metric for metric in part.metrics if metric in scored), part.metrics[0])
            unit, better = (specs[key].unit, specs[key].better) if key in specs else ("", None)
            digits = part.digits if options.digits is None else options.digits
            parts.append((part, Column(key, part.heading, unit, better, digits, kind="mean")))
        else:
            parts.append((part, part.column))
    by = options.by or layout.by
    domains = domains_of(runs, by)
    if options.complete and by == "both" and ALL_DOMAINS not in domains:
        domains.append(ALL_DOMAINS)
    tables = []
    for domain in domains:
        if present := [entry for entry in entries if len(entry.columns.tried(domain))]:
            tables.append(_table(runs, layout, options, domain, parts, present).lettered())
    return tables


def _table(  # noqa: PLR0913, PLR0917 - all that a table is made of
    runs: Sequence[RunRows],
    layout: Layout,
    options: Options,
    domain: str,
    parts: Sequence[tuple[Part, Column]],
    entries: Sequence[Entry],
) -> Table:
    metrics = {column.key: column for part, column in parts if isinstance(part, Measure)}
    block = block_of(entries, list(metrics), domain, ci=options.ci or options.complete)
    differing, compared = (
        significance(block, metrics, options.baseline) if options.significance else (set(), "")
    )
    alone = all(entry.anchor for entry in entries)
    one_set = len({entry.rows.run.set_sha256 for entry in entries}) == 1
    rows = []
    for entry in entries:
        record = entry.record(domain, block.coded.clips.get(entry.label, ()))
        cells = {}
        for part, column in parts:
            cell = block.cells.get((entry.label, column.key), Cell())
            if isinstance(part, Fact):
                with running("layouts", layout.name):
                    cell = part.cell(entry, record)
            elif (entry.label, column.key) in differing:
                cell = replace(cell, marks=("significant",))
            cells[column.key] = cell
        rows.append(Row(entry.label, cells, ranked=one_set and (alone or not entry.anchor)))
    where = "all clips" if domain == ALL_DOMAINS else domain
    title = layout.title if options.title is None else options.title
    notes = table_notes(runs, block, parts, compared)
    if labels := options.labels:
        names = "|".join(sorted(map(re.escape, labels), key=len, reverse=True))
        pattern = re.compile(rf"(?<![\w@.-])(?:{names})(?![\w@-]|\.\w)")
        notes = tuple(pattern.sub(lambda match: labels[match[0]], note) for note in notes)
        for at, row in enumerate(rows):
            rows[at] = replace(row, label=labels.get(row.label, row.label))
    columns = tuple(column for _, column in parts)
    table = Table(f"{title}, {where}", columns, tuple(rows), notes, domain=domain).ranked()
    if not options.caption:
        rows = [
            replace(row, cells={k: replace(c, notes=()) for k, c in row.cells.items()})
            for row in table.rows
        ]
        table = replace(table, title="", rows=tuple(rows), footnotes=())
    return table


def summary_tables(runs: Sequence[RunRows]) -> list[Table]:
    """The tables that a run ends with: everything it knows, by domain and over all clips."""
    return tables_of(runs, layouts()["default"])


def summary_csv(runs: Sequence[RunRows]) -> str:
    """The same as data, with intervals: ``summary.csv`` of a run."""
    return to_csv(tables_of(runs, layouts()["default"], Options(complete=True)))


def summary_markdown(runs: Sequence[RunRows]) -> str:
    """`summary_tables` as Markdown: ``summary.md`` of a run."""
    return to_markdown(summary_tables(runs))


def summary_frame(
    runs: Sequence[RunRows | RunFolder | Path], by: By = "domain", ci: bool = True
) -> pd.DataFrame:
    """The summary of runs, one row per codec and domain: the columns of the CSV (docs/tables.md).

    Without `ci` the ends of means, ``*_low`` and ``*_high``, are missing.
    """
    import pandas as pd

    folders = [RunFolder.open(one) if isinstance(one, Path) else one for one in runs]
    loaded = [one if isinstance(one, RunRows) else RunRows.load(one) for one in folders]
    records = records_of(tables_of(loaded, layouts()["default"], Options(by, ci)))
    frame = pd.DataFrame.from_records(records, columns=list(records[0]) if records else ["codec"])
    return frame.drop(columns=["table", "source", "beside"], errors="ignore")
