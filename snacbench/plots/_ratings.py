"""Figures of a listening test, from its rows: who listened and how it was analysed is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snacbench.plots._curves import (
    Point,
    Series,
    bar_lengths,
    draw_levels,
    draw_series,
    log_axis,
    name_series,
)
from snacbench.plots._labels import codec_label, joined, model_label
from snacbench.plots.distribution import draw_row
from snacbench.plots.style import (
    BLACK,
    BLUE,
    GREY,
    SMALL_PT,
    VERMILLION,
    Look,
    caption,
    looks,
    name_rows,
    new_figure,
    row_height_in,
    settle,
)
from snacbench.rows import ComparisonSummary, ConditionSummary, ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = ("bad", "poor", "fair", "good", "excellent")
_NAMES = {
    "reference": "hidden reference",
    "anchor35": "anchor, 3.5 kHz",
    "anchor70": "anchor, 7 kHz",
}
_SCORE = "score (0 bad, 100 excellent)"
_MOST_PANELS = 4
_BARS, _INKS = (BLUE, "#DDDDDD", VERMILLION), ("white", "#333333", "white")
_SIMULATED = "SIMULATED LISTENERS"
_STAMP: dict[str, Any] = {"fontsize": SMALL_PT, "color": "#B00020", "fontweight": "bold"}
_PLAIN = Look(BLACK, "", "D")
_ROOM_FOR_NUMBER = 5.0  # percent


def figures_of(
    summary: ListeningSummary, scores: Sequence[ListenerScore], specs: Sequence[CodecSpec] = ()
) -> dict[str, Figure]:
    """Every figure that a test gives, by name, settled; call inside `style.paper_style`.

    Parameters
    ----------
    specs : sequence of CodecSpec
        The run's codecs; colours of others go by their names.
    """
    known = {spec.name: spec for spec in specs}
    if summary.form in ("ab", "abx"):
        draw = _draw_preferences if summary.form == "ab" else _draw_identifications
        found = {"answers": draw(summary)} if summary.comparisons else {}
    else:
        found = dict(_rating_figures(summary, scores, known))
    for figure in found.values():
        settle(figure)
    return found


def _rating_figures(
    summary: ListeningSummary, scores: Sequence[ListenerScore], known: dict[str, CodecSpec]
) -> Iterator[tuple[str, Figure]]:
    rows = [c for c in summary.conditions if c.domain == ALL_DOMAINS]
    if not rows:
        return
    spec_of = {row.condition: known.get(row.condition) or _guessed(row.condition) for row in rows}
    look = looks(list(spec_of.values()))
    drawn = {name: look[spec.model] for name, spec in spec_of.items()}
    yield "scores", _draw_scores(summary, rows, drawn, spec_of)
    kept = [score for score in scores if score.kept]
    if kept:
        yield "distribution", _draw_distribution(summary, rows, kept, drawn, spec_of)
    if any(row.kbps for row in rows):
        yield "rate", _draw_rate(summary, rows, spec_of)


def _guessed(name: str) -> CodecSpec:
    """A codec by its name alone: ``snac-24khz`` is a SNAC."""
    model = name.partition("@")[0]
    anchor = name in _NAMES
    family = "toys" if anchor else model.partition("-")[0]
    family = "classic" if family in ("mp3", "aac") else family
    return CodecSpec(name, model, family, None, (1,), anchor=anchor)


def condition_label(spec: CodecSpec, characters: int) -> str:
    """A condition's name beside its row."""
    return _NAMES.get(spec.name) or codec_label(spec, characters)


# ------------------------------------------------------------------------------------- ratings


