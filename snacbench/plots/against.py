"""Means against rate, tokens or time: a curve per model, marks for single points."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from snacbench.later import Axes, Figure, Line2D
from snacbench.plots import style
from snacbench.plots.drawing import Plot
from snacbench.plots.plot_data import Options, PlotData, point_span
from snacbench.stats.intervals import Interval
from snacbench.tables.footnotes import speed_notes
from snacbench.tables.run_rows import ALL_DOMAINS
from snacbench.tables.side_by_side import Span, real_time_factor
from snacbench.types import CodecSpec

_LONGEST_NAME, _TITLE = 30, 14
_MARGIN = 1.35  # what a logarithmic axis leaves beside its outermost marks, as a factor
_TICKS = ((1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))  # of a decade
_FEW_PANELS = 4  # beside each other in two columns of a paper, or below each other in one
_CHARACTER_IN = 0.64 * style.SMALL_PT / 72

Across = Callable[[PlotData, CodecSpec, str], Span | None]
"""Where an operating point lies on the axis in a domain, and the ends of what is known of it."""


@dataclass(frozen=True)
class Point:
    """One operating point: where it is drawn, and the mean there.

    `across` are the ends of what is known of its abscissa: a band, where they differ.
    """

    spec: CodecSpec
    x: float
    y: Interval
    across: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """The operating points of one model, by rate."""

    label: str
    look: style.Look
    points: tuple[Point, ...]

    @property
    def joined(self) -> tuple[Point, ...]:
        """Points that a line may go through: the model was trained for them."""
        return tuple(p for p in self.points if not p.spec.truncated)


def _draw(  # noqa: PLR0913 - what runs along the axis takes four
    data: PlotData,
    options: Options,
    across: Across,
    *,
    label: str,
    needed: str,
    line_at: float | None = None,
    notes: Callable[[PlotData, Sequence[Point]], Sequence[str]] = lambda *_: (),
    domains: Sequence[str] = (),
) -> Figure:
    """Mean score per operating point with its interval, log axis; a line per model."""
    # A codec must have what is `needed` to be shown. A line stands at `line_at` where points are
    # near; `notes` are what the caption must say of the points. `domains` get a panel each, on one
    # scale of quality; without them there is one, of the domain asked for.
    several, domains = bool(domains), domains or [options.domain]
    single, count = options.width == "single", len(domains)
    columns = min(count, 1 if single and count <= _FEW_PANELS else 2 if single else _FEW_PANELS)
    each_in = 1.75 if single and several else 2.3
    figure = style.new_figure(options, 0.35 + each_in * -(-count // columns))
    grid = style.panels(figure, count, columns, label, sharex=True)
    named = figure.supylabel if several else grid[0].set_ylabel
    named(style.metric_label(data, options.metric), fontsize=style.FONT_PT)
    look = style.looks(data.specs)
    found = [_points(data, options.metric, domain, across) for domain in domains]
    drawn = [point for points in found for point in points]
    lines_at, beyond = list[float](), list[str]()
    if drawn:
        ends = [end for point in drawn for end in point.across or (point.x,)]
        lines_at += [line_at] if line_at and line_at / 2 < max(ends) else []
        log_axis(grid[0], ends + lines_at, style.WIDTH_IN[options.width] / columns)
    for axes, domain, points in zip(grid, domains, found, strict=True):
        if several:
            clips = max((point.y.n for point in points), default=0)
            axes.set_title(f"{style.shortened(domain, _TITLE)} (n = {clips})", loc="left")
        if not points:
            metric = style.metric_name(options.metric)
            style.say_empty(axes, f"no codec has {metric} scores and {needed}", ticks=bool(drawn))
            continue
        draw_series(axes, series_of(points, look, data.labels))
        for at in lines_at:
            axes.axvline(at, color=style.GREY, linestyle="--", linewidth=0.7, gid="line at")
        means = data.intervals(options.metric, domain)
        anchors = {s.name: means[s.name].mean for s in data.specs if s.anchor and s.name in means}
        beyond += draw_levels(axes, anchors)
    known, scored = {p.spec.name for p in drawn}, data.scores(options.metric, options.domain)
    rest = [s.name for s in data.specs if s.name not in known and not s.anchor]
    where = f"per {data.by}".replace("domain", "panel") if several else data.called(options.domain)
    style.caption(
        figure, options, style.sizes(where, [point.y for point in drawn]), notes(data, drawn),
        style.remarks([point.spec for point in drawn], truncated=": hollow, not joined"),
        style.left_out(beyond, "anchors beyond the axis"),
        style.left_out([name for name in rest if name in scored], f"no {needed}"),
        style.left_out([name for name in rest if name not in scored], "no score"),
        style.beside(data, options.metric, ALL_DOMAINS if several else options.domain),
    )  # fmt: skip
    if drawn:
        style.legend_above(figure, [legend_entry(s) for s in series_of(drawn, look, data.labels)])
    return figure


def _points(data: PlotData, metric: str, domain: str, across: Across) -> list[Point]:
    """What has a mean and a place on the axis; an anchor's rate is that of plain samples."""
    means = data.intervals(metric, domain)
    points = []
    for spec in (spec for spec in data.specs if spec.name in means and not spec.anchor):
        if place := across(data, spec, domain):
            band = (place.low, place.high) if place.low < place.high else None
            points.append(Point(spec, place.value or 0.0, means[spec.name], band))
    return points


