"""How every figure looks: sizes, fonts, one colour per model, one marker per family.

Colours are Okabe and Ito's ("Color universal design", 2008) without their yellow, which is too
faint for lines on white. Colour is not the only cue: families differ by marker, and the models of
one family by line and by how their marks are filled, as far as four ways of either reach. Hollow
marks are kept for what they say: truncated, or not significant.
"""

from __future__ import annotations

import colorsys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = {"single": 3.5, "double": 7.0}
FONT_PT, SMALL_PT, CAPTION_PT = 8.0, 7.0, 6.0
_PAGE_IN = 7.6  # what a page leaves for rows
_CAPTION_CHARACTERS = {"single": 72, "double": 148}  # of 6 pt beside each other

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#767676"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
Line = Literal["-", "--", ":", "-.", ""]
Pair = tuple[str, Line]
"""Colour and line of a model: no other has both."""
LINES: tuple[Line, ...] = ("-", "--", ":", "-.")
_HALF_FILLED = {":": "left", "-.": "bottom"}
# Known models look the same in every paper, whatever else is in the figure.
_MODEL_LOOK: dict[str, Pair] = {
    "snac-24khz": (BLUE, "-"), "snac-32khz": (SKY, "-"), "snac-44khz": (BLUE, "--"),
    "dac-44khz": (VERMILLION, "-"), "dac-24khz": (VERMILLION, "--"), "dac-16khz": (VERMILLION, ":"),
    "dac-44khz-16kbps": (VERMILLION, "-."), "encodec-24khz": (GREEN, "-"),
    "encodec-48khz": (GREEN, "--"), "encodec-32khz": (GREEN, ":"), "lyra-v2": (PURPLE, "-"),
    "mimi": (ORANGE, "-"), "opus": (BLACK, "-"), "mp3": (BLACK, "--"), "aac": (BLACK, ":"),
}  # fmt: skip
# Other models take their family's colour if it is free.
_FAMILY_COLOUR = {
    "snac": BLUE, "dac": VERMILLION, "encodec": GREEN, "lyra": PURPLE, "mimi": ORANGE,
    "command": SKY, "opus": BLACK,
}  # fmt: skip
_FAMILY_MARKER = {
    "snac": "o", "dac": "s", "encodec": "^", "lyra": "P", "mimi": "D", "command": "v",
    "opus": "X", "classic": "<", "toys": "d",
}  # fmt: skip
_OTHER_MARKERS = ("h", ">", "p", "d", "8", "H")

_RC: dict[str, Any] = {
    # DejaVu Sans comes with matplotlib, so every machine sets the same glyphs.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": FONT_PT, "axes.labelsize": FONT_PT, "axes.titlesize": FONT_PT,
    "xtick.labelsize": SMALL_PT, "ytick.labelsize": SMALL_PT, "legend.fontsize": SMALL_PT,
    "figure.dpi": 100, "savefig.dpi": 300, "savefig.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.03, "figure.constrained_layout.h_pad": 0.045,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.5,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "xtick.minor.size": 1.5, "xtick.minor.width": 0.4,
    "lines.linewidth": 1.1, "lines.markersize": 4.5, "patch.linewidth": 0.6,
    "legend.frameon": False, "legend.handlelength": 2.2, "legend.columnspacing": 1.2,
    "axes.unicode_minus": True, "text.parse_math": False,  # a name may hold a dollar
    "pdf.fonttype": 42, "ps.fonttype": 42,  # whole fonts, which publishers ask for
    "svg.fonttype": "none",                 # text stays text
    "svg.hashsalt": "snacbench",            # names inside a file do not change from run to run
}  # fmt: skip


