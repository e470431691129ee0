"""Verbs that read runs: ``table``, ``plot``, ``report``, ``compare``, ``rates``, ``validity``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from snacbench.api import run as api
from snacbench.cli.terminal import ProgressBar, out, say, show_line, show_tables
from snacbench.cli.verbs import PATH, comma_separated, option, pairs, shared
from snacbench.errors import UserError
from snacbench.plots import drawing, plot_data
from snacbench.tables.from_runs import Options
from snacbench.tables.gate import KBPS, comparison_json, comparison_markdown
from snacbench.tables.ladder import ladder_tables
from snacbench.tables.layouts import layouts
from snacbench.tables.run_rows import Grouping
from snacbench.tables.savings import savings_json, savings_text
from snacbench.tables.side_by_side import By
from snacbench.tables.table_model import Table
from snacbench.tables.writers import WRITERS

Paths = tuple[Path, ...]

_BY = click.Choice(get_args(By))
_OF_SAVINGS = ("text", "json")
_OF_RATES = ("terminal", *WRITERS)
_MANY: dict[str, Any] = {"multiple": True, "callback": comma_separated, "metavar": "NAME,..."}


@click.command
@shared("RUNS")
@option("--format form", ["terminal", *WRITERS])
@option(
    "--layout",
    click.Choice(list(layouts())),
    "Which columns: everything, or as a paper has them.  [default: the recipe's, if the runs "
    "followed one, else everything]",
)
@option("--codecs PATTERNS", "", "As for run: only these.  [default: all]")
@option(
    "--by",
    click.Choice([*get_args(By), *get_args(Grouping)]),
    "A table per domain, one over all clips, or both; or one per language, ...  [default: the "
    "layout's]",
)
@option(
    "--group-seeds NAME=CODECS",
    help="One row for checkpoints of one training: their mean and standard deviation.",
    **pairs("mine=mine-seed0,mine-seed1"),
)
@option("--ci", bool, "95 % intervals of the means; CSV always has them.")
@option("--significance", bool, "Mark what differs from the best.")
@option("--baseline CODEC", "", "Compare with this one instead.")
@option("--digits", click.IntRange(0, 12), "Digits of the metrics.")
@shared("label")
@option("--title", help="In place of the layout's.")
@option("--no-caption caption", True, "Without title and notes.", flag_value=False)
def table(runs: Paths, form: str, layout: str | None, codecs: str, **options: Any) -> None:
    """Print the tables of one or more runs: one row per codec, means over clips.

    Best in bold, second underlined; footnotes say what the numbers rest on.
    """
    loaded = [api.load(path) for path in runs]
    made = api.tables(loaded, layout, Options(complete=form == "csv", **options), codecs=codecs)
    if len({one.folder.run.set_sha256 for one in loaded}) > 1:
        say("warning: these runs are on different test sets; do not compare their rows")
    for text in [text for one in made for text in one.above] if form == "csv" else ():
        say(f"warning: {text}")  # what stands above tables is no data
    _print(made, form)


def _print(made: Sequence[Table], form: str) -> None:
    if form == "terminal":
        show_tables(made)
    else:
        click.echo(api.writer_named(form)(made), nl=False)


def _list_plots(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        for known in drawing.plots().values():
            click.echo(f"{known.name:<14}{known.description}")
        context.exit()


@click.command
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=PATH)
@click.argument("name", metavar="NAME|all")
@option("-o --out", PATH, "Folder for the files.", default=Path("plots"))
@option("--metrics --metric metrics", help="Names.  [default: all of the run]", **_MANY)
@option("--codecs", help="Operating points, models or families.  [default: all]", **_MANY)
@shared("label")
@option("--title TEXT", "", "Above every figure.")
@option("--no-caption caption", True, "Without small print.", flag_value=False)
@option("--rate", plot_data.Rate, "Which rate runs along the axis.")
@option("--domain", "all", "speech, music, environment; with --by one of the groups.")
@option("--by", plot_data.GroupedBy, "What the panels of domains are, and what --domain names.")
@option("--baseline CODEC", "", "[default: the run's first codec]")
@option("--format forms", "svg", "Any of svg,pdf,png.", callback=comma_separated)
@option("--width", plot_data.Width, "3.5 in for one column, or 7.")
@option("--list", bool, "List plots.", is_eager=True, expose_value=False, callback=_list_plots)
def plot(
    runs: Paths, name: str, out: Path, metrics: list[str], forms: list[str], **options: Any
) -> None:
    """Draw plot NAME, or all of them, from one or more runs, and print the files written.

    Plots of a metric are drawn once for every metric. 'snacbench plot --list' names all plots.
    """
    chosen = drawing.select_plots(name)
    if missing := [run for run in runs[1:] if not run.exists()]:
        raise UserError(
            f"there is no run {missing[0]}; one plot name is expected after the runs: "
            f"{', '.join(drawing.plots())}, or all"
        )
    if not forms or not set(forms) <= set(drawing.FORMATS):
        known, found = ", ".join(drawing.FORMATS), ",".join(forms)
        raise UserError(f"--format takes {known}, separated by commas; found {found!r}")
    of = {key: options.pop(key) for key in ("codecs", "labels")}
    asked = plot_data.Options(**options)
    data = plot_data.PlotData([api.load(path).rows for path in runs], **of, by=asked.by)
    wanted = drawing.to_draw(data, chosen, asked, metrics)
    if data.repeated:
        say(f"warning: drawn from the first run that has them: {', '.join(data.repeated)}")
    for written in drawing.write_plots(data, wanted, forms, out):
        if isinstance(written, UserError):
            raise written
        for path in written:
            click.echo(path)


@click.command
@click.argument("run", type=PATH)
@option("-o --out", PATH, "New folder, or an older report.  [default: RUN/report]")
@option("--by", click.Choice(get_args(Grouping)), "Also a table per language, speaker, ...")
@option("--lossless", bool, "Players play FLAC in place of Opus at 130 kbps.")
@option(
    "--clips",
    click.IntRange(0),
    "Clips with players at most; the scores of all others are there too.",
    default=30,
)
def report(run: Path, **options: Any) -> None:
    """Write a page to hear and see RUN: players, spectrograms, scores, plots.

    The folder can be opened from disk, sent, or put onto any web server as it is.
    """
    with ProgressBar() as bar:
        folder = api.load(run).report(**options, progress=bar)
    show_line(str(folder / "index.html"))


@click.command
@click.argument("run_a", type=PATH)
@click.argument("run_b", type=PATH)
@option(
    "--codecs A[=B]",
    help="Codecs as for run, of RUN_A and, if named otherwise, of RUN_B.  [default: in both]",
    multiple=True,
)
@option("--metrics", help="Names.  [default: all of both]", **_MANY)
@option(
    "--tolerance tolerances METRIC=VALUE",
    help=f"How much worse RUN_B may be, in the metric's unit; {KBPS}=VALUE gates the rate.",
    **pairs("si_sdr=0.1", float),
)
@option("--strict", bool, "Fail what is not shown to be within its tolerance.")
@option("--format form", ["terminal", "markdown", "json"])
def compare(run_a: Path, run_b: Path, form: str, **options: Any) -> int:
    """Compare RUN_B, the candidate, with RUN_A, the baseline, on the clips that both have.

    Exit code 1 if a metric is worse: beyond zero by its whole interval and after Holm's correction,
    or beyond its --tolerance. docs/comparing.md says what that means with few clips.
    """
    answer = api.compare(run_a, run_b, **options)
    if form == "terminal":
        show_tables(answer.tables)
        failed = "failed: the candidate is worse, or has lost clips"
        out().print("passed" if answer.passed else failed, style="bold")
        for line in answer.failures:
            show_line(f"  {line}")
    else:
        written = comparison_markdown if form == "markdown" else comparison_json
        click.echo(written(answer), nl=False)
    return 0 if answer.passed else 1


@click.command
@shared("RUNS")
@option("--of", help="Models whose saving is asked for.", **_MANY)
@option("--against", help="With --of: models with two rates.  [default: all]", **_MANY)
@option("--metrics", help="With --of: names.  [default: all]", **_MANY)
@option("--domain domains", help="With --of.  [default: all]", **_MANY)
@option("--by", _BY, "Without --of: tables per domain, over all clips, or both.  [default: all]")
@option("--codebooks", bool, "Without --of: every codebook too.")
@option(
    "--format form",
    click.Choice(list(dict.fromkeys([*_OF_RATES, *_OF_SAVINGS]))),
    "text or json with --of; else any but text.  [default: text or terminal]",
)
def rates(
    runs: Paths, by: By | None, codebooks: bool, form: str | None, of: list[str], **options: Any
) -> None:
    """Show every codec's rates; with --of, how much rate one model saves.

    Without --of: nominal, actual, order-0 entropy with its interval, held-out code length, bytes
    that entropy coders wrote, and how the codebooks are used.

    With --of, for a model with one rate (SNAC): the rate at which the other's curve reaches its
    score, and the difference at equal rate. For a model with several: Bjontegaard deltas. Nothing
    is extrapolated; rates are the actual ones.
    """
    unused, why = options, "is for comparing; add --of MODEL"
    if of:
        unused, why = {"by": by, "codebooks": codebooks}, "is for the table of rates, without --of"
    if given := [name.replace("domains", "domain") for name, value in unused.items() if value]:
        raise UserError(f"--{', --'.join(given)} {why}")
    when, known = ("with", _OF_SAVINGS) if of else ("without", _OF_RATES)
    if form and form not in known:
        raise UserError(f"--format {when} --of is one of {', '.join(known)}; found {form}")
    loaded = [api.load(path) for path in runs]
    if of:
        found = loaded[0].savings(of, beside=loaded[1:], **options)
        click.echo(savings_json(found) if form == "json" else savings_text(found), nl=False)
        named = {*of, *options["against"]}
        specs = [spec for one in loaded for spec in one.folder.run.codecs]
        if aside := sum(bool(s.condition) and s.model not in named for s in specs):
            say(f"{aside} points under conditions left out; name their models, as opus+loss@5%")
    else:
        rows = [one.rows for one in loaded]
        _print(ladder_tables(rows, by=by or "all", codebooks=codebooks), form or "terminal")


@click.command
@click.argument("run", required=False, type=PATH)
@option("--ratings", PATH, "A listening test's folder, or its CSV.  [default: those in RUN]")
@option("--test", PATH, "Folder of the test whose answers a CSV holds; of those in RUN, its name.")
@option("--no-screening screening", True, "Do not apply the rules of BS.1534-3.", flag_value=False)
@option("--map NAME", "", "Without RUN: a data set's layout, by name or a YAML file.")
@option("--root", PATH, "Where the data set of --map lies.")
@option("-o --out", PATH, "Run that becomes of it, new or to go on with.  [default: below runs]")
@option("--metrics", help="Names.  [default: all of RUN; for --map the default set]", **_MANY)
@option("--bands", "0-6,6-16,16-64,64-", "Of rates in kbps, their upper ends not included.")
@option("--coefficient", ["spearman", "kendall"], "Rank correlation.")
@option("--anchors", bool, "Also on anchors, which raise every correlation.")
@option("--plot figure", PATH, "Also draw it into a file .svg, .pdf or .png.")
@option("--format form", ["terminal", *WRITERS])
@shared("weights of metrics", "jobs")
def validity(figure: Path | None, form: str, **options: Any) -> None:
    """Which metric to believe: how each ranks decodes, beside how listeners do.

    \b
    snacbench validity RUN                            after mushra analyse
    snacbench validity RUN --ratings mushra.csv
    snacbench validity --map odaq --root ODAQ -o RUN  scores its files first

    Rank correlations with mean ratings over all cells, within items, and over conditions, by band
    of rates, family of codecs and domain. docs/validity.md says what intervals cover.
    """  # noqa: D301
    if figure and figure.suffix[1:] not in drawing.FORMATS:
        raise UserError(f"--plot takes a name that ends in .svg, .pdf or .png; found {figure}")
    from snacbench.api.beside_ratings import compared  # scipy.stats takes half a second

    with ProgressBar() as bar:
        found = compared(**options, progress=bar)
    _print([found.table()], form)
    for note in found.notes if form == "csv" else ():
        say(note)
    if figure:
        from snacbench.plots._forest import validity_figure
        from snacbench.plots.style import write_figure

        write_figure(validity_figure(found), figure.with_suffix(""), [figure.suffix[1:]])
        say(f"wrote {figure}")
