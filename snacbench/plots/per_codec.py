"""Plots with a row per codec: distribution, differences, and the ladder of rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snacbench.plots import _labels as words
from snacbench.plots import style
from snacbench.plots.against import bar_lengths
from snacbench.plots.drawing import Options, Plot
from snacbench.plots.plot_data import PlotData
from snacbench.tables.ladder import Ladder
from snacbench.tables.run_rows import ADAPTIVE, STATIC
from snacbench.tables.side_by_side import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_POINTS = 150  # of a codec; beyond them the outline says more
BOX = "box: quartiles and median; whiskers: 5th to 95th percentile; diamond: mean"
# Words that belong together are not parted at the end of a line.
_STARS = "*\u00a0p\u00a0≤\u00a0.05, **\u00a0.01, ***\u00a0.001"
_LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
# A kind of rate -> its colour and marker.
_RUNGS = {
    "nominal": (style.GREY, "D"), "actual": (style.BLACK, "|"), "entropy": (style.BLUE, "o"),
    "held out": (style.GREEN, "s"), "coded": (style.ORANGE, "^"), "adaptive": (style.PURPLE, ">"),
    "conditional": (style.VERMILLION, "v"),
}  # fmt: skip


def distribution(data: PlotData, options: Options) -> Figure:
    """Every clip's score as a point, or their outline; a box of quartiles, and the mean."""
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
    """One row: points or outline, whiskers, box, median and mean."""
    if len(values) <= _MOST_POINTS:
        # Golden-ratio steps spread points evenly, and in the same way every time.
        offsets = ((np.arange(len(values)) * 0.618034) % 1 - 0.5) * 0.5
        axes.plot(
            values, row + offsets, "o", color=look.colour, markersize=2.2, alpha=0.45,
            markeredgewidth=0, gid="clips",
        )  # fmt: skip
    elif np.ptp(values) > 0:
        body = axes.violinplot(values, [row], orientation="horizontal", widths=0.86, points=60,
                               showextrema=False)["bodies"]  # fmt: skip
        for outline in body:  # type: ignore[attr-defined]
            outline.set(facecolor=look.colour, edgecolor="none", alpha=0.35)
    low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95])
    axes.plot([low, high], [row, row], color=look.ink, linewidth=0.7, zorder=2.5)
    axes.barh(row, third - first, 0.42, first, facecolor=(1, 1, 1, 0.55), edgecolor=look.ink,
              zorder=2.6)  # fmt: skip
    axes.plot([middle, middle], [row - 0.21, row + 0.21], color=look.ink, linewidth=1.3, zorder=2.7)
    axes.plot(
        [values.mean()], [row], "D", color=look.ink, markersize=3, markerfacecolor="white",
        markeredgewidth=0.8, zorder=2.8, gid="mean",
    )  # fmt: skip


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


def rate_ladder(data: PlotData, options: Options) -> Figure:
    """Every rate of an operating point in percent of its actual one, a row per point."""
    from matplotlib.lines import Line2D

    ladders = [data.ladder(s.name, options.domain) for s in data.specs if not s.anchor]
    shown = [one for one in ladders if one.record.get("actual_kbps")]
    names = []
    for one in shown:  # with the actual rate, which is what 100 percent are
        name = words.named(one.spec.name, data.labels)
        name = words.shortened(name, style.NAME_CHARACTERS[options.width] - 2)
        kbps = one.record["actual_kbps"]
        names.append(f"{name}\n{kbps:.2f} kbps{words.marks_of(one.spec)}")
    figure, axes = style.rows_figure(options, names, 0.22)
    used = {rung for row, one in enumerate(shown) for rung in _draw_rates(axes, row, one)}
    if shown:
        style.name_rows(axes, names)
        axes.set_xlabel("percent of the actual rate  ← cheaper")
    else:
        style.say_empty(axes, "no codec of this run has a rate")
    models = sorted({one.conditional.coder.name for one in shown if one.conditional})
    context = f"conditional: of the best context model that does so too ({', '.join(models)})"
    intervals = [one.entropy for one in shown if one.entropy]
    static = "; coded: bytes written with such tables" if any(o.of(STATIC) for o in shown) else ""
    ranges = any(isinstance(one.record.get("entropy_kbps"), Span) for one in shown)
    where = words.where(data, options.domain)
    style.caption(
        figure,
        options,
        words.sizes(where, intervals, bars=False) if intervals else "",
        "entropy: order 0, Chao-Wang-Jost estimate, with its 95 % interval (jackknife)",
        f"held out: code length under tables of other speakers or tracks{static}",
        f"adaptive: bytes of a coder that also learns along the clip; {context}" if models else "",
        "band: fewer tokens than codebook entries, so the entropy is a range, unreliable"
        if ranges
        else "",
        words.remarks([one.spec for one in shown]),
        words.beside(data, "", options.domain),
    )
    rungs = [rung for rung in _RUNGS if rung in used]
    handles = [Line2D([], [], linestyle="none", label=rung, **_mark(rung)) for rung in rungs]
    if handles:
        style.legend_above(figure, handles, columnspacing=0.8)
    return figure


def _draw_rates(axes: Axes, row: int, one: Ladder) -> set[str]:
    """The rates of one point in percent of its actual one; which of them there are."""
    rates = {rung: one.record.get(f"{rung}_kbps") for rung in ("nominal", "actual", "entropy")}
    rates["held out"] = one.held_out_kbps
    for rung, of in (
        ("coded", one.of(STATIC)), ("adaptive", one.of(ADAPTIVE)), ("conditional", one.conditional),
    ):  # fmt: skip
        rates[rung] = of.kbps if of and of.clips == one.n else None  # where a coder wrote all clips
    entropy, whole = rates["entropy"], one.record["actual_kbps"]
    bar: dict[str, Any] = {"linewidth": 1.6, "alpha": 0.6, "zorder": 2, "gid": "interval"}
    ends = one.entropy and (one.entropy.low, one.entropy.high)
    if isinstance(entropy, Span):
        bar = {"linewidth": 4.0, "alpha": 0.35, "zorder": 1.5, "gid": "range"}
        ends = entropy.low, entropy.high
        del rates["entropy"]
    places = {rung: 100 * rate / whole for rung, rate in rates.items() if rate is not None}
    band = [100 * end / whole for end in ends or () if end is not None]
    xs = [*places.values(), *(band if isinstance(entropy, Span) else [])]
    axes.plot([min(xs), max(xs)], [row, row], color="#C8C8C8", linewidth=0.8, zorder=1)
    if band:
        axes.plot(band, [row, row], color=_RUNGS["entropy"][0], solid_capstyle="butt", **bar)
    for rung, x in places.items():
        axes.plot([x], [row], linestyle="none", zorder=3, gid=rung, **_mark(rung))
    return {*places, *(["entropy"] if band else [])}


def _mark(rung: str) -> dict[str, Any]:
    colour, marker = _RUNGS[rung]
    wide = {"markersize": 9.0, "markeredgewidth": 1.2, "markeredgecolor": colour}
    plain = {"markersize": 4.5, "markeredgewidth": 0.5, "markeredgecolor": "white"}
    return {"marker": marker, "color": colour, **(wide if marker == "|" else plain)}


PLOTS = (
    Plot("distribution", "spread of a metric over clips, a row per codec", distribution),
    Plot(
        "differences",
        "paired differences to a baseline, with intervals and Holm's marks",
        differences,
        frozenset({"metric", "domain", "baseline"}),
    ),
    Plot(
        "rate-ladder",
        "nominal, actual, entropy-coded and conditional rates of every codec",
        rate_ladder,
        frozenset({"domain"}),
    ),
)
