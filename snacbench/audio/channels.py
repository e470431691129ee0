"""Changing the number of channels, the same way for references and for decoded audio."""

from snacbench.errors import AudioError
from snacbench.later import np
from snacbench.types import Audio


def downmix(audio: Audio) -> Audio:
    """Mono as the plain mean over channels, the same for 2 and for 6; mono passes unchanged."""
    if audio.channels == 1:
        return audio
    mean = audio.samples.mean(axis=0, keepdims=True, dtype=np.float64)
    return Audio(mean.astype(np.float32), audio.rate_hz)


def upmix(audio: Audio, channels: int) -> Audio:
    """Copy a mono signal into every one of `channels` channels; another is an `AudioError`."""
    if audio.channels == channels:
        return audio
    if audio.channels != 1:
        raise AudioError(f"only mono can be copied to {channels} channels, found {audio.channels}")
    return Audio(np.repeat(audio.samples, channels, axis=0), audio.rate_hz)


def split(audio: Audio) -> list[Audio]:
    """Every channel as a mono signal."""
    return [Audio(audio.samples[i : i + 1], audio.rate_hz) for i in range(audio.channels)]


def join(channels: list[Audio]) -> Audio:
    """Mono signals as the channels of one; the inverse of `split`."""
    return Audio(np.concatenate([c.samples for c in channels]), channels[0].rate_hz)
