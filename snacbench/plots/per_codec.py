"""Plots with a row or a panel per codec: distribution, differences, codebooks."""

from itertools import product

import numpy as np

from snacbench.later import Axes, Figure
from snacbench.plots import style
from snacbench.plots.against import bar_lengths, log_axis
from snacbench.plots.drawing import Plot
from snacbench.plots.plot_data import Options, PlotData
from snacbench.tables.ladder import Ladder
from snacbench.types import CodecSpec, Floats
from snacbench.units import bits_per_code

_CHARACTERS = {1: 44, 2: 23, 3: 32}  # of a name that fit over one of so many panels
_FEW_PANELS = 3
_BOX = (5, 25, 50, 75, 95)  # matplotlib's own whiskers end at clips within the percentiles
BOX = "box: quartiles and median; whiskers: 5th to 95th percentile; diamond: mean"
# Words that belong together are not parted at the end of a line.
_STARS = "*\u00a0p\u00a0≤\u00a0.05, **\u00a0.01, ***\u00a0.001"
_LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def distribution(data: PlotData, options: Options) -> Figure:
    """Every clip's score as a point, a box of quartiles, and the mean."""
    scores, look = data.scores(options.metric, options.domain), style.looks(data.specs)
    specs = [spec for spec in data.specs if spec.name in scores]
    names = style.row_names(data, specs, options)
    figure, axes = style.rows_figure(options, names, 0.24)
    for row, spec in enumerate(specs):
        draw_row(axes, row, np.array(list(scores[spec.name].values())), look[spec.model])
    axes.set_xlabel(style.metric_label(data, options.metric))
    if specs:
        style.name_rows(axes, names)
    else:
        style.say_empty(axes, f"no {style.metric_name(options.metric)} scores")
    intervals = data.intervals(options.metric, options.domain).values()
    style.caption(
        figure, options, style.sizes(data.called(options.domain), intervals, bars=False), BOX,
        style.remarks(specs),
        style.left_out([s.name for s in data.specs if s.name not in scores], "no score"),
        style.beside(data, options.metric, options.domain),
    )  # fmt: skip
    return figure


def draw_row(axes: Axes, row: int, values: Floats, look: style.Look) -> None:
    """One row: points unless they are many, whiskers, box, median and mean."""
    if len(values) <= 150:  # beyond them the box says more
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
    names = style.row_names(data, [specs[pair.first] for pair, _ in shown], options)
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
        against = style.shortened(style.named(baseline, data.labels), 40)
        axes.set_title(f"compared with {against}", loc="left", fontsize=style.SMALL_PT)
        axes.set_xlabel(style.metric_label(data, options.metric, "difference in "))
    else:
        why = "nothing to compare it with" if baseline else "the run has no codecs"
        style.say_empty(axes, f"no {style.metric_name(options.metric)} differences: {why}")
    intervals = [difference for _, difference in shown]
    tests = "; ".join(dict.fromkeys(p.test for p in pairs if p.p_value is not None))
    holm = f"{_STARS} after Holm over these {len(pairs)} pairs ({tests}); hollow: not significant"
    lost = sum(pair.lost for pair in pairs)
    scored = data.scores(options.metric, options.domain)
    style.caption(
        figure, options, f"minus {baseline}, on shared clips",
        style.sizes(data.called(options.domain), intervals), holm if tests else "",
        f"{lost} clips that only one of a pair has were left out" if lost else "",
        style.remarks([s for s in data.specs if s.name in scored]),
        style.left_out([s.name for s in data.specs if s.name not in scored], "no score"),
        style.beside(data, "", options.domain),
    )  # fmt: skip
    return figure


def marks(p_holm: float | None) -> str:
    """Stars for a corrected p value; empty where it is above 0.05 or there is no test."""
    return next((s for level, s in _LEVELS if p_holm is not None and p_holm <= level), "")


