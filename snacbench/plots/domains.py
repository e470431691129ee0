"""Quality against rate, a panel per domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import (
    Gathered,
    Series,
    draw_series,
    gather,
    legend_above,
    legend_height_in,
    log_axis,
)
from snacbench.plots._data import PlotData
from snacbench.plots._rates import draw_ranges, rate_of
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import FONT_PT, WIDTH_IN, caption, new_figure, say_empty
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against rate, one panel per domain of the run, on one scale of quality."""
    domains = data.domains or [ALL_DOMAINS]
    single = options.width == "single"
    rows = len(domains) if single else 1
    width_in = WIDTH_IN[options.width] * rows / len(domains)
    panels = {domain: _gather(data, options, domain, width_in) for domain in domains}
    series = _of_any(list(panels.values()))
    height_in = 0.75 + legend_height_in(series, options.width) + (1.75 if single else 2.3) * rows
    figure = new_figure(options.width, height_in)
    grid = figure.subplots(rows, len(panels) // rows, sharex=True, sharey=True, squeeze=False)
    figure.supylabel(words.metric_label(data, options.metric), fontsize=FONT_PT)
    panes = list(grid.flat)
    _draw_panels(panes, panels, options)
    ranges = [
        said
        for axes, (domain, found) in zip(panes, panels.items(), strict=True)
        for said in draw_ranges(axes, data, found, replace(options, domain=domain))
    ]
    if series:
        legend_above(figure, series, options.width)
    intervals = [i for found in panels.values() for i in found.intervals]
    specs = [spec for found in panels.values() for spec in found.specs]
    text = words.joined(
        f"per panel, {words.sizes(intervals)}",
        words.interval_method(intervals),
        ranges[:1],
        words.remarks(specs),
        max(found.remark for found in panels.values()),
        data.lost(options.metric, ALL_DOMAINS),
        words.sets_differ(data),
    )
    caption(figure, options.width, text)
    return figure


def _gather(data: PlotData, options: Options, domain: str, width_in: float) -> Gathered:
    def rate(spec: CodecSpec) -> float | None:
        return rate_of(data, spec, domain, options.rate)

    return gather(data, options.metric, domain, rate, width_in=width_in)


def _draw_panels(grid: Sequence[Axes], panels: Mapping[str, Gathered], options: Options) -> None:
    x = [x for found in panels.values() for x in found.xs]
    if x:
        log_axis(grid[0], x)
    for index, (axes, (domain, found)) in enumerate(zip(grid, panels.items(), strict=True)):
        clips = max((i.n for i in found.intervals), default=0)
        axes.set_title(f"{domain} (n = {clips})", loc="left")
        if found.series:
            draw_series(axes, found.series)
        else:
            axes.text(
                0.5, 0.5, f"no {words.metric_name(options.metric)} scores", ha="center",
                va="center", transform=axes.transAxes, style="italic", color="#444444",
            )  # fmt: skip
        if options.width == "double" or index == len(grid) - 1:
            axes.set_xlabel(words.RATE_LABELS[options.rate])
    if not x:
        for axes in grid:
            say_empty(axes, "")


def _of_any(found: Sequence[Gathered]) -> list[Series]:
    """Each model's longest series, for the legend."""
    longest: dict[str, Series] = {}
    for one in (series for panel in found for series in panel.series):
        if one.label not in longest or len(one.points) > len(longest[one.label].points):
            longest[one.label] = one
    return list(longest.values())


PLOT = Plot(
    "domains",
    "quality against rate, a panel per domain",
    draw,
    frozenset({"metric", "rate"}),
)
