"""Entropy per codebook, as figure 1 of the DAC paper has it (Kumar et al., NeurIPS 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snacbench.plots import _labels as words
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import CAPTION_PT, SMALL_PT, caption, looks, new_figure, say_empty
from snacbench.tables.ladder import Book, Ladder
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
    deepest = [(s, data.ladder(s.name, options.domain)) for s in _deepest(data)]
    shown = [(spec, one) for spec, one in deepest if one.books]
    few = len(shown) <= _FEW_PANELS
    columns, characters = _WIDE if options.width == "double" else _ONE if few else _NARROW
    columns = min(columns, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(options.width, 0.75 + 1.55 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    colours = {model: look.colour for model, look in looks(data.specs).items()}
    for axes, (spec, one) in zip(grid.flat, shown, strict=False):
        _draw_panel(axes, one, colours[spec.model])
        name = words.shortened(words.codec_label(spec, 99), characters)
        axes.set_title(name, loc="left", fontsize=SMALL_PT, pad=19)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(bool(not shown))
    if shown:
        for row in grid:
            row[0].set_ylabel("bits per token")
        for axes in list(grid.flat)[: len(shown)][-columns:]:
            axes.set_xlabel("codebook")
    else:
        say_empty(grid.flat[0], "no codec of this run has codebooks whose codes were counted")
    caption(figure, options.width, _text(data, options, shown))
    return figure


def _text(data: PlotData, options: Options, shown: Sequence[tuple[CodecSpec, Ladder]]) -> str:
    books = [book.entropy for _, one in shown for book in one.books]
    ranges = any(book.range_only for book in books)
    small = any(not book.reliable and not book.range_only for book in books)
    return words.joined(
        words.where(data, options.domain),
        "grey: bits that a packed index takes; coloured: entropy of the codes (Chao-Wang-Jost "
        "estimate) with its 95 % interval (jackknife over clusters); N: tokens per codebook; "
        "efficiency: entropy over bits, by rate; used: entries that occur; dead: those that do not",
        "hatched: few tokens per entry or few clips, so the entropy may read low" if small else "",
        "band: fewer tokens than entries, so only a range is known, unreliable" if ranges else "",
        words.remarks([spec for spec, _ in shown], truncated=""),
    )


def _deepest(data: PlotData) -> list[CodecSpec]:
    """Of every model with codebooks the point that has most of them."""
    found: dict[str, CodecSpec] = {}
    for spec in data.specs:
        deepest = found.get(spec.model)
        if len(spec.streams) > (len(deepest.streams) if deepest else 0):
            found[spec.model] = spec
    return list(found.values())


def _draw_panel(axes: Axes, one: Ladder, colour: str) -> None:
    from matplotlib.ticker import MaxNLocator

    books = [book.entropy for book in one.books]
    places = range(1, len(books) + 1)
    most = [bits_per_code(book.codebook_size) for book in books]
    axes.bar(places, most, 0.84, color="#E2E2E2", gid="most")
    bars = axes.bar(places, [b.lowest_bits for b in books], 0.84, color=colour, gid="entropy")
    for bar, book in zip(bars, books, strict=True):
        if not book.reliable:
            bar.set(hatch="//////", facecolor="white", edgecolor=colour, linewidth=0.6)
    _draw_intervals(axes, one.books, colour)
    lines = [_tokens([book.tokens for book in books]) + _share(one), _usage(one.books)]
    axes.text(
        0, 1.02, "\n".join(lines), transform=axes.transAxes, fontsize=CAPTION_PT, va="bottom",
        color="#444444", linespacing=1.2, gid="tokens",
    )  # fmt: skip
    axes.set_xlim(0.4, max(4, len(books)) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True))
    axes.grid(visible=False, axis="x")


def _draw_intervals(axes: Axes, books: Sequence[Book], colour: str) -> None:
    """A line over each interval, a pale bar over each range."""
    for place, book in enumerate(books, start=1):
        of, interval = book.entropy, book.interval
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


def _share(one: Ladder) -> str:
    low, high = (one.record.get(f"efficiency_{end}") for end in ("low", "high"))
    if low is not None and high is not None:
        return f"; efficiency {100 * low:.0f}–{100 * high:.0f} %"
    share = one.record.get("efficiency")
    return "" if share is None else f"; efficiency {100 * share:.0f} %"


def _usage(books: Sequence[Book]) -> str:
    used = sum(book.entropy.used for book in books)
    entries = sum(book.entropy.codebook_size for book in books)
    return f"used {100 * used / entries:.1f} %; dead codes: {entries - used:,}"


def _tokens(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"N = {low:,}" if low == high else f"N = {low:,}–{high:,}"


PLOT = Plot(
    "codebooks",
    "entropy per codebook beside the bits it takes, a panel per model",
    draw,
    frozenset({"domain"}),
)
