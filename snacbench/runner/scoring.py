"""One clip, all its decodes, all metrics, in a worker process.

Work goes clip by clip because preparing a reference costs more than scoring one decode of it,
and a benchmark scores the same clip through many codecs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.audio.align import advanced, common_part
from snacbench.audio.io import read, read_clip
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, SnacbenchError, Undefined
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.plugins import metrics as all_metrics
from snacbench.rows import ClipMeasures, Coded, Delay, Score, ScoreStatus
from snacbench.runner.delays import delay_of
from snacbench.runner.signals import (
    Channels,
    ReferenceRule,
    check_covers,
    for_metric,
    match_length,
    reference_for,
    source_signal,
)
from snacbench.types import Audio, Clip, CodecSpec, Metric, MetricSpec, PreparedMetric
from snacbench.units import lateness


@dataclass(frozen=True)
class DecodeToScore:
    """One decoded file, the metrics it still lacks, and the delay of its codec.

    `delay_known` says that the clip's own `Delay` is on disk already.
    """

    coded: Coded
    spec: CodecSpec
    metrics: tuple[str, ...]
    delay_s: float
    delay_known: bool = False


@dataclass(frozen=True)
class ScoringJob:
    """One clip with every decode of it that lacks a score.

    `asked_by_name` says that the user named the metrics: then one for speech alone is also
    computed on clips whose domain nobody knows. `measure` asks for the clip's own measures, if
    its test set does not state them. `asr` names the recogniser under metrics of words.
    """

    clip: Clip
    decodes: tuple[DecodeToScore, ...]
    channels: Channels
    reference: ReferenceRule
    run_folder: Path
    asked_by_name: bool
    measure: bool = False
    asr: str = ""


def score_clip(job: ScoringJob) -> list[object]:
    """Score every decode of a clip; whatever goes wrong becomes a row with its reason."""
    try:
        audio = read_clip(job.clip)
        source = source_signal(audio, job.channels)
    except SnacbenchError as error:
        return [row for d in job.decodes for row in unscored(d.coded, d.metrics, str(error))]
    rows: list[object] = [ClipMeasures(job.clip.id, measure(audio))] if job.measure else []
    references = _References(source, job.clip.transcript)
    for decode in job.decodes:
        rows += _score_decode(job, decode, references)
    references.forget()
    return rows


def unscored(coded: Coded, metrics: Iterable[str], reason: str) -> list[Score]:
    """The rows of a decode that these metrics do not get to see."""
    return [_row(coded, name, "failed", reason) for name in metrics]


class _References:
    """Prepared references of one clip: each metric sees each reference once."""

    def __init__(self, source: Audio, transcript: str | None) -> None:
        self.source, self.transcript = source, transcript
        self._prepared: dict[tuple[str, int], PreparedMetric] = {}
        self._errors: dict[tuple[str, int], Exception] = {}
        self._audio: dict[int, Audio] = {}
        self._parts: dict[tuple[int, int, bool, int, int], Audio] = {}

    def forget(self) -> None:
        """Free the memory: errors kept here hold the frames that they passed, which hold this."""
        self._prepared.clear()
        self._errors.clear()
        self._audio.clear()
        self._parts.clear()

    def audio_for(self, spec: CodecSpec, rule: ReferenceRule) -> Audio:
        """The reference signal for a codec; the same object for codecs that share it."""
        key = 0 if rule == "source" or spec.rate_hz is None else spec.rate_hz
        if key not in self._audio:
            self._audio[key] = reference_for(self.source, spec, rule)
        return self._audio[key]

    def part(self, reference: Audio, spec: MetricSpec, start: int, stop: int) -> Audio:
        """A stretch of a reference at a metric's rate, the same object for all codecs."""
        key = (id(reference), spec.rate_hz, spec.mono, start, stop)
        if key not in self._parts:
            self._parts[key] = _cut(for_metric(reference, spec), start, stop)
        return self._parts[key]

    def prepared(self, metric: Metric, reference: Audio) -> PreparedMetric:
        """The metric's scorer for a reference; an error in preparing it is raised each time."""
        key = (metric.spec.name, id(reference))
        if key not in self._prepared and key not in self._errors:
            try:
                at_rate = for_metric(reference, metric.spec)
                self._prepared[key] = metric.prepared(at_rate, self.transcript)
            except Exception as error:  # noqa: BLE001 - kept, and raised for every codec's row
                self._errors[key] = error
        if key in self._errors:
            raise self._errors[key]
        return self._prepared[key]


