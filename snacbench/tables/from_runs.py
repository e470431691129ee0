"""From runs to tables: a layout's columns, filled, marked and annotated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.later import pd
from snacbench.plugins import metrics as known_metrics
from snacbench.plugins import running
from snacbench.tables import side_by_side
from snacbench.tables.conditions import in_order, left_out_note, without_conditions
from snacbench.tables.footnotes import NOT_HERE, table_notes
from snacbench.tables.layouts import layouts
from snacbench.tables.layouts.parts import Fact, Layout, Measure, Part
from snacbench.tables.protocol import judged, published_rows
from snacbench.tables.run_rows import ALL_DOMAINS, NOT_STATED, Grouping, RunRows, group_of
from snacbench.tables.seeds import grouped, seeds_note, seeds_of
from snacbench.tables.side_by_side import By, Entry
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.tables.writers import records_of, to_csv, to_markdown


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


Over = tuple[str, tuple[Grouping, str] | None]
"""The clips that one table is over: those of a domain, and in it of a group."""
_DEFAULTS = Options()


def tables_of(
    runs: Sequence[RunRows], layout: Layout | None = None, options: Options = _DEFAULTS
) -> list[Table]:
    """The tables of some runs in a layout, by default the one with everything.

    UnknownName if one asked for is no codec of theirs.
    """
    layout = layout or layouts()["default"]
    plain, out = without_conditions(runs)
    runs, out = (runs, 0) if layout.conditions else (plain, out)
    entries, specs = in_order(side_by_side.entries_of(runs)), side_by_side.metric_specs(runs)
    seeds = seeds_of(entries, options.group_seeds)
    if seeds and options.significance:
        raise UserError(
            "--group-seeds makes rows that are means over checkpoints, and tests compare codecs "
            "clip by clip: ask for one of them"
        )
    known = [*(entry.label for entry in entries), *seeds]
    asked = [*((name, "label") for name in options.labels), (options.baseline, "compare with")]
    for name, why in asked:
        if name and name not in known:
            raise UnknownName(f"no codec named {name!r} to {why}; {did_you_mean(name, known)}")
    scored = {metric for rows in runs for metric in rows.metrics}
    parts: list[tuple[Part, Column]] = []
    with running("layouts", layout.name):
        chosen = list(layout.parts(runs))
    for part in chosen:
        if isinstance(part, Fact):
            parts.append((part, part.column))
            continue
        key = next((metric for metric in part.metrics if metric in scored), part.metrics[0])
        spec = specs.get(key) or (known_metrics()[key].spec if key in known_metrics() else None)
        unit, better = (spec.unit, spec.better) if spec else ("", None)
        digits = part.digits if options.digits is None else options.digits
        parts.append((part, Column(key, part.heading, unit, better, digits, kind="mean")))
    judgement = judged(plain)
    places = _places(runs, options.by or layout.by, complete=options.complete)
    notes = [*judgement.below]
    if out:
        notes.append(left_out_note(out, "'snacbench plot RUN robustness' and the default table"))
    shown = [over for over in places if over[0] in (*layout.domains, ALL_DOMAINS)] or places
    if never := [domain for domain, _ in places if domain not in dict(shown)]:
        notes.append(f"No table of {', '.join(never)}, for which these metrics are not meant.")
    for by in {group[0] for _, group in places if group}:
        clips = {clip.id: group_of(clip, by) for rows in runs for clip in rows.clips}
        if unstated := [*clips.values()].count(NOT_STATED):
            alone = f"they are in the table of '{NOT_STATED}' alone"
            notes.append(f"{unstated} of {len(clips)} clips state no {by}: {alone}.")
    tables = []
    for over in shown:
        within = [entry.within(*over[1]) for entry in entries] if over[1] else entries
        if present := [entry for entry in within if len(entry.columns.tried(over[0]))]:
            table = _table(runs, layout, options, over, parts, present, seeds)
            tables.append(replace(table, footnotes=(*table.footnotes, *notes)))
    if tables:
        tables[0] = replace(tables[0], above=tuple(judgement.above))
    return [(table if options.caption else _bare(table)).lettered() for table in tables]


def _places(runs: Sequence[RunRows], by: By | Grouping, *, complete: bool) -> list[Over]:
    """What the tables are over, one by one; UnknownName if that is nothing."""
    if by == "domain" or by == "all" or by == "both":  # noqa: PLR1714 - mypy follows these
        domains = side_by_side.domains_of(runs, by)
        if complete and by == "both" and ALL_DOMAINS not in domains:
            domains.append(ALL_DOMAINS)
        return [(domain, None) for domain in domains]
    if by not in get_args(Grouping):
        known = [*get_args(By), *get_args(Grouping)]
        raise UnknownName(f"no tables by {by!r}; {did_you_mean(by, known)}")
    return [(ALL_DOMAINS, (by, group)) for group in side_by_side.groups_of(runs, by)]


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
    over: Over,
    parts: Sequence[tuple[Part, Column]],
    entries: Sequence[Entry],
    seeds: Mapping[str, Sequence[str]],
) -> Table:
    domain, group = over
    metrics = {column.key: column for part, column in parts if isinstance(part, Measure)}
    block = side_by_side.block_of(entries, list(metrics), domain, ci=options.ci or options.complete)
    differing, compared = set[side_by_side.CellKey](), ""
    if options.significance:
        differing, compared = side_by_side.significance(block, metrics, options.baseline)
    alone = not any(entry.competes for entry in entries)
    one_set = len({entry.rows.run.set_sha256 for entry in entries}) == 1
    rows = []
    for entry in entries:
        record = entry.record(domain, block.together[side_by_side.RATES].clips.get(entry.label, ()))
        cells = {}
        for part, column in parts:
            nothing = Cell(text=NOT_HERE * (column.key in entry.rows.run.lacking))
            cell = block.cells.get((entry.label, column.key), nothing)
            if isinstance(part, Fact):
                with running("layouts", layout.name):
                    cell = part.of(entry, record)
            elif (entry.label, column.key) in differing:
                cell = replace(cell, marks=("significant",))
            cells[column.key] = cell
        rows.append(Row(entry.label, cells, ranked=one_set and (alone or entry.competes)))
    columns = tuple(column for _, column in parts)
    labels = {entry.label for entry in entries}
    present = {name: members for name, members in seeds.items() if not labels.isdisjoint(members)}
    rows = grouped(rows, present, columns)
    rows += [] if group else published_rows(runs, layout.name, columns, domain)
    notes = (
        *map(seeds_note, present, present.values()),
        *table_notes(runs, block, parts, compared),
    )
    if called := options.labels:
        names = "|".join(sorted(map(re.escape, called), key=len, reverse=True))
        pattern = re.compile(rf"(?<![\w@.-])(?:{names})(?![\w@-]|\.\w)")
        notes = tuple(pattern.sub(lambda match: called[match[0]], note) for note in notes)
        rows = [replace(row, label=called.get(row.label, row.label)) for row in rows]
    title = layout.title if options.title is None else options.title
    where = " ".join(group) if group else "all clips" if domain == ALL_DOMAINS else domain
    table = Table(f"{title}, {where}", columns, tuple(rows), notes, domain=domain, group=group)
    return table.ranked()


def summary_csv(runs: Sequence[RunRows]) -> str:
    """All that runs know as data, by domain and over all clips: ``summary.csv`` of a run."""
    return to_csv(tables_of(runs, options=Options(complete=True)))


def summary_markdown(runs: Sequence[RunRows]) -> str:
    """The same for readers, as Markdown: ``summary.md`` of a run."""
    return to_markdown(tables_of(runs))


def summary_frame(
    runs: Sequence[RunRows],
    by: By | Grouping = "domain",
    ci: bool = True,
    group_seeds: Mapping[str, str] | None = None,
) -> "pd.DataFrame":
    """The summary of runs, one row per codec and domain: the columns of the CSV (docs/tables.md).

    Without `ci` the ends of means, ``*_low`` and ``*_high``, are missing.
    """
    asked = Options(by, ci, group_seeds=group_seeds or {})
    records = records_of(tables_of(runs, options=asked))
    frame = pd.DataFrame.from_records(records, columns=list(records[0]) if records else ["codec"])
    return frame.drop(columns=["table", "source", "beside"], errors="ignore")
