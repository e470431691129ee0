"""Plots with a row per codec: distribution and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snacbench.plots import _labels as words
from snacbench.plots import style
from snacbench.plots.against import bar_lengths
from snacbench.plots.drawing import Options, Plot
from snacbench.plots.plot_data import PlotData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 150  # of a codec; beyond them the box says more
_BOX = (5, 25, 50, 75, 95)  # matplotlib's own whiskers end at clips within the percentiles
BOX = "box: quartiles and median; whiskers: 5th to 95th percentile; diamond: mean"
# Words that belong together are not parted at the end of a line.
_STARS = "*\u00a0p\u00a0≤\u00a0.05, **\u00a0.01, ***\u00a0.001"
_LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def distribution(data: PlotData, options: Options) -> Figure:
    """Every clip's score as a point, a box of quartiles, and the mean."""
    scores, look = data.scores(options.metric, options.domain), style.looks(data.specs)
    specs = [spec for spec in data.specs if spec.name in scores]
    names = words.row_names(data, specs, options)
    figure, axes = style.rows_figure(options, names, 0.24)
    for row, spec in enumerate(specs):
        draw_row(axes, row, np.array(list(scores[spec.name].values())), look[spec.model])
    axes.set_xlabel(words.metric_label(data, options.metric))
    if specs:
        style.name_rows(axes, names)
    else:
        style.say_empty(axes, f"no {words.metric_name(options.metric)} scores")
    intervals = data.intervals(options.metric, options.domain).values()
    style.caption(
        figure,
        options,
        words.sizes(words.where(data, options.domain), intervals, bars=False),
        BOX,
        words.remarks(specs),
        words.left_out([s.name for s in data.specs if s.name not in scores], "no score"),
        words.beside(data, options.metric, options.domain),
    )
    return figure


def draw_row(axes: Axes, row: int, values: NDArray[np.float64], look: style.Look) -> None:
    """One row: points unless they are many, whiskers, box, median and mean."""
    if len(values) <= _MOST_POINTS:
        # Golden-ratio steps spread points evenly, and in the same way every time.
        offsets = ((np.arange(len(values)) * 0.618034) % 1 - 0.5) * 0.5
        axes.plot(
            values, row + offsets, "o", color=look.colour, markersize=2.2, alpha=0.45,
            markeredgewidth=0, gid="clips",
        )  # fmt: skip
    thin = {"color": look.colour, "linewidth": 0.8}
    mean = {"marker": "D", "markersize": 3, "markerfacecolor": "white"}
    mean |= {"markeredgecolor": style.INK, "markeredgewidth": 0.8}
    ends = zip(("whislo", "q1", "med", "q3", "whishi"), np.percentile(values, _BOX), strict=True)
    drawn = axes.bxp(
        [{**dict(ends), "mean": values.mean()}], [row], orientation="horizontal", widths=0.42,
        showfliers=False, showcaps=False, showmeans=True, boxprops=thin, whiskerprops=thin,
        medianprops={"color": style.INK, "linewidth": 1.3}, meanprops=mean, zorder=2.6,
    )  # fmt: skip
    drawn["means"][0].set_gid("mean")


def differences(data: PlotData, options: Options) -> Figure:
    """Mean paired difference of each codec to the baseline, with interval and Holm's marks."""
    default = sorted(data.specs, key=lambda spec: spec.anchor)[:1]  # the first that is no anchor
    baseline = options.baseline or "".join(spec.name for spec in default)
    pairs = data.differences(options.metric, options.domain, baseline)
    shown = [(pair, pair.difference) for pair in pairs if pair.difference is not None]
    specs, look = {spec.name: spec for spec in data.specs}, style.looks(data.specs)
    names = words.row_names(data, [specs[pair.first] for pair, _ in shown], options)
    figure, axes = style.rows_figure(options, names, 0.22)
    for row, (pair, difference) in enumerate(shown):
        of, stars = look[specs[pair.first].model], marks(pair.p_holm)
        axes.errorbar(
            [difference.mean], [row], xerr=[[v[0]] for v in bar_lengths([difference])],
            fmt=of.marker, color=of.colour, markerfacecolor=of.colour if stars else "white",
            markeredgewidth=0.9, elinewidth=1.0, capsize=2, zorder=3,
        )  # fmt: skip
        axes.annotate(
            stars or ("–" if pair.p_holm is None else "n.s."), (1.0, row),
            xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=style.SMALL_PT,
            color="black" if stars else style.GREY, annotation_clip=False, gid="holm",
        )  # fmt: skip
    if shown:
        axes.axvline(0, color=style.BLACK, linewidth=0.8, zorder=1.5)
        style.name_rows(axes, names)
        against = words.shortened(words.named(baseline, data.labels), 40)
        axes.set_title(f"compared with {against}", loc="left", fontsize=style.SMALL_PT)
        axes.set_xlabel(words.metric_label(data, options.metric, "difference in "))
    else:
        why = "nothing to compare it with" if baseline else "the run has no codecs"
        style.say_empty(axes, f"no {words.metric_name(options.metric)} differences: {why}")
    intervals = [difference for _, difference in shown]
    tests = "; ".join(dict.fromkeys(p.test for p in pairs if p.p_value is not None))
    holm = f"{_STARS} after Holm over these {len(pairs)} pairs ({tests}); hollow: not significant"
    lost = sum(pair.lost for pair in pairs)
    scored = data.scores(options.metric, options.domain)
    style.caption(
        figure,
        options,
        f"minus {baseline}, on shared clips",
        words.sizes(words.where(data, options.domain), intervals),
        holm if tests else "",
        f"{lost} clips that only one of a pair has were left out" if lost else "",
        words.remarks([s for s in data.specs if s.name in scored]),
        words.left_out([s.name for s in data.specs if s.name not in scored], "no score"),
        words.beside(data, "", options.domain),
    )
    return figure


def marks(p_holm: float | None) -> str:
    """Stars for a corrected p value; empty where it is above 0.05 or there is no test."""
    return next((s for level, s in _LEVELS if p_holm is not None and p_holm <= level), "")


PLOTS = (
    Plot(
        "distribution",
        "spread of a metric over clips, a row per codec",
        distribution,
        by_clip=True,
    ),
    Plot(
        "differences",
        "paired differences to a baseline, with intervals and Holm's marks",
        differences,
        frozenset({"metric", "domain", "baseline"}),
        by_clip=True,
    ),
)
