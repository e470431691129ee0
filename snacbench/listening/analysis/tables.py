"""An analysis as tables, and as files: the paragraph, tables for people and programs, figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snacbench.errors import StoreError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.comparisons import POOLED_CAVEAT, Comparison
from snacbench.listening.test import REFERENCE, RESERVED
from snacbench.listening.tidy import safe_cell
from snacbench.listening.words import SIMULATED, condition_name, count, p_text, percent
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.tables.writers import escaped, to_latex, to_markdown

FIGURE_FORMATS = ("svg", "pdf", "png")
OVER_LISTENERS = "interval over listeners like these, on these items"
_P = (Column("p_value", "p"), Column("p_holm", "p (Holm)"))
_WITH_INTERVAL = ("mean", "difference", "share")

Record = dict[str, Any]


def tables_of(analysis: Analysis) -> list[Table]:
    """All tables of a study; those of simulated listeners say so."""
    records = records_of(analysis)
    form = analysis.study.form
    if form == "ab":
        made = [_preferences(analysis, records["preferences"])]
    elif form == "abx":
        made = [_identifications(analysis, records["abx"])]
    else:
        made = [_scores(analysis), _pairs(analysis, records["pairs"]), _items(analysis)]
    tables = [table for table in (*made, _listeners(analysis, records["listeners"])) if table.rows]
    if analysis.study.simulated:
        tables = [
            replace(t, title=f"{t.title} (SIMULATED)", footnotes=(SIMULATED, *t.footnotes))
            for t in tables
        ]
    return tables


def _rows(
    analysis: Analysis, columns: Sequence[Column], records: Mapping[str, Record]
) -> tuple[Row, ...]:
    """Labelled records as rows."""
    rows = []
    for label, record in records.items():
        cells = {column.key: _cell(analysis, column, record) for column in columns}
        rows.append(Row(label, cells, ranked=record.get("condition") not in RESERVED))
    return tuple(rows)


def _cell(analysis: Analysis, column: Column, record: Record) -> Cell:
    """What a record says under a column: shares in percent, p values as text."""
    value, scale = record.get(column.key), 100 if column.unit == "%" else 1
    if column in _P:
        return Cell(text=p_text(value))
    if isinstance(value, Cell):
        return value
    if value is None or isinstance(value, str):
        return Cell(text=value or "")
    if column.key not in _WITH_INTERVAL:
        return Cell(float(value))
    low, high = (None if record[end] is None else scale * record[end] for end in ("low", "high"))
    n, listeners = record.get("n", 0), record["listeners"]
    of = Interval(scale * value, low, high, analysis.level, n, listeners, OVER_LISTENERS)
    return Cell(scale * value, of)


def _scores(analysis: Analysis) -> Table:
    before = {m.condition: m.mean for m in analysis.means_before if m.domain == ALL_DOMAINS}
    domains = [d for d in dict.fromkeys(m.domain for m in analysis.means) if d != ALL_DOMAINS]
    mean = Column("mean", "mean score", better="higher", digits=1)
    columns = (
        Column("kbps", "rate", "kbps"),
        mean,
        *(Column(f"mean_{domain}", domain, digits=1) for domain in domains),
        Column("median", "median", digits=1),
        Column("iqr", "IQR", digits=1),
        Column("before", "mean before screening", digits=1),
        Column("n", "ratings", digits=0),
    )
    shown: dict[str, Record] = {}
    for m in analysis.means:
        row = shown.setdefault(condition_name(m.condition), {})
        if m.domain == ALL_DOMAINS:
            row |= vars(m)
            row |= {"iqr": m.third_quartile - m.first_quartile, "before": before.get(m.condition)}
        else:
            row[f"mean_{m.domain}"] = _cell(analysis, mean, vars(m))
    notes = (
        f"mean in which every item counts the same, with its {percent(analysis.level)} "
        f"{OVER_LISTENERS}",
        f"{len(analysis.screening.kept)} of {len(analysis.screening.before)} listeners after "
        "screening",
    )
    rows = _rows(analysis, columns, shown)
    return Table(f"Scores: {analysis.study.name}", columns, rows, notes, "condition")


def _pairs(analysis: Analysis, records: Sequence[Record]) -> Table:
    columns = (
        Column("difference", "difference", "points", digits=1),
        *_P,
        Column("d_z", "d_z"),
        Column("superiority", "rated higher"),
        Column("both", "over items too"),
    )
    shown = {}
    for r in records:
        both = "" if r["low_both"] is None else f"[{r['low_both']:.1f}, {r['high_both']:.1f}]"
        shown[f"{r['first']} − {r['second']}"] = {**r, "both": both}
    notes = (
        f"first minus second, with the {percent(analysis.level)} {OVER_LISTENERS}",
        "p: Wilcoxon's signed-rank test on each listener's mean difference, two-sided; Holm's "
        f"correction over these {len(records)} pairs",
        "d_z: mean over standard deviation of the listeners' mean differences; rated higher: share "
        "of pages on which the first is above the second, ties half",
        "over items too: interval for other listeners and other items; none below 5 items",
        *too_few_note(analysis, len(records)),
    )
    rows = _rows(analysis, columns, shown)
    return Table("Systems in pairs", columns, rows, notes, "pair")


def _items(analysis: Analysis) -> Table:
    columns = (
        Column("mean", "mean of systems", digits=1),
        *(Column(m.condition, condition_name(m.condition), digits=1) for m in analysis.overall),
        Column("listeners", "listeners", digits=0),
    )
    notes = ["hardest first; means over listeners after screening"]
    if analysis.screening.transparent_items:
        names = ", ".join(analysis.screening.transparent_items)
        notes.append(
            f"over 25 % of the listeners rate the 7 kHz anchor above 90 on: {names}; it is not "
            "held against them"
        )
    shown = {one.item: {**one.by_condition, **vars(one)} for one in analysis.items}
    rows = _rows(analysis, columns, shown)
    return Table("Items", columns, rows, tuple(notes), "item")


def _listeners(analysis: Analysis, records: Sequence[Record]) -> Table:
    columns = [Column("pages", "pages", digits=0), Column("excluded", "excluded")]
    notes: tuple[str, ...] = ()
    if analysis.agreements:
        columns[1:1] = [
            Column("reference", "reference < 90"),
            Column("anchor", "anchor > 90"),
            Column("correlation", "r"),
            Column("offset", "offset", "points", digits=1),
        ]
        notes = (
            "r: correlation with the mean of the other listeners over systems and items; offset: "
            "how much higher than they the listener rates",
        )

    def part(of: int, whole: int | None) -> str:
        return f"{of} of {whole}" if whole else ""

    shown = {
        r["listener"]: {
            **r,
            "pages": part(r["pages"], r["pages_planned"]) or str(r["pages"]),
            "reference": part(r["reference_low"], r["reference_items"]),
            "anchor": part(r["anchor_high"], r["anchor_items"]),
        }
        for r in records
    }
    rows = _rows(analysis, columns, shown)
    return Table("Listeners", tuple(columns), rows, notes, "listener")


def _preferences(analysis: Analysis, records: Sequence[Record]) -> Table:
    columns = (
        Column("share", "preference for the first", "%", digits=1),
        Column("wins", "first", digits=0),
        Column("ties", "neither", digits=0),
        Column("losses", "second", digits=0),
        Column("votes", "listeners for first : second"),
        *_P,
    )
    notes = (
        f"ties count half; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        "p: exact sign test, two-sided, each listener counting once, by what most of their answers "
        f"say; Holm's correction over these {len(records)} pairs",
        *too_few_note(analysis, len(records)),
    )
    shown = {
        f"{r['first']} over {r['second']}": {**r, "votes": f"{r['for_first']} : {r['for_second']}"}
        for r in records
    }
    rows = _rows(analysis, columns, shown)
    return Table(f"Preferences: {analysis.study.name}", columns, rows, notes, "pair")


def _identifications(analysis: Analysis, records: Sequence[Record]) -> Table:
    columns = (
        Column("share", "right answers", "%", digits=1),
        Column("correct", "right", digits=0),
        Column("trials", "trials", digits=0),
        *_P,
        Column("hearing", "listeners above chance"),
    )
    notes = (
        f"50 % is guessing; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        f"{POOLED_CAVEAT}; Holm's correction over the systems",
        "listeners above chance: exact binomial test of each, Holm's correction over listeners",
    )
    shown = {}
    for one, r in zip(analysis.comparisons, records, strict=True):
        hearing = f"{above_chance(one, analysis.level)} of {one.listeners}"
        shown[f"{one.first} from the {REFERENCE}"] = {**r, "hearing": hearing}
    rows = _rows(analysis, columns, shown)
    return Table(f"ABX: {analysis.study.name}", columns, rows, notes, "system")


def above_chance(one: Comparison, level: float) -> int:
    """How many listeners of an ABX test tell a system from the reference."""
    return sum(r.p_holm is not None and r.p_holm <= 1 - level for r in one.by_listener)


def too_few_note(analysis: Analysis, pairs: int) -> list[str]:
    """Whether so few listeners could have shown a difference at all.

    Signed ranks and signs of n listeners have no p value below ``2 / 2^n``.
    """
    listeners = len(analysis.screening.kept)
    least = min(1.0, 2.0 ** (1 - listeners))
    if least * pairs <= 1 - analysis.level or not pairs:
        return []
    return [
        f"{count(listeners, 'listener')} cannot show any difference: the smallest p that they can "
        f"give is {least:.2g}, which Holm's correction for {count(pairs, 'pair')} raises above "
        f"{1 - analysis.level:.2g}"
    ]


def excluded_by(analysis: Analysis) -> Mapping[str, str]:
    """Why each listener who does not count was left out."""
    found: dict[str, str] = {}
    for one in analysis.screening.exclusions:
        found[one.listener] = "; ".join(filter(None, (found.get(one.listener), one.reason)))
    return found


# ------------------------------------------------------------------------------------------ files


def write_all(
    analysis: Analysis, summary: ListeningSummary, scores: Sequence[ListenerScore], folder: Path
) -> list[Path]:
    """Write everything into a folder, in place of what an earlier analysis left there.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    from snacbench.plots._ratings import figures_of
    from snacbench.plots.style import paper_style, write_figure

    tables = tables_of(analysis)
    notes = "\n".join(f"- {escaped(note)}" for note in summary.notes)
    parts = [
        f"# {escaped(summary.title)}",
        escaped(summary.text),
        to_markdown(tables).rstrip(),
        f"### Notes\n\n{notes}" if notes else "",
    ]
    texts = {
        "summary.md": "\n\n".join(filter(None, parts)) + "\n",
        "paragraph.txt": summary.text + "\n",
        "tables.tex": to_latex(tables),
        **{f"{k}.csv": csv_text(records) for k, records in records_of(analysis).items() if records},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder} ({error.strerror or error}); choose another folder with -o"
        ) from error
    paths = [folder / name for name in texts]
    with paper_style():
        for name, figure in figures_of(summary, scores).items():
            paths += write_figure(figure, folder / name, FIGURE_FORMATS)
    return paths


