"""An analysis as tables, and as files: the paragraph, tables for people and programs, figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snacbench.errors import StoreError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.comparisons import POOLED_CAVEAT, Comparison
from snacbench.listening.test import REFERENCE, RESERVED
from snacbench.listening.tidy import safe_cell
from snacbench.listening.words import SIMULATED, condition_name, count, p_text, percent
from snacbench.rows import ConditionSummary, ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.tables.columns import ALL_DOMAINS
from snacbench.tables.render.latex import to_latex
from snacbench.tables.render.markdown import escaped, to_markdown
from snacbench.tables.table import Cell, Column, Row, Table

FIGURE_FORMATS = ("svg", "pdf", "png")
OVER_LISTENERS = "interval over listeners like these, on these items"
_P = (Column("p_value", "p"), Column("p_holm", "p (Holm)"))


def tables_of(analysis: Analysis) -> list[Table]:
    """All tables of a study; those of simulated listeners say so."""
    form = analysis.study.form
    first = {"ab": _preferences, "abx": _identifications}.get(form, _scores)(analysis)
    others = [_pairs(analysis), _items(analysis)] if analysis.means else []
    tables = [table for table in (first, *others, _listeners(analysis)) if table.rows]
    if analysis.study.simulated:
        tables = [
            replace(t, title=f"{t.title} (SIMULATED)", footnotes=(SIMULATED, *t.footnotes))
            for t in tables
        ]
    return tables


def _scores(analysis: Analysis) -> Table:
    before = {m.condition: m.mean for m in analysis.means_before if m.domain == ALL_DOMAINS}
    by_place = {(m.condition, m.domain): m for m in analysis.means}
    domains = [m for m in dict.fromkeys(m.domain for m in analysis.means) if m != ALL_DOMAINS]
    columns = (
        Column("kbps", "rate", "kbps"),
        Column("mean", "mean score", better="higher", digits=1),
        *(Column(f"mean_{domain}", domain, digits=1) for domain in domains),
        Column("median", "median", digits=1),
        Column("iqr", "IQR", digits=1),
        Column("before", "mean before screening", digits=1),
        Column("n", "ratings", digits=0),
    )

    def mean_cell(m: ConditionSummary) -> Cell:
        of = Interval(m.mean, m.low, m.high, analysis.level, m.n, m.listeners, OVER_LISTENERS)
        return Cell(m.mean, of)

    rows = []
    for m in analysis.overall:
        cells = {
            "kbps": Cell(m.kbps),
            "mean": mean_cell(m),
            "median": Cell(m.median),
            "iqr": Cell(m.third_quartile - m.first_quartile),
            "before": Cell(before.get(m.condition)),
            "n": Cell(float(m.n)),
        }
        for domain in domains:
            if there := by_place.get((m.condition, domain)):
                cells[f"mean_{domain}"] = mean_cell(there)
        ranked = m.condition not in RESERVED
        rows.append(Row(condition_name(m.condition), cells, ranked=ranked))
    notes = (
        f"mean in which every item counts the same, with its {percent(analysis.level)} "
        f"{OVER_LISTENERS}",
        f"{len(analysis.screening.kept)} of {len(analysis.screening.before)} listeners after "
        "screening",
    )
    return Table(f"Scores: {analysis.study.name}", columns, tuple(rows), notes, "condition")


def _pairs(analysis: Analysis) -> Table:
    columns = (
        Column("difference", "difference", "points", digits=1),
        *_P,
        Column("d_z", "d_z"),
        Column("superiority", "rated higher"),
        Column("both", "over items too"),
    )
    rows = []
    for one in analysis.comparisons:
        both = ""
        if one.low_both is not None and one.high_both is not None:
            both = f"[{one.low_both:.1f}, {one.high_both:.1f}]"
        cells = {
            "difference": _value(one, analysis, 1),
            **_p_cells(one),
            "d_z": Cell(one.d_z),
            "superiority": Cell(one.superiority),
            "both": Cell(text=both),
        }
        rows.append(Row(f"{one.first} − {one.second}", cells))
    notes = (
        f"first minus second, with the {percent(analysis.level)} {OVER_LISTENERS}",
        "p: Wilcoxon's signed-rank test on each listener's mean difference, two-sided; Holm's "
        f"correction over these {len(rows)} pairs",
        "d_z: mean over standard deviation of the listeners' mean differences; rated higher: share "
        "of pages on which the first is above the second, ties half",
        "over items too: interval for other listeners and other items; none below 5 items",
        *too_few_note(analysis, len(rows)),
    )
    return Table("Systems in pairs", columns, tuple(rows), notes, "pair")


def _value(one: Comparison, analysis: Analysis, scale: float) -> Cell:
    """What was compared, with its interval over listeners."""
    value, low, high = (None if x is None else scale * x for x in (one.value, one.low, one.high))
    n, listeners = sum(one.answers), one.listeners
    of = Interval(scale * one.value, low, high, analysis.level, n, listeners, OVER_LISTENERS)
    return Cell(value, of)


def _p_cells(one: Comparison) -> dict[str, Cell]:
    return {"p_value": Cell(text=p_text(one.p_value)), "p_holm": Cell(text=p_text(one.p_holm))}


def _items(analysis: Analysis) -> Table:
    conditions = [m.condition for m in analysis.overall]
    columns = (
        Column("mean", "mean of systems", digits=1),
        *(Column(c, condition_name(c), digits=1) for c in conditions),
        Column("n", "listeners", digits=0),
    )
    rows = []
    for one in analysis.items:
        of = Interval(one.mean, one.low, one.high, analysis.level, 0, one.listeners, OVER_LISTENERS)
        cells = {"mean": Cell(one.mean, of), "n": Cell(float(one.listeners))}
        rows.append(Row(one.item, cells | {c: Cell(v) for c, v in one.by_condition.items()}))
    notes = ["hardest first; means over listeners after screening"]
    if analysis.screening.transparent_items:
        names = ", ".join(analysis.screening.transparent_items)
        notes.append(
            f"over 25 % of the listeners rate the 7 kHz anchor above 90 on: {names}; it is not "
            "held against them"
        )
    return Table("Items", columns, tuple(rows), tuple(notes), "item")


def _listeners(analysis: Analysis) -> Table:
    out = excluded_by(analysis)
    agreements = {a.listener: a for a in analysis.agreements}
    columns = [Column("pages", "pages", digits=0), Column("excluded", "excluded")]
    if agreements:
        columns[1:1] = [
            Column("reference", "reference < 90"),
            Column("anchor", "anchor > 90"),
            Column("r", "r"),
            Column("offset", "offset", "points", digits=1),
        ]
    rows = []
    for c in analysis.screening.checks:
        agreement = agreements.get(c.listener)
        of = "" if c.pages_planned is None else f" of {c.pages_planned}"
        low = f"{c.reference_low} of {c.reference_items}" if c.reference_items else ""
        high = f"{c.anchor_high} of {c.anchor_items}" if c.anchor_items else ""
        cells = {
            "pages": Cell(text=f"{c.pages}{of}"),
            "reference": Cell(text=low),
            "anchor": Cell(text=high),
            "r": Cell(agreement.correlation if agreement else None),
            "offset": Cell(agreement.offset if agreement else None),
            "excluded": Cell(text=out.get(c.listener, "")),
        }
        rows.append(Row(c.listener, cells))
    note = (
        "r: correlation with the mean of the other listeners over systems and items; offset: how "
        "much higher than they the listener rates"
    )
    notes = (note,) if agreements else ()
    return Table("Listeners", tuple(columns), tuple(rows), notes, "listener")


def _preferences(analysis: Analysis) -> Table:
    columns = (
        Column("share", "preference for the first", "%", digits=1),
        Column("wins", "first", digits=0),
        Column("ties", "neither", digits=0),
        Column("losses", "second", digits=0),
        Column("listeners", "listeners for first : second"),
        *_P,
    )
    rows = []
    for one in analysis.comparisons:
        numbers = zip(("wins", "ties", "losses"), one.answers, strict=True)
        cells = {
            "share": _value(one, analysis, 100),
            **{name: Cell(float(number)) for name, number in numbers},
            "listeners": Cell(text=f"{one.for_first} : {one.for_second}"),
            **_p_cells(one),
        }
        rows.append(Row(f"{one.first} over {one.second}", cells))
    notes = (
        f"ties count half; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        "p: exact sign test, two-sided, each listener counting once, by what most of their answers "
        f"say; Holm's correction over these {len(rows)} pairs",
        *too_few_note(analysis, len(rows)),
    )
    return Table(f"Preferences: {analysis.study.name}", columns, tuple(rows), notes, "pair")


def _identifications(analysis: Analysis) -> Table:
    columns = (
        Column("share", "right answers", "%", digits=1),
        Column("correct", "right", digits=0),
        Column("trials", "trials", digits=0),
        *_P,
        Column("hearing", "listeners above chance"),
    )
    rows = []
    for one in analysis.comparisons:
        cells = {
            "share": _value(one, analysis, 100),
            "correct": Cell(float(one.answers[0])),
            "trials": Cell(float(sum(one.answers))),
            **_p_cells(one),
            "hearing": Cell(text=f"{above_chance(one, analysis.level)} of {one.listeners}"),
        }
        rows.append(Row(f"{one.first} from the {REFERENCE}", cells))
    notes = (
        f"50 % is guessing; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        f"{POOLED_CAVEAT}; Holm's correction over the systems",
        "listeners above chance: exact binomial test of each, Holm's correction over listeners",
    )
    return Table(f"ABX: {analysis.study.name}", columns, tuple(rows), notes, "system")


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
    from snacbench.plots.save import write_figure
    from snacbench.plots.style import paper_style

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
        **{f"{name}.csv": csv_text(records) for name, records in records_of(analysis) if records},
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


Record = dict[str, Any]


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


def records_of(analysis: Analysis) -> Iterator[tuple[str, list[Record]]]:
    """Every table of numbers, with the name of its file; those of simulated listeners say so."""
    means = {"after": analysis.means, "before": analysis.means_before}
    found: dict[str, list[Record]] = {
        "scores": [{"screening": when, **vars(m)} for when, of in means.items() for m in of],
        **_comparison_records(analysis),
        "items": [
            {k: v for k, v in vars(one).items() if k != "by_condition"}
            | {f"mean_{c}": value for c, value in one.by_condition.items()}
            for one in analysis.items
        ],
    }
    out, listeners = excluded_by(analysis), list[Record]()
    agreements = {one.listener: one for one in analysis.agreements}
    for check in analysis.screening.checks:
        agreement = agreements.get(check.listener)
        listeners.append(
            {
                **vars(check),
                "correlation": agreement.correlation if agreement else None,
                "offset": agreement.offset if agreement else None,
                "kept": "no" if check.listener in out else "yes",
                "excluded": out.get(check.listener, ""),
            }
        )
    mark: Record = {"simulated": "yes"} if analysis.study.simulated else {}
    for name, records in {**found, "listeners": listeners}.items():
        yield name, [{**record, **mark} for record in records]


def _comparison_records(analysis: Analysis) -> dict[str, list[Record]]:
    form, records = analysis.study.form, list[Record]()
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
        records.append(own | {name: getattr(one, name) for name in ends})
    by_listener = [vars(result) for one in analysis.comparisons for result in one.by_listener]
    name = {"ab": "preferences", "abx": "abx"}.get(form, "pairs")
    return {name: records, "abx-listeners": by_listener}