def series_of(
    points: Sequence[Point], look: Mapping[str, style.Look], labels: Mapping[str, str]
) -> tuple[Series, ...]:
    """A series per model, in the order in which models first occur."""
    by_model: dict[str, list[Point]] = {}
    for point in points:
        by_model.setdefault(point.spec.model, []).append(point)
    found = []
    for model, of in by_model.items():
        label = labels.get(model, model) + (" (demo)" if of[0].spec.demonstration else "")
        in_order = sorted(of, key=lambda point: (point.spec.nominal_kbps or 0.0, point.x))
        found.append(Series(style.shortened(label, _LONGEST_NAME), look[model], tuple(in_order)))
    return tuple(found)


def draw_series(axes: Axes, series: Sequence[Series]) -> None:
    """Lines, marks, intervals, and bands across where the abscissa is known as a range only.

    Points below a model's trained depth are hollow and alone.
    """
    for order, one in enumerate(series):
        look, joined = one.look, one.joined
        if len(joined) > 1:
            xs, ys = [p.x for p in joined], [p.y.mean for p in joined]
            axes.plot(xs, ys, look.line, color=look.colour, zorder=2, gid=f"line:{one.label}")
        for point in one.points:
            if point.across:
                axes.plot(
                    point.across, [point.y.mean] * 2, color=look.colour, linewidth=3.0, alpha=0.35,
                    zorder=1.5, gid="range",
                )  # fmt: skip
        apart = [point for point in one.points if point not in joined]
        for points, hollow in ((joined, False), (apart, True)):
            if points:
                axes.errorbar(
                    [p.x for p in points], [p.y.mean for p in points],
                    yerr=bar_lengths([p.y for p in points]), linestyle="none", elinewidth=0.8,
                    capsize=1.8, capthick=0.8, zorder=3 + order / 100, **look.mark(hollow=hollow),
                )  # fmt: skip


def legend_entry(one: Series) -> Line2D:
    """How a series looks, under its name."""
    from matplotlib.lines import Line2D

    line, look = one.look.line if len(one.joined) > 1 else "none", one.look
    return Line2D([], [], label=one.label, linestyle=line, **look.mark(hollow=not one.joined))


