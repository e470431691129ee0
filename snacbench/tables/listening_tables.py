"""What came of a listening test, as tables: a row per condition, a row per pair."""

from snacbench.forms import FORMS, RESERVED
from snacbench.rows import ComparisonSummary, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.tables.table_model import NOTHING, Cell, Column, Row, Table


def listening_tables(summary: ListeningSummary) -> list[Table]:
    """All tables of a test; those of simulated listeners say so."""
    title = FORMS[summary.form].label + " (simulated)" * summary.simulated
    level = f"{100 * summary.level:g} %"
    note = f"Intervals: {level}, over listeners, every item counting the same."
    tables = (_conditions(summary, title, note), _pairs(summary, title, note))
    return [table for table in tables if table.rows]


def _cell(
    summary: ListeningSummary, value: float, ends: tuple[float | None, float | None], scale: float
) -> Cell:
    low, high = (None if end is None else scale * end for end in ends)
    return Cell(scale * value, Interval(scale * value, low, high, summary.level, 0, 0, ""))


def _conditions(summary: ListeningSummary, title: str, note: str) -> Table:
    """A row per condition: rate, mean score of all items and of each domain, spread."""
    form, domains = FORMS[summary.form], dict.fromkeys(c.domain for c in summary.conditions)
    headings = {d: form.mean if d == ALL_DOMAINS else d for d in domains}
    columns = (
        Column("kbps", "rate", "kbps"),
        *(Column(f"mean {d}", of, "", "higher", form.digits) for d, of in headings.items()),
        Column("median", "median", digits=1),
        Column("iqr", "IQR", digits=1),
        Column("n", "ratings", digits=0),
    )
    cells: dict[str, dict[str, Cell]] = {}
    for c in summary.conditions:
        row = cells.setdefault(c.condition, {})
        row[f"mean {c.domain}"] = _cell(summary, c.mean, (c.low, c.high), 1)
        if c.domain == ALL_DOMAINS:
            row |= {"kbps": Cell(c.kbps), "median": Cell(c.median), "n": Cell(c.n)}
            row["iqr"] = Cell(c.third_quartile - c.first_quartile)
    rows = tuple(
        Row(RESERVED.get(name, name), row, ranked=name not in RESERVED)
        for name, row in cells.items()
        if "n" in row
    )
    spread = "Median and IQR (third quartile minus first) are of all ratings after screening."
    return Table(title, columns, rows, (note, spread), "condition")


def _pairs(summary: ListeningSummary, title: str, note: str) -> Table:
    """A row per pair: difference or share, answers, p."""
    form = FORMS[summary.form]
    share = not form.rates
    columns = (
        Column("value", form.value, form.unit, digits=0 if share else form.digits),
        *([Column("answers", "answers")] if share else []),
        Column("p", "p"),
        Column("p_holm", "p (Holm)"),
        Column("listeners", "listeners", digits=0),
    )

    def row(c: ComparisonSummary) -> Row:
        value = _cell(summary, c.value, (c.low, c.high), 100 if share else 1)
        texts = [" : ".join(map(str, c.answers))] * share + [p_text(c.p_value), p_text(c.p_holm)]
        second = c.second if form.rates else RESERVED.get(c.second, c.second)
        label, told = form.between.format(c.first, second), (Cell(text=text) for text in texts)
        return Row.of(label, columns, value, *told, c.listeners)

    pairs = len(summary.comparisons)
    title += "" if share else ", pairs of systems"
    notes = [note, f"{form.how} Holm's correction is over all rows."]
    # Signed ranks and signs of n listeners have no p value below 2 / 2^n.
    least = min(1.0, 2.0 ** (1 - summary.listeners))
    if summary.form != "abx" and least * pairs > 1 - summary.level:
        notes.append(
            f"So few listeners cannot show any difference: the smallest p that {summary.listeners} "
            f"can give is {least:.2g}, which the correction raises above {1 - summary.level:.2g}."
        )
    return Table(title, columns, tuple(map(row, summary.comparisons)), tuple(notes), "pair")


def p_text(p: float | None) -> str:
    """A p value as papers write it."""
    if p is None:
        return NOTHING
    if p < 0.001:
        return "< 0.001"
    return "1" if p > 0.9995 else f"{p:.3f}"
