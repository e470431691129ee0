"""``snacbench score``: new metrics on the decoded audio of an existing run."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.downloads import offline_option
from snacbench.cli.run import finish
from snacbench.cli.terminal import ProgressBar
from snacbench.runner.engine import score_again
from snacbench.store.run_folder import RunFolder


@click.command
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--metrics", default="", help="Names, comma-separated.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Try failed scores again: by these metrics, or by all that the run has.",
)
@asr_option
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: one per core]")
@offline_option
def score(
    run: Path, metrics: str, retry_failed: bool, asr: str | None, jobs: int | None, offline: bool
) -> int:
    """Score the decoded files of RUN by metrics that it lacks; nothing is coded again.

    Scores that failed for a reason that has passed are tried again with --retry-failed.
    """
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    with ProgressBar() as bar:
        folder = score_again(
            RunFolder.open(run),
            names,
            asr=asr,
            retry_failed=retry_failed,
            jobs=jobs,
            offline=offline,
            progress=bar,
        )
    return finish(folder)
