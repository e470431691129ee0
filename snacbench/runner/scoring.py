"""One clip, all its decodes, all metrics, in a worker process; and how late each decode comes.

Work goes clip by clip because preparing a reference costs more than scoring one decode of it,
and a benchmark scores the same clip through many codecs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snacbench.audio.align import (
    MAX_DELAY_S,
    PLAINLY_ALIKE,
    WINDOW_S,
    Match,
    advanced,
    best_lag,
    common_part,
    cross_correlation,
    strongest,
)
from snacbench.audio.channels import downmix
from snacbench.audio.io import read, read_clip
from snacbench.audio.measures import measure
from snacbench.errors import AudioError, SnacbenchError, Undefined
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.plugins import metrics as all_metrics
from snacbench.request import Channels, ReferenceRule
from snacbench.rows import ClipMeasures, Coded, Delay, Score, ScoreStatus
from snacbench.runner.signals import (
    at_rate,
    check_covers,
    for_metric,
    match_length,
    reference_for,
    source_signal,
)
from snacbench.types import Audio, Clip, CodecSpec, Metric, MetricSpec, PreparedMetric
from snacbench.units import lateness

# The wide search needs neither higher frequencies nor finer lags, and other metrics use this rate.
_SEARCH_RATE_HZ = 16_000
_AS_GOOD = 0.8


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
    its test set does not state them. `asr` names the recogniser of metrics of words.
    """

    clip: Clip
    decodes: tuple[DecodeToScore, ...]
    channels: Channels
    reference: ReferenceRule
    run_folder: Path
    asked_by_name: bool
    measure: bool = False
    asr: str | None = None


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
    references.errors.clear()  # they hold the frames that they passed, which hold the audio
    return rows


def unscored(coded: Coded, metrics: Iterable[str], reason: str) -> list[Score]:
    """The rows of a decode that these metrics do not get to see."""
    return [_row(coded, name, "failed", reason) for name in metrics]


class _References:
    """Prepared references of one clip: each metric sees each reference once."""

    def __init__(self, source: Audio, transcript: str | None) -> None:
        self.source, self.transcript = source, transcript
        self.errors: dict[tuple[str, int], Exception] = {}
        self._prepared: dict[tuple[str, int], PreparedMetric] = {}
        self._audio: dict[int, Audio] = {}
        self._parts: dict[tuple[int, int, bool, int, int], Audio] = {}

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
        if key not in self._prepared and key not in self.errors:
            try:
                at_its_rate = for_metric(reference, metric.spec)
                self._prepared[key] = metric.prepared(at_its_rate, self.transcript)
            except Exception as error:  # noqa: BLE001 - kept, and raised for every codec's row
                self.errors[key] = error
        if key in self.errors:
            raise self.errors[key]
        return self._prepared[key]


def _score_decode(
    job: ScoringJob, decode: DecodeToScore, references: _References
) -> Iterator[Delay | Score]:
    coded = decode.coded
    reasons = {name: _not_meant_for(job, all_metrics()[name].spec) for name in decode.metrics}
    applicable = [all_metrics()[n].with_asr(job.asr) for n, reason in reasons.items() if not reason]
    try:
        degraded = _read_decoded(job.run_folder, coded)
        reference = references.audio_for(decode.spec, job.reference)
    except SnacbenchError as error:
        yield from unscored(coded, [m.spec.name for m in applicable], str(error))
    else:
        lag = 0
        if not decode.delay_known or any(metric.spec.aligned for metric in applicable):
            delay = delay_of(
                coded, reference=reference, degraded=degraded, codec_delay_s=decode.delay_s
            )
            lag = round(delay.lag_s * delay.rate_hz)
            if not decode.delay_known:
                yield delay  # before the scores: once these are on disk, the decode is done with
        pair = _Pair(reference, degraded, advanced(degraded, lag), lag / degraded.rate_hz)
        for metric in applicable:
            yield _score(metric, coded, pair, references)
    for name, reason in reasons.items():
        if reason:
            yield _row(coded, name, "skipped", reason)


def _not_meant_for(job: ScoringJob, spec: MetricSpec) -> str:
    """Why a metric is not computed on a clip; empty if it is."""
    clip = job.clip
    unknown_but_asked = clip.domain == "unknown" and job.asked_by_name
    if clip.domain not in spec.domains and not unknown_but_asked:
        return f"{spec.name} is for {', '.join(spec.domains)}, the clip is {clip.domain}"
    if spec.needs_transcript and not clip.transcript:
        return f"{spec.name} compares words, the test set states no transcript of the clip"
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


# -------------------------------------------------------------------------------------- delays


def delay_of(coded: Coded, *, reference: Audio, degraded: Audio, codec_delay_s: float) -> Delay:
    """The lag that aligned metrics take away, and whether it can be believed.

    It is the whole lag, in samples of the decoded file, that leaves the highest SI-SDR within
    0.25 ms of the codec's delay. The half whitened correlation over 0.5 s either way tells whether
    the clip matches there at all, and whether it does not match better elsewhere.
    """
    rate_hz = degraded.rate_hz
    source = at_rate(reference, rate_hz)
    if source.channels != degraded.channels:
        source, degraded = downmix(source), downmix(degraded)
    silent = [
        name
        for name, audio in (("source", reference), ("decode", degraded))
        if np.all(audio.samples == audio.samples[:, :1])
    ]

    def match_around(lag_s: float) -> Match:
        around, reach = round(lag_s * rate_hz), round(WINDOW_S * rate_hz)
        return best_lag(reference=source, degraded=degraded, around=around, reach=reach)

    match = match_around(codec_delay_s)
    own_lag, inverted = match.lag, match.correlation < 0
    reason = f"the {silent[0]} is silent" if silent else ""
    if not reason:
        search_hz = min(rate_hz, _SEARCH_RATE_HZ)
        curve = cross_correlation(
            reference=at_rate(source, search_hz),
            degraded=at_rate(degraded, search_hz),
            max_lag=round(MAX_DELAY_S * search_hz),
        )
        center = len(curve) // 2 + round(codec_delay_s * search_hz)
        reach = round(WINDOW_S * search_hz) + 1
        anywhere = strongest(curve)
        near = strongest(curve[max(0, center - reach) : center + reach + 1])
        if anywhere.stands_out:
            inverted = near.correlation < 0
            if abs(near.correlation) < _AS_GOOD * abs(anywhere.correlation):
                own_lag = match_around(anywhere.lag / search_hz).lag
                reason = (
                    f"by itself the clip comes {lateness(own_lag / rate_hz)}, and is compared as "
                    f"if {lateness(match.lag / rate_hz)}, close to its codec's delay"
                )
        elif abs(match.correlation) < PLAINLY_ALIKE:
            reason = (
                f"the decode resembles the source at no lag within {MAX_DELAY_S:g} s more than at "
                f"others; close to its codec's delay the correlation is {match.correlation:.2f}"
            )
    lost = reason and own_lag == match.lag
    return Delay(
        coded.clip,
        coded.codec,
        lag_s=match.lag / rate_hz,
        rate_hz=rate_hz,
        correlation=match.correlation,
        inverted=inverted and not reason,
        found=not reason,
        own_lag_s=None if lost else own_lag / rate_hz,
        reason=reason,
    )
