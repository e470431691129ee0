"""``snacbench run``: code a test set through codecs, score it, and print the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from snacbench.api.requests import request_of
from snacbench.cli.asr import asr_option
from snacbench.cli.downloads import offline_option, weights_option
from snacbench.cli.terminal import (
    ProgressBar,
    err,
    out,
    show_facts,
    show_failures,
    show_tables,
    show_warnings,
)
from snacbench.errors import UserError
from snacbench.request import DEFAULT_SPEED_BUDGET_S, PRECISIONS
from snacbench.runner.engine import (
    RUNS,
    execute,
    outcome_of,
    resumed_plan,
    source_warnings,
    start,
)
from snacbench.runner.plan import make_plan, summary_of, warnings_before, with_weights
from snacbench.store.run_folder import RunFolder, new_folder
from snacbench.tables.footnotes import late_warnings
from snacbench.tables.from_runs import summary_csv, summary_markdown, summary_tables
from snacbench.tables.run_rows import RunRows
from snacbench.testsets.segments import MIN_LUFS
from snacbench.types import DOMAINS

EXIT_FAILED_ROWS = 1


def _batch_size(context: click.Context, option: click.Parameter, text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"expected auto or a number from 1 up, found {text!r}")
    return int(text)


@click.command
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
    default=DEFAULT_SPEED_BUDGET_S,
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
    if resume and recipe:
        raise UserError(
            f"--resume takes up the request that {resume} was begun with; leave out {recipe}"
        )
    run_folder = RunFolder.open(resume) if resume else None
    with ProgressBar() as bar:
        if run_folder:
            plan = resumed_plan(
                run_folder, bar, retry_failed=retry_failed, offline=options["offline"]
            )
            plan = replace(plan, request=replace(plan.request, jobs=jobs))
        else:
            given = {name: value for name, value in options.items() if name in _given(context)}
            plan = make_plan(replace(request_of(recipe, given), jobs=jobs), bar)
    show_facts(summary_of(plan), to=err)
    if plan_only:
        return 0
    with ProgressBar() as bar:
        for warning in warnings_before(plan, resume or folder or RUNS):
            bar.note(warning, warning=True)
        if run_folder is None:
            plan = with_weights(plan, bar)
    run_folder = run_folder or start(plan, folder or new_folder(RUNS))
    err.print(f"run folder  {run_folder.path}", soft_wrap=True)
    try:
        with ProgressBar() as bar:
            execute(plan, run_folder, progress=bar, retry_failed=retry_failed)
    except KeyboardInterrupt:
        err.print(f"stopped; go on with: snacbench run --resume {run_folder.path}", soft_wrap=True)
        raise
    return finish(run_folder)


def finish(folder: RunFolder) -> int:
    """Write the summary into the run folder, show it, and say which rows failed."""
    rows = [RunRows.load(folder)]
    folder.write_text("summary.csv", summary_csv(rows))
    folder.write_text("summary.md", summary_markdown(rows))
    show_tables(summary_tables(rows))
    show_warnings([*source_warnings(folder), *late_warnings(rows[0])])
    outcome = outcome_of(folder)
    show_failures(outcome)
    out.print(f"\n{folder.path}", soft_wrap=True)
    return 0 if outcome.all_ok else EXIT_FAILED_ROWS


def _given(context: click.Context) -> set[str]:
    """Options that stand on the command line, by name."""
    return {
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
