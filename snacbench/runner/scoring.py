"""One clip, all its decodes, all metrics, in a worker process; and how late each decode comes.

Work goes clip by clip because preparing a reference costs more than scoring one decode of it,
and a benchmark scores the same clip through many codecs.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from snacbench import errors
from snacbench.audio import align
from snacbench.audio.channels import downmix
from snacbench.audio.io import read, read_clip
from snacbench.audio.measures import measure
from snacbench.audio.resample import resample
from snacbench.audio.silence import LONGEST_HOLE_S
from snacbench.conditions.condition import condition_named
from snacbench.conditions.inputs import impaired
from snacbench.files import sha256_of_file
from snacbench.packages import missing_package
from snacbench.plugins import metrics as all_metrics
from snacbench.request import Request
from snacbench.rows import ClipMeasures, Coded, Delay, Embedded, Score, ScoreStatus
from snacbench.runner import signal_rules as signals
from snacbench.runner.plan import condition_of
from snacbench.runner.pool import Job, Rows
from snacbench.store.embeddings import keep
from snacbench.types import Audio, Clip, CodecSpec, Metric, MetricSpec
from snacbench.units import lateness

# The wide search needs neither higher frequencies nor finer lags, and other metrics use this rate.
_SEARCH_RATE_HZ = 16_000

Made = TypeVar("Made")


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


class _Once(dict[tuple[object, ...], Any]):
    """What decodes of one reference share: parts of it, and metrics prepared for them.

    Keys hold the signal itself, which hashes by identity.
    """

    def of(self, make: Callable[[], Made], *key: object) -> Made:
        """What `make` returns; it is called once, and what it raises is raised each time."""
        if key not in self:
            try:
                self[key] = make()
            except Exception as error:  # noqa: BLE001 - kept, and raised for every codec's row
                self[key] = error
        if isinstance(self[key], Exception):
            raise self[key]  # in no variable, which its own traceback would hold
        return self[key]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ScoringJob(Job):
    """One clip with every decode of it that lacks a score.

    `measure` asks for the clip's own measures, if its test set does not state them; `recorded` are
    the digests of weights by which metrics may score.
    """

    clip: Clip
    decodes: tuple[DecodeToScore, ...]
    request: Request
    run_folder: Path
    measure: bool = False
    recorded: tuple[tuple[str, str], ...] = ()

    def run(self) -> Rows:
        """Score every decode; whatever goes wrong becomes a row with its reason."""
        try:
            audio = read_clip(self.clip)
            source = signals.source_signal(audio, self.request.channels)
        except errors.SnacbenchError as error:
            return self.lost(str(error))
        rows: Rows = [ClipMeasures(self.clip.id, measure(audio))] if self.measure else []
        for _, alike in groupby(sorted(self.decodes, key=_heard_by), key=_heard_by):
            made = _Once()
            for decode in alike:
                rows += self._scored(decode, source, made)
            made.clear()  # errors hold the frames that they passed, which hold the audio
        return rows

    def lost(self, reason: str) -> Rows:
        """Failed rows of all decodes."""
        return [row for d in self.decodes for row in unscored(d.coded, d.metrics, reason)]

    def _scored(self, decode: DecodeToScore, source: Audio, made: _Once) -> Iterator[Delay | Score]:
        """Rows of one decode: its delay, and a score by every metric."""
        coded, rate_hz, request = decode.coded, decode.spec.rate_hz, self.request
        reasons = {name: self._not_meant_for(all_metrics()[name].spec) for name in decode.metrics}
        options = replace(request.metric_options, recorded=self.recorded)
        meant = (name for name, reason in reasons.items() if not reason)
        metrics = [all_metrics()[name].configured(options) for name in meant]
        try:
            if coded.status != "ok" or coded.decoded is None:
                raise errors.AudioError(f"not decoded: {coded.reason}")
            path = self.run_folder / coded.decoded
            degraded = read(path)
            if sha256_of_file(path) != coded.decoded_sha256:
                raise errors.AudioError(
                    f"{path} is not the file that was decoded: its sha256 has changed"
                )
            reference = source
            if heard := _heard_by(decode):
                how: dict[str, Any] = {"seed": request.seed, "clip": coded.clip}
                reference, _ = made.of(
                    lambda: impaired(source, condition_named(heard), **how), heard
                )
            if request.reference == "codec-input" and rate_hz is not None:
                own = reference
                reference = made.of(lambda: resample(own, rate_hz), rate_hz, own)
        except errors.SnacbenchError as error:
            yield from unscored(coded, [m.spec.name for m in metrics], str(error))
        else:
            lag = 0
            if not decode.delay_known or any(metric.spec.aligned for metric in metrics):
                delay = delay_of(
                    coded, reference=reference, degraded=degraded, codec_delay_s=decode.delay_s
                )
                lag = round(delay.lag_s * delay.rate_hz)
                if not decode.delay_known:
                    yield delay  # first: once its scores are on disk, the decode is done with
            in_time, lag_s = align.advanced(degraded, lag), lag / degraded.rate_hz
            for metric in metrics:
                ready = in_time if metric.spec.aligned else degraded
                yield self._score(coded, metric, reference, ready, lag_s, made)
        for name, reason in reasons.items():
            if reason:
                yield _row(coded, name, "skipped", reason)

    def _not_meant_for(self, spec: MetricSpec) -> str:
        """Why a metric is not computed on a clip; empty if it is."""
        clip = self.clip
        unknown_but_asked = clip.domain == "unknown" and self.request.metrics  # by name
        if clip.domain not in spec.domains and not unknown_but_asked:
            return f"{spec.name} is for {', '.join(spec.domains)}, the clip is {clip.domain}"
        if spec.needs_transcript and not clip.transcript:
            return f"{spec.name} compares words, the test set states no transcript of the clip"
        return ""

    def _score(  # noqa: PLR0913, PLR0917 - one step of the loop above
        self, coded: Coded, metric: Metric, whole: Audio, degraded: Audio, lag_s: float, made: _Once
    ) -> Score:
        """A metric's score of a decode, or its embeddings; it is in time if the metric aligns."""
        # Undefined if the lengths do not fit, or the lag leaves less than half of what is compared
        # at no lag.
        spec = metric.spec
        try:
            reference = signals.for_metric(whole, spec)
            degraded = signals.for_metric(degraded, spec)
            degraded = signals.match_length(reference=reference, degraded=degraded)
            compared = whole
            if spec.aligned:
                if reference.num_samples != degraded.num_samples:
                    raise errors.Undefined(
                        f"the decode lasts {degraded.duration_s:.3f} s, the clip "
                        f"{reference.duration_s:.3f} s; lengths must agree for an alignment"
                    )
                num_samples, rate_hz = reference.num_samples, spec.rate_hz
                lag = lag_s * rate_hz
                start, stop = align.common_part(
                    num_samples, rate_hz, earliest=math.floor(lag), latest=math.ceil(lag)
                )
                first, last = align.common_part(num_samples, rate_hz)
                if 2 * (stop - start) < last - first:
                    raise errors.Undefined(
                        f"the decode comes {lateness(lag_s)} and the clip lasts "
                        f"{reference.duration_s:.3f} s: too little is left to compare; longer "
                        "clips are needed"
                    )
                degraded = Audio(degraded.samples[:, start:stop], rate_hz)
                key = whole, rate_hz, spec.mono, start, stop
                compared = made.of(lambda: Audio(reference.samples[:, start:stop], rate_hz), *key)
            lacks_s = reference.duration_s - degraded.duration_s
            if spec.any_length and lacks_s > LONGEST_HOLE_S:  # else a file would gain by a cut
                raise errors.Undefined(
                    f"the decode lasts {degraded.duration_s:.3f} s, the reference "
                    f"{reference.duration_s:.3f} s; a decode must cover its reference"
                )

            def prepare() -> Any:
                signal = signals.for_metric(compared, spec)
                if metric.embed is not None:
                    return metric.embed(signal)
                return metric.prepared(signal, self.clip.transcript, self.clip.language)

            prepared = made.of(prepare, spec.name, compared)
            if metric.embed is not None:
                of_reference, embed = prepared
                kept = (keep(self.run_folder, found) for found in (of_reference, embed(degraded)))
                return _row(coded, spec.name, "ok", "", None, *kept)
            value = float(prepared(degraded=degraded))
        except errors.Undefined as error:
            return _row(coded, spec.name, "undefined", str(error))
        except (errors.StoreError, errors.WeightsMismatch, errors.WeightsUnavailable):
            raise  # of every clip alike: the run ends
        except Exception as error:  # whatever a metric's own code raises is a failed row
            if missing := missing_package(error):
                raise missing from error
            return _row(coded, spec.name, "failed", f"{type(error).__name__}: {error}")
        if not math.isfinite(value):
            return _row(coded, spec.name, "failed", f"the metric returned {value}")
        return _row(coded, spec.name, "ok", "", value)


