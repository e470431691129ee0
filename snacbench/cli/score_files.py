"""``snacbench score-files``: score decodes that another program made."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.run import finish
from snacbench.cli.terminal import ProgressBar, err, show_warnings
from snacbench.request import OutsideFiles, Request
from snacbench.runner.engine import outcome_of
from snacbench.runner.outside import score_files as score
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.from_runs import summary_csv
from snacbench.tables.run_rows import RunRows
from snacbench.types import DOMAINS, Domain


@click.command("score-files")
@click.option("--reference", required=True, type=click.Path(path_type=Path))
@click.option("--degraded", required=True, type=click.Path(path_type=Path))
@click.option("--metrics", default="", help="Names, comma-separated.  [default: the default set]")
@click.option("--name", help="What to call the codec.  [default: name of the degraded file/folder]")
@click.option("--kbps", type=float, help="Its rate, as its maker states it.")
@click.option("--domain", type=click.Choice(DOMAINS), default="unknown", help="If known.")
@click.option("--align", is_flag=True, help="First take the delay found away from every file.")
@asr_option
@click.option("--format", "form", type=click.Choice(["terminal", "csv"]), default="terminal")
@click.option("-o", "--out", "folder", type=click.Path(path_type=Path), help="New run folder.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: one per core]")
def score_files(
    reference: Path,
    degraded: Path,
    metrics: str,
    name: str | None,
    kbps: float | None,
    domain: str,
    align: bool,
    asr: str | None,
    form: str,
    folder: Path | None,
    jobs: int | None,
) -> int:
    """Score two files, or two folders matched by name, as the output of an outside codec.

    What comes out is a run like any other: 'snacbench table' shows it beside runs on the same
    references.
    """
    names = tuple(part.strip() for part in metrics.split(",") if part.strip())
    request = Request(
        data=str(reference),
        domain=cast(Domain, domain),
        metrics=names,
        asr=asr,
        outside=OutsideFiles(degraded, name or degraded.stem, kbps, align),
        out=folder,
        jobs=jobs,
    )
    with ProgressBar() as bar:
        run_folder = score(request, progress=bar)
    if form == "terminal":
        return finish(run_folder)
    rows = RunRows.load(run_folder)
    click.echo(summary_csv([rows]), nl=False)
    show_warnings(list(late_warnings(rows)))
    err.print(f"run folder  {run_folder.path}", soft_wrap=True)
    return 0 if outcome_of(run_folder).all_ok else 1
