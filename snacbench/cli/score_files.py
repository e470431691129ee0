"""``snacbench score-files``: score decodes that another program made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import cast

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.run import RUNS, finish
from snacbench.cli.terminal import ProgressBar, err, show_facts, show_warnings
from snacbench.errors import UserError
from snacbench.plugins import select_metrics
from snacbench.rows import Coded
from snacbench.runner.execute import score as score_run
from snacbench.runner.outside import OutsideRequest, import_decodes
from snacbench.runner.pool import default_jobs
from snacbench.store.folder import RunFolder, new_folder
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.from_runs import summary_csv
from snacbench.tables.run_rows import RunRows
from snacbench.types import DOMAINS, Domain
from snacbench.units import MS_PER_S

_ROUNDING_S = 0.0005  # of lengths at different sampling rates


@click.command("score-files", short_help="Score decodes made by another program.")
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
    chosen = tuple(metric.with_asr(asr) for metric in select_metrics(names))
    request = OutsideRequest(
        reference, degraded, name or degraded.stem, kbps, cast(Domain, domain), names, align
    )
    target = folder or new_folder(RUNS, "-files")
    try:
        run_folder = import_decodes(request, chosen, target)
    except UserError:
        with suppress(OSError):  # it holds something, or was never made
            target.rmdir()
        raise
    facts = run_folder.run.facts
    lines = {
        "delay": facts["delay"],
        "length": _fitted(run_folder),
        "files": facts.get("test set", ""),
    }
    show_facts(lines, to=err)
    with ProgressBar() as bar:
        outcome = score_run(
            run_folder, chosen, workers=jobs or default_jobs(), progress=bar, by_name=bool(names)
        )
    if form == "terminal":
        return finish(run_folder, outcome)
    rows = RunRows.load(run_folder)
    click.echo(summary_csv([rows]), nl=False)
    show_warnings(list(late_warnings(rows)))
    err.print(f"run folder  {run_folder.path}", soft_wrap=True)
    return 0 if outcome.all_ok else 1


def _fitted(folder: RunFolder) -> str:
    """How many files were cut or filled up to the length of their reference."""
    rows = [row for row in folder.read(Coded) if row.status == "ok"]
    changed = [by for row in rows if (by := abs(row.fitted_s or 0.0)) >= _ROUNDING_S]
    if not changed:
        return "as the references"
    return (
        f"{len(changed)} of {len(rows)} files cut or filled up at the end, by up to "
        f"{max(changed) * MS_PER_S:.1f} ms"
    )
