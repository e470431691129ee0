"""The ladder of rates: what is stated, what is sent, and what entropy coding makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snacbench.plots import _labels as words
from snacbench.plots import style
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot
from snacbench.tables.ladder import Ladder
from snacbench.tables.run_rows import ADAPTIVE, STATIC
from snacbench.tables.side_by_side import Span

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
    used = {rung for row, one in enumerate(shown) for rung in _draw_row(axes, row, one)}
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


def _draw_row(axes: Axes, row: int, one: Ladder) -> set[str]:
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


PLOT = Plot(
    "rate-ladder",
    "nominal, actual, entropy-coded and conditional rates of every codec",
    draw,
    frozenset({"domain"}),
)
