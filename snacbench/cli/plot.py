"""``snacbench plot``: figures from one or more runs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from snacbench.cli.terminal import err
from snacbench.errors import UserError
from snacbench.plots.drawing import (
    FORMATS,
    Options,
    Rate,
    Width,
    plots,
    select_plots,
    to_draw,
    write_plots,
)
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import RunRows


def _list_plots(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        for known in plots().values():
            click.echo(f"{known.name:<14}{known.description}")
        context.exit()


def _several(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _labels(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if wrong := ["".join(pair) for pair in pairs if not (pair[0] and pair[2])]:
        raise UserError(f"--label takes NAME=TEXT, such as snac-24khz=SNAC; found {wrong[0]!r}")
    return {name: text for name, _, text in pairs}


@click.command
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
    "metrics",
    default="",
    metavar="M,...",
    callback=_several,
    help="[default: every metric of the run]",
)
@click.option(
    "--codecs",
    default="",
    metavar="C,...",
    callback=_several,
    help="Operating points, models or families of the run.  [default: all]",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=TEXT",
    callback=_labels,
    help="Call a codec or a model TEXT; may be given several times.",
)
@click.option("--title", default="", metavar="TEXT", help="Above every figure.")
@click.option(
    "--no-caption", "caption", flag_value=False, default=True, help="Without small print."
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
@click.option(
    "--format",
    "forms",
    default="svg",
    show_default=True,
    help="Any of svg,pdf,png.",
    callback=_several,
)
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
    metrics: list[str],
    codecs: list[str],
    labels: dict[str, str],
    title: str,
    caption: bool,
    rate: Rate,
    domain: str,
    baseline: str,
    forms: list[str],
    width: Width,
) -> None:
    """Draw plot NAME, or all of them, from one or more runs, and print the files written.

    Plots of a metric are drawn once for every metric. 'snacbench plot --list' names all plots.
    """
    chosen = select_plots(name)
    if missing := [run for run in runs[1:] if not run.exists()]:
        raise UserError(
            f"there is no run {missing[0]}; one plot name is expected after the runs: "
            f"{', '.join(plots())}, or all"
        )
    if not forms or not set(forms) <= set(FORMATS):
        known, found = ", ".join(FORMATS), ",".join(forms)
        raise UserError(f"--format takes {known}, separated by commas; found {found!r}")
    from snacbench.plots._data import PlotData  # takes scipy along, which --list can do without

    rows = [RunRows.load(RunFolder.open(path)) for path in runs]
    data = PlotData(rows, codecs=codecs, labels=labels)
    options = Options(
        rate=rate, domain=domain, width=width, baseline=baseline, title=title, caption=caption
    )
    wanted = to_draw(data, chosen, options, metrics)
    if data.repeated:
        err.print(f"warning: drawn from the first run that has them: {', '.join(data.repeated)}")
    for paths in write_plots(data, wanted, forms, out):
        for path in paths:
            click.echo(path)
