"""What every metric checks before it scores: each check raises `Undefined` and says what it found.

A metric that has no value for a pair has no value, and the row says why. It never gets a number
that stands for "none".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.types import Audio, Embeddings, Metric, MetricSpec, PreparedMetric

REFERENCE = "reference"
DEGRADED = "degraded signal"


def guarded(  # noqa: PLR0913 - keyword-only rules of one metric
    spec: MetricSpec,
    prepare: Callable[[Audio], Callable[[Audio], float]],
    versions: Callable[[], Mapping[str, str]] = dict,
    *,
    min_s: float = 0.0,
    min_degraded_s: float = 0.0,
    silence_has_score: bool = False,
) -> Metric:
    """A metric that compares signals which passed all checks.

    `prepare` takes an accepted reference and returns what scores one degraded signal after another;
    it may raise `Undefined` too. The score is in the unit of the spec, which says what is better.
    """

    def prepared(reference: Audio) -> PreparedMetric:
        accept_reference(reference, spec, min_s=min_s)
        compare = prepare(reference)

        def score(*, degraded: Audio) -> float:
            accept_degraded(degraded, reference, spec)
            min_duration(degraded, min_degraded_s, which=DEGRADED)
            if not silence_has_score:
                not_silent(degraded, which=DEGRADED)
            value = compare(degraded)
            if not math.isfinite(value):
                raise Undefined(f"{spec.name} came out as {value}; a finite value is needed")
            return value

        return score

    return Metric(spec, prepared, versions)


def set_level(
    spec: MetricSpec,
    embed: Callable[[Audio], Embeddings],
    versions: Callable[[], Mapping[str, str]] = dict,
    *,
    min_s: float = 0.0,
) -> Metric:
    """A metric of sets of clips, by the embeddings of signals which passed all checks.

    `embed` takes a mono signal and gives embeddings of shape (frames, dimensions), which are
    rounded to float16, as fadtk and kadtk keep them. A silent decode has them, too.
    """

    def embedded(audio: Audio) -> Embeddings:
        with np.errstate(over="ignore"):
            found = np.asarray(embed(audio)).astype(np.float16)
        if not np.isfinite(found).all():
            raise Undefined(
                f"embeddings of {spec.name} must be finite float16, up to 65504; found others"
            )
        return found

    def prepared(reference: Audio) -> tuple[Embeddings, Callable[[Audio], Embeddings]]:
        accept_reference(reference, spec, min_s=min_s)

        def embedded_too(degraded: Audio) -> Embeddings:
            accept_degraded(degraded, reference, spec)
            min_duration(degraded, min_s, which=DEGRADED)
            return embedded(degraded)

        return embedded(reference), embedded_too

    def no_pair(_reference: Audio) -> PreparedMetric:
        raise Undefined(
            f"{spec.name} compares all decodes of a codec with all their references, and one pair "
            "has no value; score a set of clips by a run"
        )

    return Metric(spec, no_pair, versions, embed=prepared)


def accept_reference(reference: Audio, spec: MetricSpec, *, min_s: float = 0.0) -> None:
    """Check a reference's rate, channels and duration, and that it is not silent."""
    _right_rate(reference, spec, which=REFERENCE)
    if spec.mono and reference.channels != 1:
        raise Undefined(
            f"the reference has {reference.channels} channels, {spec.name} is defined on 1; "
            "downmix it first"
        )
    min_duration(reference, min_s, which=REFERENCE)
    not_silent(reference, which=REFERENCE)


def accept_degraded(degraded: Audio, reference: Audio, spec: MetricSpec) -> None:
    """Check that the rate, the channels and (unless any will do) the length are the reference's.

    Silence is not checked: it has no similarity to anything, but it has a distance.
    """
    _right_rate(degraded, spec, which=DEGRADED)
    if degraded.channels != reference.channels:
        raise Undefined(
            f"the degraded signal has {degraded.channels} channels, the reference has "
            f"{reference.channels}; give both the same channels"
        )
    if not spec.any_length and degraded.num_samples != reference.num_samples:
        raise Undefined(
            f"the degraded signal lasts {degraded.duration_s:.3f} s ({degraded.num_samples} "
            f"samples), the reference {reference.duration_s:.3f} s ({reference.num_samples}); cut "
            "or pad the degraded signal to the reference's length"
        )


def _right_rate(audio: Audio, spec: MetricSpec, *, which: str) -> None:
    if audio.rate_hz != spec.rate_hz:
        raise Undefined(
            f"the {which} is at {audio.rate_hz} Hz, {spec.name} is defined at {spec.rate_hz} Hz; "
            "resample it first"
        )


def min_duration(audio: Audio, duration_s: float, *, which: str) -> None:
    """Check that a signal is long enough."""
    if audio.duration_s < duration_s:
        raise Undefined(
            f"too short: the {which} lasts {audio.duration_s:.3f} s, {duration_s:.3f} s are needed"
        )


def not_silent(audio: Audio, *, which: str) -> None:
    """Check that no channel is constant: a constant offset carries as much sound as zeros."""
    for channel, samples in enumerate(audio.samples):
        if np.all(samples == samples[0]):
            where = f" in channel {channel}" if audio.channels > 1 else ""
            raise Undefined(
                f"the {which} is silent{where}: all {audio.num_samples} samples are "
                f"{samples[0]:g}; a signal that varies is needed"
            )


def versions_of(*packages: str, **facts: str) -> Callable[[], Mapping[str, str]]:
    """A function that looks up versions of packages, which it does not import, and adds facts."""

    def versions() -> Mapping[str, str]:
        found = {}
        for package in packages:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "not installed"
        return found | facts

    return versions