@contextmanager
def paper_style() -> Iterator[None]:
    """The settings under which figures are made and written; the caller's come back after."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the reader has in a matplotlibrc
        mpl.rcParams.update(cast(Any, _RC))
        yield


@dataclass(frozen=True)
class Look:
    """How a model is drawn, in every figure alike."""

    colour: str
    line: Line
    marker: str

    @property
    def ink(self) -> str:
        """Its colour dark enough for text on white."""
        return _darkened(self.colour)

    def mark(self, *, hollow: bool = False) -> dict[str, Any]:
        """How matplotlib draws its marks: filled by the line, as many stand without one."""
        fill = _paler(self.colour) if self.line == "--" else self.colour
        return {
            "marker": self.marker, "color": self.colour, "markeredgewidth": 0.9,
            "markerfacecolor": "white" if hollow else fill, "markerfacecoloralt": "white",
            "fillstyle": _HALF_FILLED.get(self.line, "full"),
        }  # fmt: skip


def looks(specs: Sequence[CodecSpec]) -> dict[str, Look]:
    """A look for every model: depends on which models there are, not on their order.

    Known models have looks of their own; of the others a family's first has the family's colour.
    Whoever comes after takes a line that its family does not have yet, and of the colours the one
    that fewest have. Anchors are grey.
    """
    models = {spec.model: spec for spec in specs}
    markers = _markers(models.values())
    pairs = {name: _MODEL_LOOK[name] for name in models if name in _MODEL_LOOK}
    for spec in _claimants([s for s in models.values() if s.model not in pairs and not s.anchor]):
        relatives = {look for name, look in pairs.items() if models[name].family == spec.family}
        pairs[spec.model] = _free_pair(spec.family, list(pairs.values()), relatives)
    anchor: Pair = (GREY, "")
    return {
        name: Look(*pairs.get(name, anchor), marker=markers[spec.family])
        for name, spec in models.items()
    }


def _free_pair(family: str, taken: Sequence[Pair], relatives: Iterable[Pair]) -> Pair:
    """Colour and line for one more model of a family, whose other models are `relatives`."""
    claim: Pair = (_FAMILY_COLOUR.get(family, ""), "-")
    free: list[Pair] = [(c, line) for line in LINES for c in COLOURS if (c, line) not in taken]
    if claim in free or not free:
        return claim if free else (GREY, "-.")
    lines = {line for _, line in relatives}
    uses = Counter(colour for colour, _ in taken)
    return min(free, key=lambda pair: (pair[1] in lines, uses[pair[0]]))


def _claimants(specs: Iterable[CodecSpec]) -> list[CodecSpec]:
    """By name, but one of each family first: its colour is not taken by another family."""
    by_name = sorted(specs, key=lambda spec: spec.model)
    first = {spec.family: spec for spec in reversed(by_name) if spec.family in _FAMILY_COLOUR}
    return sorted(by_name, key=lambda spec: spec is not first.get(spec.family))


def _markers(specs: Iterable[CodecSpec]) -> dict[str, str]:
    others = sorted({spec.family for spec in specs} - set(_FAMILY_MARKER))
    return _FAMILY_MARKER | {
        family: _OTHER_MARKERS[i % len(_OTHER_MARKERS)] for i, family in enumerate(others)
    }


def new_figure(width: str, height_in: float) -> Figure:
    """An empty figure of one or two columns; `settle` it when all is drawn."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN[width], height_in), layout="constrained")


def settle(figure: Figure) -> None:
    """Lay the figure out, once and for all: names and every format then agree where things are.

    Left to itself, matplotlib would do so again at every drawing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasAgg(figure)
        engine.execute(figure)
        figure.set_layout_engine(None)


def caption(figure: Figure, width: str, text: str) -> None:
    """A small line under everything: n, intervals, what a reader must know."""
    lines = textwrap.wrap(text, _CAPTION_CHARACTERS[width])
    figure.supxlabel(
        "\n".join(lines), x=0.015, ha="left", fontsize=CAPTION_PT, color="#444444", linespacing=1.25
    )


def say_empty(axes: Axes, text: str) -> None:
    """In place of data: why there is none."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(
        0.5, 0.5, textwrap.fill(text, 34), transform=axes.transAxes, ha="center", va="center",
        fontsize=SMALL_PT, color="#444444", style="italic",
    )  # fmt: skip


def row_height_in(names: Sequence[str], each: float) -> float:
    """Height of a figure with one row per name; many rows are drawn closer, to fit on a page."""
    if any("\n" in name for name in names):
        each += 0.11
    return 0.95 + min(each * max(2, len(names)), max(_PAGE_IN, 0.13 * len(names)))


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of rows on the vertical axis, first on top."""
    axes.set_yticks(range(len(names)), names, fontsize=SMALL_PT, linespacing=1.0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def _darkened(colour: str) -> str:
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(r, g, b)
    dark = colorsys.hls_to_rgb(hue, min(light, 0.34), saturation)
    return "#" + "".join(f"{round(255 * part):02X}" for part in dark)


def _paler(colour: str) -> str:
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(0.45 * part + 0.55 * 255):02X}" for part in parts)