def csv_text(records: Sequence[Record]) -> str:
    """Records as CSV: numbers in full, what is not known empty, no cell a formula."""
    columns = dict.fromkeys(key for record in records for key in record)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    for record in records:
        safe = {k: safe_cell(v) if isinstance(v, str) else v for k, v in record.items()}
        writer.writerow(safe)
    return out.getvalue()


def records_of(analysis: Analysis) -> dict[str, list[Record]]:
    """Every table of numbers by the name of its file; those of simulated listeners say so."""
    form, compared = analysis.study.form, list[Record]()
    for one in analysis.comparisons:
        own: Record = {"first": one.first, "second": one.second}
        if form == "ab":
            own |= dict(zip(("wins", "ties", "losses"), one.answers, strict=True))
            own |= {"share": one.value, "for_first": one.for_first, "for_second": one.for_second}
        elif form == "abx":
            own = {"system": one.first, "correct": one.answers[0], "trials": sum(one.answers)}
            own["share"] = one.value
        else:
            own |= {"difference": one.value, "d_z": one.d_z, "superiority": one.superiority}
        ends = ("low", "high", "low_both", "high_both", "p_value", "p_holm", "listeners")
        compared.append(own | {name: getattr(one, name) for name in ends})
    out, listeners = excluded_by(analysis), list[Record]()
    agreements = {one.listener: one for one in analysis.agreements}
    for check in analysis.screening.checks:
        one_of = agreements.get(check.listener)
        agreed = {name: getattr(one_of, name, None) for name in ("correlation", "offset")}
        kept = {"kept": "no" if check.listener in out else "yes"}
        excluded = {"excluded": out.get(check.listener, "")}
        listeners.append({**vars(check), **agreed, **kept, **excluded})
    means = {"after": analysis.means, "before": analysis.means_before}
    found: dict[str, list[Record]] = {
        "scores": [{"screening": when, **vars(m)} for when, of in means.items() for m in of],
        {"ab": "preferences", "abx": "abx"}.get(form, "pairs"): compared,
        "abx-listeners": [vars(result) for c in analysis.comparisons for result in c.by_listener],
        "items": [
            {k: v for k, v in vars(one).items() if k != "by_condition"}
            | {f"mean_{c}": value for c, value in one.by_condition.items()}
            for one in analysis.items
        ],
        "listeners": listeners,
    }
    mark: Record = {"simulated": "yes"} if analysis.study.simulated else {}
    return {name: [{**r, **mark} for r in records] for name, records in found.items()}
