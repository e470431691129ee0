"""An analysis as tables, for every renderer of `snacbench.tables`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from snacbench.listening.analysis.abx import POOLED_CAVEAT
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.cells import Ends
from snacbench.listening.analysis.means import Mean
from snacbench.listening.test import REFERENCE, RESERVED
from snacbench.listening.words import SIMULATED, condition_name, count, p_text, percent
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.tables.table_model import Cell, Column, Row, Table

OVER_LISTENERS = "interval over listeners like these, on these items"
_P = (Column("p_value", "p"), Column("p_holm", "p (Holm)"))


def tables_of(analysis: Analysis) -> list[Table]:
    """All tables of a study; those of simulated listeners say so."""
    made = {
        "ab": [_preferences, _strengths],
        "abx": [_identifications],
    }.get(analysis.study.form, [_scores, _pairs, _items])
    tables = [make(analysis) for make in (*made, _listeners)]
    tables = [table for table in tables if table.rows]
    if analysis.study.simulated:
        tables = [
            replace(t, title=f"{t.title} (SIMULATED)", footnotes=(SIMULATED, *t.footnotes))
            for t in tables
        ]
    return tables


def _interval(mean: float, ends: Ends, analysis: Analysis, *, n: int, listeners: int) -> Interval:
    return Interval(mean, ends.low, ends.high, analysis.level, n, listeners, OVER_LISTENERS)


def _scores(analysis: Analysis) -> Table:
    before = {(m.condition, m.domain): m for m in analysis.means_before}
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
    rows = []
    for mean in analysis.overall:
        cells = _score_cells(mean, before.get((mean.condition, ALL_DOMAINS)), analysis)
        for domain in domains:
            there = by_place.get((mean.condition, domain))
            if there:
                cells[f"mean_{domain}"] = _mean_cell(there, analysis)
        is_system = mean.condition not in RESERVED
        rows.append(Row(condition_name(mean.condition), cells, ranked=is_system))
    notes = (
        f"mean in which every item counts the same, with its {percent(analysis.level)} "
        f"{OVER_LISTENERS}",
        f"{len(analysis.screening.kept)} of {len(analysis.screening.before)} listeners after "
        "screening",
    )
    return Table(f"Scores: {analysis.study.name}", columns, tuple(rows), notes, "condition")


def _score_cells(mean: Mean, before: Mean | None, analysis: Analysis) -> dict[str, Cell]:
    cells = {
        "kbps": Cell(analysis.study.kbps.get(mean.condition)),
        "mean": _mean_cell(mean, analysis),
        "median": Cell(mean.median),
        "iqr": Cell(mean.third_quartile - mean.first_quartile),
        "n": Cell(float(mean.n)),
    }
    return {**cells, "before": Cell(before.mean)} if before else cells


def _mean_cell(mean: Mean, analysis: Analysis) -> Cell:
    interval = _interval(mean.mean, mean.ends, analysis, n=mean.n, listeners=mean.listeners)
    return Cell(mean.mean, interval)


def _pairs(analysis: Analysis) -> Table:
    columns = (
        Column("difference", "difference", "points", digits=1),
        *_P,
        Column("d_z", "d_z"),
        Column("superiority", "rated higher"),
        Column("both", "over items too"),
    )
    rows = []
    for pair in analysis.pairs:
        interval = _interval(pair.difference, pair.ends, analysis, n=0, listeners=pair.listeners)
        effect, both = pair.effect, ""
        if pair.ends.low_both is not None and pair.ends.high_both is not None:
            both = f"[{pair.ends.low_both:.1f}, {pair.ends.high_both:.1f}]"
        cells = {
            "difference": Cell(pair.difference, interval),
            **_p_cells(pair.p_value, pair.p_holm),
            "d_z": Cell(effect.d_z if effect else None),
            "superiority": Cell(effect.superiority if effect else None),
            "both": Cell(text=both),
        }
        rows.append(Row(f"{pair.first} − {pair.second}", cells))
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


def _p_cells(p_value: float | None, p_holm: float | None) -> dict[str, Cell]:
    return {"p_value": Cell(text=p_text(p_value)), "p_holm": Cell(text=p_text(p_holm))}


def _items(analysis: Analysis) -> Table:
    conditions = [m.condition for m in analysis.overall]
    columns = (
        Column("mean", "mean of systems", digits=1),
        *(Column(c, condition_name(c), digits=1) for c in conditions),
        Column("n", "listeners", digits=0),
    )
    rows = []
    for one in analysis.items:
        interval = _interval(one.mean, one.ends, analysis, n=0, listeners=one.listeners)
        cells = {
            "mean": Cell(one.mean, interval),
            **{c: Cell(value) for c, value in one.by_condition.items()},
            "n": Cell(float(one.listeners)),
        }
        rows.append(Row(one.item, cells))
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
    rated = bool(analysis.agreements)
    columns = (
        Column("pages", "pages", digits=0),
        *(
            (Column("reference", "reference < 90"), Column("anchor", "anchor > 90"))
            if rated
            else ()
        ),
        *((Column("r", "r"), Column("offset", "offset", "points", digits=1)) if rated else ()),
        Column("excluded", "excluded"),
    )
    rows = []
    for check in analysis.screening.checks:
        agreement = agreements.get(check.listener)
        of = "" if check.pages_planned is None else f" of {check.pages_planned}"
        cells = {
            "pages": Cell(text=f"{check.pages}{of}"),
            "reference": Cell(text=_part(check.reference_low, check.reference_items)),
            "anchor": Cell(text=_part(check.anchor_high, check.anchor_items)),
            "r": Cell(agreement.correlation if agreement else None),
            "offset": Cell(agreement.offset if agreement else None),
            "excluded": Cell(text=out.get(check.listener, "")),
        }
        rows.append(Row(check.listener, cells))
    return Table("Listeners", columns, tuple(rows), tuple(_listener_notes(analysis)), "listener")


def _part(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else ""


def _listener_notes(analysis: Analysis) -> Iterator[str]:
    if not analysis.agreements:
        return
    yield (
        "r: correlation with the mean of the other listeners over systems and items; offset: how "
        "much higher than they the listener rates"
    )
    icc = analysis.icc
    if icc and icc.single is not None and icc.average is not None:
        yield (
            f"listeners kept: ICC(2,1) = {icc.single:.2f}, ICC(2,k) = {icc.average:.2f} for k = "
            f"{icc.listeners} (Shrout and Fleiss 1979), over {icc.targets} pairs of system and item"
        )


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
    for one in analysis.preferences:
        ends = _scaled(one.ends, 100)
        n = one.wins + one.ties + one.losses
        interval = _interval(100 * one.share, ends, analysis, n=n, listeners=one.listeners)
        cells = {
            "share": Cell(100 * one.share, interval),
            **{k: Cell(float(getattr(one, k))) for k in ("wins", "ties", "losses")},
            "listeners": Cell(text=f"{one.for_first} : {one.for_second}"),
            **_p_cells(one.p_value, one.p_holm),
        }
        rows.append(Row(f"{one.first} over {one.second}", cells))
    notes = (
        f"ties count half; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        "p: exact sign test, two-sided, each listener counting once, by what most of their answers "
        f"say; Holm's correction over these {len(rows)} pairs",
        *too_few_note(analysis, len(rows)),
    )
    return Table(f"Preferences: {analysis.study.name}", columns, tuple(rows), notes, "pair")


def _strengths(analysis: Analysis) -> Table:
    rows = tuple(
        Row(one.system, {"share": Cell(100 * one.share)})
        for one in analysis.strengths
        if one.share is not None
    )
    columns = (Column("share", "preference over an average system", "%", digits=1),)
    notes = ("Bradley-Terry model of all answers, ties counting half to both",)
    return Table("All pairs together", columns, rows, notes, "system")


def _identifications(analysis: Analysis) -> Table:
    columns = (
        Column("share", "right answers", "%", digits=1),
        Column("correct", "right", digits=0),
        Column("trials", "trials", digits=0),
        *_P,
        Column("hearing", "listeners above chance"),
    )
    rows = []
    alpha = 1 - analysis.level
    for one in analysis.identifications:
        ends = _scaled(one.ends, 100)
        interval = _interval(100 * one.share, ends, analysis, n=one.trials, listeners=one.listeners)
        above = sum(r.p_holm is not None and r.p_holm <= alpha for r in one.by_listener)
        cells = {
            "share": Cell(100 * one.share, interval),
            "correct": Cell(float(one.correct)),
            "trials": Cell(float(one.trials)),
            **_p_cells(one.p_value, one.p_holm),
            "hearing": Cell(text=f"{above} of {one.listeners}"),
        }
        rows.append(Row(f"{one.system} from the {REFERENCE}", cells))
    notes = (
        f"50 % is guessing; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        f"{POOLED_CAVEAT}; Holm's correction over the systems",
        "listeners above chance: exact binomial test of each, Holm's correction over listeners",
    )
    return Table(f"ABX: {analysis.study.name}", columns, tuple(rows), notes, "system")


def _scaled(ends: Ends, by: float) -> Ends:
    scaled = {key: None if end is None else by * end for key, end in vars(ends).items()}
    return Ends(**scaled)


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
