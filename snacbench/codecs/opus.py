"""Opus through PyAV's libopus (RFC 6716): every packet weighed, pre-skip removed.

The rate asked for is a wish: with variable bit rate the packets of a short clip miss it by up
to a quarter, so what counts is `actual_kbps`. The decoder is libopus too: FFmpeg's own Opus
decoder differs audibly in the SILK and hybrid modes.
"""

from __future__ import annotations

import struct
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
MIN_KBPS, MAX_KBPS = 6.0, 510.0
_FRAME_MS = 20
_LOOKAHEAD_SAMPLES = 312
_LISTED_KBPS = (6, 8, 12, 14, 16, 24, 32, 48, 64, 96, 128)
_FAMILY_KBPS = (8, 14, 24)

# "audio" and not "voip": the latter high-passes, which costs music 13 dB of SI-SDR at 14 kbps.
_OPTIONS = {
    "application": "audio",
    "vbr": "on",
    "frame_duration": str(_FRAME_MS),
    "compression_level": "10",
}

_BASE = CodecSpec(
    name="opus",
    model="opus",
    family="opus",
    rate_hz=RATE_HZ,
    channels=(1, 2),
    latency_s=_FRAME_MS / 1000 + _LOOKAHEAD_SAMPLES / RATE_HZ,
    licence="BSD-3-Clause",
    citation="Valin, Vos, Terriberry: Definition of the Opus Audio Codec, RFC 6716, 2012",
)


def _point(kbps: float) -> CodecSpec:
    return replace(
        _BASE,
        name=f"opus@{kbps:g}kbps",
        nominal_kbps=float(kbps),
        settings={"bit_per_s": round(kbps * 1000), **_OPTIONS},
    )


def _free_point(text: str) -> CodecSpec:
    try:
        kbps = float(text.removesuffix("kbps"))
    except ValueError:
        kbps = 0.0
    if not MIN_KBPS <= kbps <= MAX_KBPS:
        raise UnknownPoint(
            f"opus does not operate at {text!r}; it takes any rate from {MIN_KBPS:g} to "
            f"{MAX_KBPS:g} kbps"
        )
    return _point(kbps)


@dataclass(frozen=True)
class OpusCodec:
    """libopus at one bit rate, a fresh encoder and decoder for every clip."""

    spec: CodecSpec

    def encode(self, audio: Audio) -> Encoded:
        """Encode; zeros are appended so that the delayed end of the clip is sent too."""
        encoder = _encoder(audio.channels, self.spec.settings["bit_per_s"])
        covered = audio.num_samples + _pre_skip(audio.channels)
        packets = pyav.encode_blocks(encoder, audio.samples, covered)
        return pyav.as_encoded(audio, packets)

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used. libopus removes the pre-skip itself."""
        channels = encoded.channels
        decoder = pyav.open_decoder(
            "libopus", channels=channels, rate_hz=RATE_HZ, extradata=_header(channels)
        )
        blocks = pyav.decoded_blocks(decoder, encoded.packets, channels=channels)
        decoded = np.concatenate(list(blocks), axis=1)
        if decoded.shape[1] < encoded.num_samples:
            raise CodecError(
                f"libopus returned {decoded.shape[1]} of {encoded.num_samples} samples"
            )
        return Audio(np.ascontiguousarray(decoded[:, : encoded.num_samples]), RATE_HZ)


def _encoder(channels: int, bit_per_s: int) -> Any:
    return pyav.open_encoder(
        "libopus",
        channels=channels,
        rate_hz=RATE_HZ,
        bit_per_s=bit_per_s,
        sample_format="flt",
        options=_OPTIONS,
    )


@cache
def _header(channels: int) -> bytes:
    """The identification header (RFC 7845, section 5.1), a constant of the encoder's build."""
    return bytes(_encoder(channels, 64_000).extradata)


def _pre_skip(channels: int) -> int:
    """Samples at 48 kHz by which libopus delays, as its header states."""
    (pre_skip,) = struct.unpack_from("<H", _header(channels), 10)
    return int(pre_skip)


def _versions() -> Mapping[str, str]:
    """Version of libopus inside PyAV's wheel, read off the comment header that it writes."""
    import av

    return {"libopus": _libopus_version(), "pyav": av.__version__, "opus options": str(_OPTIONS)}


@cache
def _libopus_version() -> str:
    import ctypes
    from pathlib import Path

    import av

    for library in Path(av.__file__).parent.parent.glob("av.libs/libopus-*"):
        get_version = ctypes.CDLL(str(library)).opus_get_version_string
        get_version.restype = ctypes.c_char_p
        return str(get_version().decode())
    return "unknown: PyAV was not installed from a wheel"


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> OpusCodec:
    return OpusCodec(spec)


MODELS = (
    CodecModel(
        name="opus",
        family="opus",
        points=tuple(_point(kbps) for kbps in _LISTED_KBPS),
        default=tuple(f"opus@{kbps}kbps" for kbps in _FAMILY_KBPS),
        load=_load,
        free_point=_free_point,
        requires=("av",),
        versions=_versions,
    ),
)
