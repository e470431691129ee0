"""Whole runs: begun, gone on with, scored and timed again; finished rows are on disk at once."""

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from snacbench import __version__, rows
from snacbench.errors import StoreError, UserError
from snacbench.later import soxr
from snacbench.progress import SILENT, Progress
from snacbench.request import DEFAULT_SPEED_BUDGET_S, Request
from snacbench.runner import plan as plans
from snacbench.runner import versions
from snacbench.runner.cluster import Cluster, described, workers_on
from snacbench.runner.measured_cost import CostJob, SpeedJob, workers_for
from snacbench.runner.plan import Plan, PlannedCodec, warnings_before
from snacbench.runner.pool import LOG, Job, LocalWorkers, default_jobs, run_all, run_jobs
from snacbench.runner.schedule import CHECK, Schedule
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import SCHEMA_VERSION, RunFolder, new_folder
from snacbench.testsets import TestSet
from snacbench.testsets.describe import warnings_of
from snacbench.testsets.testset import counted
from snacbench.types import Clip, CodecSpec, Metric
from snacbench.weights.of_metrics import NETWORKS

Look: TypeAlias = Callable[[Plan, RunFolder | None], None]
"""Is shown a plan before anything of it is computed, and again with the folder of its run."""

RUNS = Path("runs")  # where runs go that name no folder
MEASURE_SPEED = "measure speed"
_NO_SPEED = "speeds depend on the node: measure them on the machine in question by snacbench speed"


def run(
    request: Request,
    *,
    client: Cluster = None,
    progress: Progress = SILENT,
    look: Look | None = None,
) -> RunFolder:
    """Code a test set through codecs and score what comes out; failures are rows.

    `client` is a cluster that does it, as `cluster.workers_on` takes it; None: this machine.
    """
    described(client, request.jobs)
    plan = plans.make_plan(request, progress)
    for text in warnings_before(plan, request.out or RUNS):
        progress.note(text, warning=True)
    if look:
        look(plan, None)
    plan = plans.with_weights(plan, progress)
    folder = start(plan, request.out or new_folder(RUNS))
    if look:
        look(plan, folder)
    execute(plan, folder, client=client, progress=progress, retry_failed=False)
    return folder


def resume(  # noqa: PLR0913 - keyword-only options of one verb
    folder: RunFolder,
    *,
    client: Cluster = None,
    retry_failed: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
    look: Look | None = None,
) -> RunFolder:
    """Go on with a run: nothing is repeated, but with `retry_failed` what has failed.

    Raises UserError if the test set, the weights, recordings of conditions or what computes codecs
    and metrics are no longer those that the run began with, or it cannot go on.
    """
    described(client, jobs)
    plan = resumed_plan(folder, progress, retry_failed=retry_failed, offline=offline)
    plan = replace(plan, request=replace(plan.request, jobs=jobs))
    for text in warnings_before(plan, folder.path):
        progress.note(text, warning=True)
    if look:
        look(plan, folder)
    execute(plan, folder, client=client, progress=progress, retry_failed=retry_failed)
    return folder


