"""What the players play: small Opus previews, or lossless FLAC."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from snacbench.audio.resample import resample
from snacbench.types import Audio

# One rate for all signals of a page, so that browsers resample none of them, and to the sample
# the same length; it is also Opus' own rate.
RATE_HZ = 48_000
OPUS_KBPS = 130.0

# libsndfile asks libopus, per channel, for 256 kbps at compression 0 and for 6 at 1.
_MOST_KBPS, _LEAST_KBPS = 256.0, 6.0
_PREVIEW_BYTES_PER_S = 17_000  # with Ogg's own


@dataclass(frozen=True)
class Preview:
    """How previews are made: lossless or not, and at most how long, in seconds."""

    lossless: bool
    longest_s: float

    @property
    def label(self) -> str:
        """What a listener hears, in words."""
        if self.lossless:
            return "Lossless: FLAC, 24 bit"
        return f"Preview: Opus {OPUS_KBPS:.0f} kbps"


def longest_within(num_bytes: float, num_signals: int) -> float:
    """How long Opus previews may be, in seconds, for so many of them to fit into so many bytes."""
    return num_bytes / (_PREVIEW_BYTES_PER_S * max(1, num_signals))


def at_preview_rate(audio: Audio, longest_s: float) -> Audio:
    """A signal at the rate of the page, cut to its first seconds."""
    most = max(1, round(min(longest_s, audio.duration_s) * audio.rate_hz))
    return resample(Audio(np.ascontiguousarray(audio.samples[:, :most]), audio.rate_hz), RATE_HZ)


def encoded(audio: Audio, *, lossless: bool) -> bytes:
    """A signal as a FLAC file, or as an Ogg file with Opus at 130 kbps (variable) in all."""
    file = io.BytesIO()
    if lossless:
        soundfile.write(file, audio.samples.T, audio.rate_hz, format="FLAC", subtype="PCM_24")
        return file.getvalue()
    per_channel = OPUS_KBPS / audio.channels
    soundfile.write(
        file,
        audio.samples.T,
        audio.rate_hz,
        format="OGG",
        subtype="OPUS",
        compression_level=(_MOST_KBPS - per_channel) / (_MOST_KBPS - _LEAST_KBPS),
    )
    return file.getvalue()
