"""``snacbench mushra export``: the answers of a listening test as CSV."""

from __future__ import annotations

import io
from pathlib import Path

import click

from snacbench.errors import StoreError
from snacbench.files import write_text


@click.command
@click.argument("test", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["tidy", "webmushra"]),
    default="tidy",
    show_default=True,
    help="One line per answer, or webMUSHRA's mushra.csv.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File; else standard output.")
def export(test: Path, form: str, out: Path | None) -> None:
    """Write the answers that the folder TEST has so far, as CSV.

    The server may go on running. Training pages are left out.
    """
    from snacbench.listening.responses.overview import read_study
    from snacbench.listening.test import read_test
    from snacbench.listening.tidy import write_tidy
    from snacbench.listening.webmushra_csv import write_webmushra

    read = read_test(test)
    study = read_study(read, test)
    stream = io.StringIO(newline="")
    if form == "webmushra":
        write_webmushra(read, study, stream)
    else:
        write_tidy(study, stream)
    if out is None:
        click.echo(stream.getvalue(), nl=False)
    else:
        try:
            write_text(out, stream.getvalue())
        except OSError as error:
            raise StoreError(
                f"cannot write {out} ({error}); check the folder's permissions"
            ) from error
    answers = len(study.ratings) + len(study.choices)
    click.echo(f"{answers} answers of {len(study.listeners)} listeners", err=True)
