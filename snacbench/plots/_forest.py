"""Which metric to believe, as a figure: a row per metric, a panel per group of cells."""

from snacbench.later import Figure, Line2D
from snacbench.plots import style
from snacbench.plots.plot_data import Options
from snacbench.stats.rank_agreement import Scope
from snacbench.tables.validity import COEFFICIENTS, Validity

_MOST_PANELS = 4
_LOOKS: dict[Scope, tuple[str, str, float]] = {
    "cells": ("o", style.BLUE, -0.15),
    "within items": ("D", style.VERMILLION, 0.15),
}


def validity_figure(found: Validity, title: str = "") -> Figure:
    """Correlations over cells and within items, with intervals; metrics in the order of all cells.

    Hollow: shown to be below the best of the panel.
    """
    shown = [k for k, of in found.groups.items() if any(o.value is not None for o in of["cells"])]
    metrics = [one.metric for one in found.groups["all"]["cells"]]
    most = style.NAME_CHARACTERS["single"]
    names = [style.shortened(style.metric_name(m), most) for m in metrics]
    options = Options(width="single" if len(shown) < 2 else "double", title=title)
    with style.paper_style():
        figure = style.new_figure(options, style.row_height_in(names, 0.22))
        count = max(1, min(_MOST_PANELS, len(shown)))
        panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
        drawn = dict[Scope, Line2D]()
        for axes, group in zip(panels, shown, strict=False):
            for scope, (marker, colour, shift) in _LOOKS.items():
                for one in (o for o in found.groups[group][scope] if o.value is not None):
                    place = metrics.index(one.metric) + shift
                    if one.low is not None and one.high is not None:
                        axes.plot([one.low, one.high], [place] * 2, color=colour, linewidth=0.9)
                    fill = {"markerfacecolor": "white" if one.below else colour, "markersize": 3.5}
                    (mark,) = axes.plot(
                        [one.value], [place], marker, color=colour, gid=f"{group}:{scope}",
                        label=scope, **fill,
                    )  # fmt: skip
                    drawn.setdefault(scope, mark)  # of the best, which is filled
            cells = max(one.cells for one in found.groups[group]["cells"])
            axes.set_title(f"{style.shortened(group, 16)} (n = {cells})", loc="left")
            axes.axvline(0, color=style.BLACK, linewidth=0.6)
            style.name_rows(axes, names)
        panels[0].set_xlim(right=1.03)
        panels[0].locator_params(axis="x", nbins=5, steps=[1, 2.5, 5, 10])
        middle = 0.5 if len(panels) % 2 else -0.05
        label = f"{COEFFICIENTS[found.coefficient]} with mean ratings"
        panels[len(panels) // 2].set_xlabel(label, x=middle)
        if not shown:
            style.say_empty(panels[0], "too few rated cells")
        style.caption(
            figure, options, "bars: 95 % intervals over other items, and listeners if several; "
            "hollow: shown to be below the best (Holm over all pairs); n: cells, at most",
            style.left_out([k for k in found.groups if k not in shown], "too few"),
            style.left_out(shown[_MOST_PANELS:], "no room"),
        )  # fmt: skip
        if drawn:
            style.legend_above(figure, list(drawn.values()))
        style.settle(figure)
    return figure