def _draw_scores(
    summary: ListeningSummary,
    rows: Sequence[ConditionSummary],
    look: dict[str, Look],
    specs: dict[str, CodecSpec],
) -> Figure:
    """Mean and interval of every condition, a panel for all items and one per domain."""
    domains = list(dict.fromkeys(c.domain for c in summary.conditions))[:_MOST_PANELS]
    width = "single" if len(domains) == 1 else "double"
    names = [condition_label(specs[row.condition], 26) for row in rows]
    figure = new_figure(width, row_height_in(names, 0.22) + 0.15)
    panels = figure.subplots(1, len(domains), sharey=True, squeeze=False)[0]
    for axes, domain in zip(panels, domains, strict=True):
        found = {c.condition: c for c in summary.conditions if c.domain == domain}
        for place, row in enumerate(rows):
            if row.condition in found:
                _draw_mean(axes, place, found[row.condition], look[row.condition])
        _quality_axis(axes, words=len(domains) == 1)
        title = "all items" if domain == ALL_DOMAINS else domain
        items = max(c.items for c in found.values())
        axes.set_title(f"{title} ({items})" if len(domains) > 1 else "", fontsize=SMALL_PT)
    for axes in panels[::-1]:  # the first comes last: they share what it says
        name_rows(axes, names)
    middle = panels[len(domains) // 2]
    middle.set_xlabel(_SCORE, x=0.5 if len(domains) % 2 else -0.05)
    caption(figure, width, joined(*_about(summary), _bars(summary)))
    _stamp(figure, summary)
    return figure


def _draw_mean(axes: Axes, place: int, row: ConditionSummary, look: Look) -> None:
    below, above = bar_lengths([_interval(row, 0.95)])
    axes.errorbar(
        [row.mean], [place], xerr=(below, above), linestyle="none", elinewidth=0.9, capsize=2.0,
        capthick=0.9, gid=f"mean:{row.condition}", **look.mark(),
    )  # fmt: skip


def _draw_distribution(
    summary: ListeningSummary,
    rows: Sequence[ConditionSummary],
    scores: Sequence[ListenerScore],
    look: dict[str, Look],
    specs: dict[str, CodecSpec],
) -> Figure:
    """Every rating of every condition as a point, a box of quartiles, and the mean."""
    names = [condition_label(specs[row.condition], 26) for row in rows]
    figure = new_figure("single", row_height_in(names, 0.26) + 0.15)
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        values = np.array([s.score for s in scores if s.condition == row.condition], float)
        if len(values):
            draw_row(axes, place, values, look[row.condition])
    name_rows(axes, names)
    _quality_axis(axes, words=True)
    axes.set_xlabel(_SCORE)
    how = "box: quartiles and median; whiskers: 5th to 95th percentile; diamond: mean"
    caption(figure, "single", joined(*_about(summary), "every rating", how))
    _stamp(figure, summary)
    return figure


def _draw_rate(
    summary: ListeningSummary, rows: Sequence[ConditionSummary], specs: dict[str, CodecSpec]
) -> Figure:
    """Mean score against actual rate, log axis, a line per model; other conditions across."""
    figure = new_figure("single", 3.0)
    axes = figure.add_subplot()
    rated = [row for row in rows if row.kbps]
    chosen = [specs[row.condition] for row in rated]
    look = looks(chosen)
    by_model: dict[str, list[Point]] = {}
    for row in rated:
        spec = specs[row.condition]
        point = Point(spec, float(row.kbps or 0), _interval(row, summary.level))
        by_model.setdefault(spec.model, []).append(point)
    series = [
        Series(model_label(points[0].spec), look[model], tuple(sorted(points, key=lambda p: p.x)))
        for model, points in by_model.items()
    ]
    draw_series(axes, series)
    log_axis(axes, [point.x for one in series for point in one.points])
    axes.set_ylim(0, 102)
    axes.set_ylabel("mean score  better →")
    axes.set_xlabel("actual rate (kbps)")
    across = Look(GREY, "", "d")
    unrated = [row for row in rows if not row.kbps]
    levels = [(_named(specs[r.condition]), across, _interval(r, summary.level)) for r in unrated]
    draw_levels(axes, levels)
    caption(figure, "single", joined(*_about(summary), _bars(summary)))
    if summary.simulated:  # below the legend, if there is to be one
        axes.set_title(_SIMULATED, loc="right", **_STAMP)
    name_series(figure, axes, series, "single")
    return figure


def _named(spec: CodecSpec) -> CodecSpec:
    name = _NAMES.get(spec.name, spec.name)
    return CodecSpec(name, spec.model, spec.family, None, (1,), anchor=spec.anchor)


def _quality_axis(axes: Axes, *, words: bool) -> None:
    axes.set_xlim(-2, 102)
    axes.set_xticks([0, 20, 40, 60, 80, 100])
    if not words:
        return
    for place, word in enumerate(WORDS):
        axes.annotate(
            word, (10 + 20 * place, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", fontsize=SMALL_PT - 1,
            color="#666666",
        )  # fmt: skip


def _interval(row: ConditionSummary, level: float) -> Interval:
    return Interval(row.mean, row.low, row.high, level, row.n, row.listeners, "over listeners")


# ----------------------------------------------------------------------------------- AB and ABX


def _draw_preferences(summary: ListeningSummary) -> Figure:
    """Answers for the first, for neither, for the second: a bar per pair, its names beside it."""
    pairs = summary.comparisons
    figure = new_figure("double", row_height_in([c.first for c in pairs], 0.3))
    axes = figure.add_subplot()
    for place, one in enumerate(pairs):
        _draw_answers(axes, place, one.answers)
        _draw_share(axes, place + 0.28, one)
    name_rows(axes, [_label(c.first) for c in pairs])
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(pairs)), [_label(c.second) for c in pairs], fontsize=SMALL_PT)
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)
    axes.set_xlim(0, 100)
    axes.axvline(50, color="#333333", linewidth=0.6, linestyle=":")
    axes.set_xlabel("answers (%): for the one on the left, for neither, for the one on the right")
    how = "diamond: preference for the one on the left, ties counting half; " + _bars(summary)
    caption(figure, "double", joined(*_about(summary), "figures: answers", how))
    _stamp(figure, summary)
    return figure


