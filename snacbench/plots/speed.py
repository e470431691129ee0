"""Quality against the time that coding takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snacbench.plots._against import Point, draw_against
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot
from snacbench.tables.side_by_side import Span, real_time_factor
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against the real-time factor of encoding and decoding together.

    Seconds of computing per second of audio, lower is faster: the median of several repeats, and a
    band from the least to the greatest.
    """

    def rtf(spec: CodecSpec, _: str) -> Span | None:
        found = real_time_factor(data.codecs[spec.name].speed)
        return found and found[2]

    def timing(points: Sequence[Point]) -> list[str]:
        """How it was measured: without it the figures of two machines look comparable."""
        speeds = [data.codecs[point.spec.name].speed for point in points]
        known = [speed for speed in speeds if speed]
        unstable = [speed.codec for speed in known if speed.unstable]
        every = len(unstable) == len(known) > 1
        devices = ", ".join(sorted({speed.device for speed in known}))
        machines = {speed.machine for speed in known}
        how = "RTF: seconds of computing per second of audio, median and range of repeats, on "
        return [
            how + devices if points else "",
            "timed in batches" if any(speed.batch > 1 for speed in known) else "",
            f"unstable: {'all of them' if every else ', '.join(unstable)}" if unstable else "",
            "TIMED ON DIFFERENT MACHINES" if len(machines) > 1 else "",
        ]

    return draw_against(
        data,
        options,
        rtf,
        label="RTF, encoding + decoding  ← faster",
        needed="a speed",
        lacking="speed was not measured",
        line_at=1.0,  # real time
        notes=timing,
    )


PLOT = Plot("speed", "quality against the time that coding takes", draw)
