"""What every metric checks before it scores: each check raises `Undefined` and says what it found.

A metric that has no value for a pair has no value, and the row says why. It never gets a number
that stands for "none".
"""

import math
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.types import Audio, Embeddings, Metric, MetricSpec, PreparedMetric

# What specs have in common: of a distance, and of what is heard of a voice.
DISTANCE = MetricSpec(
    name="", unit="1", better="lower", range=(0.0, math.inf), rate_hz=44_100, citation="",
    default=False, ladder=("noise", "low-pass", "clipping"),
)  # fmt: skip
VOICE = MetricSpec(
    name="", unit="1", better="higher", range=(1.0, 5.0), rate_hz=16_000, citation="",
    domains=("speech",), any_length=True, default=False,
)  # fmt: skip


def guarded(  # noqa: PLR0913 - keyword-only rules of one metric
    spec: MetricSpec,
    prepare: Callable[..., Callable[[Audio], float]],
    versions: Callable[[], Mapping[str, str]] = dict,
    *,
    min_s: float = 0.0,
    min_degraded_s: float = 0.0,
    silence_has_score: bool = False,
) -> Metric:
    """A metric that compares signals which passed all checks.

    `prepare` takes an accepted reference (of metrics of words also the transcript and the code of
    its language) and returns what scores one degraded signal after another; it may raise
    `Undefined` too. The score is in the unit of the spec, which says what is better.
    """

    def prepared(reference: Audio, *spoken: str) -> PreparedMetric:
        _accept(reference, spec, min_s=min_s)
        compare = prepare(reference, *spoken)

        def score(*, degraded: Audio) -> float:
            _accept(degraded, spec, reference, min_s=min_degraded_s, silence_too=silence_has_score)
            value = compare(degraded)
            if not math.isfinite(value):
                raise Undefined(f"{spec.name} came out as {value}; a finite value is needed")
            return value

        return score

    return Metric(spec, prepared, versions, prepared if spec.needs_transcript else None)


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

    def embedded(audio: Audio, reference: Audio | None = None) -> Embeddings:
        _accept(audio, spec, reference, min_s=min_s, silence_too=reference is not None)
        with np.errstate(over="ignore"):
            found = np.asarray(embed(audio)).astype(np.float16)
        if not np.isfinite(found).all():
            text = f"embeddings of {spec.name} must be finite float16, up to 65504; found others"
            raise Undefined(text)
        return found

    def prepared(reference: Audio) -> tuple[Embeddings, Callable[[Audio], Embeddings]]:
        return embedded(reference), lambda degraded: embedded(degraded, reference)

    def no_pair(_reference: Audio) -> PreparedMetric:
        raise Undefined(
            f"{spec.name} compares all decodes of a codec with all their references, and one pair "
            "has no value; score a set of clips by a run"
        )

    return Metric(spec, no_pair, versions, embed=prepared)


def _accept(
    audio: Audio,
    spec: MetricSpec,
    reference: Audio | None = None,
    *,
    min_s: float = 0.0,
    silence_too: bool = False,
) -> None:
    """Check rate, channels, length and duration, and that no channel is silent."""
    # A degraded signal must have its `reference`'s channels and, unless any will do, its length. It
    # may be silent where that has a score: silence is like nothing, but at a distance from all.
    which = "reference" if reference is None else "degraded signal"
    if audio.rate_hz != spec.rate_hz:
        raise Undefined(
            f"the {which} is at {audio.rate_hz} Hz, {spec.name} is defined at {spec.rate_hz} Hz; "
            "resample it first"
        )
    if reference is None and spec.mono and audio.channels != 1:
        raise Undefined(
            f"the reference has {audio.channels} channels, {spec.name} is defined on 1; "
            "downmix it first"
        )
    if reference and audio.channels != reference.channels:
        raise Undefined(
            f"the degraded signal has {audio.channels} channels, the reference has "
            f"{reference.channels}; give both the same channels"
        )
    if reference and not spec.any_length and audio.num_samples != reference.num_samples:
        raise Undefined(
            f"the degraded signal lasts {audio.duration_s:.3f} s ({audio.num_samples} "
            f"samples), the reference {reference.duration_s:.3f} s ({reference.num_samples}); cut "
            "or pad the degraded signal to the reference's length"
        )
    if audio.duration_s < min_s:
        text = f"too short: the {which} lasts {audio.duration_s:.3f} s, {min_s:.3f} s are needed"
        raise Undefined(text)
    for channel, samples in enumerate(audio.samples):
        # A constant offset carries as much sound as zeros.
        if not silence_too and np.all(samples == samples[0]):
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