def measure_speed(
    folder: RunFolder,
    *,
    budget_s: float = DEFAULT_SPEED_BUDGET_S,
    offline: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Time all operating points of a run again, for `budget_s` seconds each.

    Raises UserError if the weights or what computes the codecs are no longer those that the run
    began with; its test set and its metrics need not be there.
    """
    codecs = _codecs_again(folder, progress, offline=offline)
    with folder.locked():
        channels = folder.run.request.channels
        jobs = [SpeedJob(codec, channels, budget_s) for codec in codecs]
        _measure(MEASURE_SPEED, jobs, folder, progress)


def measure_cost(folder: RunFolder, *, offline: bool = False, progress: Progress = SILENT) -> None:
    """Count the operations of all operating points of a run, and measure memory and delay.

    Raises as `measure_speed`.
    """
    codecs = _codecs_again(folder, progress, offline=offline)
    with folder.locked():
        jobs, workers = [CostJob(codec) for codec in codecs], workers_for(codecs)
        _measure("measure cost", jobs, folder, progress, workers=workers)


def _measure(
    stage: str, jobs: Sequence[Job], folder: RunFolder, progress: Progress, *, workers: int = 1
) -> None:
    """Measure operating points, speeds one after another; every other worker has ended before."""
    if jobs:
        progress.begin(stage, len(jobs))
    for found in run_all(jobs, log=folder.path / LOG, workers=workers):
        folder.append(found)
        progress.step(stage, failed=sum(bool(getattr(row, "reason", "")) for row in found))


def score_again(  # noqa: PLR0913 - keyword-only options of one verb
    folder: RunFolder,
    metrics: Sequence[str] | None = (),
    *,
    client: Cluster = None,
    asr: str | None = None,
    weights: Sequence[str] = (),
    retry_failed: bool = False,
    jobs: int | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> RunFolder:
    """Score the decodes of a run by metrics that they lack, and enter these in it.

    With `retry_failed`, scores by these metrics (none named: by all that the run has) that have
    failed are made again. `metrics` None stands for those of the run. `weights` say where files of
    metrics' models are, by default as the run was asked.

    Raises UserError if no metric is named or known, one lacks what it needs, words in the run were
    heard by another recogniser, or a recording that conditions name has changed.
    """
    if not metrics and metrics is not None and not retry_failed:
        text = "name metrics with --metrics, or try failed scores again with --retry-failed"
        raise UserError(text)
    described(client, jobs)
    run, request = folder.run, folder.run.request
    if not request.keep_decoded:
        raise UserError(
            f"the decoded audio of {folder.path} was not kept: nothing more can be scored; run its "
            "codecs again with all metrics that are wanted"
        )
    if not folder.has_decoded and any(row.status == "ok" for row in folder.read(rows.Coded)):
        raise UserError(
            f"there is no decoded audio in {folder.path}: nothing can be scored; put its decoded "
            "folder back where it was, or run its codecs again with all metrics that are wanted"
        )
    names = list(metrics or ()) or [spec.name for spec in run.metrics]
    named, asr = tuple(metrics or request.metrics), asr or request.asr
    plans.check_weight_names(weights, [spec.model for spec in run.codecs])
    request = replace(request, metrics=named, asr=asr, offline=offline)
    request = replace(request, weights=tuple(weights) or request.weights)
    chosen = plans.chosen_metrics(request, names)
    versions.make_ready(chosen, progress)
    here = {path: then for path, then in run.recordings.items() if Path(path).is_file()}
    versions.check_recordings(here, place=str(folder.path))  # without one, its points alone fail
    run = versions.scored_too(run, chosen, place=str(folder.path))
    with folder.locked():
        folder.rewrite_run(run)
        lost = {(row.clip, row.codec) for row in folder.read(rows.Coded) if row.status != "ok"}

        def failed(row: rows.Score) -> bool:
            decoded = (row.clip, row.codec) not in lost
            return row.status == "failed" and row.metric in names and decoded

        if retry_failed:
            _take_out(folder, progress, scores=failed, codings=False)
        ledger = Ledger(folder, run.codecs, [metric.spec for metric in chosen])
        schedule = Schedule(ledger, list(folder.read(Clip)), request)
        carry_out(schedule, folder, progress, jobs=jobs, client=client)
    return folder


def start(plan: Plan, path: Path) -> RunFolder:
    """Create the run folder of a plan whose weights are on disk."""
    request = plan.request
    on_gpu = request.device == plans.CUDA
    facts = {
        "weights decision": plan.decision or "as asked for",
        "precision": plans.PRECISION_TEXTS[request.precision],
        "workers": f"{request.jobs or default_jobs()}, one thread each"
        + (", and one for the GPU" if on_gpu else ""),
        "gpu": versions.gpu() if on_gpu else "",
        "conditions left out": plan.left_out,
        rows.MISSING: "; ".join(plan.test_set.missing),
    }
    models = {codec.spec.model: codec.model for codec in plan.bases}
    for model in models.values():
        facts.update(versions.asked(model.versions, model.name))
    specs = tuple(planned.spec for planned in plan.codecs)
    run = describe_run(plans.recorded(request), plan.test_set, specs, plan.metrics, facts)
    computed_by, kept = versions.versions_of_codecs(models), plan.recordings
    run = replace(run, codec_versions=computed_by, lacking=plan.lacking, recordings=kept)
    return RunFolder.create(path, _with_digests(run, plan), plan.test_set.clips)


def _with_digests(run: rows.Run, plan: Plan) -> rows.Run:
    """The provenance of a run of a plan's clips, and of the set that they are a shard of."""
    of_whole = plan.whole.sha256 if plan.request.shard else ""
    return replace(run, set_sha256=plan.test_set.sha256, whole_set_sha256=of_whole)


def describe_run(
    request: Request,
    test_set: TestSet,
    codecs: tuple[CodecSpec, ...],
    metrics: Sequence[Metric],
    facts: Mapping[str, str],
) -> rows.Run:
    """The provenance of a run that begins now; facts that are empty are left out."""
    facts = {"resampler": f"soxr {soxr.__version__} VHQ", **facts}
    facts |= {"test set": "; ".join(test_set.notes), **versions.facts_of(metrics)}
    return rows.Run(
        id=uuid.uuid4().hex[:12],
        started_utc=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        snacbench_version=__version__, schema_version=SCHEMA_VERSION, request=request,
        seed=request.seed, device=request.device, test_set=test_set.name,
        set_sha256=test_set.sha256, codecs=codecs, metrics=tuple(metric.spec for metric in metrics),
        packages=versions.package_versions(), metric_versions=versions.versions_of_metrics(metrics),
        metric_weights=versions.weights_of_metrics(metrics),
        facts={name: text for name, text in facts.items() if text},
        machine=versions.machine(),
    )  # fmt: skip


def execute(
    plan: Plan, folder: RunFolder, *, client: Cluster, progress: Progress, retry_failed: bool
) -> None:
    """Do what of a plan is not done yet; what has failed is, unless it is to be tried again.

    Raises UserError if the run cannot go on: the disk is full, weights are damaged, the folder is
    in use.
    """
    request, clips = plan.request, plan.test_set.clips
    with folder.locked():
        if retry_failed and folder.run.set_sha256 != plan.test_set.sha256:
            # Files that can be read again become clips of the run.
            folder.replace(Clip, clips, of=lambda clip: True)
            folder.rewrite_run(_with_digests(folder.run, plan))
        if retry_failed:
            _take_out(folder, progress, scores=lambda row: row.status == "failed", codings=True)
        ledger = Ledger(folder, folder.run.codecs, [metric.spec for metric in plan.metrics])
        ledger.append(  # files of the test set that nobody can read count as coded, and failed
            rows.Coded(
                broken.id, s.name, "failed", broken.reason, broken.domain, condition=s.condition
            )
            for broken in plan.test_set.broken
            for s in (codec.spec for codec in plan.codecs)
            if not ledger.is_coded(broken.id, s.name)
        )
        schedule = Schedule(ledger, clips, request, plan.codecs, whole=plan.whole.clips)
        carry_out(schedule, folder, progress, jobs=request.jobs, client=client)
        if client is not None:
            progress.note(f"{_NO_SPEED} {folder.path}")
        elif budget_s := request.speed_budget_s:
            done = {row.codec for row in folder.read(rows.Speed)}
            untimed = (codec for codec in plan.bases if codec.spec.name not in done)
            jobs = [SpeedJob(codec, request.channels, budget_s) for codec in untimed]
            _measure(MEASURE_SPEED, jobs, folder, progress)


def carry_out(
    schedule: Schedule, folder: RunFolder, progress: Progress, *, jobs: int | None, client: Cluster
) -> None:
    """Run the jobs; what comes of each is on disk before the next is looked at."""
    for stage, steps in schedule.steps.items():
        if steps:
            progress.begin(stage, steps)
    # One worker owns the GPU: several would only share its memory.
    NETWORKS.clear()  # they were tried, and workers load them for themselves
    most = {plans.CPU: jobs or default_jobs(), plans.CUDA: 1, CHECK: 1}
    here = LocalWorkers(most, folder.path / LOG)
    with nullcontext(here) if client is None else workers_on(client, folder, jobs) as workers:
        for job, found in run_jobs(schedule.next, workers):
            stage, steps = schedule.done(job, found)
            failed = sum(getattr(row, "status", "") == "failed" for row in found)
            progress.step(stage, steps, failed=failed)
            while schedule.said:
                progress.note(schedule.said.pop(), warning=True)


def source_warnings(folder: RunFolder) -> list[str]:
    """What to know of a run's recordings, now that the run has measured those it had to."""
    measured = {row.clip: row.measures for row in folder.read(rows.ClipMeasures)}
    clips = [
        clip if clip.measures else replace(clip, measures=measured.get(clip.id))
        for clip in folder.read(Clip)
    ]
    return warnings_of(clips, codec_rates_hz=[spec.rate_hz for spec in folder.run.codecs])


# ------------------------------------------- going on with a run, and trying failed rows again
def resumed_plan(
    folder: RunFolder, progress: Progress, *, retry_failed: bool, offline: bool
) -> Plan:
    """The plan of an existing run, its weights on disk and those that it began with.

    Raises StoreError if the run was merged or made from files, or the test set, the weights or what
    computes codecs and metrics are no longer those that it began with.
    """
    path, run, request = folder.path, folder.run, _request_again(folder, offline=offline)
    if request.allow_missing_metrics:  # those that it has, and no others
        names = tuple(spec.name for spec in run.metrics)
        request = replace(request, metrics=names, allow_missing_metrics=False)
    plan = plans.make_plan(request, progress)
    versions.check_recordings(run.recordings, place=str(path))
    same = plan.test_set.sha256 == run.set_sha256
    if not same and retry_failed:  # may be but for files that could not be read then
        samples = attrgetter("id", "sha256", "start", "num_samples")
        begun, clips = set(map(samples, folder.read(Clip))), plan.test_set.clips
        new = {clip.id for clip in clips if samples(clip) not in begun}
        unread = {row.clip for row in folder.read(rows.Coded) if row.duration_s is None}
        # A segment's id is the file's with a place in it.
        same = begun <= set(map(samples, clips)) and all(
            unread & {clip, clip.rpartition("+")[0]} for clip in new
        )
    if same and any(spec.needs_transcript for spec in run.metrics):
        words = attrgetter("id", "transcript", "language")
        same = set(map(words, folder.read(Clip))) <= set(map(words, plan.test_set.clips))
    if not same:
        raise StoreError(
            f"the test set {run.test_set}, or what is said in it, has changed since {path} was "
            "begun; start a new run"
        )
    plan = plans.with_weights(plan, progress)
    _check_same(folder, plan.codecs, plan.metrics)
    # By whose metrics, named or not, it is decided what is scored of clips of unknown domain.
    return replace(plan, decision="", request=replace(plan.request, metrics=run.request.metrics))


def _request_again(folder: RunFolder, *, offline: bool) -> Request:
    """What a run asked for; StoreError if it was merged or made from files."""
    request = folder.run.request
    if request.merged or request.outside:
        made = "merged" if request.merged else "made from files"
        raise StoreError(
            f"{folder.path} cannot be gone on with: it was {made}; go on with the runs that it was "
            "made of"
        )
    return replace(request, offline=offline)


def _codecs_again(
    folder: RunFolder, progress: Progress, *, offline: bool
) -> tuple[PlannedCodec, ...]:
    """The codecs of an existing run, as `resumed_plan` has them, under no condition."""
    request = _request_again(folder, offline=offline)
    planned, policy, _ = plans.plan_codecs(request)
    plans.check_packages(planned)
    plans.check_device(request)
    codecs = plans.locate_all(planned, policy, progress)
    _check_same(folder, codecs)
    return tuple(codec for codec in codecs if not codec.spec.condition)


def _check_same(
    folder: RunFolder, codecs: Sequence[PlannedCodec], metrics: Sequence[Metric] = ()
) -> None:
    """Refuse codecs, weights and versions that are not those that a run began with."""
    path, run = folder.path, folder.run
    then = [(spec.name, spec.weights.sha256) for spec in run.codecs]
    now = [(codec.spec.name, codec.spec.weights.sha256) for codec in codecs]
    if then != now:
        raise StoreError(f"the codecs or weights of {path} are no longer the same; start a new run")
    versions.check_versions(
        run,
        codecs=versions.versions_of_codecs(
            {codec.spec.model: codec.model for codec in codecs if not codec.spec.condition}
        ),
        metrics=versions.versions_of_metrics(metrics),
        place=str(path),
    )


def _take_out(
    folder: RunFolder, progress: Progress, *, scores: Callable[[rows.Score], bool], codings: bool
) -> None:
    """Remove the failed `scores`, those of sets too, and failed codings, to be made again."""
    scored = [*folder.take_out(rows.Score, of=scores), *folder.take_out(rows.Embedded, of=scores)]
    coded = list[rows.Coded]()
    if codings:  # last: a run that is stopped in between still has failed as a whole
        folder.take_out(rows.SpotCheck, of=lambda row: not row.passed)
        work = {row.codec for row in folder.read(rows.Coded) if row.status == "ok"}
        folder.take_out(rows.Calibration, of=lambda r: not r.found and r.codec not in work)
        coded = folder.take_out(rows.Coded, of=lambda row: row.status == "failed")
    counts = {"coding": len(coded), "score": len(scored)}
    said = " and ".join(counted(n, what) for what, n in counts.items() if n)
    progress.note(f"failed before, tried again: {said or 'nothing'}")
