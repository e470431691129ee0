"""``snacbench mushra simulate``: answers that nobody gave, to rehearse a study with."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.markup import escape

from snacbench.cli.terminal import err, show_facts
from snacbench.errors import UserError
from snacbench.listening.simulate import SIMULATED_AS, expected_means, simulate
from snacbench.listening.simulated_listener import Model
from snacbench.listening.study import Study
from snacbench.listening.test import ANSWERS_FILE, ListeningTest, read_test
from snacbench.listening.tidy import write_tidy


@click.command("simulate", short_help="Rehearse a test with simulated listeners.")
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
@click.option("--url", help="Take the test that is served at this address instead.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 1000),
    help="With --url: so many listeners at the same time.  [default: all]",
)
def simulate_(
    test: Path,
    listeners: int,
    means: tuple[str, ...],
    careless: int,
    dropouts: int,
    seed: int,
    output: Path,
    url: str | None,
    at_once: int | None,
) -> None:
    """Answer TEST with simulated listeners, whose true opinion is known.

    \b
    snacbench mushra simulate TEST --listeners 30 --careless 2 -o rehearsal.csv
    snacbench mushra analyse rehearsal.csv

    For trying out the way from answers to figures before anybody listens. Every line is marked as
    simulated, and so is whatever is made from it. The true means, and who was made careless, are
    printed on standard error.

    With --url they take the test at its server instead, all at once, and what is printed is how the
    server stood it. Do this on a copy of the folder: the answers are kept like those of people.

    \b
    snacbench mushra serve COPY-OF-TEST
    snacbench mushra simulate COPY-OF-TEST --url http://127.0.0.1:8000
    """  # noqa: D301 - click must get the control character itself, which a raw string has not
    plan = read_test(test)
    model = Model(means=_means(means), careless=careless, dropouts=dropouts)
    if url is not None:
        _rehearse(test, plan, model, url, listeners, seed, at_once)
        return
    study = simulate(plan, model, listeners, seed)
    if str(output) == "-":
        write_tidy(study, sys.stdout)
    else:
        _write(study, output)
        err.print(f"wrote {escape(str(output))}: {listeners} simulated listeners", soft_wrap=True)
    _tell_truth(plan, model, study)


def _rehearse(
    folder: Path,
    test: ListeningTest,
    model: Model,
    url: str,
    listeners: int,
    seed: int,
    at_once: int | None,
) -> None:
    from snacbench.listening.answers.study import read_study
    from snacbench.listening.rehearse import check_nobody_else, rehearse
    from snacbench.listening.stimuli import read_facts

    facts = read_facts(folder, test)
    if (folder / ANSWERS_FILE).is_file():
        check_nobody_else(read_study(test, folder))
    done = rehearse(url, test, facts, model, listeners, seed=seed, at_once=at_once)
    show_facts(
        {
            "listeners": f"{len(done.listeners)} simulated: {', '.join(done.listeners)}",
            "pages": str(done.pages),
            "requests": f"{done.requests} in {done.seconds:.1f} s; slowest {done.slowest_s:.2f} s; "
            f"asked to wait {done.waits} times",
        }
    )


def _write(study: Study, path: Path) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            write_tidy(study, file)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror})") from error


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


def _tell_truth(test: ListeningTest, model: Model, study: Study) -> None:
    """What an analysis should find."""
    if test.form in ("mushra", "mushra-no-anchors"):
        err.print("true means of honest listeners, on the scale from 0 to 100:")
        for condition, mean in expected_means(test, model).items():
            err.print(f"  {escape(condition)}: {mean:.1f}", soft_wrap=True)
    for listener in study.listeners:
        manner = listener.answers[SIMULATED_AS]
        if manner != "honest":
            err.print(f"careless ({manner}): {listener.id}")
        if not listener.finished:
            err.print(f"stopped half-way: {listener.id}")
