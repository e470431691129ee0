"""From plots to files; the same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.errors import StoreError
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.plots.style import paper_style, settle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Dates would make two files of one run differ.
_METADATA: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def each_metric(
    plots: Sequence[Plot], options: Options, metrics: Sequence[str]
) -> Iterator[tuple[Plot, Options]]:
    """What is to be drawn: plots of a metric once for each metric, others once."""
    for plot in plots:
        for metric in metrics if "metric" in plot.uses else [""]:
            yield plot, replace(options, metric=metric)


def write_plot(
    data: PlotData, plot: Plot, options: Options, formats: Sequence[str], folder: Path
) -> list[Path]:
    """Draw a plot once and write it in each format; the files' paths.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    with paper_style():
        figure = plot.draw(data, options)
        settle(figure)
        return write_figure(figure, folder / plot.stem(options), formats)


def write_figure(figure: Figure, stem: Path, formats: Sequence[str]) -> list[Path]:
    """Write a settled figure in each format, in the style it was drawn in; the files' paths.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    written = []
    for form in formats:
        path = stem.with_name(f"{stem.name}.{form}")  # names hold dots: opus@8.5kbps
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, format=form, metadata=_METADATA.get(form))
        except OSError as error:
            raise StoreError(f"cannot write {path} ({error}); choose another folder") from error
        written.append(path)
    return written