def _heard_by(decode: DecodeToScore) -> str:
    """The condition whose signal is the reference of a decode; empty: the clip as it is."""
    condition = condition_of(decode.spec)
    impairs = condition and condition.stage == "input" and not condition.against_clean
    return decode.spec.condition if impairs else ""


def unscored(coded: Coded, metrics: Iterable[str], reason: str) -> list[Score]:
    """The rows of a decode that these metrics do not get to see."""
    return [_row(coded, name, "failed", reason) for name in metrics]


def _row(
    coded: Coded,
    name: str,
    status: ScoreStatus,
    reason: str,
    value: float | None = None,
    *embeddings: str,
) -> Score:
    metric = all_metrics()[name]
    kind = Embedded if metric.embed else Score
    version = metric.spec.version
    return kind(coded.clip, coded.codec, name, version, status, value, reason, *embeddings)


# -------------------------------------------------------------------------------------- delays
def delay_of(coded: Coded, *, reference: Audio, degraded: Audio, codec_delay_s: float) -> Delay:
    """The lag that aligned metrics take away, and whether it can be believed.

    It is the whole lag, in samples of the decoded file, that leaves the highest SI-SDR within
    0.25 ms of the codec's delay. The half whitened correlation over 0.5 s either way tells whether
    the clip matches there at all, and whether it does not match better elsewhere.
    """
    rate_hz = degraded.rate_hz
    source = signals.at_rate(reference, rate_hz)
    if source.channels != degraded.channels:
        source, degraded = downmix(source), downmix(degraded)
    pair = {"source": reference, "decode": degraded}
    silent = [name for name, audio in pair.items() if not np.ptp(audio.samples, axis=1).any()]

    def match_around(lag_s: float) -> align.Match:
        around, reach = round(lag_s * rate_hz), round(align.WINDOW_S * rate_hz)
        return align.best_lag(reference=source, degraded=degraded, around=around, reach=reach)

    match = match_around(codec_delay_s)
    own_lag, inverted = match.lag, match.correlation < 0
    reason = f"the {silent[0]} is silent" if silent else ""
    if not reason:
        search_hz = min(rate_hz, _SEARCH_RATE_HZ)
        curve = align.cross_correlation(
            reference=signals.at_rate(source, search_hz),
            degraded=signals.at_rate(degraded, search_hz),
            max_lag=round(align.MAX_DELAY_S * search_hz),
        )
        center = len(curve) // 2 + round(codec_delay_s * search_hz)
        reach = round(align.WINDOW_S * search_hz) + 1
        anywhere = align.strongest(curve)
        near = align.strongest(curve[max(0, center - reach) : center + reach + 1])
        if anywhere.stands_out:
            inverted = near.correlation < 0
            if abs(near.correlation) < 0.8 * abs(anywhere.correlation):  # it is not as good
                own_lag = match_around(anywhere.lag / search_hz).lag
                reason = (
                    f"by itself the clip comes {lateness(own_lag / rate_hz)}, and is compared as "
                    f"if {lateness(match.lag / rate_hz)}, close to its codec's delay"
                )
        elif abs(match.correlation) < align.PLAINLY_ALIKE:
            reason = (
                f"the decode resembles the source at no lag within {align.MAX_DELAY_S:g} s more "
                "than at others; close to its codec's delay the correlation is "
                f"{match.correlation:.2f}"
            )
    lost = reason and own_lag == match.lag
    return Delay(
        coded.clip, coded.codec, lag_s=match.lag / rate_hz, rate_hz=rate_hz,
        correlation=match.correlation, inverted=inverted and not reason, found=not reason,
        own_lag_s=None if lost else own_lag / rate_hz, reason=reason,
    )  # fmt: skip
