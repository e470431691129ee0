"""The report's section on listening tests: what listeners said, and which metrics agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.forms import FORMS, RESERVED
from snacbench.plots._ratings import figures_of
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.store.run_folder import RunFolder
from snacbench.tables.listening_tables import listening_tables
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of, scores_of
from snacbench.tables.table_model import Cell, Column, Row, Table
from snacbench.tables.writers import html_fragment

_AGREEMENT = (
    "Over codecs and clips, mean ratings against the metric, turned so that 1 is full agreement. "
    "Listeners heard an excerpt of each clip, metrics saw all of it. Intervals: 95 %, by jackknife "
    "over the run's speakers and tracks, or clips where these are not known."
)


@dataclass(frozen=True)
class Section:
    """One listening test as the page shows it; `table` and `agreement` are HTML."""

    summary: ListeningSummary
    form: str
    table: str
    figures: tuple[Mapping[str, str], ...]
    agreement: str


def listening_sections(folder: RunFolder, rows: RunRows, target: Path) -> list[Section]:
    """Every listening test whose results are in the run; draws their figures."""
    from snacbench.plots.style import WIDTH_IN, write_figure

    summaries = {row.test: row for row in folder.read(ListeningSummary)}
    scores = list(folder.read(ListenerScore)) if summaries else []
    found = []
    for number, (test, summary) in enumerate(summaries.items(), start=1):
        of_test = [score for score in scores if score.test == test]
        simulated = " (simulated)" if summary.simulated else ""
        drawn: list[Mapping[str, str]] = []
        for name, figure in figures_of(summary, of_test, [c.spec for c in rows.codecs]).items():
            # Numbered, not named: a test's name is anybody's, a file's is ours.
            stem = target / "figures" / f"listening-{number}-{name}"
            (path,) = write_figure(figure, stem, ["svg"])
            title = name.capitalize() + simulated.upper()
            wide = "yes" if figure.get_figwidth() > WIDTH_IN["single"] else ""
            drawn.append({"file": f"figures/{path.name}", "title": title, "wide": wide})
        table = html_fragment(listening_tables(summary))
        agreement = _agreement(of_test, rows, simulated)
        found.append(Section(summary, FORMS[summary.form].label, table, tuple(drawn), agreement))
    return found


def _agreement(scores: Sequence[ListenerScore], rows: RunRows, simulated: str) -> str:
    """Every metric: rank correlation with the mean ratings of the same codecs and clips."""
    from snacbench.stats.correlation import rank_correlation  # takes scipy along

    rated, found = mean_ratings(scores), []
    lower = {metric.name for metric in rows.run.metrics if metric.better == "lower"}
    for metric in rows.clip_metrics:
        sign = -1.0 if metric in lower else 1.0
        values = {
            codec: {clip: sign * value for clip, value in of.items()}
            for codec, of in scores_of([rows], metric, ALL_DOMAINS).items()
        }
        one = rank_correlation(values, rated, clusters_of([rows]))
        if one.n:
            rho = Cell(text=f"– {one.reason}")
            if one.value is not None:
                rho = Cell(one.value, Interval(one.value, one.low, one.high, 0.95, 0, 0, ""))
            pairs = Cell(text=f"{one.n} of {one.clips} clips")
            found.append(Row(metric, {"rho": rho, "pairs": pairs}))
    if not found:
        return ""
    columns = (Column("rho", "Spearman's ρ"), Column("pairs", "pairs"))
    title = f"Which metrics rank as the listeners did{simulated}"
    return html_fragment([Table(title, columns, tuple(found), (_AGREEMENT,), "metric")])


def mean_ratings(scores: Sequence[ListenerScore]) -> dict[str, dict[str, float]]:
    """Mean rating by codec and clip, over the listeners kept and all items of the clip."""
    sums: dict[str, dict[str, list[float]]] = {}
    for s in scores:
        if s.kept and s.clip and s.condition not in RESERVED:
            sums.setdefault(s.condition, {}).setdefault(s.clip, []).append(s.score)
    return {
        codec: {clip: sum(values) / len(values) for clip, values in of.items()}
        for codec, of in sums.items()
    }
