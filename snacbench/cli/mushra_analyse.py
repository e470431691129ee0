"""``snacbench mushra analyse``: from answers to figures, tables and the paragraph for a paper."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from snacbench.cli.terminal import err, out, show_rows
from snacbench.errors import UserError
from snacbench.listening.analysis.analyse import Analysis, analyse
from snacbench.listening.output import write_all
from snacbench.listening.publish import Published, published, run_of, write_rows
from snacbench.listening.read import Source, read_source
from snacbench.listening.screening import Options
from snacbench.listening.tables import tables_of
from snacbench.tables.table_model import Table

_FOLDER = "analysis"


@click.command("analyse", short_help="Screening, statistics, figures and text of a test.")
@click.argument("source", metavar="TEST|CSV", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder for the files.  [default: TEST/{_FOLDER}, or beside the CSV]",
)
@click.option(
    "--test",
    "test_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The test whose answers a CSV holds: tells domains, rates, levels, training pages.  "
    "[default: the one beside it]",
)
@click.option(
    "--run",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run that the results go into, for its report.  [default: the test's own, if it is there]",
)
@click.option("--no-screening", is_flag=True, help="Do not apply the rules of BS.1534-3.")
@click.option(
    "--least-share",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Keep listeners who left early if they answered this share of their pages.",
)
@click.option(
    "--level",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Of all intervals; tests are at 1 minus this.",
)
def analyse_(
    source: Path,
    target: Path | None,
    test_folder: Path | None,
    run: Path | None,
    no_screening: bool,
    least_share: float,
    level: float,
) -> None:
    """Analyse the answers to a listening test.

    \b
    snacbench mushra analyse TEST                     our own server's answers
    snacbench mushra analyse mushra.csv --test TEST   webMUSHRA's
    snacbench mushra analyse answers.csv              ours exported, or pymushra's

    Listeners are screened by BS.1534-3, each exclusion with its reason. Tables, figures and a
    paragraph for the paper are written, and the results go into the run, whose report shows them
    beside the objective metrics. docs/listening-tests.md says how everything is computed.
    """  # noqa: D301 - click must get the control character itself
    answers = read_source(source, test_folder=test_folder)
    if not (answers.study.ratings or answers.study.choices):
        raise UserError(f"{source}: nobody has answered a page yet")
    found = analyse(answers.study, Options(not no_screening, least_share), level=level)
    rows = published(answers, found)
    folder = target or (
        source / _FOLDER if source.is_dir() else source.with_name(f"{source.stem}-{_FOLDER}")
    )
    goes_to = run_of(answers, run)
    paths = write_all(found, rows, folder)
    if goes_to:
        write_rows(rows, goes_to)
    _show(found, rows)
    err.print(f"wrote {len(paths)} files to {escape(str(folder))}", soft_wrap=True)
    if goes_to:
        path = escape(str(goes_to.path))
        err.print(f"results are in {path}; see snacbench report {path}", soft_wrap=True)
    else:
        err.print(_why_no_run(answers), soft_wrap=True)


def _show(found: Analysis, rows: Published) -> None:
    for exclusion in found.screening.exclusions:
        err.print(
            f"excluded {escape(exclusion.listener)}: {escape(exclusion.reason)}", soft_wrap=True
        )
    for table in tables_of(found)[:2]:
        out.print(escape(table.title), style="bold")
        show_rows(*_cells(table))
        for note in table.footnotes:
            out.print(f"- {escape(note)}", soft_wrap=True)
        out.print()
    for note in rows.summary.notes:
        err.print(f"note: {escape(note)}", soft_wrap=True)
    out.print(escape(rows.summary.text), soft_wrap=True)


def _cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """A table as rows of text."""
    headings = [table.label_heading, *(column.title for column in table.columns)]
    lines = []
    for row in table.rows:
        cells = [(table.cell(row, column), column) for column in table.columns]
        texts = [f"{cell.number(column)} {cell.ends(column)}".strip() for cell, column in cells]
        lines.append([row.label, *texts])
    return headings, lines


def _why_no_run(source: Source) -> str:
    if source.test is None:
        return "the results went into no run: give --run, and --test, to see them in its report"
    if source.study.simulated:
        return "simulated answers go into no run unless it is given with --run"
    return (
        f"the results went into no run: {escape(source.test.run)} is not the run that the test "
        "was made from; give it with --run to see them in its report"
    )
