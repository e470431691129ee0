"""``snacbench compare``: two runs, clip by clip, and a gate for a codec in development."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.markup import escape

from snacbench.cli.terminal import out, show_rows
from snacbench.compare import formats
from snacbench.compare.pairs import KBPS, Answer, Question, compare_runs, pairs_of
from snacbench.errors import StoreError, UnknownName, UserError, did_you_mean
from snacbench.plugins import metrics as known_metrics
from snacbench.rows import Run
from snacbench.selectors import among, split_selectors
from snacbench.store.agree import check_agreement
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows
from snacbench.types import Clip, MetricSpec

EXIT_WORSE = 1
_FAILED = "failed: the candidate is worse, or has lost clips"


@click.command(short_help="Compare two runs clip by clip; exit 1 if the second is worse.")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--codecs",
    multiple=True,
    metavar="A[=B]",
    help="Codecs as for run, of RUN_A and, if named otherwise, of RUN_B.  [default: in both]",
)
@click.option("--metrics", default="", help="Names, comma-separated.  [default: all of both]")
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="METRIC=VALUE",
    help=f"How much worse RUN_B may be, in the metric's unit; {KBPS}=VALUE gates the rate.",
)
@click.option("--strict", is_flag=True, help="Fail what is not shown to be within its tolerance.")
@click.option(
    "--shared-clips",
    is_flag=True,
    help="Allow runs of different test sets: compare the clips that are the same in both.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
)
def compare(
    run_a: Path,
    run_b: Path,
    codecs: tuple[str, ...],
    metrics: str,
    tolerances: tuple[str, ...],
    strict: bool,
    shared_clips: bool,
    form: str,
) -> int:
    """Compare RUN_B, the candidate, with RUN_A, the baseline, on the clips that both have.

    Exit code 1 if a metric is worse: beyond zero by its whole interval and after Holm's correction,
    or beyond its --tolerance. docs/comparing.md says what that means with few clips.
    """
    folders = RunFolder.open(run_a), RunFolder.open(run_b)
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    check_agreement(*folders, why="cannot be compared", metrics=names, same_set=not shared_clips)
    baseline, candidate = (RunRows.load(folder, histograms=False) for folder in folders)
    specs = shared_metrics([baseline, candidate], names)
    question = Question(
        pairs=pairs_of(baseline, candidate, _selected(folders[0].run, folders[1].run, codecs)),
        metrics=specs,
        tolerances=_tolerances(tolerances, specs),
        clips=_same_clips(*folders) if shared_clips else None,
        strict=strict,
    )
    answer = compare_runs(baseline, candidate, question)
    if form == "terminal":
        _show(answer)
    else:
        shown = {"markdown": formats.comparison_markdown, "json": formats.comparison_json}
        click.echo(shown[form](answer), nl=False)
    return 0 if answer.passed else EXIT_WORSE


def _selected(baseline: Run, candidate: Run, texts: Sequence[str]) -> list[str]:
    """Names, or ``A=B``, of the operating points that selectors stand for.

    Raises
    ------
    UnknownName
        If a run has none of them.
    UserError
        If the two sides of an equals sign are not as many.
    """
    chosen: list[str] = []
    for selector in split_selectors(",".join(texts)):
        left, equals, right = selector.partition("=")
        before = [spec.name for spec in among(baseline.codecs, left)]
        after = [spec.name for spec in among(candidate.codecs, right if equals else left)]
        if equals and len(before) != len(after):
            raise UserError(
                f"--codecs {selector}: {left} is {', '.join(before)}, {right} is "
                f"{', '.join(after)}; name one of each, or as many"
            )
        chosen += (
            map("=".join, zip(before, after, strict=True))
            if equals
            else [name for name in before if name in after]
        )
    if texts and not chosen:
        raise UnknownName(f"no codec that both runs have is named {', '.join(texts)}")
    return chosen


def shared_metrics(runs: Sequence[RunRows], names: Sequence[str]) -> dict[str, MetricSpec]:
    """Specs of the metrics that all the runs have scores of, or of those that are named.

    Raises
    ------
    UnknownName
        If a run has no scores of a metric that is named.
    UserError
        If the runs have no metric in common.
    """
    common = [m for m in runs[0].metrics if all(m in run.metrics for run in runs)]
    for name in names:
        if name not in common:
            raise UnknownName(
                f"not every run has scores of {name!r}; {did_you_mean(name, common)}"
                if common
                else f"not every run has scores of {name!r}, nor of any other metric in common"
            )
    chosen = names or common
    if not chosen:
        raise UserError("the runs have scores of no metric in common; see snacbench score")
    specs = {spec.name: spec for run in runs for spec in run.run.metrics}
    # Metrics that were added to a run later are not in its plan.
    later = (
        {m.spec.name: m.spec for m in known_metrics().values()}
        if set(chosen) - specs.keys()
        else {}
    )
    return {name: {**later, **specs}[name] for name in chosen}


def _tolerances(texts: Sequence[str], specs: Mapping[str, MetricSpec]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in (known := [*specs, KBPS]):
            raise UnknownName(
                f"--tolerance {text}: {name!r} is not compared; {did_you_mean(name, known)}"
            )
        try:
            value = float(number)
        except ValueError as error:
            raise _bad_tolerance(text) from error
        if not 0 <= value < float("inf"):
            raise _bad_tolerance(text)
        found[name] = value
    return found


def _bad_tolerance(text: str) -> UserError:
    return UserError(
        f"--tolerance {text}: expected METRIC=VALUE with a number of 0 or more, how much worse the "
        "candidate may be in the metric's unit, for example si_sdr=0.1"
    )


def _same_clips(one: RunFolder, other: RunFolder) -> frozenset[str]:
    """Clips with the same id, audio and segment in both runs.

    Raises
    ------
    StoreError
        If there is none.
    """
    first, second = (
        {(c.id, c.sha256, c.start, c.num_samples) for c in folder.read(Clip)}
        for folder in (one, other)
    )
    shared = first & second
    if not shared:
        raise StoreError(
            f"{one.path} and {other.path} share no clip of the same id and audio; "
            "run both on the same clips"
        )
    return frozenset(clip for clip, *_ in shared)


def _show(answer: Answer) -> None:
    show_rows(formats.HEADINGS, formats.comparison_rows(answer))
    if answer.rates:
        out.print()
        show_rows(formats.RATE_HEADINGS, formats.rate_rows(answer))
    out.print()
    for text in formats.remarks(answer):
        out.print(f"- {escape(text)}")
    out.print("passed" if answer.passed else _FAILED, style="bold")
    for line in formats.failures(answer):
        out.print(f"  {escape(line)}", soft_wrap=True)
