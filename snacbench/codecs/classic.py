"""MP3 and AAC-LC through PyAV: libmp3lame and FFmpeg's native AAC encoder.

Both are late by a constant that their first packet's time stamp declares (1,105 and 1,024
samples); it is removed. What counts as sent is the packets: an MP3 frame's header is part of it,
the container of AAC (ADTS would add 56 bit per frame) is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from snacbench.codecs import _pyav as pyav
from snacbench.errors import CodecError, UnknownPoint
from snacbench.models import CodecModel, LocatedWeights
from snacbench.types import Audio, CodecSpec, Encoded

RATE_HZ = 48_000


@dataclass(frozen=True)
class _Format:
    """An encoder and its decoder, and the frame and delay that its latency follows from."""

    name: str
    encoder: str
    decoder: str
    frame: int
    delay: int
    listed_kbps: tuple[int, ...]
    licence: str
    citation: str


_MP3 = _Format(
    "mp3", "libmp3lame", "mp3float", 1_152, 1_105,
    # The bit rates of MPEG-1 layer III; at 48 kHz there is nothing below 32 kbps.
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    "LGPL-2.0-or-later (LAME)", "ISO/IEC 11172-3, layer III",
)  # fmt: skip
_AAC = _Format(
    "aac", "aac", "aac", 1_024, 1_024,
    (16, 24, 32, 48, 64, 96, 128, 192, 256),
    "LGPL-2.1-or-later (FFmpeg)", "ISO/IEC 13818-7 and 14496-3, low complexity",
)  # fmt: skip
_FORMATS = {"mp3": _MP3, "aac": _AAC}
_AAC_MIN_KBPS, _AAC_MAX_KBPS = 8.0, 288.0  # 6,144 bit per channel and frame at most


@dataclass(frozen=True)
class ClassicCodec:
    """MP3 or AAC at one bit rate, a fresh encoder and decoder for every clip."""

    spec: CodecSpec

    def encode(self, audio: Audio) -> Encoded:
        """Encode, and flush: the last packets carry the end of the delayed signal."""
        encoder = _encoder(self.spec.model, audio.channels, self.spec.settings["bit_per_s"])
        packets = pyav.encode_blocks(encoder, audio.samples, audio.num_samples)
        packets += encoder.encode(None)
        return pyav.as_encoded(audio, packets)

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used. The declared delay is removed."""
        form, channels = _FORMATS[self.spec.model], encoded.channels
        extradata = bytes(_encoder(form.name, channels, 64_000).extradata or b"")
        decoder = pyav.open_decoder(
            form.decoder, channels=channels, rate_hz=RATE_HZ, extradata=extradata
        )
        blocks = list(pyav.decoded_blocks(decoder, encoded.packets, channels=channels))
        decoded = np.concatenate(blocks, axis=1) if blocks else np.zeros((channels, 0), np.float32)
        start = declared_delay(form.name, channels)
        kept = decoded[:, start : start + encoded.num_samples]
        if kept.shape[1] < encoded.num_samples:
            raise CodecError(
                f"{form.decoder} returned {decoded.shape[1]} samples, expected {start} of delay "
                f"and {encoded.num_samples} of signal"
            )
        return Audio(np.ascontiguousarray(kept), RATE_HZ)


def _encoder(name: str, channels: int, bit_per_s: int) -> Any:
    return pyav.open_encoder(
        _FORMATS[name].encoder,
        channels=channels,
        rate_hz=RATE_HZ,
        bit_per_s=bit_per_s,
        sample_format="fltp",
        options={},
    )


@cache
def declared_delay(name: str, channels: int) -> int:
    """Samples at 48 kHz by which an encoder says it is late: its first packet's time stamp."""
    encoder = _encoder(name, channels, 64_000)
    silence = np.zeros((channels, 1), np.float32)
    packets = pyav.encode_blocks(encoder, silence, 1) + list(encoder.encode(None))
    return -int(packets[0].pts)


def _point(form: _Format, kbps: float) -> CodecSpec:
    return CodecSpec(
        name=f"{form.name}@{kbps:g}kbps",
        model=form.name,
        family="classic",
        rate_hz=RATE_HZ,
        channels=(1, 2),
        nominal_kbps=float(kbps),
        latency_s=(form.frame + form.delay) / RATE_HZ,
        settings={"bit_per_s": round(kbps * 1000)},
        licence=form.licence,
        citation=form.citation,
    )


def _any_aac_rate(text: str) -> CodecSpec:
    try:
        kbps = float(text.removesuffix("kbps"))
    except ValueError:
        kbps = 0.0
    if not _AAC_MIN_KBPS <= kbps <= _AAC_MAX_KBPS:
        raise UnknownPoint(
            f"aac does not operate at {text!r}; it takes any rate from {_AAC_MIN_KBPS:g} to "
            f"{_AAC_MAX_KBPS:g} kbps"
        )
    return _point(_AAC, kbps)


def _versions() -> Mapping[str, str]:
    import av

    return {
        "pyav": av.__version__,
        "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
    }


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> ClassicCodec:
    return ClassicCodec(spec)


_MP3_MODEL = CodecModel(
    name="mp3",
    family="classic",
    points=tuple(_point(_MP3, kbps) for kbps in _MP3.listed_kbps),
    default=("mp3@64kbps", "mp3@128kbps"),
    load=_load,
    requires=("av",),
    versions=_versions,
)
_AAC_MODEL = replace(
    _MP3_MODEL,
    name="aac",
    points=tuple(_point(_AAC, kbps) for kbps in _AAC.listed_kbps),
    default=("aac@64kbps", "aac@128kbps"),
    free_point=_any_aac_rate,
)
MODELS = (_MP3_MODEL, _AAC_MODEL)
