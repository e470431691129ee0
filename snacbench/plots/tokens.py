"""Quality against tokens per second: what a language model over the codes has to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import draw_series, gather, log_axis, name_series
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import caption, new_figure, say_empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against code indices per second, over all codebooks."""
    found = gather(data, options.metric, options.domain, lambda spec: spec.tokens_per_s)
    figure = new_figure(options.width, 3.0 if options.width == "single" else 3.4)
    axes = figure.add_subplot()
    axes.set_ylabel(words.metric_label(data, options.metric))
    axes.set_xlabel("tokens per second  ← shorter sequences")
    if found.series:
        draw_series(axes, found.series)
        log_axis(axes, [point.x for one in found.series for point in one.points])
    else:
        say_empty(axes, f"no codec with tokens has {words.metric_name(options.metric)} scores")
    text = words.joined(
        f"{words.where(data, options.domain)}, {words.sizes(found.intervals)}",
        words.interval_method(found.intervals),
        words.remarks(found.specs),
        words.left_out((s.name for s, _, _ in found.levels if not s.anchor), "no tokens"),
        words.left_out(found.no_score, "no score"),
        words.sets_differ(data),
    )
    caption(figure, options.width, text)
    if found.series:
        name_series(figure, axes, found.series, options.width)
    return figure


PLOT = Plot("tokens", "quality against tokens per second", draw)
