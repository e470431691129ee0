"""``snacbench mushra analyse``: from answers to figures, tables and the paragraph for a paper."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from snacbench.cli.terminal import err, out, show_rows
from snacbench.errors import UserError
from snacbench.listening.analysis.analyse import analyse
from snacbench.listening.analysis.study_tables import tables_of, write_all
from snacbench.listening.publish import published, run_of, write_rows
from snacbench.listening.read import read_source
from snacbench.listening.screening import Options

_FOLDER = "analysis"


@click.command("analyse")
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
    beside = source / _FOLDER if source.is_dir() else source.with_name(f"{source.stem}-{_FOLDER}")
    folder, goes_to = target or beside, run_of(answers, run)
    paths = write_all(found, rows.summary, rows.scores, folder)
    if goes_to:
        write_rows(rows, goes_to)
    for exclusion in found.screening.exclusions:
        why = f"excluded {exclusion.listener}: {exclusion.reason}"
        err.print(escape(why), soft_wrap=True)
    for table in tables_of(found)[:2]:
        out.print(escape(table.title), style="bold")
        lines = []
        for row in table.rows:
            cells = [(table.cell(row, column), column) for column in table.columns]
            texts = [f"{cell.number(column)} {cell.ends(column)}".strip() for cell, column in cells]
            lines.append([row.label, *texts])
        show_rows([table.label_heading, *(column.title for column in table.columns)], lines)
        for note in table.footnotes:
            out.print(f"- {escape(note)}", soft_wrap=True)
        out.print()
    for note in rows.summary.notes:
        err.print(f"note: {escape(note)}", soft_wrap=True)
    out.print(escape(rows.summary.text), soft_wrap=True)
    err.print(f"wrote {len(paths)} files to {escape(str(folder))}", soft_wrap=True)
    if goes_to:
        where = f"results are in {goes_to.path}; see snacbench report {goes_to.path}"
    elif answers.test is None:
        where = "the results went into no run: give --run, and --test, to see them in its report"
    elif answers.study.simulated:
        where = "simulated answers go into no run unless it is given with --run"
    else:
        where = (
            f"the results went into no run: {answers.test.run} is not the run that the test was "
            "made from; give it with --run to see them in its report"
        )
    err.print(escape(where), soft_wrap=True)