def _draw_answers(axes: Axes, place: int, answers: Sequence[int]) -> None:
    start = 0.0
    for number, colour, ink in zip(answers, _BARS, _INKS, strict=True):
        share = 100 * number / max(1, sum(answers))
        axes.barh(place - 0.12, share, 0.5, start, color=colour)
        if share > _ROOM_FOR_NUMBER:
            axes.text(
                start + share / 2, place - 0.12, str(number), ha="center", va="center", color=ink,
                fontsize=SMALL_PT - 0.5,
            )  # fmt: skip
        start += share


def _label(condition: str) -> str:
    return condition_label(_guessed(condition), 26)


def _draw_share(axes: Axes, place: float, one: ComparisonSummary, look: Look = _PLAIN) -> None:
    if one.low is not None and one.high is not None:
        ends = [100 * one.low, 100 * one.high]
        axes.plot(ends, [place, place], color=look.colour, linewidth=1.0)
    axes.plot(
        [100 * one.value], [place], look.marker, color=look.colour, markerfacecolor="white",
        markersize=3.8, markeredgewidth=0.9, gid="share",
    )  # fmt: skip


def _draw_identifications(summary: ListeningSummary) -> Figure:
    """Share of right answers per system, with intervals, against guessing."""
    specs = [_guessed(c.first) for c in summary.comparisons]
    names = [condition_label(spec, 26) for spec in specs]
    look = looks(specs)
    figure = new_figure("single", row_height_in(names, 0.24))
    axes = figure.add_subplot()
    axes.axvline(50, color="#333333", linewidth=0.7, linestyle=":")
    axes.text(50, -0.55, " guessing", fontsize=SMALL_PT - 1, color="#555555", va="bottom")
    for place, (one, spec) in enumerate(zip(summary.comparisons, specs, strict=True)):
        _draw_share(axes, place, one, look[spec.model])
    name_rows(axes, names)
    axes.set_xlim(0, 102)
    axes.set_xlabel("right answers (%)")
    caption(figure, "single", joined(*_about(summary), _bars(summary)))
    _stamp(figure, summary)
    return figure


# ----------------------------------------------------------------------------------- the caption


def _about(summary: ListeningSummary) -> list[str]:
    who = "simulated listeners" if summary.simulated else "listeners"
    excluded = summary.listeners_before - summary.listeners
    left = f" ({excluded} of {summary.listeners_before} excluded)" if excluded else ""
    return [f"{summary.listeners} {who}{left}, {summary.items} items"]


def _bars(summary: ListeningSummary) -> str:
    return f"bars: {100 * summary.level:g} % intervals over listeners, every item counting the same"


def _stamp(figure: Figure, summary: ListeningSummary) -> None:
    """Above everything where nobody listened: whoever copies the figure takes that along."""
    if summary.simulated:
        figure.suptitle(_SIMULATED, x=0.995, ha="right", **_STAMP)
