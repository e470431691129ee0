"""The run's plots as SVG files beside the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from snacbench.errors import UserError
from snacbench.plots.plot import Options, Plot, plots
from snacbench.tables.run_rows import RunRows

FOLDER = "figures"
_FOR_EVERY_METRIC = ("quality-rate",)  # the others are drawn for the run's first metric
_ORDER = ("quality-rate", "domains", "distribution", "differences", "codebooks", "tokens", "speed")


def write_figures(rows: RunRows, target: Path) -> tuple[list[Mapping[str, str]], list[str]]:
    """Draw the run's plots; one for which it holds too little is left out, and why is said.

    Returns
    -------
    figures : list of mapping
        ``file`` and ``title`` of each plot that was drawn.
    problems : list of str
        One sentence for each that was not.
    """
    from snacbench.plots._data import PlotData
    from snacbench.plots.save import write_plot

    data = PlotData([rows])
    drawn: list[Mapping[str, str]] = []
    problems: list[str] = []
    for plot, metric in _wanted(rows):
        try:
            paths = write_plot(data, plot, Options(metric=metric), ["svg"], target / FOLDER)
        except UserError as error:
            problems.append(f"no figure {plot.name}: {error}")
            continue
        title = plot.description[:1].upper() + plot.description[1:]
        suffix = f": {metric}" if "metric" in plot.uses else ""
        drawn += [{"file": f"{FOLDER}/{path.name}", "title": title + suffix} for path in paths]
    return drawn, problems


def _wanted(rows: RunRows) -> Iterator[tuple[Plot, str]]:
    """Plots with the metric of each, in the order of the page."""
    known = plots()
    for name in [*(n for n in _ORDER if n in known), *(n for n in known if n not in _ORDER)]:
        plot = known[name]
        if "metric" not in plot.uses:
            yield plot, ""
        elif name in _FOR_EVERY_METRIC:
            yield from ((plot, metric) for metric in rows.metrics)
        elif rows.metrics:
            yield plot, rows.metrics[0]
