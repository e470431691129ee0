"""Quality against the strength of conditions: a panel per kind, a line per operating point."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from snacbench.conditions.condition import KINDS, Condition, condition_named
from snacbench.later import Axes, Figure
from snacbench.plots import style
from snacbench.plots.against import Point, Series, draw_series, legend_entry
from snacbench.plots.drawing import Plot
from snacbench.plots.plot_data import Options, PlotData
from snacbench.tables.conditions import WORDS, of_packets, series_of
from snacbench.types import CodecSpec

_HOLLOW = ("not shown ()", "hollow, over fewer clips")
_APART = {"flips": 1.0, "noise": 10.0}  # where no strength is neutral, by how much it is apart
_CHARACTERS, _CHARACTER_IN = 25, 0.64 * style.SMALL_PT / 72  # of a head's line; of a tick
_PALEST, _ASIDE = 0.4, 0.012  # colour of a model's lowest rate; between lines, share of the axis


def robustness(data: PlotData, options: Options) -> Figure:
    """Mean score with its interval against the strength of conditions; worse is to the right.

    A panel for each kind of condition with its options, all on one scale of quality. Lines begin at
    the operating point without condition.
    """
    data = data.with_conditions
    means, specs = data.intervals(options.metric, options.domain), {s.name: s for s in data.specs}
    under = {n: condition_named(s.condition) for n, s in specs.items() if s.condition}
    under = {name: condition for name, condition in under.items() if not condition.neutral}
    base = {name: spec.without_condition.name for name, spec in specs.items()}
    order = sorted({(list(KINDS).index(c.kind), series_of(c)) for c in under.values()})
    count = len(order) or 1
    beside = min(count, 2 if options.width == "single" else 4)
    rows = -(-count // beside)
    figure = style.new_figure(options, 0.25 + (1.55 if count > 1 else 2.3) * rows)
    grid = figure.subplots(rows, beside, sharey=True, squeeze=False).ravel()
    figure.supylabel(style.metric_label(data, options.metric), fontsize=style.FONT_PT)
    lines = _lines([spec for spec in specs.values() if not spec.condition], data)
    lines = {n: of for n, of in lines.items() if n in map(base.__getitem__, under)}
    for axes, (_, series) in zip(grid, order, strict=False):
        of = {name: c for name, c in under.items() if series_of(c) == series}
        places = _axis(axes, list(of.values()), style.WIDTH_IN[options.width] / beside - 0.5)
        gaps = [b - a for a, b in pairwise(sorted({*places.values()}))]
        step = min(_ASIDE * sum(gaps), 0.7 * min(gaps) / max(1, len(lines)))
        drawn = []
        for i, (name, line) in enumerate(lines.items()):
            aside, full = step * (i - (len(lines) - 1) / 2), means[name].n if name in means else 0
            strengths = {places[c.strength]: n for n, c in of.items() if base[n] == name}
            at = {places[None]: name, **strengths} if strengths else {}
            points = [  # as hollow as where a point is truncated, and joined to nothing
                Point(replace(specs[name], truncated=means[n].n < full), x + aside, means[n])
                for x, n in sorted(at.items())
                if n in means
            ]
            drawn.append(replace(line, points=tuple(points)))
            lines[name] = replace(line, points=(*line.points, *points))
            lost = [x + aside for x, n in strengths.items() if n not in means]
            axes.plot(
                lost, [0.03] * len(lost), "x", color=line.look.colour, markersize=4, gid="failed",
                transform=axes.get_xaxis_transform(), markeredgewidth=1.0,
            )  # fmt: skip
        draw_series(axes, drawn)
        for container in axes.containers:
            container[0].set_markersize(3.2 if count > 1 else 4)
    for axes in grid[count:]:
        axes.set_visible(False)
    if not order:
        told = "no points under conditions; 'snacbench run --condition loss@5%' makes some"
        style.say_empty(grid[0], told)
    style.caption(figure, options, *_said(data, options, [specs[name] for name in lines], under))
    if lines:
        style.legend_above(figure, [legend_entry(line) for line in lines.values()])
    return figure


def _said(
    data: PlotData, options: Options, shown: Sequence[CodecSpec], under: Mapping[str, Condition]
) -> list[str]:
    """The caption: what means rest on, and which points have none or one over fewer clips."""
    means = data.intervals(options.metric, options.domain)
    plain = {spec.name: spec.without_condition for spec in data.specs}
    full = {n: means[plain[n].name].n for n in under if plain[n].name in means}
    fewer = [n for n in under if n in means and means[n].n < full.get(n, 0)]
    kinds = {condition.kind for condition in under.values()}
    lossy: dict[str, list[str]] = {}  # series by what is said of their packets
    for series, one in {series_of(c): c for c in under.values() if c.kind == "loss"}.items():
        of = {plain[n].name for n, c in under.items() if series_of(c) == series}
        if specs := [spec for spec in shown if spec.name in of]:
            lossy.setdefault(of_packets(one, specs), []).append(series)
    failed = "cross at the bottom: half of the clips or more have no score"
    names = {spec.name for spec in shown}
    drawn = [mean for name, mean in means.items() if name in {*under, *names}]
    return [
        *style.sizes(data.called(options.domain), drawn),
        "lines begin at the point without condition" * bool(shown),
        "apart at the left: no flips, no noise" * bool(kinds & _APART.keys()),
        "marks at one strength are moved aside, so that bars stand clear" * (len(shown) > 1),
        *(f"under {', '.join(of)}: " * (len(lossy) > 1) + text for text, of in lossy.items()),
        style.left_out([n for n in under if n not in means], failed),
        style.left_out([f"{n} (n = {means[n].n})" for n in fewer], "").replace(*_HOLLOW),
        *style.remarks(shown),
        style.left_out([n for n in plain if plain[n].name not in names], "no condition"),
        *style.beside(data, options.metric, options.domain),
    ]


def _lines(specs: Sequence[CodecSpec], data: PlotData) -> dict[str, Series]:
    """By operating point a line without points: its model's look, paler at the lower rates."""
    from matplotlib.colors import to_hex, to_rgb

    found, looks = {}, style.looks(specs)
    for spec in specs:
        rates = sorted({s.nominal_kbps or 0.0 for s in specs if s.model == spec.model})
        rank = (1 + rates.index(spec.nominal_kbps or 0.0)) / len(rates)
        share = 1.0 if len(rates) == 1 else _PALEST + (1 - _PALEST) * rank
        look, label = looks[spec.model], style.codec_label(spec, 99, data.labels)
        red, green, blue = (1 - share * (1 - part) for part in to_rgb(look.colour))
        look = replace(look, colour=to_hex((red, green, blue)), line=look.line or ":")
        found[spec.name] = Series(style.shortened(label, 30), look, ())
    return found


