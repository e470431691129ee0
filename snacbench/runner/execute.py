"""Carrying out a plan: calibrate, code, score; every finished row is on disk at once."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from snacbench import __version__
from snacbench.audio.resample import RESAMPLER
from snacbench.plugins import metrics as all_metrics
from snacbench.rows import Calibration, Coded, CodeHistogram, Run, Score
from snacbench.runner.calibrate import calibrate
from snacbench.runner.coding import CodecHandle, CodingJob, code_clip
from snacbench.runner.plan import Plan, recipe_of
from snacbench.runner.pool import run_jobs
from snacbench.runner.scoring import DecodeToScore, ScoringJob, score_clip
from snacbench.runner.signals import Channels, ReferenceRule
from snacbench.store.folder import SCHEMA_VERSION, RunFolder
from snacbench.store.provenance import machine, package_versions
from snacbench.testsets import TestSet
from snacbench.types import Clip, CodecSpec, Metric

Item = TypeVar("Item")


class Progress(Protocol):
    """Shown to whoever waits: a stage begins with a number of steps, then each is reported."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage of so many steps begins."""

    def step(self) -> None:
        """One step of the stage is done."""


class Silent:
    """Progress for callers that show none."""

    def begin(self, stage: str, steps: int) -> None:
        """Show nothing."""

    def step(self) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the rows that failed, of those there are."""

    failed_coded: tuple[Coded, ...]
    failed_scores: tuple[Score, ...]
    coded: int
    scores: int

    @property
    def all_ok(self) -> bool:
        """Whether no row failed; undefined scores are not failures."""
        return not self.failed_coded and not self.failed_scores


def start(plan: Plan, path: Path, *, workers: int) -> RunFolder:
    """Create the run folder of a plan whose weights are on disk.

    Raises
    ------
    StoreError
        If the folder is taken or cannot be written.
    """
    facts = {
        "weights decision": plan.decision or "as asked for",
        "precision": "float32, TF32 off",
        "workers": f"{_on(plan.request.device, workers)}, one thread each",
    }
    for planned in plan.codecs:
        facts.update(planned.model.versions())
    run = describe_run(
        recipe_of(plan.request),
        plan.test_set,
        tuple(planned.spec for planned in plan.codecs),
        plan.metrics,
        facts,
    )
    return RunFolder.create(path, run, plan.test_set.clips)


def describe_run(
    recipe: Mapping[str, Any],
    test_set: TestSet,
    codecs: tuple[CodecSpec, ...],
    metrics: tuple[Metric, ...],
    facts: Mapping[str, str],
) -> Run:
    """The provenance of a run that begins now."""
    measured = {key: text for metric in metrics for key, text in metric.versions().items()}
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
        facts={"resampler": RESAMPLER, **facts, **measured},
        machine=machine(),
    )


def execute(
    plan: Plan, folder: RunFolder, *, workers: int, progress: Progress | None = None
) -> Outcome:
    """Do what of a plan is not done yet.

    Raises
    ------
    UserError
        If the run cannot go on: the disk is full, weights are damaged, the folder is in use.
    """
    shown = progress or Silent()
    with folder.locked():
        _calibrate(plan, folder, workers, shown)
        _code(plan, folder, workers, shown)
        _score(folder, plan.metrics, workers, shown, by_name=bool(plan.request.metrics))
    return outcome_of(folder)


def score(
    folder: RunFolder,
    metrics: Iterable[Metric],
    *,
    workers: int,
    progress: Progress | None = None,
    by_name: bool = True,
) -> Outcome:
    """Score the decodes of an existing run by metrics that they lack."""
    with folder.locked():
        _score(folder, tuple(metrics), workers, progress or Silent(), by_name=by_name)
    return outcome_of(folder)


def outcome_of(folder: RunFolder) -> Outcome:
    """Which rows of a run failed."""
    coded = list(folder.read(Coded))
    scores = list(folder.read(Score))
    lost = {(row.clip, row.codec) for row in coded if row.status == "failed"}
    failed = (s for s in scores if s.status == "failed" and (s.clip, s.codec) not in lost)
    return Outcome(
        tuple(row for row in coded if row.status == "failed"),
        tuple(failed),
        len(coded),
        len(scores),
    )


# ------------------------------------------------------------------------------------- stages


def _handles(plan: Plan) -> list[CodecHandle]:
    device = plan.request.device
    return [
        CodecHandle(c.model.selector or c.model.name, c.spec, c.weights, device)
        for c in plan.codecs
    ]


def _calibrate(plan: Plan, folder: RunFolder, workers: int, progress: Progress) -> None:
    done = {row.codec for row in folder.read(Calibration)}
    alike: dict[str, list[CodecHandle]] = {}
    for handle in _handles(plan):
        if handle.spec.name not in done:
            # A network delays alike at every depth; Opus and its like choose modes by the rate.
            shared = bool(handle.spec.streams)
            alike.setdefault(handle.selector if shared else handle.spec.name, []).append(handle)
    jobs = [max(group, key=lambda h: h.spec.nominal_kbps or 0.0) for group in alike.values()]
    names = {
        job.spec.name: [handle.spec.name for handle in group]
        for job, group in zip(jobs, alike.values(), strict=True)
    }
    rows = run_jobs(
        calibrate,
        jobs,
        workers=_on(plan.request.device, workers),
        died=_uncalibrated,
        log=_log(folder),
    )
    for row in _watched(rows, "calibrate delay", len(jobs), progress):
        folder.append([replace(row, codec=name) for name in names[row.codec]])


def _uncalibrated(handle: CodecHandle, reason: str) -> Calibration:
    return Calibration(handle.spec.name, 0, handle.spec.rate_hz or 0, 0.0, 0.0, found=False)


def _code(plan: Plan, folder: RunFolder, workers: int, progress: Progress) -> None:
    done = {(row.clip, row.codec) for row in folder.read(Coded)}
    for codec in plan.codecs:
        folder.append(
            Coded(broken.id, codec.spec.name, "failed", broken.reason, broken.domain)
            for broken in plan.test_set.broken
            if (broken.id, codec.spec.name) not in done
        )
    jobs = [
        CodingJob(
            codec=handle,
            clip=clip,
            channels=plan.request.channels,
            run_seed=plan.request.seed,
            target=folder.decoded_path(clip.id, handle.spec.name),
            run_folder=folder.path,
        )
        for handle in _handles(plan)
        for clip in plan.test_set.clips
        if (clip.id, handle.spec.name) not in done
    ]
    results = run_jobs(
        code_clip, jobs, workers=_on(plan.request.device, workers), died=_lost, log=_log(folder)
    )
    for row, histograms in _watched(results, "encode and decode", len(jobs), progress):
        # Histograms first: a clip counts as coded only once everything about it is on disk.
        folder.append([*histograms, row])


def _lost(job: CodingJob, reason: str) -> tuple[Coded, tuple[CodeHistogram, ...]]:
    clip = job.clip
    row = Coded(clip.id, job.codec.spec.name, "failed", reason, clip.domain, clip.duration_s)
    return row, ()


def _log(folder: RunFolder) -> Path:
    return folder.path / "workers.log"


def _on(device: str, workers: int) -> int:
    """One worker owns the GPU; several would only share its memory."""
    return 1 if device == "cuda" else workers


def _score(
    folder: RunFolder,
    metrics: tuple[Metric, ...],
    workers: int,
    progress: Progress,
    *,
    by_name: bool,
) -> None:
    run = folder.run
    specs = {spec.name: spec for spec in run.codecs}
    delays = {row.codec: row.delay_samples for row in folder.read(Calibration)}
    done = {(row.clip, row.codec, row.metric, row.version) for row in folder.read(Score)}
    by_clip: dict[str, list[DecodeToScore]] = {}
    for row in folder.read(Coded):
        missing = tuple(
            m.spec.name
            for m in metrics
            if (row.clip, row.codec, m.spec.name, m.spec.version) not in done
        )
        if missing:
            decode = DecodeToScore(row, specs[row.codec], missing, delays.get(row.codec, 0))
            by_clip.setdefault(row.clip, []).append(decode)
    clips = {clip.id: clip for clip in folder.read(Clip)}
    _score_unreadable(folder, by_clip, clips)
    jobs = [
        ScoringJob(clips[clip], tuple(decodes), *_rules(run), folder.path, by_name)
        for clip, decodes in by_clip.items()
        if clip in clips
    ]
    rows = run_jobs(score_clip, jobs, workers=workers, died=_unscored, log=_log(folder))
    for scores in _watched(rows, "score", len(jobs), progress):
        folder.append(scores)


def _rules(run: Run) -> tuple[Channels, ReferenceRule]:
    return run.recipe["channels"], run.recipe["reference"]


def _score_unreadable(
    folder: RunFolder, by_clip: dict[str, list[DecodeToScore]], clips: dict[str, Clip]
) -> None:
    """Clips whose file could not be read have no reference: their scores fail at once."""
    folder.append(
        _failed(decode, metric, f"not decoded: {decode.coded.reason}")
        for clip, decodes in by_clip.items()
        if clip not in clips
        for decode in decodes
        for metric in decode.metrics
    )


def _unscored(job: ScoringJob, reason: str) -> list[Score]:
    return [_failed(d, metric, reason) for d in job.decodes for metric in d.metrics]


def _failed(decode: DecodeToScore, metric: str, reason: str) -> Score:
    version = all_metrics()[metric].spec.version
    coded = decode.coded
    return Score(coded.clip, coded.codec, metric, version, "failed", None, reason)


def _watched(results: Iterable[Item], stage: str, steps: int, progress: Progress) -> Iterator[Item]:
    if steps:
        progress.begin(stage, steps)
    for result in results:
        yield result
        progress.step()