def codebooks(data: PlotData, options: Options) -> Figure:
    """Bits per token of every codebook beside the bits that it takes; a panel per model.

    As figure 1 of the DAC paper has it (Kumar et al., NeurIPS 2023). A model is shown at its
    deepest point, which holds the codebooks of the others. Where a codebook has fewer tokens than
    entries its entropy is a range, drawn as one.
    """
    deepest: dict[str, CodecSpec] = {}
    for spec in data.specs:
        if len(spec.streams) > (len(deepest[spec.model].streams) if spec.model in deepest else 0):
            deepest[spec.model] = spec
    ladders = [(spec, data.ladder(spec.name, options.domain)) for spec in deepest.values()]
    shown = [(spec, one) for spec, one in ladders if one.books]
    columns = 3 if options.width == "double" else 1 if len(shown) <= _FEW_PANELS else 2
    characters, count = _CHARACTERS[columns], max(1, len(shown))
    columns, look = min(columns, count), style.looks(data.specs)
    figure = style.new_figure(options, 0.3 + 1.55 * -(-count // columns))
    grid = style.panels(figure, count, columns, "codebook" if shown else "")
    for axes, (spec, one) in zip(grid, shown, strict=False):
        _draw_panel(axes, one, look[spec.model].colour)
        name = style.shortened(style.codec_label(spec, 99, data.labels), characters)
        axes.set_title(name, loc="left", fontsize=style.SMALL_PT, pad=19)
    for axes in grid[::columns] if shown else ():
        axes.set_ylabel("bits per token")
    if not shown:
        style.say_empty(grid[0], "no codec of this run has codebooks whose codes were counted")
    books = [book.entropy for _, one in shown for book in one.books]
    style.caption(
        figure, options, data.called(options.domain),
        "grey: bits that a packed index takes; coloured: entropy of the codes (Chao-Wang-Jost "
        "estimate) with its 95 % interval (jackknife over clusters); N: tokens per codebook; "
        "used: entries that occur; dead: those that do not",
        "hatched: few tokens per entry or few clips, so the entropy may read low"
        * any(not book.reliable for book in books),
        "where tokens are fewer than entries, the line is a range and no interval: unreliable"
        * any(book.range_only for book in books),
        style.remarks([spec for spec, _ in shown]), style.beside(data, "", options.domain),
    )  # fmt: skip
    return figure


def _draw_panel(axes: Axes, one: Ladder, colour: str) -> None:
    from matplotlib.ticker import MaxNLocator

    books = [book.entropy for book in one.books]
    places = range(1, len(books) + 1)
    most = [bits_per_code(book.codebook_size) for book in books]
    axes.bar(places, most, 0.84, color="#E2E2E2", gid="most")
    bars = axes.bar(places, [b.lowest_bits for b in books], 0.84, color=colour, gid="entropy")
    for place, bar, book in zip(places, bars, one.books, strict=True):
        of, interval = book.entropy, book.interval
        if not of.reliable:
            bar.set(hatch="//////", facecolor="white", edgecolor=colour, linewidth=0.6)
        ends = (of.lowest_bits, of.highest_bits) if of.range_only else (interval.low, interval.high)
        line = np.array(ends, float)  # not drawn where there is none
        axes.plot([place, place], line, color="#222222", linewidth=0.8, gid="interval")
    used, entries = sum(b.used for b in books), sum(b.codebook_size for b in books)
    tokens = dict.fromkeys(
        f"{n:,}" for n in (min(b.tokens for b in books), max(b.tokens for b in books))
    )
    text = f"used {100 * used / entries:.1f} %; dead codes: {entries - used:,}"
    axes.text(
        0, 1.02, f"N = {'–'.join(tokens)}\n{text}", transform=axes.transAxes,
        fontsize=style.CAPTION_PT, va="bottom", color="#444444", linespacing=1.2, gid="tokens",
    )  # fmt: skip
    axes.set_xlim(0.4, max(4, len(books)) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True))
    axes.grid(visible=False, axis="x")


def rates(data: PlotData, options: Options) -> Figure:
    """5 to 95 % of the clips' rates, and of the time within them, by domain."""
    look, specs = style.looks(data.specs), [s for s in data.specs if data.codecs[s.name].varies]
    domains = [options.domain] if options.domain != "all" else data.domains or ["all"]
    of_codecs = style.row_names(data, specs, options)
    names = [name + f", {d}" * (len(domains) > 1) for name in of_codecs for d in domains]
    figure, axes = style.rows_figure(options, names, 0.24)
    ends: list[float] = []
    for row, (spec, domain) in enumerate(product(specs, domains)):
        places = ("clips", row - 0.12, 4.0, 0.5), ("over_time", row + 0.16, 1.0, 1.0)
        for key, y, width, alpha in places:
            if span := data.figure(spec.name, domain, f"{key}_kbps"):
                colour = look[spec.model].colour
                (bar,) = axes.plot(span[1:], [y, y], color=colour, linewidth=width, gid=key)
                bar.set_alpha(alpha)
                axes.plot(span[:1], [y], "|", color=style.BLACK, markersize=5)
                ends += filter(None, span)
    if ends:
        style.name_rows(axes, names)
        log_axis(axes, ends, style.WIDTH_IN[options.width])
        axes.set_xlabel("rate (kbps)")
    else:
        style.say_empty(axes, "no codec of this run has a rate that varies")
    about = (
        "thick: 5 to 95 % of the clips' actual rates; thin: 5 to 95 % of the time within clips, as "
        "the median clip has it; marks: medians"
    )
    others = [spec.name for spec in data.specs if spec not in specs]
    out = style.left_out(others, "constant rate, or not known")
    beside = style.beside(data, "", options.domain)
    style.caption(figure, options, data.called(options.domain), about, out, beside)
    return figure


PLOTS = (
    Plot(
        "rates", "spread of the rates between clips and within them, of codecs whose rate varies",
        rates, ("domain",),
        useful=lambda data: any(codec.varies for codec in data.codecs.values()),
    ),
    Plot(
        "codebooks", "entropy per codebook beside the bits it takes, a panel per model",
        codebooks, ("domain",),
    ),
    Plot(
        "distribution", "spread of a metric over clips, a row per codec", distribution, by_clip=True
    ),
    Plot(
        "differences", "paired differences to a baseline, with intervals and Holm's marks",
        differences, ("metric", "domain", "baseline"), by_clip=True,
    ),
)  # fmt: skip
