"""From runs to tables: a layout's columns, filled, marked and annotated; published figures too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.errors import UnknownName, did_you_mean
from snacbench.store.run_folder import RunFolder
from snacbench.tables.footnotes import table_notes
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.layouts._parts import Fact, Layout, Part
from snacbench.tables.records import FIGURES, record_of
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows
from snacbench.tables.side_by_side import (
    Block,
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
from snacbench.types import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

_PUBLISHED_FACTS = {"actual_kbps": "kbps", "bandwidth_khz": "bandwidth_khz"}


@dataclass(frozen=True)
class Options:
    """What a layout is asked for.

    Attributes
    ----------
    by : {"domain", "all", "both"} or None
        One table per domain, one over all clips, or both; None: as the layout's paper does.
    ci : bool
        95 % intervals of the means of metrics.
    significance : bool
        Marks where a codec differs from the best, or from `baseline`.
    baseline : str
        The codec that the others are compared with; empty: the best of each metric.
    digits : int or None
        Digits after the point of metrics; None: as the layout has it.
    published : bool
        Published figures beside ours, where the layout has some.
    labels : mapping of str to str
        Codec -> what it is called, in rows and notes.
    title : str or None
        In place of the layout's; None: the layout's.
    caption : bool
        Whether there are a title and notes.
    complete : bool
        As data files have it: with intervals, and with all clips where they are of one domain.
    """

    by: By | None = None
    ci: bool = False
    significance: bool = False
    baseline: str = ""
    digits: int | None = None
    published: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    caption: bool = True
    complete: bool = False


_DEFAULTS = Options()


def tables_of(runs: Sequence[RunRows], layout: Layout, options: Options = _DEFAULTS) -> list[Table]:
    """The tables of some runs in a layout: one per domain, one over all clips, or both.

    Raises
    ------
    UnknownName
        If a baseline, or a codec to be labelled, is none of the runs.
    """
    entries, specs = entries_of(runs), metric_specs(runs)
    known = [entry.label for entry in entries]
    for name in options.labels:
        if name not in known:
            raise UnknownName(f"no codec named {name!r} to label; {did_you_mean(name, known)}")
    scored = {metric for rows in runs for metric in rows.metrics}
    parts = [(part, _column(part, specs, scored, options)) for part in layout.parts(runs)]
    domains = domains_of(runs, options.by or layout.by)
    if options.complete and (options.by or layout.by) == "both":
        domains = list(dict.fromkeys([*domains, ALL_DOMAINS]))
    return [
        _presented(_table(runs, layout, options, domain, parts, present), options)
        for domain in domains
        if (present := [e for e in entries if len(e.columns.tried(domain))])
    ]


def _column(
    part: Part, specs: Mapping[str, MetricSpec], scored: set[str], options: Options
) -> Column:
    if isinstance(part, Fact):
        return part.column
    key = next((metric for metric in part.metrics if metric in scored), part.metrics[0])
    spec = specs.get(key)
    digits = part.digits if options.digits is None else options.digits
    unit, better = (spec.unit, spec.better) if spec else ("", None)
    return Column(key, part.heading, unit, better, digits, kind="mean")


def _table(  # noqa: PLR0913, PLR0917 - all that a table is made of
    runs: Sequence[RunRows],
    layout: Layout,
    options: Options,
    domain: str,
    parts: Sequence[tuple[Part, Column]],
    entries: Sequence[Entry],
) -> Table:
    metrics = {column.key: column for part, column in parts if not isinstance(part, Fact)}
    block = block_of(entries, list(metrics), domain, ci=options.ci or options.complete)
    rows, compared = _rows(block, parts), ""
    if options.significance:
        differing, compared = significance(block, metrics, options.baseline)
        for at, row in enumerate(rows):
            starred = {
                key: replace(row.cells[key], marks=("significant",))
                for label, key in differing
                if label == row.label
            }
            rows[at] = replace(row, cells={**row.cells, **starred})
    if options.published and layout.published:
        codecs = [entry.columns.spec.name for entry in block.entries]
        rows = with_published(rows, codecs, layout.published, parts)
    where = "all clips" if domain == ALL_DOMAINS else domain
    title = layout.title if options.title is None else options.title
    return Table(
        title=f"{title}, {where}",
        columns=tuple(column for _, column in parts),
        rows=tuple(rows),
        footnotes=table_notes(runs, block, parts, compared),
        domain=domain,
    ).ranked()


def _rows(block: Block, parts: Sequence[tuple[Part, Column]]) -> list[Row]:
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


def _presented(table: Table, options: Options) -> Table:
    """The table as it is to be read: codecs called otherwise, maybe without title and notes."""
    if options.labels:
        names = sorted(map(re.escape, options.labels), key=len, reverse=True)
        pattern = re.compile(rf"(?<![\w@.-])(?:{'|'.join(names)})(?![\w@-]|\.\w)")

        def said(text: str) -> str:
            return pattern.sub(lambda match: options.labels[match[0]], text)

        rows = tuple(
            replace(
                row,
                label=options.labels.get(row.label, row.label) if not row.source else row.label,
                beside=options.labels.get(row.beside, row.beside),
            )
            for row in table.rows
        )
        table = replace(table, rows=rows, footnotes=tuple(map(said, table.footnotes)))
    if not options.caption:
        rows = tuple(
            replace(row, notes=(), cells={k: replace(c, notes=()) for k, c in row.cells.items()})
            for row in table.rows
        )
        table = replace(table, title="", rows=rows, footnotes=())
    return table.lettered()


def summary_tables(runs: Sequence[RunRows]) -> list[Table]:
    """The tables that a run ends with: everything it knows, by domain and over all clips."""
    return tables_of(runs, LAYOUTS["default"])


def summary_csv(runs: Sequence[RunRows]) -> str:
    """The same as data, with intervals: ``summary.csv`` of a run."""
    return to_csv(tables_of(runs, LAYOUTS["default"], Options(complete=True)))


def summary_markdown(runs: Sequence[RunRows]) -> str:
    """`summary_tables` as Markdown: ``summary.md`` of a run."""
    return to_markdown(summary_tables(runs))


def summary_frame(
    runs: Sequence[RunRows | RunFolder | Path], by: By = "domain", ci: bool = True
) -> pd.DataFrame:
    """The summary of runs, one row per codec and domain: the columns of the CSV.

    Parameters
    ----------
    runs : sequence of RunRows, RunFolder or Path
    by : {"domain", "all", "both"}
        Each domain, all clips together (``domain`` is ``all``), or both.
    ci : bool
        Ends of 95 % intervals in ``*_low`` and ``*_high``; else those of means are missing.

    Returns
    -------
    DataFrame
        ``codec``, ``domain``, ``n``, figures and means, see docs/tables.md.
    """
    import pandas as pd

    loaded = [
        one
        if isinstance(one, RunRows)
        else RunRows.load(one if isinstance(one, RunFolder) else RunFolder.open(one))
        for one in runs
    ]
    records = records_of(tables_of(loaded, LAYOUTS["default"], Options(by, ci)))
    frame = pd.DataFrame.from_records(records, columns=list(records[0]) if records else ["codec"])
    return frame.drop(columns=["table", "source", "beside"], errors="ignore")


def summary(runs: Sequence[RunRows]) -> pd.DataFrame:
    """Of each codec and domain `records.record_of`, with metrics' means and ``n_`` of each."""
    import pandas as pd

    entries, metrics = entries_of(runs), list(dict.fromkeys(m for r in runs for m in r.metrics))
    records = []
    for domain in dict.fromkeys(domain for rows in runs for domain in rows.domains):
        block = block_of(entries, metrics, domain, ci=False)
        for entry in entries:
            if len(entry.columns.tried(domain)):
                record = record_of(entry, domain, block.coded.clips.get(entry.label, ()))
                for metric in metrics:
                    cell = block.cells.get((entry.label, metric), Cell())
                    record |= {metric: cell.value, f"n_{metric}": cell.n or 0}
                records.append(record)
    columns = [*FIGURES, *(column for metric in metrics for column in (metric, f"n_{metric}"))]
    return pd.DataFrame.from_records(records, columns=columns)


