"""``snacbench mushra stimuli``: the stimuli of a test again, after its file was edited."""

from __future__ import annotations

from pathlib import Path

import click

from snacbench.cli.mushra_design import show_items
from snacbench.cli.terminal import ProgressBar, out
from snacbench.errors import UserError
from snacbench.listening.facts import FACTS_FILE, Format, design_sha256, facts_at_hand
from snacbench.listening.stimuli import make_stimuli
from snacbench.listening.test import ANSWERS_FILE, STIMULI_FOLDER, read_test
from snacbench.listening.webmushra import FOLDER as WEBMUSHRA
from snacbench.listening.webmushra import export_webmushra


@click.command(short_help="Make the stimuli again, after test.yaml was edited.")
@click.argument("test", type=click.Path(path_type=Path))
@click.option(
    "--flac/--wav",
    default=None,
    help="FLAC of equal sizes, or WAV.  [default: as they were]",
)
@click.option(
    "--export",
    type=click.Choice(["webmushra"]),
    help="Also write what webMUSHRA 1.4 needs, into TEST/webmushra.  [default: if it is there]",
)
def stimuli(test: Path, flac: bool | None, export: str | None) -> None:
    """Make the stimuli of TEST again, as its test.yaml now says."""
    told, old = read_test(test), facts_at_hand(test)
    heard = (test / ANSWERS_FILE).exists()
    if heard and (old is None or old.design_sha256 != design_sha256(told)):
        raise UserError(
            f"{test} has answers to other stimuli, in {ANSWERS_FILE}; make a new test with "
            "'snacbench mushra design', or remove the file if these answers were only a try"
        )
    format_: Format = old.format if old else "wav"
    if flac is not None:
        format_ = "flac" if flac else "wav"
    with ProgressBar() as bar:
        facts = make_stimuli(
            test,
            told,
            format_=format_,
            begin=lambda count: bar.begin("stimuli", count),
            step=lambda: bar.step("stimuli"),
        )
    if export == "webmushra" or (test / WEBMUSHRA).exists():
        export_webmushra(test, told, facts)
    show_items(told, facts)
    out.print(f"{test / STIMULI_FOLDER}, {test / FACTS_FILE}", soft_wrap=True, markup=False)
