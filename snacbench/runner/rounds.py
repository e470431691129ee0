"""The jobs that code clips, in rounds; and those that prepare a codec for it.

Work goes in rounds of clips, and within a round codec by codec, so that a worker holds one model
at a time and the clips of a round are soon coded by all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from snacbench.errors import UserError
from snacbench.rows import Agreement, Calibration
from snacbench.runner.agreement import agreement
from snacbench.runner.calibrate import calibrate
from snacbench.runner.coding import CodingJob, code_clips
from snacbench.runner.loading import CPU, CodecHandle
from snacbench.runner.memory import MAX_BATCH
from snacbench.runner.scoring import ScoringJob, score_clip
from snacbench.runner.signals import Channels, ReferenceRule
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


Job = CalibrationJob | AgreementJob | CodingJob | ScoringJob
Rows = list[object]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Rules:
    """What holds for every clip of a run."""

    channels: Channels
    reference: ReferenceRule
    seed: int = 0
    asked_by_name: bool = False
    keep_codes: bool = False


def work(job: Job) -> Rows:
    """Do a job, in a worker process; what comes of it are rows.

    Raises
    ------
    UserError
        If the run cannot go on: the disk is full, weights are damaged.
    """
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
    except Exception:  # noqa: BLE001 - each clip's row will say what is wrong
        return None


def preparations(handles: Sequence[CodecHandle], ledger: Ledger) -> dict[str, list[Job]]:
    """What is still to be measured of each codec before it codes, by the codec's name."""
    jobs: dict[str, list[Job]] = {}
    for job in _calibrations(handles, done={row.codec for row in ledger.folder.read(Calibration)}):
        jobs.setdefault(job.points[0], []).append(job)
    compared = {row.codec for row in ledger.folder.read(Agreement)}
    for handle in handles:
        if handle.precision != "fp32" and handle.spec.name not in compared:
            jobs.setdefault(handle.spec.name, []).append(AgreementJob(handle))
    return jobs


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
    before: Mapping[str, Sequence[Job]],
    ledger: Ledger,
    rules: Rules,
) -> Iterator[Job]:
    """Jobs that code what is not coded yet, round by round, codec by codec.

    A codec's preparations come right before its first clips: the worker has the model then.
    """
    for start in range(0, max(len(clips), 1), ROUND_CLIPS):
        in_round = clips[start : start + ROUND_CLIPS]
        for handle in handles:
            codec = handle.spec.name
            if start == 0:
                yield from before.get(codec, ())
            left = [clip for clip in in_round if not ledger.is_coded(clip.id, codec)]
            for chunk in _chunks(left, handle):
                yield CodingJob(
                    codec=handle,
                    clips=chunk,
                    channels=rules.channels,
                    run_seed=rules.seed,
                    run_folder=ledger.folder.path,
                    batch=handle.batch,
                    keep_codes=rules.keep_codes,
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
