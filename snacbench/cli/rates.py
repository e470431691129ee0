"""``snacbench rates``: how much rate a codec saves, as sentences for a paper."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.compare import shared_metrics
from snacbench.compare.formats import savings_json, savings_text
from snacbench.compare.rates import savings
from snacbench.store.agree import check_agreement
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows


def _names(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


@click.command(short_help="How much rate a codec saves: matched rate and Bjontegaard deltas.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--of", multiple=True, required=True, callback=_names, metavar="MODEL", help="Models."
)
@click.option(
    "--against",
    multiple=True,
    callback=_names,
    metavar="MODEL",
    help="Models with two rates or more to compare them with.  [default: all]",
)
@click.option("--metrics", multiple=True, callback=_names, help="Names.  [default: all]")
@click.option("--domain", "domains", multiple=True, callback=_names, help="[default: all]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
)
def rates(
    runs: tuple[Path, ...],
    of: list[str],
    against: list[str],
    metrics: list[str],
    domains: list[str],
    form: str,
) -> None:
    """Say how much rate one model needs for another's quality, with an interval.

    For a model with one rate (SNAC): the rate at which the other's curve reaches its score, and the
    difference at equal rate. For a model with several: Bjontegaard deltas. Nothing is extrapolated;
    rates are the actual ones.
    """
    folders = [RunFolder.open(path) for path in runs]
    for other in folders[1:]:
        check_agreement(folders[0], other, why="cannot be set side by side", metrics=metrics)
    rows = [RunRows.load(folder, histograms=False) for folder in folders]
    specs = shared_metrics(rows, metrics)
    found = savings(rows, list(specs.values()), of=of, against=against, domains=domains)
    if form == "json":
        click.echo(savings_json(found), nl=False)
    else:
        click.echo(savings_text(found, markdown=form == "markdown"), nl=False)
