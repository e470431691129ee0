"""Quality against rate: a curve per model, a mark where there is a single rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._against import Abscissa, draw_against
from snacbench.plots._curves import Gathered, draw_levels
from snacbench.plots._data import PlotData
from snacbench.plots._rates import draw_ranges, rate_of
from snacbench.plots.plot import Options, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against its rate in kbps, log axis, with intervals.

    Lines join the points of one model, never through truncated ones; anchors, which have no rate of
    interest, are dotted lines across.
    """
    rate = Abscissa(
        lambda spec: rate_of(data, spec, options.domain, options.rate),
        words.RATE_LABELS[options.rate],
        needed="a rate",
        lacking=f"no {options.rate} rate",
    )

    def finish(axes: Axes, found: Gathered) -> list[str]:
        return [*draw_ranges(axes, data, found, options), *_draw_anchors(axes, found)]

    return draw_against(data, options, rate, finish)


def _draw_anchors(axes: Axes, found: Gathered) -> list[str]:
    beyond = draw_levels(axes, [level for level in found.levels if level[0].anchor])
    return words.left_out(beyond, "anchors beyond the axis")


PLOT = Plot(
    "quality-rate",
    "quality against rate, with intervals",
    draw,
    frozenset({"metric", "rate", "domain"}),
)
