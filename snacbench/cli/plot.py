"""``snacbench plot``: figures from one or more runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from snacbench.cli.terminal import err
from snacbench.errors import UserError
from snacbench.plots.plot import Options, Plot, Rate, Width, plots, select_plots
from snacbench.store.folder import RunFolder
from snacbench.tables.run_rows import RunRows

if TYPE_CHECKING:
    from snacbench.plots._data import PlotData

_FORMATS = ("svg", "pdf", "png")


def _list_plots(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        for known in plots().values():
            click.echo(f"{known.name:<14}{known.description}")
        context.exit()


@click.command(short_help="Draw figures from runs.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.argument("name", metavar="NAME|all")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("plots"),
    show_default=True,
    help="Folder for the files.",
)
@click.option(
    "--metrics",
    "--metric",
    "metric",
    default="",
    metavar="M,...",
    help="[default: every metric of the run]",
)
@click.option(
    "--rate",
    type=click.Choice(get_args(Rate)),
    default="actual",
    show_default=True,
    help="Which rate runs along the axis.",
)
@click.option("--domain", default="all", show_default=True, help="speech, music, environment.")
@click.option("--baseline", default="", metavar="CODEC", help="[default: the run's first codec]")
@click.option("--format", "forms", default="svg", show_default=True, help="Any of svg,pdf,png.")
@click.option(
    "--width",
    type=click.Choice(get_args(Width)),
    default="single",
    show_default=True,
    help="One column of a paper (3.5 in) or two (7 in).",
)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list_plots,
    help="Say which plots there are.",
)  # fmt: skip
def plot(
    runs: tuple[Path, ...],
    name: str,
    out: Path,
    metric: str,
    rate: Rate,
    domain: str,
    baseline: str,
    forms: str,
    width: Width,
) -> None:
    """Draw plot NAME, or all of them, from one or more runs, and print the files written.

    Plots of a metric are drawn once for every metric. 'snacbench plot --list' names all plots.
    """
    chosen, formats = select_plots(name), _formats(forms)
    # What follows takes scipy and matplotlib along, which no other verb should wait for.
    from snacbench.plots._data import PlotData
    from snacbench.plots.batch import Share, draw_all, helpers_for
    from snacbench.plots.save import each_metric

    folders = [RunFolder.open(path) for path in runs]
    with helpers_for(_about_how_many(folders, chosen, metric)) as helpers:
        data = PlotData([RunRows.load(folder) for folder in folders])
        data.check_domain(domain)
        if baseline:
            data.check_codec(baseline)
        metrics = _metrics(data, metric) if any("metric" in p.uses for p in chosen) else []
        if data.repeated:
            names = ", ".join(data.repeated)
            err.print(f"warning: drawn from the first run that has them: {names}")
        options = Options(rate=rate, domain=domain, width=width, baseline=baseline)
        wanted = [(drawn.name, of) for drawn, of in each_metric(chosen, options, metrics)]
        for paths in draw_all(Share(data, wanted, formats, out), helpers):
            for path in paths:
                click.echo(path)


def _about_how_many(folders: Sequence[RunFolder], chosen: Sequence[Plot], metric: str) -> int:
    """Plots there will be, as far as can be said before the scores are read."""
    metrics = _several(metric) or {m.name for folder in folders for m in folder.run.metrics}
    return sum(len(metrics) if "metric" in plot.uses else 1 for plot in chosen)


def _formats(text: str) -> list[str]:
    names = _several(text)
    if not names or not set(names) <= set(_FORMATS):
        raise UserError(
            f"--format takes {', '.join(_FORMATS)}, separated by commas; found {text!r}"
        )
    return names


def _metrics(data: PlotData, text: str) -> list[str]:
    if text:
        return [data.check_metric(name) for name in _several(text)]
    return data.metrics or [data.check_metric("")]


def _several(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
