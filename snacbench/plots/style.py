"""How every figure looks: sizes, fonts, words, a colour per model, a marker per family."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import yaml

from snacbench.errors import StoreError
from snacbench.later import Axes, Figure, Line2D
from snacbench.plots.plot_data import Options, PlotData
from snacbench.stats.intervals import Interval
from snacbench.tables.conditions import left_out_note
from snacbench.tables.side_by_side import spanned
from snacbench.types import CodecSpec

WIDTH_IN = {"single": 3.5, "double": 7.0}
FONT_PT, SMALL_PT, CAPTION_PT = 8.0, 7.0, 6.0
_PAGE_IN = 7.6  # what a page leaves for rows
_CAPTION_CHARACTERS = {"single": 72, "double": 148}  # of 6 pt beside each other
_TITLE_CHARACTERS = {"single": 46, "double": 94}
NAME_CHARACTERS = {"single": 26, "double": 40}  # of a row's name, in a line
# Dates would make two files of one run differ.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#767676"
INK = "#333333"  # of boxes over marks of any colour
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


@contextmanager
def paper_style() -> Iterator[None]:
    """The settings under which figures are made and written; the caller's come back after."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the reader has in a matplotlibrc
        mpl.rc_file(Path(__file__).with_name("paper.mplstyle"), use_default_template=False)
        yield


@dataclass(frozen=True)
class Look:
    """How a model is drawn, in every figure alike."""

    colour: str
    line: Line
    marker: str

    def mark(self, *, hollow: bool = False) -> dict[str, Any]:
        """How matplotlib draws its marks: filled by the line, as many stand without one."""
        from matplotlib.colors import to_hex, to_rgb

        red, green, blue = (0.45 * part + 0.55 for part in to_rgb(self.colour))
        fill = to_hex((red, green, blue)) if self.line == "--" else self.colour
        return {
            "marker": self.marker, "color": self.colour, "markeredgewidth": 0.9,
            "markerfacecolor": "white" if hollow else fill, "markerfacecoloralt": "white",
            "fillstyle": _HALF_FILLED.get(self.line, "full"),
        }  # fmt: skip


def looks(specs: Sequence[CodecSpec]) -> dict[str, Look]:
    """A look for every model: depends on which models there are, not on their order.

    Known models have looks of their own. Others take their family's colour with a line that is
    free, or else another that is, rather of no family that is there. Anchors are grey.
    """
    models = {spec.model: spec for spec in specs}
    unknown = sorted({spec.family for spec in specs} - set(_FAMILY_MARKER))
    markers = _FAMILY_MARKER | dict(zip(unknown, cycle(_OTHER_MARKERS), strict=False))
    pairs = {name: _MODEL_LOOK[name] for name in models if name in _MODEL_LOOK}
    claimed = {_FAMILY_COLOUR.get(spec.family) for spec in specs}
    order = sorted(COLOURS, key=lambda colour: colour in claimed)
    every: list[Pair] = [(colour, line) for line in LINES for colour in order]
    for name, spec in sorted(models.items(), key=lambda of: (of[1].family in unknown, of[0])):
        if name not in pairs and not spec.anchor:
            free = [pair for pair in every if pair not in pairs.values()]
            own = [pair for pair in free if pair[0] == _FAMILY_COLOUR.get(spec.family)]
            pairs[name] = (own or free or [(GREY, "-.")])[0]
    anchor: Pair = (GREY, "")
    return {
        name: Look(*pairs.get(name, anchor), markers[spec.family]) for name, spec in models.items()
    }


