"""Means against something per operating point: a curve per model, marks for single points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snacbench.plots._data import PlotData
from snacbench.plots._dodge import MARGIN, side_by_side
from snacbench.plots._labels import model_label, shortened
from snacbench.plots._place import Label, place_labels
from snacbench.plots.style import SMALL_PT, WIDTH_IN, Look, looks
from snacbench.stats.intervals import Interval
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_NAME = 30
# Ticks within a decade, by how many times the largest value is the smallest.
_TICKS = (
    (12.0, (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)),
    (200.0, (1.0, 2.0, 5.0)),
    (math.inf, (1.0,)),
)
_MOST_DIRECT_LABELS = 9  # beyond, they would find no room anyway


Level = tuple[CodecSpec, Look, Interval]
"""A codec without a place on the axis, how it looks, and its mean."""


@dataclass(frozen=True)
class Point:
    """One operating point: where it is drawn, and the mean there."""

    spec: CodecSpec
    x: float
    y: Interval


@dataclass(frozen=True)
class Series:
    """The operating points of one model, by rate."""

    label: str
    look: Look
    points: tuple[Point, ...]

    @property
    def joined(self) -> tuple[Point, ...]:
        """Points that a line may go through: the model was trained for them."""
        return tuple(p for p in self.points if not p.spec.truncated)

    @property
    def apart(self) -> tuple[Point, ...]:
        """Points below the depth that the model was trained for."""
        return tuple(p for p in self.points if p.spec.truncated)


@dataclass(frozen=True)
class Gathered:
    """What can be drawn, and the names of what cannot: without a score, or without an abscissa.

    `moved` says that some marks stand beside their place, so that all can be seen.
    """

    series: tuple[Series, ...]
    levels: tuple[Level, ...]
    no_score: tuple[str, ...]
    moved: bool

    @property
    def intervals(self) -> list[Interval]:
        """Of all points."""
        return [point.y for series in self.series for point in series.points]

    @property
    def xs(self) -> list[float]:
        """Where the points are drawn."""
        return [point.x for series in self.series for point in series.points]

    @property
    def remark(self) -> str:
        """For the caption; empty where every mark stands where it belongs."""
        return "marks of several models at one place are drawn side by side" if self.moved else ""

    @property
    def specs(self) -> list[CodecSpec]:
        """Operating points that are drawn as points."""
        return [point.spec for series in self.series for point in series.points]


def gather(
    data: PlotData,
    metric: str,
    domain: str,
    x_of: Callable[[CodecSpec], float | None],
    *,
    width_in: float,
) -> Gathered:
    """Series of all models for a panel of some width.

    `x_of` gives a codec's abscissa, None where it has none.
    """
    means, look = data.intervals(metric, domain), looks(data.specs)
    found: list[Point] = []
    levels = []
    for spec in data.specs:
        if spec.name not in means:
            continue
        x = x_of(spec)
        if x is None or x <= 0 or spec.anchor:  # an anchor's rate is that of plain samples
            levels.append((spec, look[spec.model], means[spec.name]))
        else:
            found.append(Point(spec, x, means[spec.name]))
    places = [point.x for point in found]
    drawn_at = side_by_side(places, [point.spec.model for point in found], width_in=width_in)
    by_model: dict[str, list[Point]] = {}
    for point, x in zip(found, drawn_at, strict=True):
        by_model.setdefault(point.spec.model, []).append(replace(point, x=x))
    series = tuple(
        Series(
            shortened(model_label(points[0].spec), _LONGEST_NAME),
            look[model],
            tuple(sorted(points, key=lambda p: (p.spec.nominal_kbps or 0.0, p.x))),
        )
        for model, points in by_model.items()
    )
    no_score = tuple(spec.name for spec in data.specs if spec.name not in means)
    return Gathered(series, tuple(levels), no_score, moved=drawn_at != places)


def draw_series(axes: Axes, series: Sequence[Series]) -> None:
    """Lines, marks and intervals; points below a model's trained depth are hollow and alone."""
    for order, one in enumerate(series):
        look, joined = one.look, one.joined
        if len(joined) > 1:
            xs, ys = [p.x for p in joined], [p.y.mean for p in joined]
            axes.plot(xs, ys, look.line, color=look.colour, zorder=2, gid=f"line:{one.label}")
        for points, hollow in ((joined, False), (one.apart, True)):
            if points:
                axes.errorbar(
                    [p.x for p in points], [p.y.mean for p in points],
                    yerr=bar_lengths([p.y for p in points]), linestyle="none", elinewidth=0.8,
                    capsize=1.8, capthick=0.8, zorder=3 + order / 100, **look.mark(hollow=hollow),
                )  # fmt: skip


