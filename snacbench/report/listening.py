"""The report's section on listening tests: what listeners said, and which metrics agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snacbench.report.summary import Cell, Heading
from snacbench.rows import ComparisonSummary, ConditionSummary, ListenerScore, ListeningSummary
from snacbench.store.folder import RunFolder
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, clusters_of, scores_of

if TYPE_CHECKING:
    from snacbench.stats.correlation import RankCorrelation

FOLDER = "figures"
_RESERVED = {
    "reference": "hidden reference",
    "anchor35": "anchor, 3.5 kHz",
    "anchor70": "anchor, 7 kHz",
}
_TITLES = {
    "scores": "Mean scores with their intervals",
    "distribution": "Every rating",
    "rate": "Mean score against rate",
    "answers": "Answers",
}
_FORMS = {
    "mushra": "MUSHRA",
    "mushra-no-anchors": "MUSHRA without anchors",
    "ab": "AB",
    "abx": "ABX",
}


@dataclass(frozen=True)
class Listened:
    """One listening test as the page shows it: `rows` are a name and a cell per heading."""

    summary: ListeningSummary
    form: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    figures: tuple[Mapping[str, str], ...]
    agreements: tuple[tuple[str, tuple[Cell, ...]], ...]


def listened(folder: RunFolder, rows: RunRows, target: Path) -> list[Listened]:
    """Every listening test whose results are in the run; draws their figures."""
    summaries = {row.test: row for row in folder.read(ListeningSummary)}
    if not summaries:
        return []
    scores = list(folder.read(ListenerScore))
    return [
        _listened(summary, [s for s in scores if s.test == test], rows, target, number)
        for number, (test, summary) in enumerate(summaries.items(), start=1)
    ]


def _listened(
    summary: ListeningSummary,
    scores: Sequence[ListenerScore],
    rows: RunRows,
    target: Path,
    number: int,
) -> Listened:
    is_mushra = summary.form not in ("ab", "abx")
    headings, table = _rated(summary) if is_mushra else _compared(summary)
    return Listened(
        summary,
        _FORMS.get(summary.form, summary.form),
        headings,
        table,
        tuple(_figures(summary, scores, rows, target, number)),
        tuple(_agreements(scores, rows)),
    )


def _rated(
    summary: ListeningSummary,
) -> tuple[tuple[Heading, ...], tuple[tuple[str, tuple[Cell, ...]], ...]]:
    domains = list(dict.fromkeys(c.domain for c in summary.conditions))
    found = {(c.condition, c.domain): c for c in summary.conditions}
    overall = [c for c in summary.conditions if c.domain == ALL_DOMAINS]
    headings = (
        Heading("kbps", "actual rate in kbps"),
        *(
            Heading("mean score" if d == ALL_DOMAINS else d, "0 bad to 100 excellent", "↑")
            for d in domains
        ),
        Heading("median", "of all ratings"),
        Heading("IQR", "third quartile minus first, of all ratings"),
        Heading("ratings", "after screening"),
    )
    table = tuple(
        (
            _RESERVED.get(c.condition, c.condition),
            (
                Cell("–" if c.kbps is None else f"{c.kbps:.2f}"),
                *(_mean(found.get((c.condition, domain))) for domain in domains),
                Cell(f"{c.median:.1f}"),
                Cell(f"{c.third_quartile - c.first_quartile:.1f}"),
                Cell(f"{c.n:,}"),
            ),
        )
        for c in overall
    )
    return headings, table


def _mean(one: ConditionSummary | None) -> Cell:
    if one is None:
        return Cell("–")
    ends = "" if one.low is None or one.high is None else f"{one.low:.1f} to {one.high:.1f}"
    return Cell(f"{one.mean:.1f}", interval=ends)


def _compared(
    summary: ListeningSummary,
) -> tuple[tuple[Heading, ...], tuple[tuple[str, tuple[Cell, ...]], ...]]:
    is_ab = summary.form == "ab"
    headings = (
        Heading("preference for the first %" if is_ab else "right answers %", "50 is even"),
        Heading(
            "answers", "for the first, neither, the second" if is_ab else "right and wrong answers"
        ),
        Heading("p (Holm)", "corrected for all of these comparisons"),
        Heading("listeners", "after screening"),
    )
    between = "over" if is_ab else "from"
    table = tuple(
        (
            f"{c.first} {between} {_RESERVED.get(c.second, c.second)}",
            (
                _share(c),
                Cell(" : ".join(map(str, c.answers))),
                Cell(_p(c.p_holm)),
                Cell(str(c.listeners)),
            ),
        )
        for c in summary.comparisons
    )
    return headings, table


def _share(one: ComparisonSummary) -> Cell:
    missing = one.low is None or one.high is None
    ends = "" if missing else f"{100 * (one.low or 0):.0f} to {100 * (one.high or 0):.0f}"
    return Cell(f"{100 * one.value:.0f}", interval=ends)


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _figures(
    summary: ListeningSummary,
    scores: Sequence[ListenerScore],
    rows: RunRows,
    target: Path,
    number: int,
) -> list[Mapping[str, str]]:
    from snacbench.plots._ratings import figures_of
    from snacbench.plots.save import write_figure
    from snacbench.plots.style import WIDTH_IN, paper_style

    drawn: list[Mapping[str, str]] = []
    with paper_style():
        figures = figures_of(summary, scores, [codec.spec for codec in rows.codecs])
        for name, figure in figures.items():
            # Numbered, not named: a test's name is anybody's, a file's is ours.
            stem = target / FOLDER / f"listening-{number}-{name}"
            (path,) = write_figure(figure, stem, ["svg"])
            title = _TITLES.get(name, name) + (" (SIMULATED)" if summary.simulated else "")
            wide = "yes" if figure.get_figwidth() > WIDTH_IN["single"] else ""
            drawn.append({"file": f"{FOLDER}/{path.name}", "title": title, "wide": wide})
    return drawn


# ------------------------------------------------------------------------ metrics and listeners


def _agreements(
    scores: Sequence[ListenerScore], rows: RunRows
) -> list[tuple[str, tuple[Cell, ...]]]:
    """Every metric: rank correlation with the mean ratings of the same codecs and clips."""
    from snacbench.stats.correlation import rank_correlation  # takes scipy along

    rated = mean_ratings(scores)
    found = []
    for metric in rows.metrics:
        spec = next((m for m in rows.run.metrics if m.name == metric), None)
        sign = -1.0 if spec and spec.better == "lower" else 1.0
        values = {
            codec: {clip: sign * value for clip, value in of.items()}
            for codec, of in scores_of([rows], metric, ALL_DOMAINS).items()
        }
        correlation = rank_correlation(values, rated, clusters_of([rows]))
        if correlation.n:
            found.append((metric, _correlation_cells(correlation)))
    return found


def mean_ratings(scores: Sequence[ListenerScore]) -> dict[str, dict[str, float]]:
    """Mean rating by codec and clip, over the listeners kept and all items of the clip."""
    sums: dict[str, dict[str, list[float]]] = {}
    for s in scores:
        if s.kept and s.clip and s.condition not in _RESERVED:
            sums.setdefault(s.condition, {}).setdefault(s.clip, []).append(s.score)
    return {
        codec: {clip: sum(values) / len(values) for clip, values in of.items()}
        for codec, of in sums.items()
    }


def _correlation_cells(found: RankCorrelation) -> tuple[Cell, ...]:
    if found.value is None:
        return Cell("–", note=found.reason), Cell(str(found.n))
    missing = found.low is None or found.high is None
    ends = "" if missing else f"{found.low:.2f} to {found.high:.2f}".replace("-", "−")
    text = f"{found.value:.2f}".replace("-", "−")
    return Cell(text, interval=ends), Cell(f"{found.n} of {found.clips} clips")
