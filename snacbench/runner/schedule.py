"""What is to be done next: inference and scoring overlap.

A clip is scored as soon as every codec of the run has coded it, by one job that prepares the
reference once, while later clips are still being coded. Of the rows on disk only their places
are kept in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snacbench.rows import Calibration, SpotCheck
from snacbench.runner import spot
from snacbench.runner.coding import CodingJob, lost
from snacbench.runner.loading import CPU, CodecHandle
from snacbench.runner.rounds import (
    AgreementJob,
    CalibrationJob,
    Job,
    Rows,
    Rules,
    coding_jobs,
    preparations,
)
from snacbench.runner.scoring import DecodeToScore, ScoringJob, unscored
from snacbench.runner.spot import Point, SpotJob, VerifyJob
from snacbench.store.ledger import Ledger
from snacbench.types import Clip, CodecSpec

CHECK = "check"  # the lane of a process that never encodes
SPOT, CALIBRATE, COMPARE, CODE, SCORE = (
    "spot check", "calibrate delay", "compare precision", "encode and decode", "score",
)  # fmt: skip


class Schedule:
    """The jobs of a run that are not done yet, as they become ready.

    Parameters
    ----------
    ledger : Ledger
        What is on disk; the rows that come of a job are appended to it before `done`.
    clips : mapping from id to Clip
    specs : sequence of CodecSpec
        The operating points of the run.
    handles : sequence of CodecHandle
        Those that are to code what they have not coded; empty: only what is coded is scored.
    """

    def __init__(
        self,
        ledger: Ledger,
        clips: Mapping[str, Clip],
        specs: Sequence[CodecSpec],
        rules: Rules,
        handles: Sequence[CodecHandle] = (),
    ) -> None:
        self._ledger, self._clips, self._rules = ledger, clips, rules
        self._specs = {spec.name: spec for spec in specs}
        self._delays = {row.codec: row.delay_s for row in ledger.folder.read(Calibration)}
        before = preparations(handles, list(clips.values()), ledger, rules)
        self._uncalibrated = sum(isinstance(job, CalibrationJob) for job in before.all())
        self._verdicts = before.verdicts
        self._unverified: deque[VerifyJob] = deque()
        self._coding = {
            device: coding_jobs(
                [handle for handle in handles if handle.device == device],
                list(clips.values()),
                before,
                ledger,
                rules,
            )
            for device in {handle.device for handle in handles}
        }
        coded = ledger.is_coded_by_all if handles else ledger.is_coded_by_any
        self._ready = deque(c for c in clips if coded(c) and ledger.lacks_scores(c))
        later = sum(not coded(clip) for clip in clips) if handles else 0
        self.steps = {
            SPOT: sum(handle.spec.name not in self._verdicts for handle in handles),
            CALIBRATE: self._uncalibrated,
            COMPARE: sum(isinstance(job, AgreementJob) for job in before.all()),
            CODE: sum(not ledger.is_coded(c, h.spec.name) for c in clips for h in handles),
            SCORE: len(self._ready) + later,
        }

    def next(self, lane: str) -> Job | None:
        """A job for a worker of this lane: decodes that wait for their scores come first."""
        if lane == CHECK:
            return self._unverified.popleft() if self._unverified else None
        if lane == CPU and self._ready and not self._uncalibrated:
            return self._scoring_job(self._ready.popleft())
        return next(self._coding.get(lane, iter(())), None)

    def done(self, job: Job, rows: Rows) -> tuple[str, int]:
        """Take note of a job whose rows are on disk; the stage it belongs to and its steps."""
        if isinstance(job, SpotJob):
            return self._encoded(job, [row for row in rows if isinstance(row, Point)])
        if isinstance(job, VerifyJob):
            self._verdicts.update((r.codec, r.reason) for r in rows if isinstance(r, SpotCheck))
            return SPOT, len(job.points)
        if isinstance(job, CalibrationJob):
            self._delays.update((r.codec, r.delay_s) for r in rows if isinstance(r, Calibration))
            self._uncalibrated -= 1
            return CALIBRATE, 1
        if isinstance(job, AgreementJob):
            return COMPARE, 1
        if isinstance(job, ScoringJob):
            return SCORE, 1
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
            return spot.lost(job, reason)
        if isinstance(job, AgreementJob | SpotJob):
            return []
        if isinstance(job, ScoringJob):
            return [row for d in job.decodes for row in unscored(d.coded, d.metrics, reason)]
        return [lost(job, clip, reason)[0] for clip in job.clips]

    def _encoded(self, job: SpotJob, points: Sequence[Point]) -> tuple[str, int]:
        """What is left to verify; a worker that died leaves nothing, and will again on clips."""
        if points:
            self._unverified.append(VerifyJob(tuple(points)))
            return SPOT, 0
        self._verdicts.update((handle.spec.name, "") for handle, _ in job.points)
        return SPOT, len(job.points)

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
