"""What is to be done next: codecs are prepared, clips are coded in rounds, and scored meanwhile.

Work goes in rounds of clips, and within a round codec by codec, so that a worker holds one model
at a time. A clip is scored as soon as every codec of the run has coded it, by one job that prepares
the reference once, while later clips are still being coded. Of the rows on disk only their places
are kept in memory.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from snacbench.errors import UserError
from snacbench.packages import missing_package
from snacbench.request import Channels, ReferenceRule
from snacbench.rows import Agreement, Calibration, Coded, SpotCheck
from snacbench.runner.calibrate import agreement, calibrate
from snacbench.runner.coding import CodingJob, code_clips, lost
from snacbench.runner.contract import (
    Point,
    SpotJob,
    VerifyJob,
    clips_to_check,
    encode_points,
    unverified,
    verify,
)
from snacbench.runner.loading import MAX_BATCH
from snacbench.runner.plan import CPU, PlannedCodec
from snacbench.runner.pool import DIED_TWICE
from snacbench.runner.scoring import DecodeToScore, ScoringJob, score_clip, unscored
from snacbench.selectors import model_named
from snacbench.store.ledger import Ledger
from snacbench.types import Clip, CodecSpec

ROUND_CLIPS = 256
# What the worker on a GPU gets at once: enough batches to read and write others during one.
_CHUNK_BATCHES = 4
_CHUNK_S = 1500.0  # and no more audio than that, for the sake of the computer's memory
STOPPED = "stopped: "
_ALIKE = 5  # first codings that fail alike, after which a codec is stopped
# Where in its own code a codec failed, at the end of a reason: "IndexError: ... (codec.py:12)".
_OWN_FAULT = re.compile(r"(?P<kind>\w+): .*(?P<place>\([^()]+:\d+\))$", re.DOTALL)

CHECK = "check"  # the lane of a process that never encodes
SPOT, CALIBRATE, COMPARE, CODE, SCORE = (
    "spot check", "calibrate delay", "compare precision", "encode and decode", "score",
)  # fmt: skip


@dataclass(frozen=True)
class CalibrationJob:
    """A codec whose delay is to be measured, and the operating points that share it."""

    codec: PlannedCodec
    points: tuple[str, ...]

    def rows(self, found: Calibration | None) -> list[object]:
        """The delay that was found as a row per point; None: it could not be measured."""
        row = found or Calibration("", 0.0, 0.0, 0.0, found=False)
        return [replace(row, codec=point) for point in self.points]


@dataclass(frozen=True)
class AgreementJob:
    """A codec in reduced precision, to be compared with itself in full precision."""

    codec: PlannedCodec


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
    keep_codes: bool = False
    keep_decoded: bool = True
    asr: str | None = None


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


def _if_it_works(measure: Callable[[PlannedCodec], Row], codec: PlannedCodec) -> Row | None:
    """What is measured of a codec; None if its own code fails, as it will on the clips."""
    try:
        return measure(codec)
    except UserError:
        raise
    except Exception as error:  # each clip's row will say what is wrong
        if missing := missing_package(error):
            raise missing from error
        return None


class Schedule:
    """The jobs of a run that are not done yet, as they become ready.

    Parameters
    ----------
    ledger : Ledger
        What is on disk; the rows that come of a job are appended to it before `done`.
    clips : mapping from id to Clip
    specs : sequence of CodecSpec
        The operating points of the run.
    codecs : sequence of PlannedCodec
        Those that are to code what they have not coded; empty: only what is coded is scored.

    Attributes
    ----------
    steps : dict from stage to int
    said : list of str
        Sentences for whoever waits; to be taken out once they are shown.
    """

    def __init__(
        self,
        ledger: Ledger,
        clips: Mapping[str, Clip],
        specs: Sequence[CodecSpec],
        rules: Rules,
        codecs: Sequence[PlannedCodec] = (),
    ) -> None:
        self._ledger, self._clips, self._rules = ledger, clips, rules
        self._specs = {spec.name: spec for spec in specs}
        self._delays = {row.codec: row.delay_s for row in ledger.folder.read(Calibration)}
        # Of a codec: that its spot check found nothing (empty), or why it may not code.
        self._verdicts = {row.codec: row.reason for row in ledger.folder.read(SpotCheck)}
        self._first_failures: dict[str, list[str] | None] = {c.spec.name: [] for c in codecs}
        self.said: list[str] = []
        for name in (codec.spec.name for codec in codecs):
            if all(ledger.is_coded(clip, name) for clip in clips):
                self._verdicts.setdefault(name, "")
        unchecked = sum(codec.spec.name not in self._verdicts for codec in codecs)
        before = self._preparations(codecs)
        jobs = [job for of_codec in before.values() for job in of_codec]
        self._uncalibrated = sum(isinstance(job, CalibrationJob) for job in jobs)
        self._unverified: deque[VerifyJob] = deque()
        self._coding = {
            device: self._coding_jobs([c for c in codecs if c.device == device], before)
            for device in {codec.device for codec in codecs}
        }
        coded = ledger.is_coded_by_all if codecs else ledger.is_coded_by_any
        self._ready = deque(c for c in clips if coded(c) and ledger.lacks_scores(c))
        later = sum(not coded(clip) for clip in clips) if codecs else 0
        self.steps = {
            SPOT: unchecked,
            CALIBRATE: self._uncalibrated,
            COMPARE: sum(isinstance(job, AgreementJob) for job in jobs),
            CODE: sum(not ledger.is_coded(c, h.spec.name) for c in clips for h in codecs),
            SCORE: len(self._ready) + later,
        }

    def next(self, lane: str) -> Job | None:
        """A job for a worker of this lane: decodes that wait for their scores come first."""
        if lane == CHECK:
            return self._unverified.popleft() if self._unverified else None
        if lane == CPU and self._ready and not self._uncalibrated:
            return self._scoring_job(self._ready.popleft())
        return next(self._coding.get(lane, iter(())), None)

    def rows_to_keep(self, job: Job, rows: Rows) -> Rows:
        """The rows of a job that go to disk; those of a `SpotJob` come of what verifies it."""
        return [] if isinstance(job, SpotJob) else rows

    def done(self, job: Job, rows: Rows) -> tuple[str, int]:
        """Take note of a job whose rows are on disk; the stage it belongs to and its steps."""
        if isinstance(job, SpotJob):
            if points := tuple(row for row in rows if isinstance(row, Point)):
                self._unverified.append(VerifyJob(points))
                return SPOT, 0
            # A worker that died leaves nothing, and will again on clips.
            self._verdicts.update((codec.spec.name, "") for codec, _ in job.points)
        if isinstance(job, VerifyJob):
            self._verdicts.update((r.codec, r.reason) for r in rows if isinstance(r, SpotCheck))
        if isinstance(job, SpotJob | VerifyJob):
            return SPOT, len(job.points)
        if isinstance(job, CalibrationJob):
            self._delays.update((r.codec, r.delay_s) for r in rows if isinstance(r, Calibration))
            self._uncalibrated -= 1
            return CALIBRATE, 1
        if isinstance(job, AgreementJob):
            return COMPARE, 1
        if isinstance(job, ScoringJob):
            if not self._rules.keep_decoded:
                for name in filter(None, (decode.coded.decoded for decode in job.decodes)):
                    (self._ledger.folder.path / name).unlink(missing_ok=True)
            return SCORE, 1
        for row in rows:
            if isinstance(row, Coded):
                self._watch(row)
        coded = (clip.id for clip in job.clips if self._ledger.is_coded_by_all(clip.id))
        self._ready.extend(clip for clip in coded if self._ledger.lacks_scores(clip))
        return CODE, len(job.clips)

    def apart(self, job: Job) -> Sequence[Job]:
        """A batch clip by clip: of those only one may be what the worker died of."""
        if isinstance(job, CodingJob) and len(job.clips) > 1:
            return [replace(job, clips=(clip,), batch=1) for clip in job.clips]
        if isinstance(job, VerifyJob):
            return [VerifyJob((point,)) for point in job.points]
        return [job]

    def lost(self, job: Job, reason: str) -> Rows:
        """The rows of a job that no worker survives."""
        if isinstance(job, CalibrationJob):
            return job.rows(None)
        if isinstance(job, VerifyJob):
            return unverified(job, reason)
        if isinstance(job, AgreementJob | SpotJob):
            return []
        if isinstance(job, ScoringJob):
            return [row for d in job.decodes for row in unscored(d.coded, d.metrics, reason)]
        return [lost(job, clip, reason)[0] for clip in job.clips]

    def _watch(self, row: Coded) -> None:
        """Stop a codec whose first codings all end at the same place of its own code."""
        found = self._first_failures.get(row.codec)
        if found is None:
            return
        fault = _OWN_FAULT.match(row.reason)
        if row.status == "ok" or not (fault or row.reason == DIED_TWICE):
            if row.status == "ok":
                self._first_failures[row.codec] = None
            return
        found.append(f"{fault['kind']} {fault['place']}" if fault else row.reason)
        if len(found) < _ALIKE:
            return
        self._first_failures[row.codec] = None
        if len(set(found)) == 1:
            reason = f"its first {_ALIKE} clips failed alike, the last one by {row.reason}"
            self._verdicts[row.codec] = f"{STOPPED}{reason}"
            self.said.append(
                f"{row.codec} is {STOPPED}{reason}; once that is mended, go on with --resume RUN "
                "--retry-failed"
            )

    def _preparations(self, codecs: Sequence[PlannedCodec]) -> dict[str, list[Job]]:
        """What is still to be done and measured before codecs code, by the name of the codec.

        A model's points are checked by one job. A network delays alike at every depth: it is
        measured once, at its model's highest rate, whichever of its points are in the run. Opus and
        its like choose modes by the rate.
        """
        jobs: dict[str, list[Job]] = {}
        clips, seed = list(self._clips.values()), self._rules.seed
        by_model: dict[str, list[tuple[PlannedCodec, tuple[Clip, ...]]]] = {}
        for codec in codecs:
            if codec.spec.name not in self._verdicts:
                chosen = clips_to_check(clips, codec.spec.name, seed)
                by_model.setdefault(codec.selector, []).append((codec, chosen))
        for points in by_model.values():
            job = SpotJob(tuple(points), self._rules.channels, seed)
            jobs[points[0][0].spec.name] = [job]
        alike: dict[str, list[PlannedCodec]] = {}
        for codec in codecs:
            if codec.spec.name not in self._delays:
                shared = codec.selector if codec.spec.streams else codec.spec.name
                alike.setdefault(shared, []).append(codec)
        for sharing in alike.values():
            codec, spec = sharing[0], sharing[0].spec
            names = tuple(each.spec.name for each in sharing)
            if spec.streams:
                highest = model_named(codec.selector).points[-1]
                spec = replace(highest, model=spec.model, weights=spec.weights)
            jobs.setdefault(names[0], []).append(CalibrationJob(replace(codec, spec=spec), names))
        compared = {row.codec for row in self._ledger.folder.read(Agreement)}
        for codec in codecs:
            if codec.precision != "fp32" and codec.spec.name not in compared:
                jobs.setdefault(codec.spec.name, []).append(AgreementJob(codec))
        return jobs

    def _coding_jobs(
        self, codecs: Sequence[PlannedCodec], before: Mapping[str, Sequence[Job]]
    ) -> Iterator[Job | None]:
        """Jobs that code what is not coded yet, round by round, codec by codec.

        A codec's preparations come right before its first clips: the worker has the model then. It
        codes once there is a verdict on it; until then others do, and where none can, None says
        that there is no job now.
        """
        clips = list(self._clips.values())
        for start in range(0, max(len(clips), 1), ROUND_CLIPS):
            in_round = clips[start : start + ROUND_CLIPS]
            waiting: deque[PlannedCodec] = deque()
            coming = deque(codecs)
            while coming or waiting:
                decided = next((c for c in waiting if c.spec.name in self._verdicts), None)
                if decided:
                    waiting.remove(decided)
                    name = decided.spec.name
                    left = [clip for clip in in_round if not self._ledger.is_coded(clip.id, name)]
                    for chunk in _chunks(left, decided):
                        yield self._coding_job(decided, chunk)
                elif coming:
                    waiting.append(coming.popleft())
                    yield from before.get(waiting[-1].spec.name, ()) if start == 0 else ()
                else:
                    yield None

    def _coding_job(self, codec: PlannedCodec, clips: tuple[Clip, ...]) -> CodingJob:
        return CodingJob(
            codec=codec,
            clips=clips,
            channels=self._rules.channels,
            run_seed=self._rules.seed,
            run_folder=self._ledger.folder.path,
            batch=codec.batch,
            keep_codes=self._rules.keep_codes,
            refused=self._verdicts[codec.spec.name],
        )

    def _scoring_job(self, clip: str) -> ScoringJob:
        decodes = (
            DecodeToScore(
                row,
                self._specs[row.codec],
                metrics,
                self._delays.get(row.codec, 0.0),
                delay_known=self._ledger.knows_delay(clip, row.codec),
            )
            for row, metrics in self._ledger.unscored(clip)
        )
        return ScoringJob(
            clip=self._clips[clip],
            decodes=tuple(decodes),
            channels=self._rules.channels,
            reference=self._rules.reference,
            run_folder=self._ledger.folder.path,
            asked_by_name=self._rules.asked_by_name,
            asr=self._rules.asr,
            measure=self._clips[clip].measures is None and not self._ledger.is_measured(clip),
        )


def _chunks(clips: Sequence[Clip], codec: PlannedCodec) -> Iterator[tuple[Clip, ...]]:
    """Clips one by one; or, where they go in batches, those of like length together."""
    if codec.batch == 1:
        yield from ((clip,) for clip in clips)
        return
    batch = codec.batch or MAX_BATCH
    most = batch if codec.device == CPU else batch * _CHUNK_BATCHES
    chunk: list[Clip] = []
    for clip in sorted(clips, key=lambda clip: clip.duration_s):
        together_s = sum(one.duration_s for one in chunk) + clip.duration_s
        if chunk and (len(chunk) == most or together_s > _CHUNK_S):
            yield tuple(chunk)
            chunk = []
        chunk.append(clip)
    if chunk:
        yield tuple(chunk)
