"""``snacbench speed``: the speed of an existing run's codecs, measured again."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.downloads import DownloadBar, offline_option
from snacbench.cli.run import finish, resumed_plan
from snacbench.cli.terminal import ProgressBar
from snacbench.runner.execute import measure_again, outcome_of
from snacbench.runner.plan import with_weights
from snacbench.runner.speed import DEFAULT_BUDGET_S
from snacbench.store.folder import RunFolder


@click.command(short_help="Measure the speed of a run's codecs again.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_BUDGET_S,
    show_default=True,
    help="Seconds to measure each operating point.",
)
@offline_option
def speed(run: Path, budget_s: float, offline: bool) -> int:
    """Measure how fast the codecs of RUN are on this machine; nothing else of it changes.

    Each operating point by itself, in one process with one numerical thread, several times.
    """
    with ProgressBar() as bar:
        plan = resumed_plan(run, bar, offline=offline)
    with DownloadBar() as bar:
        plan = with_weights(plan, bar)
    folder = RunFolder.open(run)
    with ProgressBar() as bar:
        measure_again(plan, folder, budget_s=budget_s, progress=bar)
    return finish(folder, outcome_of(folder))
