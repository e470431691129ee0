"""Quality against the time that coding takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots._against import Abscissa, draw_against
from snacbench.plots._curves import Gathered, log_axis
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import GREY
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEAR_REAL_TIME = 0.5


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against the real-time factor of encoding and decoding together.

    Seconds of computing per second of audio, lower is faster: wall clock, one process.
    """

    def rtf(spec: CodecSpec) -> float | None:
        parts = [data.fact(spec.name, options.domain, c) for c in ("rtf_encode", "rtf_decode")]
        return None if None in parts else sum(part for part in parts if part is not None)

    def finish(axes: Axes, found: Gathered) -> list[str]:
        if max(found.xs) > _NEAR_REAL_TIME:
            log_axis(axes, [*found.xs, 1.0])
            axes.axvline(1.0, color=GREY, linestyle="--", linewidth=0.7, gid="real time")
        return _timing(data, found.specs, options.domain)

    label = "RTF, encoding + decoding  ← faster"
    return draw_against(
        data, options, Abscissa(rtf, label, needed="a timing", lacking="not timed"), finish
    )


def _timing(data: PlotData, specs: list[CodecSpec], domain: str) -> list[str]:
    """How it was timed: without it the figures of two machines look comparable."""
    devices = sorted({rows.run.device for rows in data.runs})
    found = [f"RTF: seconds of computing per second of audio, on {', '.join(devices)}"]
    if any((data.fact(spec.name, domain, "rtf_batch") or 1) > 1 for spec in specs):
        found.append("timed in batches, each clip charged its share")
    if len({tuple(sorted(rows.run.machine.items())) for rows in data.runs}) > 1:
        found.append("TIMED ON DIFFERENT MACHINES")
    return found


PLOT = Plot("speed", "quality against the time that coding takes", draw)
