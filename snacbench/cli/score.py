"""``snacbench score``: new metrics on the decoded audio of an existing run."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.downloads import offline_option
from snacbench.cli.run import finish
from snacbench.cli.terminal import ProgressBar
from snacbench.plugins import select_metrics
from snacbench.runner.execute import score as score_run
from snacbench.runner.pool import default_jobs
from snacbench.runner.ready import choose_recogniser
from snacbench.store.folder import RunFolder


@click.command(short_help="Score an existing run by more metrics.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--metrics", required=True, help="Names, comma-separated.")
@asr_option
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: one per core]")
@offline_option
def score(run: Path, metrics: str, asr: str | None, jobs: int | None) -> int:
    """Score the decoded files of RUN by metrics that it lacks; nothing is coded again."""
    folder = RunFolder.open(run)
    choose_recogniser(asr)
    chosen = select_metrics([name.strip() for name in metrics.split(",") if name.strip()])
    with ProgressBar() as bar:
        outcome = score_run(folder, chosen, workers=jobs or default_jobs(), progress=bar)
    return finish(folder, outcome)
