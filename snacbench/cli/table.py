"""``snacbench table``: the tables of one or more runs, as a paper has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from snacbench.cli.terminal import err, out, show_summary
from snacbench.errors import UserError
from snacbench.store.folder import RunFolder
from snacbench.tables import formats
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.options import By, Options
from snacbench.tables.render.csv import to_csv
from snacbench.tables.render.html import to_html
from snacbench.tables.render.json import to_json
from snacbench.tables.render.latex import to_latex
from snacbench.tables.render.markdown import to_markdown
from snacbench.tables.render.terminal import to_terminal
from snacbench.tables.run import RunRows
from snacbench.tables.table import Table

Renderer = Callable[[Sequence[Table]], str]
RENDERERS: dict[str, Renderer] = {
    "markdown": to_markdown, "csv": to_csv, "latex": to_latex, "html": to_html, "json": to_json,
}  # fmt: skip


@click.command(short_help="Print the tables of runs.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", *RENDERERS]),
    default="terminal",
    show_default=True,
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    help="Which columns: everything, or as a paper has them.  [default: the recipe's, if the runs "
    "followed one, else everything]",
)
@click.option(
    "--by",
    type=click.Choice(["domain", "all", "both"]),
    help="One table per domain, one over all clips, or both.  [default: the layout's]",
)
@click.option("--ci", is_flag=True, help="95 % intervals of the means.")
@click.option("--significance", is_flag=True, help="Mark what differs from the best.")
@click.option("--baseline", default="", metavar="CODEC", help="Compare with this one instead.")
@click.option("--digits", type=click.IntRange(0, 12), help="Digits of the metrics.")
@click.option("--with-published", is_flag=True, help="The paper's own figures beside ours.")
@click.option("--standalone", is_flag=True, help="LaTeX: a whole document, not a snippet.")
def table(
    runs: tuple[Path, ...],
    form: str,
    layout: str | None,
    by: By | None,
    ci: bool,
    significance: bool,
    baseline: str,
    digits: int | None,
    with_published: bool,
    standalone: bool,
) -> None:
    """Print the tables of one or more runs: one row per codec, means over clips.

    Best in bold, second underlined; footnotes say what the numbers rest on.
    """
    folders = [RunFolder.open(path) for path in runs]
    layout = layout or _layout_of_recipe(folders)
    chosen = LAYOUTS[layout]
    options = Options(by, ci, significance or bool(baseline), baseline, digits, with_published)
    _check(options, form, layout, standalone)
    rows = [RunRows.load(folder, histograms=chosen.histograms) for folder in folders]
    if len({r.run.set_sha256 for r in rows}) > 1:
        err.print("warning: these runs are on different test sets; do not compare their rows")
    if layout == "default" and options == Options() and form in ("terminal", "markdown", "csv"):
        _show_summary(rows, form)
        return
    from snacbench.tables.build import tables_of  # brings scipy, which --help can do without

    tables = tables_of(rows, chosen, options)
    if form == "terminal":
        for part in to_terminal(tables):
            out.print(part)
        return
    latex = partial(to_latex, standalone=standalone)
    click.echo((latex if form == "latex" else RENDERERS[form])(tables), nl=False)


def _layout_of_recipe(folders: Sequence[RunFolder]) -> str:
    """The layout that the runs' recipes name, if they name the same one."""
    followed = (folder.run.request.from_recipe for folder in folders)
    layouts = {recipe.table if recipe else None for recipe in followed}
    named = layouts.pop() if len(layouts) == 1 else None
    return named if named in LAYOUTS else "default"


def _check(options: Options, form: str, layout: str, standalone: bool) -> None:
    """Refuse options that would do nothing.

    Raises
    ------
    UserError
        If the layout has no published figures, or ``--standalone`` is not for LaTeX.
    """
    if options.published and not LAYOUTS[layout].published:
        having = ", ".join(name for name, one in LAYOUTS.items() if one.published)
        raise UserError(
            f"--with-published: there are no published figures for the layout {layout}; "
            f"choose --layout {having}"
        )
    if standalone and form != "latex":
        raise UserError(f"--standalone is for --format latex, found {form}")


def _show_summary(rows: Sequence[RunRows], form: str) -> None:
    """The summary that a run ends with: rates, speed, and every mean with its n."""
    if form == "terminal":
        show_summary(rows)
    else:
        text = formats.to_csv(rows) if form == "csv" else formats.to_markdown(rows)
        click.echo(text, nl=False)