def _axis(axes: Axes, of: Sequence[Condition], width_in: float) -> dict[float | None, float]:
    """Head and horizontal axis of a panel: strength -> place; None: the neutral one.

    Flips are on a logarithmic axis, noise from a high SNR to a low one. Numbers that would touch
    have no place on it.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator

    first, neutral = of[0], KINDS[of[0].kind].neutral
    across = {"flips": math.log10, "noise": float.__neg__}.get(first.kind, float)
    places: dict[float | None, float] = {c.strength: across(c.strength) for c in of}
    low, high = min(places.values()), max(places.values())
    apart = _APART.get(first.kind, 0.0)
    places[None] = low - max(0.3 * (high - low), 0.5 * apart) if apart else neutral
    names = {across(c.strength): c.name.rpartition("@")[2].removesuffix(c.unit) for c in of}
    names[places[None]] = "∞" if first.kind == "noise" else f"{neutral:g}"
    low, high = min(places.values()), max(places.values())
    margin = 0.06 * (high - low)
    inch, kept = width_in / (high - low + 2 * margin), [low]
    for x in sorted({*names} - {low}, key=lambda x: (x != high, x)):  # the ends first
        gaps = (abs(x - k) * inch / _CHARACTER_IN - len(names[x] + names[k]) / 2 for k in kept)
        kept += [x] if all(gap > 1 for gap in gaps) else []
    kept.sort()
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_major_formatter(FixedFormatter([names[x].replace("-", "−") for x in kept]))
    axes.set_xlim(low - margin, high + margin)
    if apart:
        nearest = min(place for strength, place in places.items() if strength is not None)
        axes.axvline((places[None] + nearest) / 2, color="#C8C8C8", linewidth=0.6, gid="apart")
    words = [option for option in first.options if option != "clean"]
    if "clean" in KINDS[first.kind].options:
        words.append("against clean" if first.against_clean else "against that input")
    words = [w.rpartition("%2F")[2].replace("=", " ") for w in words]
    kind, below = WORDS["kinds"][first.kind], style.shortened(", ".join(words), _CHARACTERS)
    axes.set_title(f"{kind['head']}\n{below}".rstrip(), loc="left", fontsize=style.SMALL_PT)
    scaled = first.kind == "reverb" and not first.unit  # a recorded room
    axes.set_xlabel("gain of the tail" if scaled else kind["axis"])
    return places


PLOTS = Plot(
    "robustness",
    "quality under conditions: loss, bit flips, level, noise, reverb, cascades",
    robustness,
    useful=lambda data: any(spec.condition for spec in data.with_conditions.specs),
)
