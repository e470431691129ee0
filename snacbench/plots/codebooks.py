"""Entropy per codebook, as figure 1 of the DAC paper has it (Kumar et al., NeurIPS 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snacbench.plots import _labels as words
from snacbench.plots.drawing import Options, Plot
from snacbench.plots.plot_data import PlotData
from snacbench.plots.style import CAPTION_PT, SMALL_PT, caption, looks, new_figure, say_empty
from snacbench.tables.ladder import Ladder
from snacbench.types import CodecSpec
from snacbench.units import bits_per_code

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHARACTERS = {1: 44, 2: 23, 3: 32}  # of a name that fit over one of so many panels
_FEW_PANELS = 3


def draw(data: PlotData, options: Options) -> Figure:
    """Bits per token of every codebook beside the bits that it takes; a panel per model.

    A model is shown at its deepest point, which holds the codebooks of the others. Where a codebook
    has fewer tokens than entries its entropy is a range, drawn as one.
    """
    deepest: dict[str, CodecSpec] = {}
    for spec in data.specs:
        if len(spec.streams) > (len(deepest[spec.model].streams) if spec.model in deepest else 0):
            deepest[spec.model] = spec
    ladders = [(spec, data.ladder(spec.name, options.domain)) for spec in deepest.values()]
    shown = [(spec, one) for spec, one in ladders if one.books]
    columns = 3 if options.width == "double" else 1 if len(shown) <= _FEW_PANELS else 2
    characters, columns = _CHARACTERS[columns], min(columns, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(options, 0.3 + 1.55 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    look = looks(data.specs)
    for axes, (spec, one) in zip(grid.flat, shown, strict=False):
        _draw_panel(axes, one, look[spec.model].colour)
        name = words.shortened(words.codec_label(spec, 99, data.labels), characters)
        axes.set_title(name, loc="left", fontsize=SMALL_PT, pad=19)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(not shown)
    for row in grid if shown else ():
        row[0].set_ylabel("bits per token")
    for axes in list(grid.flat)[: len(shown)][-columns:]:
        axes.set_xlabel("codebook")
    if not shown:
        say_empty(grid.flat[0], "no codec of this run has codebooks whose codes were counted")
    books = [book.entropy for _, one in shown for book in one.books]
    caption(
        figure,
        options,
        words.where(data, options.domain),
        "grey: bits that a packed index takes; coloured: entropy of the codes (Chao-Wang-Jost "
        "estimate) with its 95 % interval (jackknife over clusters); N: tokens per codebook; "
        "used: entries that occur; dead: those that do not",
        "hatched: few tokens per entry or few clips, so the entropy may read low"
        if not all(book.reliable for book in books)
        else "",
        "where tokens are fewer than entries, the line is a range and no interval: unreliable"
        if any(book.range_only for book in books)
        else "",
        words.remarks([spec for spec, _ in shown]),
    )
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
        fontsize=CAPTION_PT, va="bottom", color="#444444", linespacing=1.2, gid="tokens",
    )  # fmt: skip
    axes.set_xlim(0.4, max(4, len(books)) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True))
    axes.grid(visible=False, axis="x")


PLOTS = (
    Plot(
        "codebooks",
        "entropy per codebook beside the bits it takes, a panel per model",
        draw,
        frozenset({"domain"}),
    ),
)
