"""Carrying out a plan: calibrate, code, score; every finished row is on disk at once."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from snacbench import __version__
from snacbench.audio.resample import RESAMPLER
from snacbench.rows import ClipMeasures, Coded, Run, Score, Speed
from snacbench.runner.loading import CPU, CUDA, handle_of
from snacbench.runner.plan import Plan, recipe_of
from snacbench.runner.pool import run_jobs
from snacbench.runner.precision import DESCRIPTIONS
from snacbench.runner.ready import asked, facts_of, make_ready, scored_too
from snacbench.runner.retry import Retried, take_out_failed, take_out_failed_scores
from snacbench.runner.rounds import Rules, work
from snacbench.runner.schedule import CHECK, Schedule
from snacbench.runner.scoring import unscored
from snacbench.runner.speed import SpeedJob, measured
from snacbench.runner.spot import SpotJob
from snacbench.runner.versions import (
    check_versions,
    versions_of_codecs,
    versions_of_metrics,
)
from snacbench.store.agree import METRIC_VERSION
from snacbench.store.folder import SCHEMA_VERSION, RunFolder
from snacbench.store.ledger import Ledger
from snacbench.store.provenance import gpu, machine, package_versions
from snacbench.testsets import TestSet
from snacbench.testsets.describe import warnings_of
from snacbench.types import Clip, CodecSpec, Metric

Row = TypeVar("Row", Coded, Score)

MEASURE_SPEED = "measure speed"
_FAILURES_KEPT = 8


class Progress(Protocol):
    """Shown to whoever waits: stages with their numbers of steps; they overlap."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage of so many steps is to be done."""

    def step(self, stage: str, steps: int) -> None:
        """So many steps of a stage are done."""


class Silent:
    """Progress for callers that show none."""

    def begin(self, stage: str, steps: int) -> None:
        """Show nothing."""

    def step(self, stage: str, steps: int) -> None:
        """Show nothing."""