def bar_lengths(intervals: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Lengths of error bars below and above the means; 0 where there is no interval."""
    below = [0.0 if i.low is None else max(0.0, i.mean - i.low) for i in intervals]
    above = [0.0 if i.high is None else max(0.0, i.high - i.mean) for i in intervals]
    return below, above


def draw_levels(axes: Axes, levels: Mapping[str, float]) -> list[str]:
    """Names and means as dotted lines across, named at their left end; those far off, in style.

    They do not stretch the axis: what the figure is about are the curves.
    """
    low, high = axes.get_ylim()
    room, away = 0.35 * (high - low), []
    for name, mean in levels.items():
        if not low - room <= mean <= high + room:
            away.append(f"{name} at {mean:.3g}")
            continue
        axes.axhline(mean, color=style.GREY, linestyle=":", linewidth=0.8, zorder=1)
        axes.annotate(
            style.shortened(name, _LONGEST_NAME), (0.0, mean), va="bottom", xytext=(2, 1.5),
            xycoords=("axes fraction", "data"), textcoords="offset points", gid="level",
            fontsize=style.SMALL_PT - 1, color="#555555",
        )  # fmt: skip
    return away


def log_axis(axes: Axes, values: Sequence[float], width_in: float) -> None:
    """A logarithmic horizontal axis with plain numbers, as many as stand clear of each other."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = min(values) / _MARGIN, max(values) * _MARGIN
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    inch = (width_in - 0.6) / math.log(high / low)  # labels are left of a panel
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    ticks: list[float] = []
    for subs in _TICKS:
        every = [float(f"{sub:g}e{decade}") for decade in decades for sub in subs]
        ticks = [tick for tick in every if low <= tick <= high]
        lengths = [len(f"{tick:g}") + 1 for tick in ticks]  # with a space between
        gaps = np.diff(np.log(ticks)) * inch / _CHARACTER_IN
        if all(gap >= (a + b) / 2 for gap, (a, b) in zip(gaps, pairwise(lengths), strict=True)):
            break
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def quality_rate(data: PlotData, options: Options, domains: Sequence[str] = ()) -> Figure:
    """Mean score per operating point against its rate in kbps; a panel for each of `domains`."""
    return _draw(
        data, options, lambda data, spec, domain: data.rate(spec.name, domain, options.rate),
        label=style.RATE_LABELS[options.rate], needed=f"{options.rate} rate",
        notes=lambda _, points: [style.RANGE] if any(point.across for point in points) else [],
        domains=domains,
    )  # fmt: skip


def by_domain(data: PlotData, options: Options) -> Figure:
    """Quality against rate, one panel per domain or group of clips, on one scale of quality."""
    return quality_rate(data, options, domains=data.domains or ["all"])


def _rtf(data: PlotData, spec: CodecSpec, _: str) -> Span | None:
    """Of encoding and decoding together: median, least and greatest of several repeats."""
    found = real_time_factor(data.codecs[spec.name].speed)
    return found and found[2]


def _gmacs(data: PlotData, spec: CodecSpec, _: str) -> Span | None:
    cost = data.codecs[spec.name].cost
    return point_span(cost.macs_per_s, 1e-9) if cost else None


_TOKENS = partial(  # which a language model over them has to read
    _draw,
    across=lambda data, spec, domain: point_span(data.figure(spec.name, domain, "tokens_per_s")),
    label="tokens per second  ← shorter sequences",
    needed="tokens",
)
_SPEED = partial(
    _draw, across=_rtf, label="RTF, encoding + decoding  ← faster", needed="speed",
    line_at=1.0,  # real time
    notes=lambda data, _: [note.removesuffix(".") for note in speed_notes(data.runs)],
)  # fmt: skip
_MACS = partial(
    _draw,
    across=_gmacs,
    label="GMAC per second of audio, encoding + decoding  ← cheaper",
    needed="MACs",
)

PLOTS = (
    Plot(
        "quality-rate", "quality against rate, with intervals", quality_rate,
        ("metric", "rate", "domain"),
    ),
    Plot(
        "domains", "quality against rate, a panel per domain or group", by_domain,
        ("metric", "rate", "by"),
    ),
    Plot("tokens", "quality against tokens per second", _TOKENS),
    Plot("speed", "quality against the time that coding takes", _SPEED),
    Plot(
        "macs", "quality against multiply-accumulates per second", _MACS,
        useful=lambda data: any(c.cost and c.cost.macs_per_s for c in data.codecs.values()),
    ),
)  # fmt: skip
