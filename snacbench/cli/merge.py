"""``snacbench merge``: runs of several machines as one."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.terminal import out, show_tables
from snacbench.store.merging import merge as merge_runs
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import summary_csv, summary_markdown, summary_tables
from snacbench.tables.run_rows import RunRows


@click.command
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", "target", required=True, type=click.Path(path_type=Path), help="New run folder."
)
def merge(runs: tuple[Path, ...], target: Path) -> None:
    """Join RUNS of one test set, made on different machines, into a new run.

    Test set, seed, channels, reference and metric versions must be the same, and rows that several
    runs have must be equal, timings apart; else nothing is written. Decoded audio is linked where
    the disk allows, else copied. The run.json of every part is kept under parts/.
    """
    done = merge_runs([RunFolder.open(path) for path in runs], target)
    rows = [RunRows.load(done.folder)]
    done.folder.write_text("summary.csv", summary_csv(rows))
    done.folder.write_text("summary.md", summary_markdown(rows))
    show_tables(summary_tables(rows))
    audio = f"decoded files: {done.linked} linked, {done.copied} copied"
    if done.missing:
        audio += f", {done.missing} no longer there"
    out.print(f"\n{len(runs)} runs merged; {done.repeated} rows were in several; {audio}")
    out.print(str(target), soft_wrap=True)
