"""Quality against rate: a curve per model, a mark where there is a single rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._against import Abscissa, draw_against
from snacbench.plots._curves import Gathered, draw_levels
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against its rate in kbps, log axis, with intervals.

    Lines join the points of one model, never through truncated ones; anchors, which have no rate of
    interest, are dotted lines across.
    """
    column = f"{options.rate}_kbps"
    rate = Abscissa(
        lambda spec: data.fact(spec.name, options.domain, column),
        words.RATE_LABELS[options.rate],
        needed="a rate",
        lacking=f"no {options.rate} rate",
    )
    return draw_against(data, options, rate, _draw_anchors)


def _draw_anchors(axes: Axes, found: Gathered) -> list[str]:
    beyond = draw_levels(axes, [level for level in found.levels if level[0].anchor])
    return words.left_out(beyond, "anchors beyond the axis")


PLOT = Plot(
    "quality-rate",
    "quality against rate, with intervals",
    draw,
    frozenset({"metric", "rate", "domain"}),
)
