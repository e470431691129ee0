"""The jobs that code clips, in rounds; and those that prepare a codec for it.

Work goes in rounds of clips, and within a round codec by codec, so that a worker holds one model
at a time and the clips of a round are soon coded by all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from snacbench.errors import UserError
from snacbench.packages import missing_package
from snacbench.rows import Agreement, Calibration, SpotCheck
from snacbench.runner.agreement import agreement
from snacbench.runner.calibrate import calibrate
from snacbench.runner.coding import CodingJob, code_clips
from snacbench.runner.loading import CPU, CodecHandle
from snacbench.runner.memory import MAX_BATCH
from snacbench.runner.scoring import ScoringJob, score_clip
from snacbench.runner.signals import Channels, ReferenceRule
from snacbench.runner.spot import SpotJob, VerifyJob, clips_to_check, encode_points, verify
from snacbench.selectors import model_named
from snacbench.store.ledger import Ledger
from snacbench.types import Clip

ROUND_CLIPS = 256
# What the worker on a GPU gets at once: enough batches to read and write others during one.
_CHUNK_BATCHES = 4
_CHUNK_S = 1500.0  # and no more audio than that, for the sake of the computer's memory


@dataclass(frozen=True)
class CalibrationJob:
    """A codec whose delay is to be measured, and the operating points that share it."""

    codec: CodecHandle
    points: tuple[str, ...]

    def rows(self, found: Calibration | None) -> list[object]:
        """The delay that was found as a row per point; None: it could not be measured."""
        row = found or Calibration("", 0.0, 0.0, 0.0, found=False)
        return [replace(row, codec=point) for point in self.points]


@dataclass(frozen=True)
class AgreementJob:
    """A codec in reduced precision, to be compared with itself in full precision."""

    codec: CodecHandle


Job = SpotJob | VerifyJob | CalibrationJob | AgreementJob | CodingJob | ScoringJob
Rows = list[object]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Rules:
    """What holds for every clip of a run."""

    channels: Channels
    reference: ReferenceRule
    seed: int = 0
    asked_by_name: bool = False
    asr: str = ""
    keep_codes: bool = False


def work(job: Job) -> Rows:
    """Do a job, in a worker process; what comes of it are rows, of a `SpotJob` its points.

    Raises
    ------
    UserError
        If the run cannot go on: the disk is full, weights are damaged.
    """
    if isinstance(job, SpotJob):
        return encode_points(job)
    if isinstance(job, VerifyJob):
        return verify(job)
    if isinstance(job, CalibrationJob):
        return job.rows(_if_it_works(calibrate, job.codec))
    if isinstance(job, AgreementJob):
        row = _if_it_works(agreement, job.codec)
        return [row] if row else []
    if isinstance(job, ScoringJob):
        return score_clip(job)
    coded = code_clips(job)
    # Histograms first: a clip counts as coded only once everything about it is on disk.
    return [*(h for _, histograms in coded for h in histograms), *(row for row, _ in coded)]


def _if_it_works(measure: Callable[[CodecHandle], Row], codec: CodecHandle) -> Row | None:
    """What is measured of a codec; None if its own code fails, as it will on the clips."""
    try:
        return measure(codec)
    except UserError:
        raise
    except Exception as error:  # each clip's row will say what is wrong
        if missing := missing_package(error):
            raise missing from error
        return None


@dataclass(frozen=True)
class Preparations:
    """What is still to be done before codecs code, by the codec's name.

    `verdicts` tell of a codec that its spot check found nothing (empty), or why it may not code; a
    codec that is not there has still to be checked.
    """

    jobs: dict[str, list[Job]]
    verdicts: dict[str, str]

    def all(self) -> list[Job]:
        """The jobs of all codecs."""
        return [job for jobs in self.jobs.values() for job in jobs]


def preparations(
    handles: Sequence[CodecHandle], clips: Sequence[Clip], ledger: Ledger, rules: Rules
) -> Preparations:
    """What is still to be done and measured of each codec before it codes."""
    verdicts = {row.codec: row.reason for row in ledger.folder.read(SpotCheck)}
    for name in (handle.spec.name for handle in handles):
        if all(ledger.is_coded(clip.id, name) for clip in clips):
            verdicts.setdefault(name, "")
    jobs: dict[str, list[Job]] = {}
    unchecked = [handle for handle in handles if handle.spec.name not in verdicts]
    for spot in _spot_checks(unchecked, clips, rules):
        jobs[spot.points[0][0].spec.name] = [spot]
    for job in _calibrations(handles, done={row.codec for row in ledger.folder.read(Calibration)}):
        jobs.setdefault(job.points[0], []).append(job)
    compared = {row.codec for row in ledger.folder.read(Agreement)}
    for handle in handles:
        if handle.precision != "fp32" and handle.spec.name not in compared:
            jobs.setdefault(handle.spec.name, []).append(AgreementJob(handle))
    return Preparations(jobs, verdicts)


def _spot_checks(
    handles: Sequence[CodecHandle], clips: Sequence[Clip], rules: Rules
) -> Iterator[SpotJob]:
    """A job per model."""
    by_model: dict[str, list[tuple[CodecHandle, tuple[Clip, ...]]]] = {}
    for handle in handles:
        chosen = clips_to_check(clips, handle.spec.name, rules.seed)
        by_model.setdefault(handle.selector, []).append((handle, chosen))
    for points in by_model.values():
        yield SpotJob(tuple(points), rules.channels, rules.seed)


def _calibrations(handles: Sequence[CodecHandle], done: set[str]) -> Iterator[CalibrationJob]:
    """A network delays alike at every depth; Opus and its like choose modes by the rate.

    A network is measured at its model's highest rate, whichever of its points are in the run.
    """
    alike: dict[str, list[CodecHandle]] = {}
    for handle in handles:
        if handle.spec.name not in done:
            shared = bool(handle.spec.streams)
            alike.setdefault(handle.selector if shared else handle.spec.name, []).append(handle)
    for handle, *others in alike.values():
        spec = handle.spec
        if spec.streams:
            highest = model_named(handle.selector).points[-1]
            spec = replace(highest, model=spec.model, weights=spec.weights)
        points = tuple(each.spec.name for each in (handle, *others))
        yield CalibrationJob(replace(handle, spec=spec), points)


def coding_jobs(
    handles: Sequence[CodecHandle],
    clips: Sequence[Clip],
    before: Preparations,
    ledger: Ledger,
    rules: Rules,
) -> Iterator[Job | None]:
    """Jobs that code what is not coded yet, round by round, codec by codec.

    A codec's preparations come right before its first clips: the worker has the model then. It
    codes once there is a verdict on it; until then others do, and where none can, None says that
    there is no job now.
    """
    for start in range(0, max(len(clips), 1), ROUND_CLIPS):
        in_round = clips[start : start + ROUND_CLIPS]
        waiting: deque[CodecHandle] = deque()
        coming = deque(handles)
        while coming or waiting:
            if decided := next((h for h in waiting if h.spec.name in before.verdicts), None):
                waiting.remove(decided)
                refused = before.verdicts[decided.spec.name]
                yield from _coding(decided, in_round, ledger, rules, refused)
            elif coming:
                waiting.append(coming.popleft())
                yield from before.jobs.get(waiting[-1].spec.name, ()) if start == 0 else ()
            else:
                yield None


def _coding(
    handle: CodecHandle, clips: Sequence[Clip], ledger: Ledger, rules: Rules, refused: str
) -> Iterator[CodingJob]:
    left = [clip for clip in clips if not ledger.is_coded(clip.id, handle.spec.name)]
    for chunk in _chunks(left, handle):
        yield CodingJob(
            codec=handle,
            clips=chunk,
            channels=rules.channels,
            run_seed=rules.seed,
            run_folder=ledger.folder.path,
            batch=handle.batch,
            keep_codes=rules.keep_codes,
            refused=refused,
        )


def _chunks(clips: Sequence[Clip], handle: CodecHandle) -> Iterator[tuple[Clip, ...]]:
    """Clips one by one; or, where they go in batches, those of like length together."""
    if handle.batch == 1:
        yield from ((clip,) for clip in clips)
        return
    batch = handle.batch or MAX_BATCH
    most = batch if handle.device == CPU else batch * _CHUNK_BATCHES
    chunk: list[Clip] = []
    for clip in sorted(clips, key=lambda clip: clip.duration_s):
        if chunk and (len(chunk) == most or _duration_s(chunk) + clip.duration_s > _CHUNK_S):
            yield tuple(chunk)
            chunk = []
        chunk.append(clip)
    if chunk:
        yield tuple(chunk)


def _duration_s(clips: Sequence[Clip]) -> float:
    return sum(clip.duration_s for clip in clips)