def publication(name: str) -> dict[str, Any]:
    """A publication whose figures come with snacbench: docs/tables.md says what it holds.

    ``lines`` are its figures by column, None where the source has none.
    """
    import yaml

    file = resources.files("snacbench.tables").joinpath("published", name)
    told: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    lines = [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]
    return {**told, "lines": lines}


def with_published(
    rows: Sequence[Row], codecs: Sequence[str], name: str, parts: Sequence[tuple[Part, Column]]
) -> list[Row]:
    """Our rows, each followed by the published one of its operating point; then the others.

    They are quoted, never ranked or compared. Of several rows of one operating point (`codecs`),
    the published one follows the first.
    """
    found = publication(name)
    unverified = [
        column.heading
        for part, column in parts
        if not isinstance(part, Fact) and part.published in found["unverified"]
    ]
    variants = f"; variant unverified of {', '.join(unverified)}" if unverified else ""
    note = (
        f"As printed in {found['citation']}: nominal rate; clips other than ours ({found['clips']})"
        f"; {found['known']}{variants}. Neither ranked nor compared."
    )
    quoted = {}
    for line in found["lines"]:
        figures = {
            column.key: line.get(
                _PUBLISHED_FACTS.get(column.key, "") if isinstance(part, Fact) else part.published
            )
            for part, column in parts
        }
        remark = found["remarks"].get(line["codec"])
        quoted[line["ours"]] = Row(
            label=line["codec"],
            cells={k: Cell(None if v is None else float(v)) for k, v in figures.items()},
            ranked=False,
            source=found["source"],
            notes=(note, remark) if remark else (note,),
        )
    together: list[Row] = []
    for row, codec in zip(rows, codecs, strict=True):
        together.append(row)
        if partner := quoted.pop(codec, None):
            together.append(replace(partner, beside=row.label))
    return [*together, *quoted.values()]
