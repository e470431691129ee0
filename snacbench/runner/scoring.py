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
from snacbench.plugins import metrics as all_metrics
from snacbench.rows import ClipMeasures, Coded, Score, ScoreStatus
from snacbench.runner.signals import (
    Channels,
    ReferenceRule,
    align_at_codec_rate,
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
    references = _References(source)
    for decode in job.decodes:
        rows += _score_decode(job, decode, references)
    return rows


def unscored(coded: Coded, metrics: Iterable[str], reason: str) -> list[object]:
    """The rows of a decode that these metrics do not get to see."""
    return [_row(coded, name, "failed", reason) for name in metrics]


class _References:
    """Prepared references of one clip: each metric sees each reference once."""

    def __init__(self, source: Audio) -> None:
        self.source = source
        self._prepared: dict[tuple[str, int], PreparedMetric | Exception] = {}
        self._audio: dict[int, Audio] = {}

    def audio_for(self, spec: CodecSpec, rule: ReferenceRule) -> Audio:
        """The reference signal for a codec; the same object for codecs that share it."""
        key = 0 if rule == "source" or spec.rate_hz is None else spec.rate_hz
        if key not in self._audio:
            self._audio[key] = reference_for(self.source, spec, rule)
        return self._audio[key]

    def prepared(self, metric: Metric, reference: Audio) -> PreparedMetric:
        """The metric's scorer for a reference; an error in preparing it is raised each time."""
        key = (metric.spec.name, id(reference))
        if key not in self._prepared:
            try:
                self._prepared[key] = metric.prepare(for_metric(reference, metric.spec))
            except Exception as error:  # noqa: BLE001 - kept, and raised for every codec's row
                self._prepared[key] = error
        found = self._prepared[key]
        if isinstance(found, Exception):
            raise found
        return found


def _score_decode(
    job: ScoringJob, decode: DecodeToScore, references: _References
) -> Iterator[Score]:
    applicable = []
    for name in decode.metrics:
        metric = all_metrics()[name]
        unknown_but_asked = job.clip.domain == "unknown" and job.asked_by_name
        if job.clip.domain in metric.spec.domains or unknown_but_asked:
            applicable.append(metric)
        else:
            reason = (
                f"{name} is for {', '.join(metric.spec.domains)}, the clip is {job.clip.domain}"
            )
            yield _row(decode.coded, name, "skipped", reason)
    try:
        degraded = _read_decoded(job.run_folder, decode.coded)
        reference = references.audio_for(decode.spec, job.reference)
    except SnacbenchError as error:
        for metric in applicable:
            yield _row(decode.coded, metric.spec.name, "failed", str(error))
        return
    for metric in applicable:
        yield _score(metric, decode, reference, degraded, references)


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
            scorer = metric.prepare(for_metric(reference, metric.spec))
        else:
            scorer = references.prepared(metric, reference)
        ready = match_length(
            reference=for_metric(reference, metric.spec), degraded=for_metric(degraded, metric.spec)
        )
        value = scorer(degraded=ready)
    except Undefined as error:
        return _row(decode.coded, name, "undefined", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a metric's own code raises is a failed row
        return _row(decode.coded, name, "failed", f"{type(error).__name__}: {error}")
    if math.isnan(value):
        return _row(decode.coded, name, "failed", "the metric returned NaN")
    return Score(decode.coded.clip, decode.coded.codec, name, metric.spec.version, "ok", value)


def _row(coded: Coded, metric: str, status: ScoreStatus, reason: str) -> Score:
    version = all_metrics()[metric].spec.version
    return Score(coded.clip, coded.codec, metric, version, status, None, reason)
