"""Every codec against a baseline, on the clips that both have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._curves import bar_lengths
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import (
    BLACK,
    GREY,
    SMALL_PT,
    caption,
    looks,
    name_rows,
    new_figure,
    row_height_in,
    say_empty,
)
from snacbench.stats.intervals import Interval
from snacbench.stats.pairs import PairedDifference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Words that belong together are not parted at the end of a line.
_STARS = "*\u00a0p\u00a0≤\u00a0.05, **\u00a0.01, ***\u00a0.001"
_LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
_NAME_CHARACTERS = {"single": 26, "double": 40}


def draw(data: PlotData, options: Options) -> Figure:
    """Mean paired difference of each codec to the baseline, with interval and Holm's marks."""
    baseline = options.baseline or _first_of(data)
    pairs = data.differences(options.metric, options.domain, baseline)
    shown = [(pair, pair.difference) for pair in pairs if pair.difference is not None]
    specs = {spec.name: spec for spec in data.specs}
    characters = _NAME_CHARACTERS[options.width]
    names = [words.codec_label(specs[pair.first], characters) for pair, _ in shown]
    figure = new_figure(options.width, row_height_in(names, 0.22))
    axes = figure.add_subplot()
    if shown:
        _draw_rows(axes, data, shown)
        name_rows(axes, names)
        axes.set_title(
            f"compared with {words.shortened(baseline, 40)}", loc="left", fontsize=SMALL_PT
        )
        axes.set_xlabel(words.difference_label(data, options.metric))
    else:
        why = "nothing to compare it with" if baseline else "the run has no codecs"
        say_empty(axes, f"no {words.metric_name(options.metric)} differences: {why}")
    caption(figure, options.width, _text(data, options, baseline, pairs))
    return figure


def _draw_rows(
    axes: Axes, data: PlotData, rows: Sequence[tuple[PairedDifference, Interval]]
) -> None:
    look = looks(data.specs)
    specs = {spec.name: spec for spec in data.specs}
    axes.axvline(0, color=BLACK, linewidth=0.8, zorder=1.5)
    for row, (pair, difference) in enumerate(rows):
        of = look[specs[pair.first].model]
        stars = marks(pair.p_holm)
        axes.errorbar(
            [difference.mean], [row], xerr=[[v[0]] for v in bar_lengths([difference])],
            fmt=of.marker, color=of.colour, markerfacecolor=of.colour if stars else "white",
            markeredgewidth=0.9, elinewidth=1.0, capsize=2, zorder=3,
        )  # fmt: skip
        axes.annotate(
            stars or ("–" if pair.p_holm is None else "n.s."), (1.0, row),
            xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=SMALL_PT,
            color="black" if stars else GREY, annotation_clip=False, gid="holm",
        )  # fmt: skip


def marks(p_holm: float | None) -> str:
    """Stars for a corrected p value; empty where it is above 0.05 or there is no test."""
    return next((s for level, s in _LEVELS if p_holm is not None and p_holm <= level), "")


def _first_of(data: PlotData) -> str:
    """The first codec that is no anchor, else the first."""
    names = [s.name for s in data.specs if not s.anchor] or [s.name for s in data.specs]
    return names[0] if names else ""


def _text(
    data: PlotData, options: Options, baseline: str, pairs: Sequence[PairedDifference]
) -> str:
    intervals = [p.difference for p in pairs if p.difference is not None]
    tests = "; ".join(dict.fromkeys(p.test for p in pairs if p.p_value is not None))
    lost = sum(pair.lost for pair in pairs)
    scored = data.scores(options.metric, options.domain)
    missing = [spec.name for spec in data.specs if spec.name not in scored]
    return words.joined(
        f"minus {baseline}, on shared clips",
        f"{words.where(data, options.domain)}, {words.sizes(intervals)}",
        words.interval_method(intervals),
        f"{_STARS} after Holm over these {len(pairs)} pairs ({tests}); hollow: not significant"
        if tests
        else "",
        f"{lost} clips that only one of a pair has were left out" if lost else "",
        words.remarks([s for s in data.specs if s.name in scored], truncated=""),
        words.left_out(missing, "no score"),
        words.sets_differ(data),
    )


PLOT = Plot(
    "differences",
    "paired differences to a baseline, with intervals and Holm's marks",
    draw,
    frozenset({"metric", "domain", "baseline"}),
)
