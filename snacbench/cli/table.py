"""``snacbench table``: the tables of one or more runs, as a paper has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from snacbench.cli.terminal import err, show_tables
from snacbench.errors import UserError
from snacbench.selectors import among
from snacbench.store.run_folder import RunFolder
from snacbench.tables.from_runs import Options, tables_of
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import By
from snacbench.tables.writers import WRITERS, to_latex


def _labels(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, label in pairs:
        if not (name.strip() and equals and label.strip()):
            raise UserError(f"--label is NAME=TEXT, for example snac-24khz=SNAC; found {name}")
    return {name.strip(): label.strip() for name, _, label in pairs}


@click.command
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", *WRITERS]),
    default="terminal",
    show_default=True,
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    help="Which columns: everything, or as a paper has them.  [default: the recipe's, if the runs "
    "followed one, else everything]",
)
@click.option("--codecs", metavar="PATTERNS", help="As for run: only these.  [default: all]")
@click.option(
    "--by",
    type=click.Choice(["domain", "all", "both"]),
    help="One table per domain, one over all clips, or both.  [default: the layout's]",
)
@click.option("--ci", is_flag=True, help="95 % intervals of the means; CSV always has them.")
@click.option("--significance", is_flag=True, help="Mark what differs from the best.")
@click.option("--baseline", default="", metavar="CODEC", help="Compare with this one instead.")
@click.option("--digits", type=click.IntRange(0, 12), help="Digits of the metrics.")
@click.option("--with-published", is_flag=True, help="The paper's own figures beside ours.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    callback=_labels,
    metavar="NAME=TEXT",
    help="Call a codec otherwise.",
)
@click.option("--title", help="In place of the layout's.")
@click.option("--no-caption", is_flag=True, help="Without title and notes.")
@click.option("--standalone", is_flag=True, help="LaTeX: a whole document, not a snippet.")
def table(
    runs: tuple[Path, ...],
    form: str,
    layout: str | None,
    codecs: str | None,
    by: By | None,
    ci: bool,
    significance: bool,
    baseline: str,
    digits: int | None,
    with_published: bool,
    labels: Mapping[str, str],
    title: str | None,
    no_caption: bool,
    standalone: bool,
) -> None:
    """Print the tables of one or more runs: one row per codec, means over clips.

    Best in bold, second underlined; footnotes say what the numbers rest on.
    """
    folders = [RunFolder.open(path) for path in runs]
    chosen = LAYOUTS[layout or _layout_of_recipe(folders)]
    if with_published and not chosen.published:
        having = ", ".join(name for name, one in LAYOUTS.items() if one.published)
        raise UserError(
            f"--with-published: there are no published figures for the layout {chosen.name}; "
            f"choose --layout {having}"
        )
    if standalone and form != "latex":
        raise UserError(f"--standalone is for --format latex, found {form}")
    rows = [RunRows.load(folder, histograms=chosen.histograms) for folder in folders]
    if codecs:
        specs = among([spec for one in rows for spec in one.run.codecs], codecs)
        rows = [one.only({spec.name for spec in specs}) for one in rows]
    if len({one.run.set_sha256 for one in rows}) > 1:
        err.print("warning: these runs are on different test sets; do not compare their rows")
    options = Options(
        by=by,
        ci=ci,
        complete=form == "csv",
        significance=significance or bool(baseline),
        baseline=baseline,
        digits=digits,
        published=with_published,
        labels=labels,
        title=title,
        caption=not no_caption,
    )
    tables = tables_of(rows, chosen, options)
    if form == "terminal":
        show_tables(tables)
        return
    latex = partial(to_latex, standalone=standalone)
    click.echo((latex if form == "latex" else WRITERS[form])(tables), nl=False)


def _layout_of_recipe(folders: Sequence[RunFolder]) -> str:
    """The layout that the runs' recipes name, if they name the same one."""
    followed = (folder.run.request.from_recipe for folder in folders)
    layouts = {recipe.table if recipe else None for recipe in followed}
    named = layouts.pop() if len(layouts) == 1 else None
    return named if named in LAYOUTS else "default"
