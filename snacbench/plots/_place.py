"""Names beside curves: each where it covers neither a mark, a line, nor another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snacbench.plots.style import SMALL_PT, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

_Boxes = NDArray[np.float64]  # shape (boxes, 4): left, bottom, right, top in pixels
_MARK_PX = 4.5
_LINE_PX = 1.5
# Where a name may stand about its point: offset in points and alignment, best first.
_SPOTS = (
    (6, 0, "left", "center"), (-6, 0, "right", "center"), (0, 6, "center", "bottom"),
    (0, -6, "center", "top"), (5, 5, "left", "bottom"), (-5, 5, "right", "bottom"),
    (5, -5, "left", "top"), (-5, -5, "right", "top"), (8, 12, "left", "bottom"),
    (-8, 12, "right", "bottom"), (8, -12, "left", "top"), (-8, -12, "right", "top"),
)  # fmt: skip


@dataclass(frozen=True)
class Label:
    """A name and the points it may stand beside, in data coordinates, with their bars' ends."""

    text: str
    colour: str
    points: tuple[tuple[float, float], ...]
    bars: tuple[tuple[float, float], ...] = ()
    joined: bool = True


def place_labels(figure: Figure, axes: Axes, labels: Sequence[Label]) -> bool:
    """Write every name beside its curve; False, and nothing is written, if one finds no room.

    Settles the figure: call when all else is drawn.
    """
    settle(figure)
    taken = list(_obstacles(axes, labels))
    written: list[Annotation] = []
    for label in labels:
        text = _first_fit(axes, label, taken)
        if text is None:
            for other in written:
                other.remove()
            return False
        written.append(text)
        taken.append(np.array(text.get_window_extent().extents))
    return True


def _first_fit(axes: Axes, label: Label, taken: Sequence[_Boxes]) -> Annotation | None:
    """The name at the first free spot: beside the last point, else the one before."""
    frame = np.array(axes.get_window_extent().extents)
    occupied = np.array(taken)
    for point in reversed(label.points):
        for dx, dy, ha, va in _SPOTS:
            text = axes.annotate(
                label.text, point, xytext=(dx, dy), textcoords="offset points", ha=ha, va=va,
                fontsize=SMALL_PT, color=label.colour, annotation_clip=False, gid="name",
            )  # fmt: skip
            text.set_in_layout(False)
            box = np.array(text.get_window_extent().extents)
            inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
            if inside and not _overlaps(box, occupied):
                return text
            text.remove()
    return None


def _overlaps(box: NDArray[np.float64], others: _Boxes) -> bool:
    apart = (
        (others[:, 2] < box[0])
        | (others[:, 0] > box[2])
        | (others[:, 3] < box[1])
        | (others[:, 1] > box[3])
    )
    return bool((~apart).any())


def _obstacles(axes: Axes, labels: Sequence[Label]) -> Iterator[NDArray[np.float64]]:
    """Marks, bars, lines between marks, and names that are there already."""
    for label in labels:
        marks = axes.transData.transform(np.array(label.points))
        for x, y in marks:
            yield np.array([x - _MARK_PX, y - _MARK_PX, x + _MARK_PX, y + _MARK_PX])
        if label.bars:
            ends = axes.transData.transform(np.array(label.bars))
            for low, high in zip(ends[::2], ends[1::2], strict=False):
                yield np.array([low[0] - _LINE_PX, low[1], low[0] + _LINE_PX, high[1]])
        if label.joined:
            for start, end in pairwise(marks):
                steps = max(2, int(np.hypot(*(end - start)) / 3))
                for x, y in start + np.linspace(0, 1, steps)[:, None] * (end - start):
                    yield np.array([x - _LINE_PX, y - _LINE_PX, x + _LINE_PX, y + _LINE_PX])
    for text in axes.texts:
        yield np.array(text.get_window_extent().extents)
