"""``snacbench rates``: what codecs really need, and how much rate one saves against another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from snacbench.cli.terminal import show_tables
from snacbench.errors import UserError
from snacbench.store.agree import check_agreement
from snacbench.store.run_folder import RunFolder
from snacbench.tables.gate import shared_metrics
from snacbench.tables.ladder import ladder_tables
from snacbench.tables.run_rows import RunRows
from snacbench.tables.savings import savings, savings_json, savings_text
from snacbench.tables.side_by_side import By
from snacbench.tables.writers import WRITERS

_OF_SAVINGS = ("text", "markdown", "json")
_OF_LADDER = ("terminal", *WRITERS)


def _names(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


@click.command
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--of", multiple=True, callback=_names, metavar="MODEL", help="Rate these save.")
@click.option(
    "--against",
    multiple=True,
    callback=_names,
    metavar="MODEL",
    help="With --of: models with two rates or more to compare them with.  [default: all]",
)
@click.option("--metrics", multiple=True, callback=_names, help="With --of: names.  [default: all]")
@click.option(
    "--domain", "domains", multiple=True, callback=_names, help="With --of.  [default: all]"
)
@click.option(
    "--by",
    type=click.Choice(["domain", "all", "both"]),
    help="Without --of: tables per domain, over all clips, or both.  [default: all]",
)
@click.option("--codebooks", is_flag=True, help="Without --of: every codebook too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(dict.fromkeys([*_OF_LADDER, *_OF_SAVINGS]))),
    help="text, markdown, json with --of; else any but text.  [default: text or terminal]",
)
def rates(
    runs: tuple[Path, ...],
    of: list[str],
    against: list[str],
    metrics: list[str],
    domains: list[str],
    by: By | None,
    codebooks: bool,
    form: str | None,
) -> None:
    """Show every codec's rates; with --of, how much rate one model saves.

    Without --of: nominal, actual, order-0 entropy with its interval, held-out code length, bytes
    that entropy coders wrote, and how the codebooks are used.

    With --of, for a model with one rate (SNAC): the rate at which the other's curve reaches its
    score, and the difference at equal rate. For a model with several: Bjontegaard deltas. Nothing
    is extrapolated; rates are the actual ones.
    """
    folders = [RunFolder.open(path) for path in runs]
    if of:
        _refuse(by=by, codebooks=codebooks, why="is for the table of rates, without --of")
        _check_format(form, _OF_SAVINGS, "with --of")
        for other in folders[1:]:
            check_agreement(folders[0], other, why="cannot be set side by side", metrics=metrics)
        rows = [RunRows.load(folder, histograms=False) for folder in folders]
        specs = shared_metrics(rows, metrics)
        found = savings(rows, list(specs.values()), of=of, against=against, domains=domains)
        text = savings_text(found, markdown=form == "markdown")
        click.echo(savings_json(found) if form == "json" else text, nl=False)
        return
    _refuse(
        against=against, metrics=metrics, domain=domains, why="is for comparing; add --of MODEL"
    )
    _check_format(form, _OF_LADDER, "without --of")
    tables = ladder_tables(
        [RunRows.load(folder) for folder in folders], by=by or "all", codebooks=codebooks
    )
    if form in (None, "terminal"):
        show_tables(tables)
    else:
        click.echo(WRITERS[form](tables), nl=False)


def _refuse(*, why: str, **options: object) -> None:
    """Refuse options that would do nothing.

    Raises
    ------
    UserError
        If any of them was given.
    """
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise UserError(f"{', '.join(given)} {why}")


def _check_format(form: str | None, known: Sequence[str], when: str) -> None:
    """Refuse a format that there is not.

    Raises
    ------
    UserError
        If there is none of that name in this use.
    """
    if form and form not in known:
        raise UserError(f"--format {when} is one of {', '.join(known)}; found {form}")
