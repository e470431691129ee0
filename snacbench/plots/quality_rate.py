"""Quality against rate: a curve per model, a mark where there is a single rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._against import draw_against
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options, domains: Sequence[str] = ()) -> Figure:
    """Mean score per operating point against its rate in kbps, log axis, with intervals.

    Lines join the points of one model, never through truncated ones; anchors, which have no rate of
    interest, are dotted lines across. There is a panel for each of `domains`.
    """
    return draw_against(
        data,
        options,
        lambda spec, domain: data.rate(spec.name, domain, options.rate),
        label=words.RATE_LABELS[options.rate],
        needed="a rate",
        lacking="" if domains else f"no {options.rate} rate",
        notes=lambda points: [words.RANGE] if any(point.across for point in points) else [],
        domains=domains,
    )


PLOT = Plot(
    "quality-rate",
    "quality against rate, with intervals",
    draw,
    frozenset({"metric", "rate", "domain"}),
)
