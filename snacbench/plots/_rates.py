"""Rates along an axis, where some are known as a range only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots._curves import Gathered, log_axis
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options
from snacbench.tables.records import RANGES
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ends = tuple[float, float]


def rate_of(data: PlotData, spec: CodecSpec, domain: str, rate: str) -> float | None:
    """A codec's rate in kbps; of a range the middle on a logarithmic scale; None: not known."""
    ends = range_of(data, spec, domain, rate)
    if ends is not None:
        return float((ends[0] * ends[1]) ** 0.5)
    return data.fact(spec.name, domain, f"{rate}_kbps")


def range_of(data: PlotData, spec: CodecSpec, domain: str, rate: str) -> Ends | None:
    """The ends of a rate's range in kbps, where there are too few tokens for more."""
    columns = RANGES.get(f"{rate}_kbps", ())
    ends = [data.fact(spec.name, domain, column) for column in columns]
    low, high = ends if len(ends) == 2 else (None, None)
    return None if low is None or high is None else (low, high)


def draw_ranges(axes: Axes, data: PlotData, found: Gathered, options: Options) -> list[str]:
    """A bar across for every rate that is a range; returns what the caption must say of it."""
    drawn: list[float] = []
    for series in found.series:
        for point in series.points:
            ends = range_of(data, point.spec, options.domain, options.rate)
            if ends is not None:
                axes.plot(
                    ends, [point.y.mean] * 2, color=series.look.colour, linewidth=3.0, alpha=0.35,
                    solid_capstyle="butt", zorder=1.5, gid="range",
                )  # fmt: skip
                drawn += ends
    if not drawn:
        return []
    log_axis(axes, [*found.xs, *drawn])
    return ["bands across: fewer tokens than codebook entries, so the rate is a range, unreliable"]
