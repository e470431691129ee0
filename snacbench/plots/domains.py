"""Quality against rate, a panel per domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import quality_rate
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against rate, one panel per domain of the run, on one scale of quality."""
    return quality_rate.draw(data, options, domains=data.domains or ["all"])


PLOT = Plot(
    "domains", "quality against rate, a panel per domain", draw, frozenset({"metric", "rate"})
)
