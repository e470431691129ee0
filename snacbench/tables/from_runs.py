"""From runs to tables: a layout's columns, filled, marked and annotated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.plugins import metrics as known_metrics
from snacbench.plugins import running
from snacbench.store.run_folder import RunFolder
from snacbench.tables.footnotes import NOT_HERE, table_notes
from snacbench.tables.layouts import layouts
from snacbench.tables.layouts.parts import Fact, Layout, Measure, Part
from snacbench.tables.protocol import judged, published_rows
from snacbench.tables.run_rows import ALL_DOMAINS, Grouping, RunRows
from snacbench.tables.seeds import Seeds, grouped, seeds_of
from snacbench.tables.side_by_side import (
    By,
    Entry,
    block_of,
    domains_of,
    entries_of,
    groups_of,
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

    `by` domain, over all clips, or both, or a group of clips of one language, speaker, gender or
    corpus; with intervals (`ci`) and marks of what differs from the best or from `baseline`;
    `labels` are what codecs are called, in rows and notes; `group_seeds` names checkpoints of one
    training, which become a row (see `seeds_of`); without `caption` there is neither title nor
    notes. `complete` is for data files: with intervals, and with all clips even where they are of
    one domain.
    """

    by: By | Grouping | None = None
    ci: bool = False
    significance: bool = False
    baseline: str = ""
    digits: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    caption: bool = True
    complete: bool = False
    group_seeds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Over:
    """The clips that one table is over: those of a domain, and in it of a group."""

    domain: str = ALL_DOMAINS
    group: tuple[Grouping, str] | None = None

    def __str__(self) -> str:
        """As a title says it."""
        if self.group:
            return " ".join(self.group)
        return "all clips" if self.domain == ALL_DOMAINS else self.domain

    def entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Codecs that met such clips, on these alone."""
        within = [e.within(*self.group) for e in entries] if self.group else entries
        return [entry for entry in within if len(entry.columns.tried(self.domain))]


_DEFAULTS = Options()


def tables_of(runs: Sequence[RunRows], layout: Layout, options: Options = _DEFAULTS) -> list[Table]:
    """The tables of some runs in a layout; UnknownName if one asked for is no codec of theirs."""
    entries, specs = entries_of(runs), metric_specs(runs)
    seeds = seeds_of(entries, options.group_seeds)
    if seeds and options.significance:
        raise UserError(
            "--group-seeds makes rows that are means over checkpoints, and tests compare codecs "
            "clip by clip: ask for one of them"
        )
    known = [*(entry.label for entry in entries), *(one.name for one in seeds)]
    asked = [*((name, "label") for name in options.labels), (options.baseline, "compare with")]
    for name, why in asked:
        if name and name not in known:
            raise UnknownName(f"no codec named {name!r} to {why}; {did_you_mean(name, known)}")
    scored = {metric for rows in runs for metric in rows.metrics}
    parts: list[tuple[Part, Column]] = []
    with running("layouts", layout.name):
        chosen = list(layout.parts(runs))
    for part in chosen:
        if isinstance(part, Measure):
            key = next((metric for metric in part.metrics if metric in scored), part.metrics[0])
            spec = specs.get(key) or (known_metrics()[key].spec if key in known_metrics() else None)
            unit, better = (spec.unit, spec.better) if spec else ("", None)
            digits = part.digits if options.digits is None else options.digits
            parts.append((part, Column(key, part.heading, unit, better, digits, kind="mean")))
        else:
            parts.append((part, part.column))
    tables, judgement = list[Table](), judged(runs)
    places = _places(runs, options.by or layout.by, complete=options.complete)
    shown = [p for p in places if p.domain in (*layout.domains, ALL_DOMAINS)] or places
    notes = judgement.below
    if out := [str(place) for place in places if place not in shown]:
        notes = [*notes, f"No table of {', '.join(out)}, for which these metrics are not meant."]
    for over in shown:
        if present := over.entries(entries):
            table = _table(runs, layout, options, over, parts, present, seeds)
            tables.append(replace(table, footnotes=(*table.footnotes, *notes)))
    if tables:
        tables[0] = replace(tables[0], above=tuple(judgement.above))
    return [(table if options.caption else _bare(table)).lettered() for table in tables]


def _places(runs: Sequence[RunRows], by: By | Grouping, *, complete: bool) -> list[_Over]:
    """What the tables are over, one by one; UnknownName if that is nothing."""
    if by == "domain" or by == "all" or by == "both":  # noqa: PLR1714 - mypy follows these
        domains = domains_of(runs, by)
        if complete and by == "both" and ALL_DOMAINS not in domains:
            domains.append(ALL_DOMAINS)
        return [_Over(domain) for domain in domains]
    if by not in get_args(Grouping):
        known = [*get_args(By), *get_args(Grouping)]
        raise UnknownName(f"no tables by {by!r}; {did_you_mean(by, known)}")
    return [_Over(group=(by, group)) for group in groups_of(runs, by)]


def _bare(table: Table) -> Table:
    """A table without title and notes."""
    rows = [
        replace(row, cells={k: replace(c, notes=()) for k, c in row.cells.items()})
        for row in table.rows
    ]
    return replace(table, title="", rows=tuple(rows), footnotes=(), above=())


def _table(  # noqa: PLR0913, PLR0917 - all that a table is made of
    runs: Sequence[RunRows],
    layout: Layout,
    options: Options,
    over: _Over,
    parts: Sequence[tuple[Part, Column]],
    entries: Sequence[Entry],
    seeds: Sequence[Seeds],
) -> Table:
    domain = over.domain
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
            nothing = Cell(text=NOT_HERE * (column.key in entry.rows.run.lacking))
            cell = block.cells.get((entry.label, column.key), nothing)
            if isinstance(part, Fact):
                with running("layouts", layout.name):
                    cell = part.cell(entry, record)
            elif (entry.label, column.key) in differing:
                cell = replace(cell, marks=("significant",))
            cells[column.key] = cell
        rows.append(Row(entry.label, cells, ranked=one_set and (alone or not entry.anchor)))
    columns = tuple(column for _, column in parts)
    present = [one for one in seeds if {*one.members} & {entry.label for entry in entries}]
    rows = grouped(rows, present, columns)
    if not over.group:
        rows += published_rows(runs, layout.name, columns, domain)
    title = layout.title if options.title is None else options.title
    notes = (*(one.note for one in present), *table_notes(runs, block, parts, compared))
    if labels := options.labels:
        names = "|".join(sorted(map(re.escape, labels), key=len, reverse=True))
        pattern = re.compile(rf"(?<![\w@.-])(?:{names})(?![\w@-]|\.\w)")
        notes = tuple(pattern.sub(lambda match: labels[match[0]], note) for note in notes)
        for at, row in enumerate(rows):
            rows[at] = replace(row, label=labels.get(row.label, row.label))
    table = Table(f"{title}, {over}", columns, tuple(rows), notes, domain=domain, group=over.group)
    return table.ranked()


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
    runs: Sequence[RunRows | RunFolder | Path],
    by: By | Grouping = "domain",
    ci: bool = True,
    group_seeds: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The summary of runs, one row per codec and domain: the columns of the CSV (docs/tables.md).

    Without `ci` the ends of means, ``*_low`` and ``*_high``, are missing.
    """
    import pandas as pd

    folders = [RunFolder.open(one) if isinstance(one, Path) else one for one in runs]
    loaded = [one if isinstance(one, RunRows) else RunRows.load(one) for one in folders]
    asked = Options(by, ci, group_seeds=group_seeds or {})
    records = records_of(tables_of(loaded, layouts()["default"], asked))
    frame = pd.DataFrame.from_records(records, columns=list(records[0]) if records else ["codec"])
    return frame.drop(columns=["table", "source", "beside"], errors="ignore")
