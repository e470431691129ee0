"""Quality against the time that coding takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import draw_series, gather, log_axis, name_series
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import GREY, caption, new_figure, say_empty
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score against the real-time factor of encoding and decoding together.

    Seconds of computing per second of audio, lower is faster: wall clock, one process.
    """

    def rtf(spec: CodecSpec) -> float | None:
        parts = [data.fact(spec.name, options.domain, c) for c in ("rtf_encode", "rtf_decode")]
        return None if None in parts else sum(part for part in parts if part is not None)

    found = gather(data, options.metric, options.domain, rtf)
    figure = new_figure(options.width, 3.0 if options.width == "single" else 3.4)
    axes = figure.add_subplot()
    axes.set_ylabel(words.metric_label(data, options.metric))
    axes.set_xlabel("RTF, encoding + decoding  ← faster")
    if found.series:
        draw_series(axes, found.series)
        x = [point.x for one in found.series for point in one.points]
        log_axis(axes, [*x, 1.0] if max(x) > 0.5 else x)
        if max(x) > 0.5:
            axes.axvline(1.0, color=GREY, linestyle="--", linewidth=0.7, gid="real time")
    else:
        say_empty(axes, f"no codec has {words.metric_name(options.metric)} scores and was timed")
    text = words.joined(
        f"{words.where(data, options.domain)}, {words.sizes(found.intervals)}",
        words.interval_method(found.intervals),
        _timing(data, found.specs, options.domain),
        words.remarks(found.specs),
        words.left_out((s.name for s, _, _ in found.levels if not s.anchor), "not timed"),
        words.left_out(found.no_score, "no score"),
        words.sets_differ(data),
    )
    caption(figure, options.width, text)
    if found.series:
        name_series(figure, axes, found.series, options.width)
    return figure


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
