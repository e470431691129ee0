"""Which signal goes where: the clip, what a codec gets, what a metric compares.

The runner alone resamples and changes channels: ``mono`` runs downmix every clip first, for all
codecs and for the reference alike; ``stereo`` runs keep two channels.
"""

from functools import lru_cache

import numpy as np

from snacbench.audio.channels import downmix, join, split, upmix
from snacbench.audio.levels import limited
from snacbench.audio.resample import fit_length, resample
from snacbench.errors import AudioError
from snacbench.request import Channels
from snacbench.types import Audio, CodecSpec, MetricSpec

_UNSTATED_BAND_HZ = 3_400.0  # the narrowest band that codecs of speech and music fall back to
_KEPT_SHARE = 0.9  # of half the rate, or of a cut-off: above it filters roll off
_SIGNALS_KEPT = 24  # a reference and a decode, each at every rate that is asked for


def source_signal(audio: Audio, channels: Channels) -> Audio:
    """The clip as the whole run sees it: limited to full scale, downmixed or not.

    Raises AudioError if channels are to be kept and there are more than two, or cancel in the
    downmix.
    """
    audio = limited(audio)
    if channels == "mono":
        mono = downmix(audio)
        # Mean squares over time and channels, without their constant part.
        before, after = (np.var(a.samples, axis=1, dtype=np.float64).mean() for a in (audio, mono))
        if after < 1e-6 * before:  # of the energy: 60 dB down, all that is left of it is rounding
            raise AudioError(
                f"its {audio.channels} channels cancel in the downmix to mono: of one recorded "
                "sound, some have the opposite polarity; use --channels stereo, or one channel"
            )
        return mono
    if audio.channels > 2:
        raise AudioError(
            f"a stereo run takes clips of 1 or 2 channels, found {audio.channels}; use "
            "--channels mono"
        )
    return audio


def codec_inputs(source: Audio, spec: CodecSpec) -> tuple[list[Audio], str]:
    """Signals to encode one after another, at the codec's rate, and the name of the rule."""
    resampled = resample(source, spec.rate_hz or source.rate_hz)
    channels, mode = coded_channels(source.channels, spec)
    if len(channels) > 1:
        return split(resampled), mode
    return [upmix(resampled, channels[0])], mode


def coded_channels(channels: int, spec: CodecSpec) -> tuple[tuple[int, ...], str]:
    """Channels of each signal that a source becomes for a codec, and the name of the rule.

    Codecs that take all channels code them jointly; one that takes only stereo gets a mono signal
    in both; mono codecs code each channel alone, and pay for each.
    """
    takes = spec.channels or (channels,)
    if channels in takes:
        return (channels,), {1: "mono", 2: "stereo"}.get(channels, "all channels")
    if channels == 1:
        return (min(takes),), "mono in both channels"
    return (1,) * channels, "each channel alone"


def decoded_signal(parts: list[Audio], source_channels: int) -> Audio:
    """The decoded parts as one signal with the channels of the source."""
    joined = join(parts)
    return downmix(joined) if source_channels == 1 else joined


def kept_band_hz(spec: CodecSpec, rate_hz: int) -> float:
    """Up to where a codec must keep its source, in Hz, if its decode is at `rate_hz`.

    0.9 of a stated cut-off, or of half the rate for codecs with codebooks. Others may narrow their
    band as the rate demands (Opus down to 4 kHz), or say nothing of it: 3.4 kHz at most.
    """
    half = min(spec.rate_hz or rate_hz, rate_hz) / 2
    if (cutoff_hz := spec.settings.get("cutoff_hz")) is not None:
        half = min(half, float(cutoff_hz))
    elif not spec.streams:
        half = min(half, _UNSTATED_BAND_HZ / _KEPT_SHARE)
    return _KEPT_SHARE * half


def for_metric(audio: Audio, metric: MetricSpec) -> Audio:
    """A signal at a metric's rate and channels."""
    if metric.mono and audio.channels > 1:
        return at_rate(audio, metric.rate_hz, True)
    return at_rate(audio, metric.rate_hz)  # as everybody calls it: the cache goes by the arguments


@lru_cache(maxsize=_SIGNALS_KEPT)
def at_rate(audio: Audio, rate_hz: int, to_mono: bool = False) -> Audio:
    """Resample a signal once for all metrics of a rate, a reference once for all codecs.

    `Audio` is read-only and hashes by identity.
    """
    return resample(downmix(audio) if to_mono else audio, rate_hz)


@lru_cache(maxsize=8)  # a decode at all these rates
def match_length(*, reference: Audio, degraded: Audio) -> Audio:
    """`degraded` at the reference's length where they differ by resampling's rounding alone.

    The very same object for all metrics, by which they find what they share.
    """
    difference = abs(reference.num_samples - degraded.num_samples)
    rounding = 1 + reference.rate_hz // min(reference.rate_hz, 8_000)
    if difference == 0 or difference > rounding:
        return degraded
    return Audio(fit_length(degraded.samples, reference.num_samples), degraded.rate_hz)
