"""Figures of a listening test, from its rows: who listened and how it was analysed is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snacbench.forms import FORMS, RESERVED, Form
from snacbench.later import Axes, Figure
from snacbench.plots import against, style
from snacbench.plots.per_codec import BOX, draw_row
from snacbench.plots.plot_data import Options, Width
from snacbench.rows import ConditionSummary, ListenerScore, ListeningSummary
from snacbench.stats.intervals import Interval
from snacbench.types import CodecSpec

_MOST_PANELS = 4
_WHOLE = (0, 100)  # a scale without steps
_MOST_LETTERS = 30  # of all words of a scale side by side


def figures_of(
    summary: ListeningSummary, scores: Sequence[ListenerScore], specs: Sequence[CodecSpec] = ()
) -> dict[str, Figure]:
    """Every figure that a test gives, by name, settled.

    `specs` are the run's codecs; colours of others go by their names.
    """
    known = {spec.name: spec for spec in specs}
    rows = [row for row in summary.conditions if row.domain == "all"]
    test = _Test(summary, rows, [known.get(r.condition) or _guessed(r.condition) for r in rows])
    found: dict[str, Figure] = {}
    with style.paper_style():
        if not FORMS[summary.form].rates:
            found |= {"answers": _draw_answers(test)} if summary.comparisons else {}
        elif rows:
            found["scores"] = _draw_scores(test)
            if kept := [score for score in scores if score.kept]:
                found["distribution"] = _draw_ratings(test, kept)
            if any(row.kbps for row in rows):
                found["rate"] = _draw_rate(test)
        for figure in found.values():
            style.settle(figure)
    return found


@dataclass(frozen=True)
class _Test:
    summary: ListeningSummary
    rows: Sequence[ConditionSummary]
    specs: Sequence[CodecSpec]

    @property
    def form(self) -> Form:
        return FORMS[self.summary.form]

    @property
    def axis_label(self) -> str:
        (low, high), (worst, *_, best) = self.form.scale, self.form.words
        return f"score ({low} {worst}, {high} {best})".replace("-", "−")

    def options(self, width: Width = "single") -> Options:
        """Where nobody listened the title says so: whoever copies the figure takes that along."""
        return Options(width=width, title="SIMULATED LISTENERS" if self.summary.simulated else "")

    def interval(self, row: ConditionSummary) -> Interval:
        ends = (row.low, row.high, self.summary.level)
        return Interval(row.mean, *ends, row.n, row.listeners, "over listeners")

    def caption(self, figure: Figure, options: Options, *how: str, bars: bool = True) -> None:
        one = self.summary
        excluded = one.listeners_before - one.listeners
        left = f" ({excluded} of {one.listeners_before} excluded)" if excluded else ""
        who = "simulated listeners" if one.simulated else "listeners"
        about = f"{one.listeners} {who}{left}, {one.items} items"
        level = f"{100 * one.level:g} % intervals"
        last = f"bars: {level} over listeners, every item counting the same" if bars else ""
        style.caption(figure, options, about, *how, last)


def _guessed(name: str) -> CodecSpec:
    """A codec by its name alone: ``snac-24khz`` is a SNAC."""
    model = name.partition("@")[0]
    anchor = name in RESERVED
    family = "toys" if anchor else model.partition("-")[0]
    family = "classic" if family in ("mp3", "aac") else family
    return CodecSpec(name, model, family, None, (1,), anchor=anchor)


def _labels(specs: Sequence[CodecSpec]) -> list[str]:
    return [RESERVED.get(spec.name) or style.codec_label(spec) for spec in specs]


def _draw_scores(test: _Test) -> Figure:
    """Mean and interval of every condition, a panel for all items and one per domain."""
    conditions = test.summary.conditions
    domains = list(dict.fromkeys(c.domain for c in conditions))[:_MOST_PANELS]
    options = test.options("single" if len(domains) == 1 else "double")
    names, look = _labels(test.specs), style.looks(test.specs)
    figure = style.new_figure(options, style.row_height_in(names, 0.22) + 0.15)
    panels = figure.subplots(1, len(domains), sharey=True, squeeze=False)[0]
    for axes, domain in zip(panels, domains, strict=True):
        found = {c.condition: c for c in conditions if c.domain == domain}
        for place, spec in enumerate(test.specs):
            if one := found.get(test.rows[place].condition):
                axes.errorbar(
                    [one.mean], [place], xerr=against.bar_lengths([test.interval(one)]),
                    linestyle="none", elinewidth=0.9, capsize=2.0, capthick=0.9,
                    gid=f"mean:{one.condition}", **look[spec.model].mark(),
                )  # fmt: skip
        _quality_axis(axes, test.form, words=len(domains) == 1)
        title = "all items" if domain == "all" else domain
        items = max(c.items for c in found.values())
        axes.set_title(f"{title} ({items})" if len(domains) > 1 else "", fontsize=style.SMALL_PT)
    for axes in panels[::-1]:  # the first comes last: they share what it says
        style.name_rows(axes, names)
    panels[len(domains) // 2].set_xlabel(test.axis_label, x=0.5 if len(domains) % 2 else -0.05)
    test.caption(figure, options)
    return figure


def _draw_ratings(test: _Test, scores: Sequence[ListenerScore]) -> Figure:
    """Every rating as a point, a box of quartiles, and the mean, of each condition.

    On scales of words how often each was chosen, in percent.
    """
    import matplotlib

    names, drawn, form = _labels(test.specs), list[Any](), test.form
    figure, axes = style.rows_figure(test.options(), names, 0.26)
    of_rows = [[s.score for s in scores if s.condition == row.condition] for row in test.rows]
    values, boxes = [np.array(of, float) for of in of_rows], form.scale == _WHOLE
    if boxes:
        look = style.looks(test.specs)
        for place, (of, spec) in enumerate(zip(values, test.specs, strict=True)):
            if len(of):
                draw_row(axes, place, of, look[spec.model])
        _quality_axis(axes, form, words=True)
        axes.set_xlabel(test.axis_label)
    else:
        lefts, last = np.zeros(len(names)), len(form.words) - 1
        for step, word in enumerate(form.words, start=form.scale[0]):
            colour = matplotlib.colormaps["RdYlBu"](0.08 + 0.84 * len(drawn) / last)
            shares = 100 * np.array([(of == step).mean() if len(of) else 0 for of in values])
            label = f"{step} {word}".replace("-", "−")
            bars = axes.barh(range(len(names)), shares, 0.7, lefts, color=colour, label=label)
            drawn, lefts = [*drawn, bars], lefts + shares
        axes.set_xlim(0, 100)
        axes.set_xlabel("ratings (%)")
    style.name_rows(axes, names)
    test.caption(figure, test.options(), "every rating", BOX * boxes, bars=False)
    if drawn:
        style.legend_above(figure, drawn)
    return figure


def _draw_rate(test: _Test) -> Figure:
    """Mean score against actual rate, log axis, a line per model; other conditions across."""
    figure = style.new_figure(test.options(), 2.65)
    axes = figure.add_subplot()
    pairs = list(zip(test.rows, test.specs, strict=True))
    points = [against.Point(spec, row.kbps, test.interval(row)) for row, spec in pairs if row.kbps]
    series = against.series_of(points, style.looks([point.spec for point in points]), {})
    against.draw_series(axes, series)
    against.log_axis(axes, [point.x for point in points], style.WIDTH_IN["single"])
    low, high = test.form.scale
    axes.set_ylim(low, high + (high - low) / 50)
    axes.set_ylabel(f"{test.form.mean}  better →")
    axes.set_xlabel("actual rate (kbps)")
    against.draw_levels(axes, {_labels([spec])[0]: row.mean for row, spec in pairs if not row.kbps})
    test.caption(figure, test.options())
    style.legend_above(figure, [against.legend_entry(one) for one in series])
    return figure


def _quality_axis(axes: Axes, form: Form, *, words: bool) -> None:
    """The scale across; of long words only those of its ends and its middle."""
    low, high = form.scale
    whole = form.scale == _WHOLE
    axes.set_xlim(low - (high - low) / 50, high + (high - low) / 50)
    axes.set_xticks(range(low, high + 1, 20 if whole else 1))
    if low < 0:
        axes.axvline(0, color="#333333", linewidth=0.6, linestyle=":")
    every = 1 if len("".join(form.words)) <= _MOST_LETTERS else len(form.words) // 2
    for place, word in list(enumerate(form.words))[::every] if words else ():
        axes.annotate(
            word, (10 + 20 * place if whole else low + place, 1.0), xytext=(0, 2),
            xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
            va="bottom", fontsize=style.SMALL_PT - 1, color="#666666",
        )  # fmt: skip


def _draw_answers(test: _Test) -> Figure:
    """A row per pair: the value with its interval, and beside the name how often what was said."""
    # AB: for the first, for neither, for the second; ABX: right and wrong.
    pairs, options, ab = test.summary.comparisons, test.options("double"), test.summary.form == "ab"
    names = []
    for one in pairs:
        first, second = _labels([_guessed(one.first), _guessed(one.second)])
        names.append(f"{first} – {second}\n{', '.join(map(str, one.answers))}")
    figure, axes = style.rows_figure(options, names, 0.26)
    for place, one in enumerate(pairs):
        if one.low is not None and one.high is not None:
            axes.plot([100 * one.low, 100 * one.high], [place] * 2, color=style.BLACK)
        axes.plot(
            [100 * one.value], [place], "D", color=style.BLACK, markerfacecolor="white", gid="share"
        )
    style.name_rows(axes, names)
    axes.set_xlim(0, 100)
    axes.axvline(50, color="#333333", linewidth=0.6, linestyle=":")
    axes.set_xlabel("preference for the first (%), ties counting half" if ab else "right (%)")
    counted = "for the first, for neither, for the second" if ab else "right, wrong"
    test.caption(figure, options, f"below names: answers {counted}", "dotted: no preference"
                 if ab else "dotted: guessing")  # fmt: skip
    return figure