@dataclass
class Tally(Generic[Row]):
    """How many rows of a kind there are, how many failed, and the first of those."""

    rows: int = 0
    failed: int = 0
    first_failed: list[Row] = field(default_factory=list)

    def count(self, row: Row, *, forgiven: bool = False) -> bool:
        """Count a row; whether it failed."""
        failed = row.status == "failed" and not forgiven
        self.rows += 1
        self.failed += failed
        if failed and len(self.first_failed) < _FAILURES_KEPT:
            self.first_failed.append(row)
        return failed


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its codings and scores, and which of them failed.

    `retried` says how many were tried again, and what came of it.
    """

    coded: Tally[Coded]
    scores: Tally[Score]
    retried: str = ""

    @property
    def all_ok(self) -> bool:
        """Whether no row failed; undefined scores are not failures."""
        return not self.coded.failed and not self.scores.failed


def start(plan: Plan, path: Path, *, workers: int) -> RunFolder:
    """Create the run folder of a plan whose weights are on disk.

    Raises
    ------
    StoreError
        If the folder is taken or cannot be written.
    """
    facts = {
        "weights decision": plan.decision or "as asked for",
        "precision": DESCRIPTIONS[plan.request.precision],
        "workers": f"{workers}, one thread each"
        + (", and one for the GPU" if plan.request.device == CUDA else ""),
    }
    if plan.request.device == CUDA:
        facts["gpu"] = gpu()
    if plan.test_set.missing:
        facts["missing from the test set"] = "; ".join(plan.test_set.missing)
    if plan.test_set.notes:
        facts["test set"] = "; ".join(plan.test_set.notes)
    for planned in plan.codecs:
        facts.update(asked(planned.model.versions, planned.model.name))
    run = describe_run(
        recipe_of(plan.request),
        plan.test_set,
        tuple(planned.spec for planned in plan.codecs),
        plan.metrics,
        facts,
    )
    run = replace(run, codec_versions=versions_of_codecs(plan.codecs))
    return RunFolder.create(path, run, plan.test_set.clips)


def describe_run(
    recipe: Mapping[str, Any],
    test_set: TestSet,
    codecs: tuple[CodecSpec, ...],
    metrics: tuple[Metric, ...],
    facts: Mapping[str, str],
) -> Run:
    """The provenance of a run that begins now."""
    return Run(
        id=uuid.uuid4().hex[:12],
        started_utc=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        snacbench_version=__version__,
        schema_version=SCHEMA_VERSION,
        recipe=recipe,
        seed=recipe["seed"],
        device=recipe["device"],
        test_set=test_set.name,
        set_sha256=test_set.sha256,
        codecs=codecs,
        metrics=tuple(metric.spec for metric in metrics),
        packages=package_versions(),
        metric_versions=versions_of_metrics(metrics),
        facts={"resampler": RESAMPLER, **facts, **facts_of(metrics)},
        machine=machine(),
    )


def execute(
    plan: Plan,
    folder: RunFolder,
    *,
    workers: int,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Outcome:
    """Do what of a plan is not done yet; what has failed is, unless it is to be tried again.

    Raises
    ------
    UserError
        If the run cannot go on: the disk is full, weights are damaged, the folder is in use.
    """
    request = plan.request
    rules = Rules(
        channels=request.channels,
        reference=request.reference,
        seed=request.seed,
        asked_by_name=bool(request.metrics),
        asr=_asr_of(plan.metrics),
        keep_codes=request.keep_codes,
    )
    clips = {clip.id: clip for clip in plan.test_set.clips}
    handles = [handle_of(codec, request) for codec in plan.codecs]
    with folder.locked():
        retried = take_out_failed(folder, plan.test_set) if retry_failed else None
        specs = folder.run.codecs
        ledger = Ledger(folder, specs, [metric.spec for metric in plan.metrics])
        _enter_broken(ledger, plan)
        _score_unreadable(ledger, clips)
        schedule = Schedule(ledger, clips, specs, rules, handles)
        _carry_out(schedule, ledger, workers, progress or Silent())
        done = {row.codec for row in folder.read(Speed)}
        _measure_speeds(plan, folder, progress or Silent(), without=done)
    return outcome_of(folder, retried)


def measure_again(
    plan: Plan, folder: RunFolder, *, budget_s: float, progress: Progress | None = None
) -> None:
    """Measure the speed of all operating points of a run; what was measured before gives way.

    Raises
    ------
    UserError
        If the disk is full, or the folder is in use.
    """
    wanted = replace(plan, request=replace(plan.request, speed_budget_s=budget_s))
    with folder.locked():
        _measure_speeds(wanted, folder, progress or Silent())


def score(  # noqa: PLR0913 - keyword-only options of one verb
    folder: RunFolder,
    metrics: Iterable[Metric],
    *,
    workers: int,
    progress: Progress | None = None,
    by_name: bool = True,
    retry_failed: bool = False,
) -> Outcome:
    """Score the decodes of an existing run by metrics that they lack, and enter these in it.

    With `retry_failed`, scores by these metrics that have failed are made again.

    Raises
    ------
    UserError
        If a metric lacks what it needs, or words in the run were heard by another recogniser.
    """
    chosen = tuple(metrics)
    make_ready(chosen)
    versions = versions_of_metrics(chosen)
    run = scored_too(folder.run, chosen, place=str(folder.path))
    # A metric whose own version has changed scores everything anew, and mixes nothing.
    then = {n: v.get(METRIC_VERSION) for n, v in folder.run.metric_versions.items()}
    same = {n: v for n, v in versions.items() if then.get(n) == v[METRIC_VERSION]}
    check_versions(folder.run, codecs={}, metrics=same, place=str(folder.path))
    run = replace(run, metric_versions={**folder.run.metric_versions, **versions})
    recipe = run.recipe
    rules = Rules(
        recipe["channels"], recipe["reference"], asked_by_name=by_name, asr=_asr_of(chosen)
    )
    clips = {clip.id: clip for clip in folder.read(Clip)}
    with folder.locked():
        folder.rewrite_run(run)
        names = {metric.spec.name for metric in chosen}
        retried = take_out_failed_scores(folder, names) if retry_failed else None
        ledger = Ledger(folder, run.codecs, [metric.spec for metric in chosen])
        _score_unreadable(ledger, clips)
        schedule = Schedule(ledger, clips, run.codecs, rules)
        _carry_out(schedule, ledger, workers, progress or Silent())
    return outcome_of(folder, retried)


def _asr_of(metrics: Iterable[Metric]) -> str:
    """The recogniser that was named for metrics of words, for the workers; empty: none."""
    return next((metric.asr for metric in metrics if metric.asr), "")


def _carry_out(schedule: Schedule, ledger: Ledger, workers: int, progress: Progress) -> None:
    """Run the jobs; what comes of each is on disk before the next is looked at."""
    for stage, steps in schedule.steps.items():
        if steps:
            progress.begin(stage, steps)
    # One worker owns the GPU: several would only share its memory.
    lanes = {CPU: workers, CUDA: 1, CHECK: 1}
    log = ledger.folder.path / "workers.log"
    for job, rows in run_jobs(work, schedule, lanes=lanes, log=log):
        if not isinstance(job, SpotJob):  # whose rows come of what verifies it
            ledger.append(rows)
        progress.step(*schedule.done(job, rows))


def _measure_speeds(
    plan: Plan, folder: RunFolder, progress: Progress, *, without: Container[str] = ()
) -> None:
    """Time operating points one after another; every worker has ended before."""
    request = plan.request
    handles = [handle_of(codec, request) for codec in plan.codecs if request.speed_budget_s]
    jobs = [
        SpeedJob(handle, request.channels, request.speed_budget_s)
        for handle in handles
        if handle.spec.name not in without
    ]
    if jobs:
        progress.begin(MEASURE_SPEED, len(jobs))
    for row in measured(jobs, log=folder.path / "workers.log"):
        folder.append([row])
        progress.step(MEASURE_SPEED, 1)


def _enter_broken(ledger: Ledger, plan: Plan) -> None:
    """Files of the test set that nobody can read count as coded, and failed."""
    ledger.append(
        Coded(broken.id, codec.spec.name, "failed", broken.reason, broken.domain)
        for broken in plan.test_set.broken
        for codec in plan.codecs
        if not ledger.is_coded(broken.id, codec.spec.name)
    )


def _score_unreadable(ledger: Ledger, clips: Mapping[str, Clip]) -> None:
    """Clips whose file could not be read have no reference: their scores fail at once."""
    for clip in [clip for clip in ledger.clips() if clip not in clips]:
        ledger.append(
            score
            for coded, metrics in ledger.unscored(clip)
            for score in unscored(coded, metrics, f"not decoded: {coded.reason}")
        )


def source_warnings(folder: RunFolder) -> list[str]:
    """What to know of a run's recordings, now that the run has measured those it had to."""
    measured = {row.clip: row.measures for row in folder.read(ClipMeasures)}
    clips = [
        clip if clip.measures else replace(clip, measures=measured.get(clip.id))
        for clip in folder.read(Clip)
    ]
    return warnings_of(clips, codec_rates_hz=[spec.rate_hz for spec in folder.run.codecs])


def outcome_of(folder: RunFolder, retried: Retried | None = None) -> Outcome:
    """Which rows of a run failed; a coding that failed stands for its scores."""
    coded, scores = Tally[Coded](), Tally[Score]()
    lost: set[tuple[str, str]] = set()
    for row in folder.read(Coded):
        if coded.count(row):
            lost.add((row.clip, row.codec))
    for score in folder.read(Score):
        scores.count(score, forgiven=(score.clip, score.codec) in lost)
    return Outcome(coded, scores, retried.in_words(folder) if retried else "")
