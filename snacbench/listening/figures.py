"""The papers' figures of a listening test: drawn from what goes into the store, in one style."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snacbench.listening.publish import Published

FORMATS = ("svg", "pdf", "png")


def write_figures(
    published: Published, folder: Path, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw every figure that the test gives and write each in each format; the files' paths.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    from snacbench.plots._ratings import figures_of
    from snacbench.plots.style import write_figure

    return [
        path
        for name, figure in figures_of(published.summary, published.scores).items()
        for path in write_figure(figure, folder / name, formats)
    ]