def bar_lengths(intervals: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """Lengths of error bars below and above the means; 0 where there is no interval."""
    below = [0.0 if i.low is None else max(0.0, i.mean - i.low) for i in intervals]
    above = [0.0 if i.high is None else max(0.0, i.high - i.mean) for i in intervals]
    return below, above


def draw_levels(axes: Axes, levels: Sequence[Level]) -> list[str]:
    """Anchors as dotted lines across, named at their left end; returns those far off, in words.

    They do not stretch the axis: what the figure is about are the curves.
    """
    low, high = axes.get_ylim()
    room = 0.35 * (high - low)
    beyond = []
    for spec, look, interval in levels:
        if not low - room <= interval.mean <= high + room:
            beyond.append(f"{spec.name} at {interval.mean:.3g}")
            continue
        axes.axhline(interval.mean, color=look.colour, linestyle=":", linewidth=0.8, zorder=1)
        axes.annotate(
            shortened(spec.name, _LONGEST_NAME), (0.0, interval.mean),
            xycoords=("axes fraction", "data"), xytext=(2, 1.5), textcoords="offset points",
            fontsize=SMALL_PT - 1, color=look.ink, va="bottom", gid="level",
        )  # fmt: skip
    return beyond


def log_axis(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic horizontal axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = min(values), max(values)
    axes.set_xscale("log")
    axes.set_xlim(low / MARGIN, high * MARGIN)
    subs = next(subs for span, subs in _TICKS if high / low < span)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if len(subs) > 1:
        axes.xaxis.set_minor_locator(NullLocator())


def name_series(figure: Figure, axes: Axes, series: Sequence[Series], width: str) -> None:
    """Names beside the curves where all of them find room, else a legend on top."""
    if len(series) <= _MOST_DIRECT_LABELS:
        labels = [
            Label(
                one.label,
                one.look.ink,
                tuple((p.x, p.y.mean) for p in one.points),
                tuple((p.x, end) for p in one.points for end in (p.y.low, p.y.high) if end),
                joined=len(one.joined) > 1,
            )
            for one in series
        ]
        if place_labels(figure, axes, labels):
            return
    figure.set_layout_engine("constrained")  # anew, with the legend
    figure.set_figheight(figure.get_figheight() + legend_height_in(series, width))
    legend_above(figure, series, width)


def legend_above(figure: Figure, series: Sequence[Series], width: str) -> None:
    """A legend over the whole width, in as many columns as its names allow."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], label=one.label, linestyle=one.look.line if len(one.joined) > 1 else "none",
            **one.look.mark(hollow=not one.joined),
        )
        for one in series
    ]  # fmt: skip
    longest = max(len(one.label) for one in series)
    column_in = (longest * 0.62 * SMALL_PT + 30) / 72
    columns = max(1, min(len(series), int((WIDTH_IN[width] - 0.2) / column_in)))
    options: dict[str, Any] = {"borderaxespad": 0.1, "handletextpad": 0.5, "labelspacing": 0.3}
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, **options)


def legend_height_in(series: Sequence[Series], width: str) -> float:
    """About how high `legend_above` is."""
    if not series:
        return 0.0
    longest = max(len(one.label) for one in series)
    columns = max(1, int((WIDTH_IN[width] - 0.2) * 72 / (longest * 0.62 * SMALL_PT + 30)))
    return 0.15 * -(-len(series) // columns)
