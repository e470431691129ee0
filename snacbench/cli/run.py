"""``snacbench run``: code a test set through codecs, score it, and print the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from snacbench.cli.asr import asr_option
from snacbench.cli.downloads import DownloadBar, offline_option, weights_option
from snacbench.cli.requests import request_of
from snacbench.cli.terminal import (
    ProgressBar,
    err,
    out,
    show_facts,
    show_failures,
    show_tables,
    show_warnings,
)
from snacbench.errors import StoreError, UserError
from snacbench.runner import plan as planning
from snacbench.runner.execute import Outcome, execute, source_warnings, start
from snacbench.runner.pool import default_jobs
from snacbench.runner.precision import PRECISIONS
from snacbench.runner.retry import readable_again
from snacbench.runner.speed import DEFAULT_BUDGET_S
from snacbench.runner.versions import (
    check_versions,
    versions_of_codecs,
    versions_of_metrics,
)
from snacbench.settings import cache_warning
from snacbench.store.folder import RunFolder, new_folder
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.from_runs import summary_csv, summary_markdown, summary_tables
from snacbench.tables.run_rows import RunRows
from snacbench.testsets.segments import MIN_LUFS
from snacbench.types import DOMAINS

EXIT_FAILED_ROWS = 1
RUNS = Path("runs")  # where runs go that name no folder


def _batch_size(context: click.Context, option: click.Parameter, text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"expected auto or a number from 1 up, found {text!r}")
    return int(text)


@click.command(short_help="Code a test set through codecs, score it, print the summary.")
@click.argument("recipe", required=False)
@click.option("--codecs", help="Families, models, rates, own: snac,dac-44khz@2.67,NAME=dac:PATH")
@click.option("--data", default="quick", show_default=True, help="Set, corpus, manifest or folder.")
@click.option("--root", multiple=True, metavar="DIR", help="Where a corpus lies, or CORPUS=DIR.")
@click.option("--metrics", default="", help="Names, comma-separated.  [default: the default set]")
@weights_option
@click.option("-o", "--out", "folder", type=click.Path(path_type=Path), help="New run folder.")
@click.option(
    "--resume", type=click.Path(path_type=Path), help="Go on with a run; repeats nothing."
)
@click.option(
    "--retry-failed", is_flag=True, help="With --resume: try again what failed, and only that."
)
@click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: one per core]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="Number format of the PyTorch codecs; less than fp32 changes codes, and says how many.",
)
@click.option(
    "--batch",
    callback=_batch_size,
    default="auto",
    show_default=True,
    help="Clips of equal length at once: auto (as many as the GPU holds; one on the CPU) or N.",
)
@click.option(
    "--channels",
    type=click.Choice(["mono", "stereo"]),
    default="mono",
    show_default=True,
    help="Downmix every clip, or keep stereo; the same for all codecs and the reference.",
)
@click.option(
    "--reference",
    type=click.Choice(["source", "codec-input"]),
    default="source",
    show_default=True,
    help="Compare with the source, or with what the codec got after resampling.",
)
@click.option("--segments", type=int, help="Draw this many segments per domain, by the seed.")
@click.option("--segment-s", type=float, help="Cut clips longer than this to one segment.")
@click.option(
    "--min-lufs",
    type=float,
    default=MIN_LUFS,
    show_default=True,
    help="Segments no louder than this are not drawn.",
)
@click.option("--limit", type=int, help="At most this many clips per domain, chosen by hash.")
@click.option(
    "--domain",
    type=click.Choice(DOMAINS),
    default="unknown",
    help="Domain of clips that do not tell theirs.",
)
@click.option(
    "--keep-codes", is_flag=True, help="Keep what each clip was coded to, as .sncb files in codes/."
)
@click.option(
    "--speed-budget-s",
    type=click.FloatRange(min=0),
    default=DEFAULT_BUDGET_S,
    show_default=True,
    help="Seconds to measure each operating point's speed, at the end; 0: not measured.",
)
@asr_option
@offline_option
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def run(
    context: click.Context,
    /,
    recipe: str | None,
    folder: Path | None,
    resume: Path | None,
    retry_failed: bool,
    jobs: int | None,
    plan_only: bool,
    **options: Any,
) -> int:
    """Code a test set through codecs, score what comes out, and print the summary.

    RECIPE names a run that is written down ('snacbench list recipes', or a .yaml file of your own);
    options change single fields of it, which is recorded.

    Every finished clip is on disk at once: after Ctrl-C, a crash or a full disk, go on with
    --resume RUN. What failed for a reason that has passed is
    tried again by --resume RUN --retry-failed.
    """
    if retry_failed and not resume:
        raise UserError("--retry-failed tries again what failed in a run; name it by --resume RUN")
    with ProgressBar() as bar:
        if resume:
            offline = options["offline"]
            plan = resumed_plan(resume, bar, recipe, retry_failed=retry_failed, offline=offline)
        else:
            plan = planning.make_plan(request_of(recipe, options, _given(context)), bar)
    show_facts(planning.summary_of(plan), to=err)
    if plan_only:
        return 0
    for warning in (planning.free_space_warning(plan, resume or folder or RUNS), cache_warning()):
        if warning:
            err.print(f"warning: {warning}", style="bold yellow", soft_wrap=True)
    with DownloadBar() as bar:
        plan = planning.with_weights(plan, bar)
    workers = jobs or default_jobs()
    if resume:
        run_folder = RunFolder.open(resume)
    else:
        run_folder = start(plan, folder or new_folder(RUNS), workers=workers)
    err.print(f"run folder  {run_folder.path}", soft_wrap=True)
    try:
        with ProgressBar() as bar:
            outcome = execute(
                plan, run_folder, workers=workers, progress=bar, retry_failed=retry_failed
            )
    except KeyboardInterrupt:
        err.print(f"stopped; go on with: snacbench run --resume {run_folder.path}", soft_wrap=True)
        raise
    return finish(run_folder, outcome)


def finish(folder: RunFolder, outcome: Outcome) -> int:
    """Write the summary into the run folder, show it, and say which rows failed."""
    rows = [RunRows.load(folder)]
    folder.write_text("summary.csv", summary_csv(rows))
    folder.write_text("summary.md", summary_markdown(rows))
    show_tables(summary_tables(rows))
    show_warnings([*source_warnings(folder), *late_warnings(rows[0])])
    show_failures(outcome)
    if outcome.retried:
        err.print(outcome.retried, soft_wrap=True)
    out.print(f"\n{folder.path}", soft_wrap=True)
    return 0 if outcome.all_ok else EXIT_FAILED_ROWS


def _given(context: click.Context) -> set[str]:
    """Options that stand on the command line, by name."""
    return {
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


def resumed_plan(
    path: Path,
    bar: ProgressBar,
    recipe_given: str | None = None,
    *,
    retry_failed: bool = False,
    offline: bool = False,
) -> planning.Plan:
    """The plan of an existing run, its weights decision kept.

    Raises
    ------
    UserError
        If a recipe is given as well.
    StoreError
        If the run was not made by ``snacbench run``, or the test set, the weights or what computes
        codecs and metrics are no longer those that it began with.
    """
    if recipe_given:
        raise UserError(
            f"--resume takes up the request that {path} was begun with; leave out {recipe_given}"
        )
    folder = RunFolder.open(path)
    run = folder.run
    recipe = dict(run.recipe)
    if foreign := recipe.keys() - planning.Request.__dataclass_fields__.keys():
        raise StoreError(
            f"{path} cannot be gone on with: its run.json holds {', '.join(sorted(foreign))}, so "
            "it was merged or made from files; go on with the runs that it was made of"
        )
    recipe["metrics"], recipe["weights"] = tuple(recipe["metrics"]), tuple(recipe["weights"])
    recipe["root"] = tuple(recipe.get("root", ()))
    request = planning.Request(**recipe, offline=offline)
    plan = planning.make_plan(request, bar)
    same = plan.test_set.sha256 == run.set_sha256
    if not same and not (retry_failed and readable_again(folder, plan.test_set)):
        raise StoreError(
            f"the test set {run.test_set} has changed since {path} was begun; start a new run"
        )
    located = planning.with_weights(plan)
    then = [(s.name, s.weights.sha256) for s in run.codecs]
    now = [(c.spec.name, c.spec.weights.sha256) for c in located.codecs]
    if then != now:
        raise StoreError(f"the codecs or weights of {path} are no longer the same; start a new run")
    check_versions(
        run,
        codecs=versions_of_codecs(located.codecs),
        metrics=versions_of_metrics(plan.metrics),
        place=str(path),
    )
    return replace(plan, decision="")