def _score_decode(
    job: ScoringJob, decode: DecodeToScore, references: _References
) -> Iterator[Delay | Score]:
    reasons = {name: _not_meant_for(job, all_metrics()[name]) for name in decode.metrics}
    applicable = [
        all_metrics()[name].with_asr(job.asr) for name, reason in reasons.items() if not reason
    ]
    try:
        degraded = _read_decoded(job.run_folder, decode.coded)
        reference = references.audio_for(decode.spec, job.reference)
    except SnacbenchError as error:
        yield from unscored(decode.coded, [m.spec.name for m in applicable], str(error))
    else:
        yield from _scores(decode, applicable, reference, degraded, references)
    for name, reason in reasons.items():
        if reason:
            yield _row(decode.coded, name, "skipped", reason)


def _scores(
    decode: DecodeToScore,
    metrics: Sequence[Metric],
    reference: Audio,
    degraded: Audio,
    references: _References,
) -> Iterator[Delay | Score]:
    lag = 0
    if not decode.delay_known or any(metric.spec.aligned for metric in metrics):
        delay = delay_of(
            decode.coded, reference=reference, degraded=degraded, codec_delay_s=decode.delay_s
        )
        lag = round(delay.lag_s * delay.rate_hz)
        if not decode.delay_known:
            yield delay  # before the scores: once these are on disk, the decode is done with
    pair = _Pair(reference, degraded, advanced(degraded, lag), lag / degraded.rate_hz)
    for metric in metrics:
        yield _score(metric, decode.coded, pair, references)


def _not_meant_for(job: ScoringJob, metric: Metric) -> str:
    """Why a metric is not computed on a clip; empty if it is."""
    name, spec, clip = metric.spec.name, metric.spec, job.clip
    unknown_but_asked = clip.domain == "unknown" and job.asked_by_name
    if clip.domain not in spec.domains and not unknown_but_asked:
        return f"{name} is for {', '.join(spec.domains)}, the clip is {clip.domain}"
    if spec.needs_transcript and not clip.transcript:
        return f"{name} compares words, the test set states no transcript of the clip"
    return ""


def _read_decoded(run_folder: Path, coded: Coded) -> Audio:
    if coded.status != "ok" or coded.decoded is None:
        raise AudioError(f"not decoded: {coded.reason}")
    path = run_folder / coded.decoded
    audio = read(path)
    if sha256_of_file(path) != coded.decoded_sha256:
        raise AudioError(f"{path} is not the file that was decoded: its sha256 has changed")
    return audio


@dataclass(frozen=True)
class _Pair:
    """What is compared: aligned metrics get the decode in time, the others as it is."""

    reference: Audio
    degraded: Audio
    in_time: Audio
    lag_s: float


def _score(metric: Metric, coded: Coded, pair: _Pair, references: _References) -> Score:
    spec, compared = metric.spec, pair.reference
    try:
        reference = for_metric(pair.reference, spec)
        degraded = for_metric(pair.in_time if spec.aligned else pair.degraded, spec)
        ready = match_length(reference=reference, degraded=degraded)
        if spec.aligned:
            start, stop = _compared_part(reference, ready, pair.lag_s)
            compared, ready = references.part(compared, spec, start, stop), _cut(ready, start, stop)
        if spec.any_length:
            check_covers(reference=reference, degraded=ready)
        value = float(references.prepared(metric, compared)(degraded=ready))
    except Undefined as error:
        return _row(coded, spec.name, "undefined", str(error))
    except Exception as error:  # whatever a metric's own code raises is a failed row
        if missing := missing_package(error):
            raise missing from error
        return _row(coded, spec.name, "failed", f"{type(error).__name__}: {error}")
    if not math.isfinite(value):
        return _row(coded, spec.name, "failed", f"the metric returned {value}")
    return Score(coded.clip, coded.codec, spec.name, spec.version, "ok", value)


def _compared_part(reference: Audio, degraded: Audio, lag_s: float) -> tuple[int, int]:
    """First and last sample, exclusive, of what an aligned metric compares.

    Raises
    ------
    Undefined
        If the lengths differ, or the lag leaves less than half of what is compared at no lag.
    """
    if reference.num_samples != degraded.num_samples:
        raise Undefined(
            f"the decode lasts {degraded.duration_s:.3f} s, the clip {reference.duration_s:.3f} s; "
            "lengths must agree for an alignment"
        )
    lag = lag_s * reference.rate_hz
    start, stop = common_part(
        reference.num_samples, reference.rate_hz, earliest=math.floor(lag), latest=math.ceil(lag)
    )
    first, last = common_part(reference.num_samples, reference.rate_hz)
    if 2 * (stop - start) < last - first:
        raise Undefined(
            f"the decode comes {lateness(lag_s)} and the clip lasts {reference.duration_s:.3f} s: "
            "too little is left to compare; longer clips are needed"
        )
    return start, stop


def _cut(audio: Audio, start: int, stop: int) -> Audio:
    return Audio(audio.samples[:, start:stop], audio.rate_hz)


def _row(coded: Coded, metric: str, status: ScoreStatus, reason: str) -> Score:
    version = all_metrics()[metric].spec.version
    return Score(coded.clip, coded.codec, metric, version, status, None, reason)
