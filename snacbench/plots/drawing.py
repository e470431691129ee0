"""What a file declares of its plots, finding all of them, and drawing them.

`plot` gives a figure; `write_plots` writes files, the same bytes for the same run.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from snacbench.errors import StoreError, UnknownName, UserError, did_you_mean
from snacbench.later import Figure
from snacbench.plots import style
from snacbench.plots.plot_data import Options, PlotData
from snacbench.plugins import declared, left_out, running
from snacbench.tables.run_rows import RunRows

Uses = Literal["metric", "rate", "domain", "by", "baseline"]
FORMATS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Plot:
    """A plot: its name on the command line, what it shows, and the function that draws it.

    `uses` are the options that it reads, which also name its files; a plot that does not use a
    metric is drawn once and not for each of them. One that is not `useful` for what runs hold is
    drawn only if it is named; one that goes `by_clip` has nothing to show of a set-level metric.
    """

    name: str
    description: str
    draw: Callable[[PlotData, Options], Figure]
    uses: tuple[Uses, ...] = ("metric", "domain")
    useful: Callable[[PlotData], bool] = lambda data: True
    by_clip: bool = False

    def stem(self, options: Options) -> str:
        """Name of its files without extension; choices that are the default go unnamed."""
        grouped = options.by != "domain"
        parts = {
            "metric": options.metric,
            "rate": options.rate.removeprefix("actual"),
            "by": f"by-{options.by}" * grouped,
            "domain": (f"{options.by}-" * grouped + options.domain) * (options.domain != "all"),
            "baseline": options.baseline and f"vs-{options.baseline}",
        }
        used = (part.replace("/", "-") for use, part in parts.items() if use in self.uses)
        return "-".join([self.name, *filter(None, used)])


def plots() -> dict[str, Plot]:
    """Every plot by name, in alphabetical order."""
    return dict(sorted(declared("plots", Plot).items()))


def select_plots(name: str) -> tuple[Plot, ...]:
    """The plot of a name, or with ``all`` every one; UnknownName if there is none."""
    known = plots()
    if name == "all":
        return tuple(known.values())
    if name not in known:
        text = f"no plot named {name!r}; {did_you_mean(name, [*known, 'all'])}{left_out('plots')}"
        raise UnknownName(text)
    return (known[name],)


def plot(
    runs: RunRows | Sequence[RunRows],
    name: str,
    *,
    codecs: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    **options: Any,
) -> Figure:
    """Draw a plot of one or more runs; nothing is written and nothing printed.

    `codecs` are operating points, models or families, none: all; `labels` say what one is called;
    `options` are fields of `Options`, whose metric is the run's first where none is named.
    UserError if a name is none of the runs' or of the plots'.
    """
    if name == "all":
        raise UserError(f"one plot name is expected; there are: {', '.join(plots())}")
    several = [runs] if isinstance(runs, RunRows) else list(runs)
    chosen = Options(**options)
    data = PlotData(several, codecs=codecs, labels=labels, by=chosen.by)
    metrics = [chosen.metric] if chosen.metric else data.metrics[:1]
    ((found, checked),) = to_draw(data, select_plots(name), chosen, metrics)
    return _drawn(data, found, checked)


def to_draw(
    data: PlotData, chosen: Sequence[Plot], options: Options, metrics: Sequence[str] = ()
) -> list[tuple[Plot, Options]]:
    """What is to be drawn: plots of a metric once for each (no metrics: for all), others once.

    UserError if the runs were not scored with a metric, lack the domain or the baseline, or nothing
    is to be drawn.
    """
    if any("metric" in plot.uses for plot in chosen):
        if not data.metrics:
            raise UserError("the run has no scores; add some with 'snacbench score RUN'")
        for name in metrics:
            if name not in data.metrics:
                near = did_you_mean(name, data.metrics)
                raise UserError(f"the run was not scored with {name!r}; {near}")
    domains = [*data.domains, "all"]
    if options.domain not in domains:
        known = ", ".join(domains)
        raise UserError(f"the run has no clips of {options.domain!r}; there are: {known}")
    if options.baseline and options.baseline not in data.codecs:
        near = did_you_mean(options.baseline, data.codecs)
        raise UserError(f"the run has no codec {options.baseline!r}; {near}")
    by_clip = {name for rows in data.runs for name in rows.clip_metrics} | {""}
    wanted = [
        (plot, replace(options, metric=metric))
        for plot in chosen
        if len(chosen) == 1 or plot.useful(data)
        for metric in (metrics or data.metrics if "metric" in plot.uses else [""])
        if metric in by_clip or not plot.by_clip
    ]
    if chosen and not wanted:
        raise UserError(
            f"{chosen[0].name} goes by clip, and clips have no score by "
            f"{', '.join(metrics or data.metrics)}; draw quality-rate"
        )
    return wanted


def _drawn(data: PlotData, plot: Plot, options: Options) -> Figure:
    """The figure of a plot, laid out; the caller's settings of matplotlib are left alone."""
    with style.paper_style(), running("plots", plot.name):
        figure = plot.draw(data, options)
        style.settle(figure)
    return figure


def write_plots(
    data: PlotData, wanted: Sequence[tuple[Plot, Options]], formats: Sequence[str], folder: Path
) -> Iterator[list[Path] | UserError]:
    """Draw plots, write each in each format: its files, or why it could not be drawn.

    Processes that are forked from this one share the work, unless it has other threads, whose locks
    they would find locked for ever. StoreError if a file cannot be written.
    """

    def write(number: int) -> list[Path] | UserError:
        plot, options = wanted[number]
        try:
            figure = _drawn(data, plot, options)
            return style.write_figure(figure, folder / plot.stem(options), formats)
        except StoreError:
            raise
        except UserError as error:
            return error

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        _there["write"] = write

    left, cores = deque(range(len(wanted))), len(os.sched_getaffinity(0))
    if min(cores, len(wanted)) > 1 and threading.active_count() == 1:
        context = multiprocessing.get_context("fork")
        with (
            suppress(BrokenExecutor),  # killed, for example for its memory: drawn here then
            ProcessPoolExecutor(cores, context, begin) as forked,
        ):
            for written in forked.map(_drawn_there, tuple(left)):
                left.popleft()
                yield written
    yield from map(write, left)


_there: dict[str, Callable[[int], list[Path] | UserError]] = {}


def _drawn_there(number: int) -> list[Path] | UserError:
    return _there["write"](number)
