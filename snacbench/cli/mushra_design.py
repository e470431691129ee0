"""``snacbench mushra design``: a listening test from a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, get_args

import click

from snacbench.cli.terminal import ProgressBar, err, out, show_rows
from snacbench.errors import StoreError
from snacbench.listening.design import Wish
from snacbench.listening.design import design as designed
from snacbench.listening.excerpt import DEFAULT_EXCERPT_S
from snacbench.listening.facts import Facts
from snacbench.listening.stimuli import make_stimuli
from snacbench.listening.test import TEST_FILE, Form, ListeningTest
from snacbench.listening.webmushra import export_webmushra
from snacbench.listening.write import write_test
from snacbench.selectors import split_selectors
from snacbench.store.folder import RunFolder


@click.command(short_help="Make a listening test from a run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="New folder for the test.",
)
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
    wish = Wish(systems=tuple(split_selectors(systems or "")), **wishes)
    folder = RunFolder.open(run)
    _check_free(target)
    with ProgressBar() as bar:
        test = designed(
            folder,
            target,
            wish,
            begin=lambda count: bar.begin("excerpts", count),
            step=lambda: bar.step("excerpts"),
        )
        facts = _write(target, test, bar, flac=flac, webmushra=export == "webmushra")
    show_items(test, facts)
    err.print("Edit the texts, above all consent and contact, then: snacbench mushra serve", end="")
    err.print(f" {target}", soft_wrap=True, markup=False)
    out.print(str(target / TEST_FILE), soft_wrap=True, markup=False)


def _write(
    target: Path, test: ListeningTest, bar: ProgressBar, *, flac: bool, webmushra: bool
) -> Facts:
    """The test's folder, whole or not at all."""
    # Beside its place: the run is found from there by the same relative path.
    partial = target.absolute().with_name(f".{target.absolute().name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        write_test(partial, test)
        facts = make_stimuli(
            partial,
            test,
            format_="flac" if flac else "wav",
            begin=lambda count: bar.begin("stimuli", count),
            step=lambda: bar.step("stimuli"),
        )
        if webmushra:
            export_webmushra(partial, test, facts)
        partial.replace(target)
    except OSError as error:
        raise StoreError(
            f"cannot write the test to {target} ({error.strerror or error}); choose another folder "
            "with -o, or free some space"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return facts


def _check_free(target: Path) -> None:
    if (target / TEST_FILE).exists():
        raise StoreError(
            f"{target} already holds a test; choose another folder with -o, or edit its "
            f"{TEST_FILE} and make its stimuli again: snacbench mushra stimuli {target}"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; choose a new or empty folder with -o")


def show_items(test: ListeningTest, facts: Facts) -> None:
    """What listeners will hear, and what to know of it."""
    rows = []
    for item in (*test.items, *test.training):
        found = facts.items[item.id]
        loud = found.conditions["reference"].loudness_lufs
        peaks = [x.true_peak_dbtp for x in found.conditions.values() if x.true_peak_dbtp]
        rows.append(
            [
                item.id,
                item.clip,
                f"{item.duration_s:.2f}",
                "-" if loud is None else f"{loud:.1f}",
                f"{max(peaks):.1f}" if peaks else "-",
            ]
        )
    show_rows(["item", "clip", "s", "LUFS", "dBTP"], rows)
    for name, found in facts.items.items():
        for warning in found.warnings:
            err.print(f"warning: {name}: {warning}", style="yellow", soft_wrap=True, markup=False)
