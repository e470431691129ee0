"""``snacbench compare``: two runs, clip by clip, and a gate for a codec in development."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.terminal import out, show_tables
from snacbench.errors import UserError
from snacbench.tables.gate import compare as compare_folders
from snacbench.tables.run_pair import KBPS, comparison_json, comparison_markdown

EXIT_WORSE = 1


def _tolerances(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _equals, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UserError(
                f"--tolerance {text}: expected METRIC=VALUE with a number of 0 or more, how much "
                "worse the candidate may be in the metric's unit, for example si_sdr=0.1"
            ) from error
    return found


@click.command
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--codecs",
    multiple=True,
    metavar="A[=B]",
    help="Codecs as for run, of RUN_A and, if named otherwise, of RUN_B.  [default: in both]",
)
@click.option("--metrics", default="", help="Names, comma-separated.  [default: all of both]")
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    callback=_tolerances,
    metavar="METRIC=VALUE",
    help=f"How much worse RUN_B may be, in the metric's unit; {KBPS}=VALUE gates the rate.",
)
@click.option("--strict", is_flag=True, help="Fail what is not shown to be within its tolerance.")
@click.option(
    "--shared-clips",
    is_flag=True,
    help="Allow runs of different test sets: compare the clips that are the same in both.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
)
def compare(
    run_a: Path,
    run_b: Path,
    codecs: tuple[str, ...],
    metrics: str,
    tolerances: dict[str, float],
    strict: bool,
    shared_clips: bool,
    form: str,
) -> int:
    """Compare RUN_B, the candidate, with RUN_A, the baseline, on the clips that both have.

    Exit code 1 if a metric is worse: beyond zero by its whole interval and after Holm's correction,
    or beyond its --tolerance. docs/comparing.md says what that means with few clips.
    """
    answer = compare_folders(
        run_a,
        run_b,
        codecs=codecs,
        metrics=[name.strip() for name in metrics.split(",") if name.strip()],
        tolerances=tolerances,
        strict=strict,
        shared_clips=shared_clips,
    )
    if form == "terminal":
        show_tables(answer.tables)
        failed = "failed: the candidate is worse, or has lost clips"
        out.print("passed" if answer.passed else failed, style="bold")
        for line in answer.failures:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    else:
        shown = comparison_markdown if form == "markdown" else comparison_json
        click.echo(shown(answer), nl=False)
    return 0 if answer.passed else EXIT_WORSE
