"""An analysis as tables, and as files: the paragraph, tables for people and programs, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from snacbench.errors import StoreError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.comparisons import POOLED_CAVEAT, Comparison
from snacbench.listening.analysis.estimates import Record
from snacbench.listening.test import REFERENCE, RESERVED
from snacbench.listening.tidy import safe_cell
from snacbench.listening.words import SIMULATED, condition_name, count, p_text, percent
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.tables.writers import escaped, to_latex, to_markdown

FIGURE_FORMATS = ("svg", "pdf", "png")
_FIGURES = ("scores", "distribution", "rate", "answers")
OVER_LISTENERS = "interval over listeners like these, on these items"
_P = (Column("p_value", "p"), Column("p_holm", "p (Holm)"))
_WITH_INTERVAL = ("mean", "difference", "share")


Records = Mapping[str, Sequence[Record]]
_Parts = tuple[str, str, Sequence[Column], Mapping[str, Record], Sequence[str]]
"""Of a table: title, heading of the labels, columns, records by their labels, notes."""


def tables_of(analysis: Analysis) -> list[Table]:
    """All tables of a study; those of simulated listeners say so."""
    records, found = records_of(analysis), []
    of_form: dict[str, list[Callable[[Analysis, Records], _Parts]]]
    of_form = {"ab": [_preferences], "abx": [_identifications]}
    for parts_of in (*of_form.get(analysis.study.form, [_scores, _pairs, _items]), _listeners):
        title, label_heading, columns, shown, notes = parts_of(analysis, records)
        rows = []
        for label, record in shown.items():
            cells = {column.key: _cell(analysis, column, record) for column in columns}
            rows.append(Row(label, cells, ranked=record.get("condition") not in RESERVED))
        if analysis.study.simulated:
            title, notes = f"{title} (SIMULATED)", (SIMULATED, *notes)
        if rows:
            found.append(Table(title, tuple(columns), tuple(rows), tuple(notes), label_heading))
    return found


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


def _scores(analysis: Analysis, _: Records) -> _Parts:
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
    return f"Scores: {analysis.study.name}", "condition", columns, shown, notes


def _pairs(analysis: Analysis, records: Records) -> _Parts:
    columns = (
        Column("difference", "difference", "points", digits=1),
        *_P,
        Column("d_z", "d_z"),
        Column("superiority", "rated higher"),
        Column("both", "over items too"),
    )
    shown = {}
    for r in records["pairs"]:
        both = "" if r["low_both"] is None else f"[{r['low_both']:.1f}, {r['high_both']:.1f}]"
        shown[f"{r['first']} − {r['second']}"] = {**r, "both": both}
    notes = (
        f"first minus second, with the {percent(analysis.level)} {OVER_LISTENERS}",
        "p: Wilcoxon's signed-rank test on each listener's mean difference, two-sided; Holm's "
        f"correction over these {len(shown)} pairs",
        "d_z: mean over standard deviation of the listeners' mean differences; rated higher: share "
        "of pages on which the first is above the second, ties half",
        "over items too: interval for other listeners and other items; none below 5 items",
        *too_few_note(analysis, len(shown)),
    )
    return "Systems in pairs", "pair", columns, shown, notes


def _items(analysis: Analysis, records: Records) -> _Parts:
    columns = (
        Column("mean", "mean of systems", digits=1),
        *(
            Column(f"mean_{m.condition}", condition_name(m.condition), digits=1)
            for m in analysis.overall
        ),
        Column("listeners", "listeners", digits=0),
    )
    notes = ["hardest first; means over listeners after screening"]
    if analysis.screening.transparent_items:
        names = ", ".join(analysis.screening.transparent_items)
        notes.append(
            f"over 25 % of the listeners rate the 7 kHz anchor above 90 on: {names}; it is not "
            "held against them"
        )
    shown = {one["item"]: one for one in records["items"]}
    return "Items", "item", columns, shown, notes


def _listeners(analysis: Analysis, records: Records) -> _Parts:
    columns = [Column("pages", "pages", digits=0), Column("excluded", "excluded")]
    notes = []
    if analysis.agreements:
        columns[1:1] = [
            Column("reference", "reference < 90"),
            Column("anchor", "anchor > 90"),
            Column("correlation", "r"),
            Column("offset", "offset", "points", digits=1),
        ]
        notes.append(
            "r: correlation with the mean of the other listeners over systems and items; offset: "
            "how much higher than they the listener rates"
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
        for r in records["listeners"]
    }
    return "Listeners", "listener", columns, shown, notes


def _preferences(analysis: Analysis, records: Records) -> _Parts:
    columns = (
        Column("share", "preference for the first", "%", digits=1),
        Column("wins", "first", digits=0),
        Column("ties", "neither", digits=0),
        Column("losses", "second", digits=0),
        Column("votes", "listeners for first : second"),
        *_P,
    )
    shown = {
        f"{r['first']} over {r['second']}": {**r, "votes": f"{r['for_first']} : {r['for_second']}"}
        for r in records["preferences"]
    }
    notes = (
        f"ties count half; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        "p: exact sign test, two-sided, each listener counting once, by what most of their answers "
        f"say; Holm's correction over these {len(shown)} pairs",
        *too_few_note(analysis, len(shown)),
    )
    return f"Preferences: {analysis.study.name}", "pair", columns, shown, notes


def _identifications(analysis: Analysis, _: Records) -> _Parts:
    columns = (
        Column("share", "right answers", "%", digits=1),
        Column("correct", "right", digits=0),
        Column("trials", "trials", digits=0),
        *_P,
        Column("hearing", "listeners above chance"),
    )
    shown = {
        f"{one.row.first} from the {REFERENCE}": {
            **one.record,
            "hearing": f"{above_chance(one, analysis.level)} of {one.row.listeners}",
        }
        for one in analysis.comparisons
    }
    notes = (
        f"50 % is guessing; every item counts the same; {percent(analysis.level)} {OVER_LISTENERS}",
        f"{POOLED_CAVEAT}; Holm's correction over the systems",
        "listeners above chance: exact binomial test of each, Holm's correction over listeners",
    )
    return f"ABX: {analysis.study.name}", "system", columns, shown, notes


def above_chance(one: Comparison, level: float) -> int:
    """How many listeners of an ABX test tell a system from the reference."""
    return sum(result["p_holm"] <= 1 - level for result in one.by_listener)


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


# ------------------------------------------------------------------------------------------ files


def write_all(
    analysis: Analysis, summary: ListeningSummary, scores: Sequence[ListenerScore], folder: Path
) -> list[Path]:
    """Write everything into a folder, in place of what an earlier analysis left there."""
    from snacbench.plots._ratings import figures_of
    from snacbench.plots.style import paper_style, write_figure

    tables, numbers = tables_of(analysis), records_of(analysis)
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
        **{f"{k}.csv": csv_text(records) for k, records in numbers.items() if records},
    }
    # What this study does not give must not stay from one that did.
    earlier = [f"{name}.{form}" for name in _FIGURES for form in FIGURE_FORMATS]
    earlier += [f"{name}.csv" for name, records in numbers.items() if not records]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in earlier:
            (folder / name).unlink(missing_ok=True)
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
    from pandas import DataFrame

    safe = [
        {key: safe_cell(v) if isinstance(v, str) else v for key, v in record.items()}
        for record in records
    ]
    return str(DataFrame(safe, dtype=object).to_csv(index=False, lineterminator="\n"))


def records_of(analysis: Analysis) -> dict[str, list[Record]]:
    """Every table of numbers by the name of its file; those of simulated listeners say so."""
    out = dict[str, str]()
    for left in analysis.screening.exclusions:
        out[left.listener] = "; ".join(filter(None, (out.get(left.listener), left.reason)))
    nothing = {"correlation": None, "offset": None}
    means = {"after": analysis.means, "before": analysis.means_before}
    pairs = {"ab": "preferences", "abx": "abx"}.get(analysis.study.form, "pairs")
    found: dict[str, list[Record]] = {
        "scores": [{"screening": when, **vars(m)} for when, of in means.items() for m in of],
        pairs: [one.record for one in analysis.comparisons],
        "abx-listeners": [result for c in analysis.comparisons for result in c.by_listener],
        "items": list(analysis.items),
        "listeners": [
            vars(check)
            | analysis.agreements.get(check.listener, nothing)
            | {"kept": "no" if check.listener in out else "yes"}
            | {"excluded": out.get(check.listener, "")}
            for check in analysis.screening.checks
        ],
    }
    mark: Record = {"simulated": "yes"} if analysis.study.simulated else {}
    return {name: [{**r, **mark} for r in records] for name, records in found.items()}
