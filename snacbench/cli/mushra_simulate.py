"""``snacbench mushra simulate``: answers that nobody gave, to rehearse a study with."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.markup import escape

from snacbench.cli.terminal import err
from snacbench.errors import UserError
from snacbench.listening.simulate import SIMULATED_AS, Model, expected_means, simulate
from snacbench.listening.test import read_test
from snacbench.listening.tidy import write_tidy


@click.command("simulate")
@click.argument("test", type=click.Path(path_type=Path))
@click.option("--listeners", type=click.IntRange(1, 10_000), default=30, show_default=True)
@click.option(
    "--mean",
    "means",
    multiple=True,
    metavar="CONDITION=POINTS",
    help="True mean of a condition, such as opus@14kbps=70; may be repeated.  "
    "[default: guessed from names and rates]",
)
@click.option("--careless", type=click.IntRange(0), default=0, help="So many do not listen.")
@click.option("--dropouts", type=click.IntRange(0), default=0, help="So many stop half-way.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="-",
    help="CSV file to write.  [default: standard output]",
)
def simulate_(
    test: Path,
    listeners: int,
    means: tuple[str, ...],
    careless: int,
    dropouts: int,
    seed: int,
    output: Path,
) -> None:
    """Answer TEST with simulated listeners, whose true opinion is known.

    \b
    snacbench mushra simulate TEST --listeners 30 --careless 2 -o rehearsal.csv
    snacbench mushra analyse rehearsal.csv

    For trying out the way from answers to figures before anybody listens. Every line is marked as
    simulated, and so is whatever is made from it. The true means, and who was made careless, are
    printed on standard error.
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
    plan = read_test(test)
    model = Model(means=_means(means), careless=careless, dropouts=dropouts)
    study = simulate(plan, model, listeners, seed)
    if str(output) == "-":
        write_tidy(study, sys.stdout)
    else:
        try:
            with output.open("w", encoding="utf-8", newline="") as file:
                write_tidy(study, file)
        except OSError as error:
            raise UserError(f"cannot write {output} ({error.strerror})") from error
        err.print(f"wrote {escape(str(output))}: {listeners} simulated listeners", soft_wrap=True)
    if plan.form in ("mushra", "mushra-no-anchors"):
        err.print("true means of honest listeners, on the scale from 0 to 100:")
        for condition, mean in expected_means(plan, model).items():
            err.print(f"  {escape(condition)}: {mean:.1f}", soft_wrap=True)
    for listener in study.listeners:
        manner = listener.answers[SIMULATED_AS]
        if manner != "honest":
            err.print(f"careless ({manner}): {listener.id}")
        if not listener.finished:
            err.print(f"stopped half-way: {listener.id}")


def _means(texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, points = text.rpartition("=")
        try:
            found[name] = float(points)
        except ValueError as error:
            raise UserError(
                f"--mean {text}: expected CONDITION=POINTS, for example opus@14kbps=70"
            ) from error
    return found
