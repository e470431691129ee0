"""One clip, all its decodes, all metrics, in a worker process.

Work goes clip by clip because preparing a reference costs more than scoring one decode of it,
and a benchmark scores the same clip through many codecs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snacbench.audio.io import read, read_clip, sha256_of_file
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, SnacbenchError, Undefined
from snacbench.packages import missing_package
from snacbench.plugins import metrics as all_metrics
from snacbench.rows import ClipMeasures, Coded, Score, ScoreStatus
from snacbench.runner.signals import (
    Channels,
    ReferenceRule,
    align_at_codec_rate,
    check_covers,
    for_metric,
    match_length,
    reference_for,
    source_signal,
)
from snacbench.types import Audio, Clip, CodecSpec, Metric, PreparedMetric


@dataclass(frozen=True)
class DecodeToScore:
    """One decoded file, the metrics it still lacks, and the delay that `aligned` ones remove."""

    coded: Coded
    spec: CodecSpec
    metrics: tuple[str, ...]
    delay_samples: int


@dataclass(frozen=True)
class ScoringJob:
    """One clip with every decode of it that lacks a score.

    `asked_by_name` says that the user named the metrics: then one for speech alone is also
    computed on clips whose domain nobody knows. `measure` asks for the clip's own measures, if
    its test set does not state them.
    """

    clip: Clip
    decodes: tuple[DecodeToScore, ...]
    channels: Channels
    reference: ReferenceRule
    run_folder: Path
    asked_by_name: bool
    measure: bool = False


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


def unscored(coded: Coded, metrics: Iterable[str], reason: str) -> list[object]:
    """The rows of a decode that these metrics do not get to see."""
    return [_row(coded, name, "failed", reason) for name in metrics]


class _References:
    """Prepared references of one clip: each metric sees each reference once."""

    def __init__(self, source: Audio, transcript: str | None) -> None:
        self.source, self.transcript = source, transcript
        self._prepared: dict[tuple[str, int], PreparedMetric] = {}
        self._errors: dict[tuple[str, int], Exception] = {}
        self._audio: dict[int, Audio] = {}

    def forget(self) -> None:
        """Free the memory: errors kept here hold the frames that they passed, which hold this."""
        self._prepared.clear()
        self._errors.clear()
        self._audio.clear()

    def audio_for(self, spec: CodecSpec, rule: ReferenceRule) -> Audio:
        """The reference signal for a codec; the same object for codecs that share it."""
        key = 0 if rule == "source" or spec.rate_hz is None else spec.rate_hz
        if key not in self._audio:
            self._audio[key] = reference_for(self.source, spec, rule)
        return self._audio[key]

    def prepare(self, metric: Metric, reference: Audio) -> PreparedMetric:
        """The metric's scorer for a reference that no other codec has."""
        return metric.prepared(for_metric(reference, metric.spec), self.transcript)

    def prepared(self, metric: Metric, reference: Audio) -> PreparedMetric:
        """The metric's scorer for a reference; an error in preparing it is raised each time."""
        key = (metric.spec.name, id(reference))
        if key not in self._prepared and key not in self._errors:
            try:
                self._prepared[key] = self.prepare(metric, reference)
            except Exception as error:  # noqa: BLE001 - kept, and raised for every codec's row
                self._errors[key] = error
        if key in self._errors:
            raise self._errors[key]
        return self._prepared[key]


def _score_decode(
    job: ScoringJob, decode: DecodeToScore, references: _References
) -> Iterator[Score]:
    applicable = []
    for name in decode.metrics:
        metric = all_metrics()[name]
        if reason := _not_meant_for(job, metric):
            yield _row(decode.coded, name, "skipped", reason)
        else:
            applicable.append(metric)
    try:
        degraded = _read_decoded(job.run_folder, decode.coded)
        reference = references.audio_for(decode.spec, job.reference)
    except SnacbenchError as error:
        for metric in applicable:
            yield _row(decode.coded, metric.spec.name, "failed", str(error))
        return
    for metric in applicable:
        yield _score(metric, decode, reference, degraded, references)


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


def _score(
    metric: Metric,
    decode: DecodeToScore,
    reference: Audio,
    degraded: Audio,
    references: _References,
) -> Score:
    name = metric.spec.name
    try:
        if metric.spec.aligned and decode.delay_samples:
            reference, degraded = align_at_codec_rate(
                reference=reference, degraded=degraded, delay_samples=decode.delay_samples
            )
            scorer = references.prepare(metric, reference)
        else:
            scorer = references.prepared(metric, reference)
        ready = match_length(
            reference=for_metric(reference, metric.spec), degraded=for_metric(degraded, metric.spec)
        )
        if metric.spec.any_length:
            check_covers(reference=for_metric(reference, metric.spec), degraded=ready)
        value = float(scorer(degraded=ready))
    except Undefined as error:
        return _row(decode.coded, name, "undefined", str(error))
    except Exception as error:  # whatever a metric's own code raises is a failed row
        if missing := missing_package(error):
            raise missing from error
        return _row(decode.coded, name, "failed", f"{type(error).__name__}: {error}")
    if not math.isfinite(value):
        return _row(decode.coded, name, "failed", f"the metric returned {value}")
    return Score(decode.coded.clip, decode.coded.codec, name, metric.spec.version, "ok", value)


def _row(coded: Coded, metric: str, status: ScoreStatus, reason: str) -> Score:
    version = all_metrics()[metric].spec.version
    return Score(coded.clip, coded.codec, metric, version, status, None, reason)
