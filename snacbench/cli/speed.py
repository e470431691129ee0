"""``snacbench speed``: the speed of an existing run's codecs, measured again."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.downloads import offline_option
from snacbench.cli.run import finish
from snacbench.cli.terminal import ProgressBar
from snacbench.request import DEFAULT_SPEED_BUDGET_S
from snacbench.runner.engine import measure_speed
from snacbench.store.run_folder import RunFolder


@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--budget-s",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_SPEED_BUDGET_S,
    show_default=True,
    help="Seconds to measure each operating point.",
)
@offline_option
def speed(run: Path, budget_s: float, offline: bool) -> int:
    """Measure how fast the codecs of RUN are on this machine; nothing else of it changes.

    Each operating point by itself, in one process with one numerical thread, several times.
    """
    with ProgressBar() as bar:
        folder = measure_speed(
            RunFolder.open(run), budget_s=budget_s, offline=offline, progress=bar
        )
    return finish(folder)