def new_figure(options: Options, height_in: float) -> Figure:
    """An empty figure of one or two columns under its title; `settle` it when all is drawn."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN[options.width], height_in), layout="constrained")
    if options.title:
        lines = textwrap.wrap(options.title, _TITLE_CHARACTERS[options.width])
        title: dict[str, Any] = {"ha": "left", "fontsize": FONT_PT, "fontweight": "bold"}
        figure.suptitle("\n".join(lines), x=0.015, **title)
        figure.set_figheight(height_in + _title_height_in(figure))
    return figure


def _title_height_in(figure: Figure) -> float:
    text = figure.get_suptitle()
    return 0.17 * (text.count("\n") + 1) + 0.05 if text else 0.0


def legend_above(figure: Figure, handles: Sequence[Line2D], **options: Any) -> None:
    """A legend over the whole width, in as many columns as its names allow; adds to the height."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    column_in = (longest * 0.62 * SMALL_PT + 30) / 72
    most = max(1, min(len(handles), int((figure.get_figwidth() - 0.2) / column_in)))
    rows = -(-len(handles) // most)
    figure.set_figheight(figure.get_figheight() + 0.15 * rows)
    if title_in := _title_height_in(figure):  # the layout itself would print one on the other
        box = (0.0, 0.0, 1.0, 1.0 - title_in / figure.get_figheight())
        engine: Any = figure.get_layout_engine()
        engine.set(rect=box)
        options["bbox_to_anchor"] = box
    figure.legend(
        handles=handles, loc="outside upper center", ncols=-(-len(handles) // rows),
        borderaxespad=0.1, handletextpad=0.5, labelspacing=0.3, **options,
    )  # fmt: skip


def settle(figure: Figure) -> None:
    """Lay the figure out once and for all, so that every format agrees where things are.

    Labels wider than their axes, for which matplotlib makes no room, are moved into the figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    engine = figure.get_layout_engine()
    if engine is None:
        return
    FigureCanvasAgg(figure)
    engine.execute(figure)
    figure.set_layout_engine(None)
    margin = 0.03 * figure.dpi
    for axes in figure.axes:
        label, box = axes.xaxis.label, axes.xaxis.label.get_window_extent()
        beyond = max(0.0, box.x1 + margin - figure.bbox.x1) or min(0.0, box.x0 - margin)
        if beyond:
            label.set_x(label.get_position()[0] - beyond / axes.bbox.width)


def caption(figure: Figure, options: Options, *parts: str | Iterable[str]) -> None:
    """Small sentences under everything, empty ones left out; the figure grows by what they take."""
    if not options.caption:
        return
    flat = [p for part in parts for p in ([part] if isinstance(part, str) else part) if p]
    text = ". ".join(p[0].upper() + p[1:] for p in flat) + "."
    lines = textwrap.wrap(text, _CAPTION_CHARACTERS[options.width])
    figure.set_figheight(figure.get_figheight() + 0.106 * len(lines))
    figure.supxlabel(
        "\n".join(lines), x=0.015, ha="left", fontsize=CAPTION_PT, color="#444444", linespacing=1.25
    )


def say_empty(axes: Axes, text: str, *, ticks: bool = False) -> None:
    """In place of data: why there is none; `ticks` stay where other panels share them."""
    if not ticks:
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.set_yticks([])
    axes.text(
        0.5, 0.5, textwrap.fill(text, 34), transform=axes.transAxes, ha="center", va="center",
        fontsize=SMALL_PT, color="#444444", style="italic",
    )  # fmt: skip


def row_height_in(names: Sequence[str], each: float) -> float:
    """Height of a figure with one row per name; many rows are drawn closer, to fit on a page."""
    each += 0.11 if any("\n" in name for name in names) else 0.0
    return 0.8 + min(each * max(2, len(names)), max(_PAGE_IN, 0.13 * len(names)))


def rows_figure(options: Options, names: Sequence[str], each: float) -> tuple[Figure, Axes]:
    """A figure of one panel with a row per name, each so many inches high."""
    figure = new_figure(options, row_height_in(names, each))
    return figure, figure.add_subplot()


def panels(figure: Figure, count: int, columns: int, label: str, **shared: Any) -> list[Axes]:
    """So many panels on one vertical scale, the lowest of each column with a name, `label`."""
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False, **shared).ravel()
    for axes in grid[count - columns : count]:
        axes.set_xlabel(label)
        axes.tick_params(labelbottom=True)
    for axes in grid[count:]:
        axes.set_visible(False)
    return list(grid[:count])


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names of rows on the vertical axis, first on top."""
    axes.set_yticks(range(len(names)), names, fontsize=SMALL_PT, linespacing=1.0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def write_figure(figure: Figure, stem: Path, formats: Sequence[str]) -> list[Path]:
    """Write a settled figure in each format, in the style it was drawn in; the files' paths."""
    written = []
    for form in formats:
        path = stem.with_name(f"{stem.name}.{form}")  # names hold dots: opus@8.5kbps
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with paper_style():
                figure.savefig(path, format=form, metadata=_METADATA.get(form))
        except OSError as error:
            raise StoreError(f"cannot write {path} ({error}); choose another folder") from error
        written.append(path)
    return written


# ---------------------------------------------------------------------------------------- words
RATE_LABELS = {
    "actual": "actual rate (kbps)",
    "nominal": "nominal rate (kbps)",
    "entropy": "order-0 entropy (kbps)",
}
_METRIC_NAMES: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("metric_names.yaml").read_text("utf-8")
)
_RATES = {"22k": "22.05 kHz", "16k": "16 kHz"}  # a metric's variants at lower rates
_NAMES_LISTED = 4
RANGE = "bands across: fewer tokens than codebook entries, so the rate is a range, unreliable"
_LABEL_CHARACTERS, _LINE_CHARACTERS = 24, 36
_NONE: Mapping[str, str] = {}


def metric_name(name: str) -> str:
    """A metric as papers write it."""
    whole, _, end = name.rpartition("_")
    if name not in _METRIC_NAMES and whole in _METRIC_NAMES and end in _RATES:
        return f"{_METRIC_NAMES[whole]}, {_RATES[end]}"
    return _METRIC_NAMES.get(name, name)


def metric_label(data: PlotData, name: str, before: str = "") -> str:
    """Label of a metric's axis: name, unit, and which way is better.

    The arrow stands below where both together are too long: a label that is turned by 90 degrees
    takes it along.
    """
    spec, text = data.metric(name), before + metric_name(name)
    if spec is None:
        return text
    text += f" ({spec.unit})" if spec.unit not in ("", "1") else ""
    text = textwrap.fill(text, _LINE_CHARACTERS)
    arrow = "better →" if spec.better == "higher" else "← better"
    return text + ("\n" if len(text) > _LABEL_CHARACTERS else "  ") + arrow


def named(name: str, labels: Mapping[str, str]) -> str:
    """A codec as the user calls it: by a label of its own, or its model's before the ``@``."""
    model, at, point = name.partition("@")
    return labels.get(name) or labels.get(model, model) + at + point


def codec_label(spec: CodecSpec, characters: int = 26, labels: Mapping[str, str] = _NONE) -> str:
    """An operating point's name, with what must be said wherever it stands, in two lines at most.

    The middle is left out if need be.
    """
    marks = ", ".join(["demo"] * spec.demonstration + ["trunc."] * spec.truncated)
    name = named(spec.name, labels) + (f" ({marks})" if marks else "")
    if len(name) <= characters:
        return name
    head, at, tail = name.partition("@")
    lines = [head, at + tail] if at else [name[:characters], name[characters:]]
    return "\n".join(shortened(line, characters) for line in lines)


def row_names(data: PlotData, specs: Iterable[CodecSpec], options: Options) -> list[str]:
    """Names of rows, as long as the figure's width allows."""
    return [codec_label(spec, NAME_CHARACTERS[options.width], data.labels) for spec in specs]


def shortened(text: str, characters: int) -> str:
    """Text with its middle left out where it is too long: beginnings and rates tell names apart."""
    if len(text) <= characters:
        return text
    tail = (characters - 1) // 2
    return f"{text[: characters - 1 - tail]}…{text[-tail:]}"


def sizes(where: str, intervals: Iterable[Interval], *, bars: bool = True) -> list[str]:
    """How many clips, and how many speakers or tracks, means rest on; and what their bars are."""
    found = list(intervals)
    if not found:
        return [f"{where}, no values"]
    clips = spanned([i.n for i in found])
    text = f"{where}, n = {clips} clip{'' if clips == '1' else 's'}"
    if any(i.clusters < i.n for i in found):
        text += f" in {spanned([i.clusters for i in found])} clusters (speakers, tracks)"
    if any(i.independence_assumed for i in found):
        text += ", clips of unknown origin taken as independent"
    methods = dict.fromkeys(i.method for i in found if i.low is not None)
    how = f"bars: {100 * found[0].level:g} % intervals ({'; '.join(methods)})"
    return [text, how if methods else "no intervals: a single clip"][: 1 + bars]


def remarks(specs: Sequence[CodecSpec], *, truncated: str = "") -> list[str]:
    """What a reader must know of the codecs drawn; `truncated` says how such points look."""
    demo = "demo: small demonstration models, not the published codecs"
    cut = f"trunc.: cut below the depth that the model was trained for{truncated}"
    return [
        demo if any(spec.demonstration for spec in specs) else "",
        cut if any(spec.truncated for spec in specs) else "",
    ]


def beside(data: PlotData, metric: str, domain: str) -> list[str]:
    """Who lacks clips that others have, runs on different test sets, what is left out."""
    sets = len({rows.run.set_sha256 for rows in data.runs})
    return [
        data.lost(metric, domain) if metric else "",
        "CODECS WERE RUN ON DIFFERENT TEST SETS" if sets > 1 else "",
        left_out_note(data.set_aside, "plot robustness").removesuffix("."),
    ]


def left_out(names: Iterable[str], why: str) -> str:
    """Which codecs are not in the figure, and why; empty where all are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _NAMES_LISTED} more" if len(found) > _NAMES_LISTED else ""
    return f"not shown ({why}): {', '.join(found[:_NAMES_LISTED])}{more}" if found else ""
