"""``snacbench mushra design`` and ``stimuli``: a listening test from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from snacbench.cli.terminal import ProgressBar, err, out, show_rows
from snacbench.errors import UserError
from snacbench.listening.design import DEFAULT_EXCERPT_S, check_free, make_test
from snacbench.listening.design import design as designed
from snacbench.listening.stimuli import (
    FACTS_FILE,
    Facts,
    Format,
    design_sha256,
    facts_at_hand,
    make_stimuli,
)
from snacbench.listening.test import (
    ANSWERS_FILE,
    REFERENCE,
    STIMULI_FOLDER,
    TEST_FILE,
    Form,
    ListeningTest,
    read_test,
)
from snacbench.listening.webmushra import FOLDER as WEBMUSHRA
from snacbench.listening.webmushra import export_webmushra
from snacbench.selectors import split_selectors
from snacbench.store.run_folder import RunFolder

_PATH: Any = click.Path(path_type=Path)


@click.command
@click.argument("run", type=_PATH)
@click.option("-o", "--out", "target", required=True, type=_PATH, help="New folder for the test.")
@click.option("--systems", help="Codecs of the run, 9 at most: opus@14,lyra.  [default: all]")
@click.option(
    "--items",
    "num_items",
    type=click.IntRange(1),
    help="Rated pages.  [default: 1.5 times as many as systems, at least 6]",
)
@click.option("--item", "items", multiple=True, help="A clip that is to be an item; repeatable.")
@click.option(
    "--form",
    type=click.Choice(get_args(Form)),
    default="mushra",
    show_default=True,
    help="What listeners are asked.",
)
@click.option(
    "--pages-per-listener",
    type=click.IntRange(1),
    help="Everybody rates a balanced subset of so many pages.  [default: all]",
)
@click.option(
    "--training",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Pages to practise on, of clips that are no items.",
)
@click.option("--seed", default=0, show_default=True, help="Of the choice of clips, and of orders.")
@click.option("--title", default="", help="What listeners read at the top of the page.")
@click.option("--language", default="en", show_default=True, help="Of the page and its texts.")
@click.option(
    "--excerpt-s",
    default=DEFAULT_EXCERPT_S,
    show_default=True,
    help="Length of excerpts in seconds, about; clips that are shorter are heard whole.",
)
@click.option(
    "--match-per-condition",
    is_flag=True,
    help="Bring each condition to one loudness on its own; hides codecs' errors of level.",
)
@click.option("--flac", is_flag=True, help="Stimuli as FLAC of equal sizes, not as WAV.")
@click.option(
    "--export",
    type=click.Choice(["webmushra"]),
    help="Also write what webMUSHRA 1.4 needs, into TEST/webmushra.",
)
def design(
    run: Path,
    target: Path,
    systems: str | None,
    flac: bool,
    export: str | None,
    **wishes: Any,
) -> None:
    """Make a listening test from RUN: a test.yaml to read and edit, and its stimuli."""
    folder, selectors = RunFolder.open(run), split_selectors(systems or "")
    check_free(target)
    with ProgressBar() as bar:
        test = designed(
            folder,
            target,
            systems=selectors,
            **wishes,
            progress=bar,
        )
        facts = make_test(
            target,
            test,
            format_="flac" if flac else "wav",
            webmushra=export == "webmushra",
            progress=bar,
        )
    _show_items(test, facts)
    err.print("Edit the texts, above all consent and contact, then: snacbench mushra serve", end="")
    err.print(f" {target}", soft_wrap=True, markup=False)
    out.print(str(target / TEST_FILE), soft_wrap=True, markup=False)


@click.command
@click.argument("test", type=_PATH)
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
            progress=bar,
        )
    if export == "webmushra" or (test / WEBMUSHRA).exists():
        export_webmushra(test, told, facts)
    _show_items(told, facts)
    out.print(f"{test / STIMULI_FOLDER}, {test / FACTS_FILE}", soft_wrap=True, markup=False)


def _show_items(test: ListeningTest, facts: Facts) -> None:
    """What listeners will hear, and what to know of it."""
    rows = []
    for item in (*test.items, *test.training):
        found = facts.items[item.id].conditions
        loud = found[REFERENCE].loudness_lufs
        peak = max((x.true_peak_dbtp for x in found.values() if x.true_peak_dbtp), default=None)
        measured = ("-" if x is None else f"{x:.1f}" for x in (loud, peak))
        rows.append([item.id, item.clip, f"{item.duration_s:.2f}", *measured])
    show_rows(["item", "clip", "s", "LUFS", "dBTP"], rows)
    for name, known in facts.items.items():
        for warning in known.warnings:
            err.print(f"warning: {name}: {warning}", style="yellow", soft_wrap=True, markup=False)
