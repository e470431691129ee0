"""The ladder of rates: what is stated, what is sent, and what entropy coding makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snacbench.plots import _labels as words
from snacbench.plots import style
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot
from snacbench.tables.ladder import Ladder
from snacbench.tables.run_rows import ADAPTIVE, STATIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A kind of rate -> its colour and marker.
_RUNGS = {
    "nominal": (style.GREY, "D"), "actual": (style.BLACK, "|"), "entropy": (style.BLUE, "o"),
    "held out": (style.GREEN, "s"), "coded": (style.ORANGE, "^"), "adaptive": (style.PURPLE, ">"),
    "conditional": (style.VERMILLION, "v"),
}  # fmt: skip


def draw(data: PlotData, options: Options) -> Figure:
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
    used: set[str] = set()
    ranges = False
    for row, one in enumerate(shown):
        ends = _percent(one, *(one.record.get(f"entropy_{end}_kbps") for end in ("low", "high")))
        ranges |= bool(ends)
        used |= _draw_row(axes, row, one, ends)
    if shown:
        style.name_rows(axes, names)
        axes.set_xlabel("percent of the actual rate  ← cheaper")
    else:
        style.say_empty(axes, "no codec of this run has a rate")
    models = {one.conditional.coder.name for one in shown if one.conditional}
    intervals = [one.entropy for one in shown if one.entropy]
    static = "; coded: bytes written with such tables" if any(o.of(STATIC) for o in shown) else ""
    style.caption(
        figure,
        options,
        words.sizes(words.where(data, options.domain), intervals, bars=False) if intervals else "",
        "entropy: order 0, Chao-Wang-Jost estimate, with its 95 % interval (jackknife)",
        f"held out: code length under tables of other speakers or tracks{static}",
        f"adaptive: bytes of a coder that also learns along the clip; conditional: of the best "
        f"context model that does so too ({', '.join(sorted(models))})"
        if models
        else "",
        "band: fewer tokens than codebook entries, so the entropy is a range, unreliable"
        if ranges
        else "",
        words.remarks([one.spec for one in shown], truncated=""),
        words.beside(data, "", options.domain),
    )
    rungs = [rung for rung in _RUNGS if rung in used]
    handles = [Line2D([], [], linestyle="none", label=rung, **_mark(rung)) for rung in rungs]
    if handles:
        style.legend_above(figure, handles, columnspacing=0.8)
    return figure


def _percent(one: Ladder, *kbps: float | None) -> list[float]:
    """Rates in percent of the actual one; none where one is not known."""
    known = [rate for rate in kbps if rate is not None]
    whole = one.record.get("actual_kbps") or 1.0
    return [100 * rate / whole for rate in known] if len(known) == len(kbps) else []


def _draw_row(axes: Axes, row: int, one: Ladder, ends: list[float]) -> set[str]:
    """The rates of one point, `ends` where its entropy is a range; which of them there are."""
    written = {
        "coded": one.of(STATIC), "adaptive": one.of(ADAPTIVE), "conditional": one.conditional,
    }  # fmt: skip
    rates = {rung: one.record.get(f"{rung}_kbps") for rung in ("nominal", "actual", "entropy")}
    rates["held out"] = one.held_out_kbps
    for rung, of in written.items():  # where a coder wrote all clips
        rates[rung] = of.kbps if of and of.clips == one.n else None
    places = {rung: x for rung, rate in rates.items() for x in _percent(one, rate)}
    xs = [*places.values(), *ends]
    axes.plot([min(xs), max(xs)], [row, row], color="#C8C8C8", linewidth=0.8, zorder=1)
    bar: dict[str, Any] = {"linewidth": 1.6, "alpha": 0.6, "zorder": 2, "gid": "interval"}
    if ends:
        bar = {"linewidth": 4.0, "alpha": 0.35, "zorder": 1.5, "gid": "range"}
    elif one.entropy:
        ends = _percent(one, one.entropy.low, one.entropy.high)
    if ends:
        axes.plot(ends, [row, row], color=_RUNGS["entropy"][0], solid_capstyle="butt", **bar)
    for rung, x in places.items():
        axes.plot([x], [row], linestyle="none", zorder=3, gid=rung, **_mark(rung))
    return {*places, *(["entropy"] if ends else [])}


def _mark(rung: str) -> dict[str, Any]:
    colour, marker = _RUNGS[rung]
    wide = {"markersize": 9.0, "markeredgewidth": 1.2, "markeredgecolor": colour}
    plain = {"markersize": 4.5, "markeredgewidth": 0.5, "markeredgecolor": "white"}
    return {"marker": marker, "color": colour, **(wide if marker == "|" else plain)}


PLOT = Plot(
    "rate-ladder",
    "nominal, actual, entropy-coded and conditional rates of every codec",
    draw,
    frozenset({"domain"}),
)
