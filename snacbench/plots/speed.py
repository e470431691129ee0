"""Quality against the time that coding takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from snacbench.plots._against import Abscissa, draw_against
from snacbench.plots._curves import Gathered, log_axis
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import GREY
from snacbench.rows import Speed
from snacbench.tables.records import RealTimeFactor, real_time_factor
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEAR_REAL_TIME = 0.5


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against the real-time factor of encoding and decoding together.

    Seconds of computing per second of audio, lower is faster: the median of several repeats, and a
    bar from the least to the greatest.
    """

    def rtf(spec: CodecSpec) -> RealTimeFactor | None:
        return real_time_factor(data.codecs[spec.name].speed, "both")

    def median(spec: CodecSpec) -> float | None:
        return None if (found := rtf(spec)) is None else found.median

    def finish(axes: Axes, found: Gathered) -> list[str]:
        if max(found.xs) > _NEAR_REAL_TIME:
            log_axis(axes, [*found.xs, 1.0])
            axes.axvline(1.0, color=GREY, linestyle="--", linewidth=0.7, gid="real time")
        for series in found.series:
            for point in series.points:
                if of := rtf(point.spec):  # beside its place, a mark takes its bar along
                    ends = [end * point.x / of.median for end in (of.low, of.high)]
                    look: dict[str, Any] = {
                        "color": series.look.colour,
                        "linewidth": 0.8,
                        "gid": "spread",
                    }
                    axes.plot(ends, [point.y.mean] * 2, zorder=2.5, **look)
        return _timing([data.codecs[spec.name].speed for spec in found.specs])

    label = "RTF, encoding + decoding  ← faster"
    return draw_against(
        data,
        options,
        Abscissa(median, label, needed="a speed", lacking="speed was not measured"),
        finish,
    )


def _timing(speeds: Iterable[Speed | None]) -> list[str]:
    """How it was measured: without it the figures of two machines look comparable."""
    known = [speed for speed in speeds if speed]
    devices = sorted({speed.device for speed in known})
    found = [
        "RTF: seconds of computing per second of audio, median and range of repeats, on "
        + ", ".join(devices)
    ]
    if any(speed.batch > 1 for speed in known):
        found.append("timed in batches")
    if unstable := [speed.codec for speed in known if speed.unstable]:
        found.append(f"unstable: {', '.join(unstable)}")
    if len({speed.machine for speed in known}) > 1:
        found.append("TIMED ON DIFFERENT MACHINES")
    return found


PLOT = Plot("speed", "quality against the time that coding takes", draw)
