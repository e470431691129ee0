"""``snacbench score``: new metrics on the decoded audio of an existing run."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.downloads import offline_option
from snacbench.cli.run import finish
from snacbench.cli.terminal import ProgressBar
from snacbench.errors import UserError
from snacbench.plugins import select_metrics
from snacbench.runner.execute import score as score_run
from snacbench.runner.pool import default_jobs
from snacbench.store.folder import RunFolder


@click.command(short_help="Score an existing run by more metrics.")
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
    folder = RunFolder.open(run)
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    if not names and not retry_failed:
        raise UserError(
            "name metrics with --metrics, or try failed scores again with --retry-failed"
        )
    named = select_metrics(names or [spec.name for spec in folder.run.metrics])
    chosen = tuple(metric.with_asr(asr) for metric in named)
    by_name = bool(names or folder.run.recipe.get("metrics"))
    with ProgressBar() as bar:
        outcome = score_run(
            folder,
            chosen,
            workers=jobs or default_jobs(),
            progress=bar,
            by_name=by_name,
            retry_failed=retry_failed,
        )
    return finish(folder, outcome)
