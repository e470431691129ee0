"""``snacbench table``: the summary of one or more runs again."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.terminal import err, show_summary
from snacbench.store.folder import RunFolder
from snacbench.tables.formats import to_csv, to_markdown
from snacbench.tables.run import RunRows


@click.command(short_help="Print the summary of runs.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "csv"]),
    default="terminal",
    show_default=True,
)
def table(runs: tuple[Path, ...], form: str) -> None:
    """Print the summary of one or more runs, one row per codec and domain."""
    rows = [RunRows.load(RunFolder.open(path)) for path in runs]
    if len({r.run.set_sha256 for r in rows}) > 1:
        err.print("warning: these runs are on different test sets; do not compare their rows")
    if form == "terminal":
        show_summary(rows)
    else:
        click.echo(to_csv(rows) if form == "csv" else to_markdown(rows), nl=False)
