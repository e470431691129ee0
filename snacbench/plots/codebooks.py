"""Entropy per codebook, as figure 1 of the DAC paper has it (Kumar et al., NeurIPS 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots.drawing import Options, Plot
from snacbench.plots.plot_data import PlotData
from snacbench.plots.style import CAPTION_PT, SMALL_PT, caption, looks, new_figure, say_empty
from snacbench.tables.ladder import Ladder
from snacbench.tables.side_by_side import Span
from snacbench.types import CodecSpec
from snacbench.units import bits_per_code

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Panels beside each other, and the characters of a name that fit over one of them.
_ONE, _NARROW, _WIDE = (1, 44), (2, 23), (3, 32)
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
    few = len(shown) <= _FEW_PANELS
    columns, characters = _WIDE if options.width == "double" else _ONE if few else _NARROW
    columns = min(columns, max(1, len(shown)))
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
    ranges = any(book.range_only for book in books)
    small = any(not book.reliable and not book.range_only for book in books)
    caption(
        figure,
        options,
        words.where(data, options.domain),
        "grey: bits that a packed index takes; coloured: entropy of the codes (Chao-Wang-Jost "
        "estimate) with its 95 % interval (jackknife over clusters); N: tokens per codebook; "
        "efficiency: entropy over bits, by rate; used: entries that occur; dead: those that do not",
        "hatched: few tokens per entry or few clips, so the entropy may read low" if small else "",
        "band: fewer tokens than entries, so only a range is known, unreliable" if ranges else "",
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
        if of.range_only:
            axes.bar(
                place, of.highest_bits - of.lowest_bits, 0.84, bottom=of.lowest_bits,
                color=colour, alpha=0.35, gid="range",
            )  # fmt: skip
        elif interval.low is not None and interval.high is not None:
            axes.plot(
                [place, place], [interval.low, interval.high], color="#222222", linewidth=0.8,
                solid_capstyle="butt", gid="interval",
            )  # fmt: skip
    share = one.record.get("efficiency")
    shares = share[1:] if isinstance(share, Span) else [] if share is None else [share]
    known = "–".join(f"{100 * end:.0f}" for end in shares)
    efficiency = f"; efficiency {known} %" if known else ""
    used, entries = sum(b.used for b in books), sum(b.codebook_size for b in books)
    tokens = dict.fromkeys(
        f"{n:,}" for n in (min(b.tokens for b in books), max(b.tokens for b in books))
    )
    text = f"used {100 * used / entries:.1f} %; dead codes: {entries - used:,}"
    axes.text(
        0, 1.02, f"N = {'–'.join(tokens)}{efficiency}\n{text}", transform=axes.transAxes,
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
