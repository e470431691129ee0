"""Quality against rate: a curve per model, a mark where there is a single rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import draw_levels, draw_series, gather, log_axis, name_series
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import caption, new_figure, say_empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against its rate in kbps, log axis, with intervals.

    Lines join the points of one model, never through truncated ones; anchors, which have no rate of
    interest, are dotted lines across.
    """
    column = f"{options.rate}_kbps"
    found = gather(
        data, options.metric, options.domain, lambda s: data.fact(s.name, options.domain, column)
    )
    figure = new_figure(options.width, 3.0 if options.width == "single" else 3.4)
    axes = figure.add_subplot()
    axes.set_ylabel(words.metric_label(data, options.metric))
    axes.set_xlabel(words.RATE_LABELS[options.rate])
    anchors = [level for level in found.levels if level[0].anchor]
    unrated = [spec.name for spec, _, _ in found.levels if not spec.anchor]
    beyond: list[str] = []
    if found.series:
        draw_series(axes, found.series)
        log_axis(axes, [point.x for one in found.series for point in one.points])
        beyond = draw_levels(axes, anchors)
    else:
        say_empty(axes, f"no codec has {words.metric_name(options.metric)} scores and a rate")
    text = words.joined(
        f"{words.where(data, options.domain)}, {words.sizes(found.intervals)}",
        words.interval_method(found.intervals),
        words.remarks(found.specs),
        words.left_out(found.no_score, "no score"),
        words.left_out(unrated, f"no {options.rate} rate"),
        words.left_out(beyond, "anchors beyond the axis"),
        words.sets_differ(data),
    )
    caption(figure, options.width, text)
    if found.series:
        name_series(figure, axes, found.series, options.width)
    return figure


PLOT = Plot(
    "quality-rate",
    "quality against rate, with intervals",
    draw,
    frozenset({"metric", "rate", "domain"}),
)
