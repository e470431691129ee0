"""How a metric's values spread over clips, a row per codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snacbench.plots import _labels as words
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot
from snacbench.plots.style import Look, caption, looks, name_rows, rows_figure, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 150  # of a codec; beyond them the outline says more
BOX = "box: quartiles and median; whiskers: 5th to 95th percentile; diamond: mean"


def draw(data: PlotData, options: Options) -> Figure:
    """Every clip's score as a point, or their outline; a box of quartiles, and the mean."""
    scores, look = data.scores(options.metric, options.domain), looks(data.specs)
    specs = [spec for spec in data.specs if spec.name in scores]
    names = words.row_names(data, specs, options)
    figure, axes = rows_figure(options, names, 0.24)
    for row, spec in enumerate(specs):
        draw_row(axes, row, np.array(list(scores[spec.name].values())), look[spec.model])
    axes.set_xlabel(words.metric_label(data, options.metric))
    if specs:
        name_rows(axes, names)
    else:
        say_empty(axes, f"no {words.metric_name(options.metric)} scores")
    intervals = data.intervals(options.metric, options.domain).values()
    caption(
        figure,
        options,
        words.sizes(words.where(data, options.domain), intervals, bars=False),
        BOX,
        words.remarks(specs),
        words.left_out([s.name for s in data.specs if s.name not in scores], "no score"),
        words.beside(data, options.metric, options.domain),
    )
    return figure


def draw_row(axes: Axes, row: int, values: NDArray[np.float64], look: Look) -> None:
    """One row: points or outline, whiskers, box, median and mean."""
    if len(values) <= _MOST_POINTS:
        # Golden-ratio steps spread points evenly, and in the same way every time.
        offsets = ((np.arange(len(values)) * 0.618034) % 1 - 0.5) * 0.5
        axes.plot(
            values, row + offsets, "o", color=look.colour, markersize=2.2, alpha=0.45,
            markeredgewidth=0, gid="clips",
        )  # fmt: skip
    elif np.ptp(values) > 0:
        body = axes.violinplot(values, [row], orientation="horizontal", widths=0.86, points=60,
                               showextrema=False)["bodies"]  # fmt: skip
        for outline in body:  # type: ignore[attr-defined]
            outline.set(facecolor=look.colour, edgecolor="none", alpha=0.35)
    low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95])
    axes.plot([low, high], [row, row], color=look.ink, linewidth=0.7, zorder=2.5)
    axes.barh(row, third - first, 0.42, first, facecolor=(1, 1, 1, 0.55), edgecolor=look.ink,
              zorder=2.6)  # fmt: skip
    axes.plot([middle, middle], [row - 0.21, row + 0.21], color=look.ink, linewidth=1.3, zorder=2.7)
    axes.plot(
        [values.mean()], [row], "D", color=look.ink, markersize=3, markerfacecolor="white",
        markeredgewidth=0.8, zorder=2.8, gid="mean",
    )  # fmt: skip


PLOT = Plot("distribution", "spread of a metric over clips, a row per codec", draw)
