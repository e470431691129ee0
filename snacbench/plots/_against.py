"""A figure of means against something that each operating point has one value of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import Gathered, draw_series, gather, log_axis, name_series
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options
from snacbench.plots.style import WIDTH_IN, caption, new_figure, say_empty
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Abscissa:
    """What runs along the horizontal axis.

    Attributes
    ----------
    of : callable
        Its value for an operating point, above 0; None where there is none.
    label : str
    needed, lacking : str
        What a codec must have to be shown, ``a rate``, and why others are not, ``no actual rate``.
    """

    of: Callable[[CodecSpec], float | None]
    label: str
    needed: str
    lacking: str


Finish = Callable[["Axes", Gathered], Sequence[str]]
"""Draws what else belongs there, and returns what the caption must say of it."""


def draw_against(
    data: PlotData, options: Options, abscissa: Abscissa, finish: Finish = lambda *_: ()
) -> Figure:
    """Mean score per operating point with its interval, log axis; a line per model."""
    width_in = WIDTH_IN[options.width]
    found = gather(data, options.metric, options.domain, abscissa.of, width_in=width_in)
    figure = new_figure(options.width, 3.0 if options.width == "single" else 3.4)
    axes = figure.add_subplot()
    axes.set_ylabel(words.metric_label(data, options.metric))
    axes.set_xlabel(abscissa.label)
    said: Sequence[str] = ()
    if found.series:
        draw_series(axes, found.series)
        log_axis(axes, found.xs)
        said = finish(axes, found)
    else:
        metric = words.metric_name(options.metric)
        say_empty(axes, f"no codec has {metric} scores and {abscissa.needed}")
    text = words.joined(
        f"{words.where(data, options.domain)}, {words.sizes(found.intervals)}",
        words.interval_method(found.intervals),
        list(said),
        words.remarks(found.specs),
        found.remark,
        words.left_out((s.name for s, _, _ in found.levels if not s.anchor), abscissa.lacking),
        words.left_out(found.no_score, "no score"),
        data.lost(options.metric, options.domain),
        words.sets_differ(data),
    )
    caption(figure, options.width, text)
    if found.series:
        name_series(figure, axes, found.series, options.width)
    return figure
