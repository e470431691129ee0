"""The ladder of rates: what is stated, what is sent, and what entropy coding makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snacbench.plots import _labels as words
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    caption,
    name_rows,
    new_figure,
    row_height_in,
    say_empty,
)
from snacbench.tables.ladder import Coded, Ladder
from snacbench.tables.run_rows import ADAPTIVE, STATIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHARACTERS = {"single": 24, "double": 40}
_LEGEND_IN = 0.4
_LEGEND_COLUMNS = 4


@dataclass(frozen=True)
class _Rung:
    """A kind of rate: how it is named and marked."""

    name: str
    colour: str
    marker: str


_NOMINAL = _Rung("nominal", GREY, "D")
_ACTUAL = _Rung("actual", BLACK, "|")
_ENTROPY = _Rung("entropy", BLUE, "o")
_HELD_OUT = _Rung("held out", GREEN, "s")
_CODED = _Rung("coded", ORANGE, "^")
_ADAPTIVE = _Rung("adaptive", PURPLE, ">")
_CONDITIONAL = _Rung("conditional", VERMILLION, "v")
_RUNGS = (_NOMINAL, _ACTUAL, _ENTROPY, _HELD_OUT, _CODED, _ADAPTIVE, _CONDITIONAL)


def draw(data: PlotData, options: Options) -> Figure:
    """Every rate of an operating point in percent of its actual one, a row per point."""
    ladders = [data.ladder(s.name, options.domain) for s in data.specs if not s.anchor]
    shown = [one for one in ladders if one.record.get("actual_kbps")]
    names = [_name(one, _CHARACTERS[options.width]) for one in shown]
    figure = new_figure(options.width, row_height_in(names, 0.22) + _LEGEND_IN)
    axes = figure.add_subplot()
    used: dict[_Rung, None] = {}
    for row, one in enumerate(shown):
        used.update(dict.fromkeys(_draw_row(axes, row, one)))
    if shown:
        name_rows(axes, names)
        axes.set_xlabel("percent of the actual rate  ← cheaper")
        _legend(figure, [rung for rung in _RUNGS if rung in used])
    else:
        say_empty(axes, "no codec of this run has a rate")
    caption(figure, options.width, _text(data, options, shown))
    return figure


def _name(one: Ladder, characters: int) -> str:
    """Name and actual rate, which is what 100 percent are."""
    rate = one.record.get("actual_kbps") or 0.0
    name = words.shortened(one.spec.name, characters)
    return f"{name}\n{rate:.2f} kbps{words.marks_of(one.spec)}"


def _draw_row(axes: Axes, row: int, one: Ladder) -> list[_Rung]:
    whole = one.record.get("actual_kbps") or 1.0
    places = [(rung, 100 * kbps / whole) for rung, kbps in _rates(one) if kbps is not None]
    ends = _range(one, whole)
    xs = [*(x for _, x in places), *ends]
    axes.plot([min(xs), max(xs)], [row, row], color="#C8C8C8", linewidth=0.8, zorder=1)
    if ends:
        axes.plot(
            ends, [row, row], color=_ENTROPY.colour, linewidth=4.0, alpha=0.35,
            solid_capstyle="butt", zorder=1.5, gid="range",
        )  # fmt: skip
    for rung, x in places:
        axes.plot([x], [row], linestyle="none", zorder=3, gid=rung.name, **_mark(rung))
    interval = one.entropy
    if not ends and interval and interval.low is not None and interval.high is not None:
        low, high = (100 * end / whole for end in (interval.low, interval.high))
        axes.plot(
            [low, high], [row, row], color=_ENTROPY.colour, linewidth=1.6, alpha=0.6, zorder=2,
            gid="interval",
        )  # fmt: skip
    return [rung for rung, _ in places] + ([_ENTROPY] if ends else [])


def _rates(one: Ladder) -> Iterable[tuple[_Rung, float | None]]:
    adaptive, conditional = _complete(one, ADAPTIVE), one.conditional
    coded = _complete(one, STATIC)
    yield _NOMINAL, one.record.get("nominal_kbps")
    yield _ACTUAL, one.record.get("actual_kbps")
    yield _ENTROPY, one.record.get("entropy_kbps")
    yield _HELD_OUT, one.held_out_kbps
    yield _CODED, coded.kbps if coded else None
    yield _ADAPTIVE, adaptive.kbps if adaptive else None
    yield _CONDITIONAL, conditional.kbps if conditional else None


def _complete(one: Ladder, name: str) -> Coded | None:
    """What a coder wrote, if it wrote all clips."""
    coded = one.of(name)
    return coded if coded and coded.clips == one.n else None


def _range(one: Ladder, whole: float) -> tuple[float, ...]:
    ends = [one.record.get(f"entropy_{end}_kbps") for end in ("low", "high")]
    return () if None in ends else tuple(100 * end / whole for end in ends if end is not None)


def _mark(rung: _Rung) -> dict[str, Any]:
    bar = rung.marker == "|"
    return {
        "marker": rung.marker, "color": rung.colour, "markersize": 9.0 if bar else 4.5,
        "markeredgewidth": 1.2 if bar else 0.5,
        "markeredgecolor": rung.colour if bar else "white",
    }  # fmt: skip


def _legend(figure: Figure, rungs: Sequence[_Rung]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linestyle="none", label=rung.name, **_mark(rung)) for rung in rungs]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=_columns(len(rungs)), handletextpad=0.1,
        columnspacing=0.8, borderaxespad=0.1,
    )  # fmt: skip


def _columns(entries: int) -> int:
    """Columns of the legend: in two rows of about equal length where one would be too wide."""
    return entries if entries <= _LEGEND_COLUMNS else -(-entries // 2)


def _text(data: PlotData, options: Options, shown: Sequence[Ladder]) -> str:
    ranges = any(_range(one, 1.0) for one in shown)
    models = {one.conditional.coder.name for one in shown if one.conditional}
    intervals = [one.entropy for one in shown if one.entropy]
    return words.joined(
        f"{words.where(data, options.domain)}, {words.sizes(intervals)}" if intervals else "",
        "entropy: order 0, Chao-Wang-Jost estimate, with its 95 % interval (jackknife)",
        "held out: code length under tables of other speakers or tracks"
        + ("; coded: bytes written with such tables" if any(o.of(STATIC) for o in shown) else ""),
        f"adaptive: bytes of a coder that also learns along the clip; conditional: of the best "
        f"context model that does so too ({', '.join(sorted(models))})"
        if models
        else "",
        "band: fewer tokens than codebook entries, so the entropy is a range, unreliable"
        if ranges
        else "",
        words.remarks([one.spec for one in shown], truncated=""),
        words.sets_differ(data),
    )


PLOT = Plot(
    "rate-ladder",
    "nominal, actual, entropy-coded and conditional rates of every codec",
    draw,
    frozenset({"domain"}),
)
