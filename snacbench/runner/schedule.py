"""What is to be done next: codecs are prepared, clips are coded in rounds, and scored meanwhile.

Work goes in rounds of clips, and within a round model by model, so that a worker holds one at a
time; points that can share an encoding go together. What is found out of a point holds under every
condition. A clip is scored as soon as every codec of the run has coded it, by one job that prepares
the reference once, while later clips are still being coded. Of the rows on disk only their places
are kept in memory.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import compress

from snacbench.request import Request
from snacbench.rows import Agreement, Calibration, Coded, SpotCheck
from snacbench.runner.coding import CodingJob
from snacbench.runner.loading import MAX_BATCH
from snacbench.runner.plan import CPU, PlannedCodec, condition_of, passes_of
from snacbench.runner.pool import DIED_TWICE, Job, Rows
from snacbench.runner.preparing import Point, PreparationJob, VerifyJob, clips_to_check
from snacbench.runner.scoring import DecodeToScore, ScoringJob, unscored
from snacbench.selectors import model_named
from snacbench.store.ledger import Ledger
from snacbench.store.run_folder import ROW_FILES
from snacbench.types import Clip
from snacbench.weights.of_metrics import digests_of

ROUND_CLIPS = 256
# What the worker on a GPU gets at once: enough batches to read and write others during one.
CHUNK_BATCHES = 4
CHUNK_S = 1500.0  # and no more audio than that, for the sake of the computer's memory
MOST_POINTS = 24  # of one encoding, for the same reason: every decode waits there for its file
STOPPED = "stopped: "
ALIKE = 5  # first codings that fail as on built-in excerpts, after which a codec is stopped
# Where in its own code a codec failed, at the end of a reason: "IndexError: ... (codec.py:12)".
_OWN_FAULT = re.compile(r"(?P<kind>\w+): .*(?P<place>\([^()]+:\d+\))$", re.DOTALL)

CHECK = "check"  # the lane of a process that never encodes
PREPARE, CODE, SCORE = "check codecs", "encode and decode", "score"


class Schedule:
    """The jobs of a run that are not done yet, as they become ready; their rows go to disk.

    `codecs` are to code what they have not coded; without any, only what is coded is scored.
    `whole` is the set that the clips are a shard of, so that codecs are checked on the same of its
    clips everywhere. `steps` counts what is to do by stage; `said` has sentences for whoever waits,
    to be taken out.
    """

    def __init__(
        self,
        ledger: Ledger,
        clips: Sequence[Clip],
        request: Request,
        codecs: Sequence[PlannedCodec] = (),
        *,
        whole: Sequence[Clip] | None = None,
    ) -> None:
        run, self._whole = ledger.folder.run, clips if whole is None else whole
        self._ledger, self._request = ledger, request
        self._clips = {clip.id: clip for clip in clips}
        self._specs = {spec.name: spec for spec in run.codecs}
        self._recorded = tuple((m, digests_of(info)) for m, info in run.metric_weights.items())
        for clip in [clip for clip in ledger.clips() if clip not in self._clips]:
            ledger.append(  # a file that could not be read is no reference either
                score
                for coded, metrics in ledger.unscored(clip)
                for score in unscored(coded, metrics, f"not decoded: {coded.reason}")
            )
        self._calibrated = {row.codec: row for row in ledger.folder.read(Calibration)}
        # Of a codec: that its spot check found nothing (empty), or why it may not code.
        self._verdicts = {row.codec: row.reason for row in ledger.folder.read(SpotCheck)}
        self.said: list[str] = []
        names = [codec.spec.name for codec in codecs]
        for name in (codec.spec.name for codec in codecs if not codec.spec.condition):
            self._judge(name)
            if all(ledger.is_coded(clip, name) for clip in self._clips):
                self._verdicts.setdefault(name, "")
        before = self._preparations(codecs)
        self._uncalibrated = sum(len(job.delays) for job in before.values())
        self._unverified: deque[VerifyJob] = deque()
        self._coding = {
            device: self._coding_jobs([c for c in codecs if c.device == device], before)
            for device in {codec.device for codec in codecs}
        }
        coded = ledger.is_coded_by_all if codecs else ledger.is_coded_by_any
        self._ready = deque(c for c in self._clips if coded(c) and ledger.lacks_scores(c))
        later = sum(not coded(clip) for clip in self._clips) if codecs else 0
        self.steps = {
            PREPARE: sum(job.steps for job in before.values()),
            CODE: sum(not ledger.is_coded(c, h) for c in self._clips for h in names),
            SCORE: len(self._ready) + later,
        }

    def next(self, lane: str) -> Job | None:
        """A job for a worker of this lane: decodes that wait for their scores come first."""
        if lane == CHECK:
            return self._unverified.popleft() if self._unverified else None
        if lane == CPU and self._ready and not self._uncalibrated:
            clip, ledger = self._clips[self._ready.popleft()], self._ledger
            decodes = []
            for row, metrics in ledger.unscored(clip.id):
                spec = self._specs[row.codec]
                found = self._calibrated.get(spec.without_condition.name)
                delay_s = found.delay_s * passes_of(spec) if found else 0.0
                known = ledger.knows_delay(clip.id, row.codec)
                decodes.append(DecodeToScore(row, spec, metrics, delay_s, known))
            measure = clip.measures is None and not ledger.is_measured(clip.id)
            place = ledger.folder.path
            return ScoringJob(clip, tuple(decodes), self._request, place, measure, self._recorded)
        return next(self._coding.get(lane, iter(())), None)

    def done(self, job: Job, rows: Rows) -> tuple[str, int]:
        """Put the rows of a job on disk; the stage that it belongs to and its steps."""
        self._ledger.append(row for row in rows if type(row) in ROW_FILES)
        if isinstance(job, PreparationJob):
            if points := tuple(row for row in rows if isinstance(row, Point)):
                self._unverified.append(VerifyJob(points))
            else:  # a worker that died leaves nothing, and will again on clips
                self._verdicts.update((codec.spec.name, "") for codec, _ in job.spots)
            self._calibrated |= {row.codec: row for row in rows if isinstance(row, Calibration)}
            self._uncalibrated -= len(job.delays)
            return PREPARE, job.steps - len(points)
        if isinstance(job, VerifyJob):
            self._verdicts.update((r.codec, r.reason) for r in rows if isinstance(r, SpotCheck))
            return PREPARE, len(job.points)
        if isinstance(job, ScoringJob):
            if not self._request.keep_decoded:
                for name in filter(None, (decode.coded.decoded for decode in job.decodes)):
                    (self._ledger.folder.path / name).unlink(missing_ok=True)
            return SCORE, 1
        assert isinstance(job, CodingJob)
        for row in rows:
            if isinstance(row, Coded) and not row.condition:
                self._judge(row.codec)
        coded = (clip.id for clip in job.clips if self._ledger.is_coded_by_all(clip.id))
        self._ready.extend(clip for clip in coded if self._ledger.lacks_scores(clip))
        return CODE, len(job.clips) * len(job.points)

    def _judge(self, name: str) -> None:
        """Stop a codec whose first codings all fail at the place where it fails on the excerpts."""
        excerpts = self._calibrated.get(name)
        first = [why for why in self._ledger.failures.get(name, ()) if _fault_of(why)][:ALIKE]
        alike = {_fault_of(why) for why in (excerpts.reason if excerpts else "", *first)}
        if len(first) == ALIKE and len(alike) == 1 and not self._verdicts.get(name):
            why = f"{STOPPED}its first {ALIKE} clips failed alike, the last one by {first[-1]}"
            self._verdicts[name] = why
            self.said.append(
                f"{name} is {why}; once that is mended, go on with --resume RUN --retry-failed"
            )

    def _preparations(self, codecs: Sequence[PlannedCodec]) -> dict[str, PreparationJob]:
        """What is still to be found out before codecs code, by the selector of their model."""
        # A network delays alike at every depth: it is measured once, at its model's highest rate,
        # whichever of its points are in the run. Opus and its like choose modes by the rate.
        compared = {row.codec for row in self._ledger.folder.read(Agreement)}
        jobs: dict[str, PreparationJob] = {}
        for selector in dict.fromkeys(codec.selector for codec in codecs):
            points = [c for c in codecs if c.selector == selector and not c.spec.condition]
            spots = (codec for codec in points if codec.spec.name not in self._verdicts)
            late = [codec for codec in points if codec.spec.name not in self._calibrated]
            names = tuple(codec.spec.name for codec in late)
            delays: list[tuple[PlannedCodec, tuple[str, ...]]]
            delays = [(codec, (codec.spec.name,)) for codec in late]
            if late and (spec := late[0].spec).streams:
                highest = model_named(selector).points[-1]
                highest = replace(highest, model=spec.model, weights=spec.weights)
                delays = [(replace(late[0], spec=highest), names)]
            seed = self._request.seed
            job = PreparationJob(
                self._request,
                tuple((c, clips_to_check(self._whole, c.spec.name, seed)) for c in spots),
                tuple(delays),
                tuple(c for c in points if c.precision != "fp32" and c.spec.name not in compared),
            )
            if job.steps:
                jobs[selector] = job
        return jobs

    def _coding_jobs(
        self, codecs: Sequence[PlannedCodec], before: dict[str, PreparationJob]
    ) -> Iterator[Job | None]:
        """Jobs that code what is not coded yet, round by round, model by model."""
        # A model is prepared right before its first clips: the worker has it then. A point codes
        # once there is a verdict on it, whatever it runs under; until then others do, and where
        # none can, None says that there is no job now.
        clips, folder = list(self._clips.values()), self._ledger.folder.path
        models = list(dict.fromkeys(codec.selector for codec in codecs))
        groups: dict[tuple[str, str], list[PlannedCodec]] = {}
        for codec in sorted(codecs, key=lambda codec: models.index(codec.selector)):
            groups.setdefault(_encoded_with(codec), []).append(codec)
        for group in groups.values():  # the deepest encodes
            group.sort(key=lambda codec: (-len(codec.spec.streams), passes_of(codec.spec)))
        for start in range(0, max(len(clips), 1), ROUND_CLIPS):
            in_round = clips[start : start + ROUND_CLIPS]
            waiting: deque[list[PlannedCodec]] = deque()
            coming = deque(groups.values())
            while coming or waiting:
                judged = (g for g in waiting if all(c.base.spec.name in self._verdicts for c in g))
                if points := next(judged, None):
                    waiting.remove(points)
                    for those, left in self._left(points, in_round):
                        for chunk in _chunks(left, those[0]):
                            of, verdict = tuple(chunk), self._verdicts[those[0].base.spec.name]
                            yield CodingJob(tuple(those), of, self._request, folder, verdict)
                elif coming:
                    waiting.append(coming.popleft())
                    if job := before.pop(waiting[-1][0].selector, None):
                        yield job
                else:
                    yield None

    def _left(
        self, group: Sequence[PlannedCodec], clips: Sequence[Clip]
    ) -> Iterator[tuple[list[PlannedCodec], list[Clip]]]:
        """Points of a group, and the clips that just these of them have not coded yet."""
        # Points that may not code go apart.
        fit = [codec for codec in group if not self._verdicts[codec.base.spec.name]]
        for points in (fit, *([codec] for codec in group if codec not in fit)):
            left: dict[tuple[bool, ...], list[Clip]] = {}
            for clip in clips:
                lacks = tuple(not self._ledger.is_coded(clip.id, p.spec.name) for p in points)
                left.setdefault(lacks, []).append(clip)
            for lacks, those in left.items():
                lacking = list(compress(points, lacks))
                for start in range(0, len(lacking), MOST_POINTS):
                    yield lacking[start : start + MOST_POINTS], those


def _encoded_with(codec: PlannedCodec) -> tuple[str, str]:
    """What points have in common that are encoded together."""
    # They get the same signals, and differ in how much of the codes they get, in what becomes of
    # that on its way, or in what their decodes are compared with; or they are cascades of one
    # point.
    base, condition = codec.base.spec.name, condition_of(codec.spec)
    shared = codec.selector if codec.model.nested else base
    if condition is None or condition.stage == "channel":
        return shared, ""
    if condition.stage == "cascade":
        return base, condition.kind
    options = tuple(option for option in condition.options if option != "clean")
    return shared, replace(condition, options=options).name


def _fault_of(reason: str) -> str:
    """The kind and place of a fault of a codec's own; empty for what a clip may be to blame for."""
    fault = _OWN_FAULT.match(reason)
    return f"{fault['kind']} {fault['place']}" if fault else reason * (reason == DIED_TWICE)


def _chunks(clips: Sequence[Clip], codec: PlannedCodec) -> list[list[Clip]]:
    """Clips one by one; or, where they go in batches, those of like length together."""
    if codec.batch == 1:
        return [[clip] for clip in clips]
    batch = codec.batch or MAX_BATCH
    most = batch if codec.device == CPU else batch * CHUNK_BATCHES
    chunks = list[list[Clip]]()
    for clip in sorted(clips, key=lambda clip: clip.duration_s):
        last = chunks[-1] if chunks else []
        together_s = sum(one.duration_s for one in (*last, clip))
        if last and len(last) < most and together_s <= CHUNK_S:
            last.append(clip)
        else:
            chunks.append([clip])
    return chunks
