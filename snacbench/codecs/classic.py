"""Opus, MP3 and AAC-LC through PyAV: libopus, libmp3lame and FFmpeg's native AAC encoder.

What counts as sent is the packets. Of Opus every packet is weighed and the pre-skip removed
(RFC 6716); the rate asked for is a wish: with variable bit rate the packets of a short clip miss it
by up to a quarter, so what counts is `actual_kbps`. The decoder is libopus too: FFmpeg's own Opus
decoder differs audibly in the SILK and hybrid modes.

MP3 and AAC are late by a constant that their first packet's time stamp declares (1,105 and 1,024
samples); it is removed. An MP3 frame's header is part of its packet, the container of AAC (ADTS
would add 56 bit per frame) is not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from snacbench.errors import CodecError
from snacbench.models import CodecModel, any_rate
from snacbench.types import Audio, CodecSpec, Encoded, FloatSamples

RATE_HZ = 48_000
_LAYOUTS = {1: "mono", 2: "stereo"}
_INT16_FULL_SCALE = 32_768


# ------------------------------------------------------------------------------ FFmpeg's contexts


def as_encoded(audio: Audio, packets: Iterable[Any]) -> Encoded:
    """What a decoder needs of a coded signal: its packets and its length."""
    return Encoded(
        num_samples=audio.num_samples,
        channels=audio.channels,
        rate_hz=audio.rate_hz,
        packets=tuple(bytes(packet) for packet in packets),
    )


def open_encoder(  # noqa: PLR0913 - each argument is a field of FFmpeg's context
    name: str,
    *,
    channels: int,
    rate_hz: int,
    bit_per_s: int,
    sample_format: str,
    options: Mapping[str, str],
) -> Any:
    """An opened encoder context; interleaved formats are ``flt``, planar ones ``fltp``."""
    import av

    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate = rate_hz
    encoder.layout = _LAYOUTS[channels]
    encoder.format = sample_format
    encoder.bit_rate = bit_per_s
    encoder.time_base = Fraction(1, rate_hz)
    encoder.options = dict(options)
    encoder.open()
    return encoder


def encode_blocks(encoder: Any, samples: FloatSamples, num_samples: int) -> list[Any]:
    """Packets of a signal, cut or extended by zeros to whole frames that cover `num_samples`.

    Parameters
    ----------
    samples : array, shape (channels, time)
    """
    import av
    import numpy as np

    from snacbench.audio.resample import fit_length

    size = int(encoder.frame_size)
    total = -(-num_samples // size) * size
    padded = fit_length(samples, total)
    packets: list[Any] = []
    for start in range(0, total, size):
        block = padded[:, start : start + size]
        planes = block if encoder.format.is_planar else block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planes), format=encoder.format.name, layout=encoder.layout.name
        )
        frame.sample_rate, frame.pts = encoder.sample_rate, start
        packets += encoder.encode(frame)
    return packets


def open_decoder(name: str, *, channels: int, rate_hz: int, extradata: bytes) -> Any:
    """An opened decoder context."""
    import av

    decoder: Any = av.CodecContext.create(name, "r")
    decoder.sample_rate = rate_hz
    decoder.layout = _LAYOUTS[channels]
    if extradata:
        decoder.extradata = extradata
    decoder.open()
    return decoder


def decoded_blocks(
    decoder: Any, packets: Sequence[bytes], *, channels: int
) -> Iterator[FloatSamples]:
    """Blocks of shape (channels, time) that the packets decode to, in order, without a flush."""
    import av
    import numpy as np

    for payload in packets:
        for frame in decoder.decode(av.Packet(payload)):
            block = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, channels).T
            scale = np.float32(1 / _INT16_FULL_SCALE if block.dtype == np.int16 else 1)
            yield block.astype(np.float32) * scale


# ------------------------------------------------------------------------------------------- Opus


_OPUS_MIN_KBPS, _OPUS_MAX_KBPS = 6.0, 510.0
_FRAME_MS = 20
_LOOKAHEAD_SAMPLES = 312
_OPUS_KBPS = (6, 8, 12, 14, 16, 24, 32, 48, 64, 96, 128)
_OPUS_DEFAULT_KBPS = (8, 14, 24)

# "audio" and not "voip": the latter high-passes, which costs music 13 dB of SI-SDR at 14 kbps.
_OPUS_OPTIONS = {
    "application": "audio",
    "vbr": "on",
    "frame_duration": str(_FRAME_MS),
    "compression_level": "10",
}

_OPUS = CodecSpec(
    name="opus",
    model="opus",
    family="opus",
    rate_hz=RATE_HZ,
    channels=(1, 2),
    latency_s=_FRAME_MS / 1000 + _LOOKAHEAD_SAMPLES / RATE_HZ,
    licence="BSD-3-Clause",
    citation="Valin, Vos, Terriberry: Definition of the Opus Audio Codec, RFC 6716, 2012",
)


def _opus_point(kbps: float) -> CodecSpec:
    return replace(
        _OPUS,
        name=f"opus@{kbps:g}kbps",
        nominal_kbps=float(kbps),
        settings={"bit_per_s": round(kbps * 1000), **_OPUS_OPTIONS},
    )


@dataclass(frozen=True)
class OpusCodec:
    """libopus at one bit rate, a fresh encoder and decoder for every clip."""

    spec: CodecSpec

    def encode(self, audio: Audio) -> Encoded:
        """Encode; zeros are appended so that the delayed end of the clip is sent too."""
        encoder = _opus_encoder(audio.channels, self.spec.settings["bit_per_s"])
        covered = audio.num_samples + _pre_skip(audio.channels)
        packets = encode_blocks(encoder, audio.samples, covered)
        return as_encoded(audio, packets)

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used. libopus removes the pre-skip itself."""
        import numpy as np

        channels = encoded.channels
        decoder = open_decoder(
            "libopus", channels=channels, rate_hz=RATE_HZ, extradata=_header(channels)
        )
        blocks = decoded_blocks(decoder, encoded.packets, channels=channels)
        decoded = np.concatenate(list(blocks), axis=1)
        if decoded.shape[1] < encoded.num_samples:
            raise CodecError(
                f"libopus returned {decoded.shape[1]} of {encoded.num_samples} samples"
            )
        return Audio(np.ascontiguousarray(decoded[:, : encoded.num_samples]), RATE_HZ)


def _opus_encoder(channels: int, bit_per_s: int) -> Any:
    return open_encoder(
        "libopus",
        channels=channels,
        rate_hz=RATE_HZ,
        bit_per_s=bit_per_s,
        sample_format="flt",
        options=_OPUS_OPTIONS,
    )


@cache
def _header(channels: int) -> bytes:
    """The identification header (RFC 7845, section 5.1), a constant of the encoder's build."""
    return bytes(_opus_encoder(channels, 64_000).extradata)


def _pre_skip(channels: int) -> int:
    """Samples at 48 kHz by which libopus delays, as its header states."""
    (pre_skip,) = struct.unpack_from("<H", _header(channels), 10)
    return int(pre_skip)


def _opus_versions() -> Mapping[str, str]:
    """Version of libopus inside PyAV's wheel, read off the comment header that it writes."""
    import av

    return {
        "libopus": _libopus_version(),
        "pyav": av.__version__,
        "opus options": str(_OPUS_OPTIONS),
    }


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


# --------------------------------------------------------------------------------------- MP3, AAC


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
        packets = encode_blocks(encoder, audio.samples, audio.num_samples)
        packets += encoder.encode(None)
        return as_encoded(audio, packets)

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used. The declared delay is removed."""
        import numpy as np

        form, channels = _FORMATS[self.spec.model], encoded.channels
        extradata = bytes(_encoder(form.name, channels, 64_000).extradata or b"")
        decoder = open_decoder(
            form.decoder, channels=channels, rate_hz=RATE_HZ, extradata=extradata
        )
        blocks = list(decoded_blocks(decoder, encoded.packets, channels=channels))
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
    return open_encoder(
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
    import numpy as np

    encoder = _encoder(name, channels, 64_000)
    silence = np.zeros((channels, 1), np.float32)
    packets = encode_blocks(encoder, silence, 1) + list(encoder.encode(None))
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


def _versions() -> Mapping[str, str]:
    import av

    return {
        "pyav": av.__version__,
        "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
    }


_MP3_MODEL = CodecModel(
    name="mp3",
    family="classic",
    points=tuple(_point(_MP3, kbps) for kbps in _MP3.listed_kbps),
    default=("mp3@64kbps", "mp3@128kbps"),
    load=lambda spec, weights, device: ClassicCodec(spec),
    requires=("av",),
    versions=_versions,
)
_AAC_MODEL = replace(
    _MP3_MODEL,
    name="aac",
    points=tuple(_point(_AAC, kbps) for kbps in _AAC.listed_kbps),
    default=("aac@64kbps", "aac@128kbps"),
    free_point=lambda text: _point(_AAC, any_rate("aac", text, _AAC_MIN_KBPS, _AAC_MAX_KBPS)),
)
_OPUS_MODEL = CodecModel(
    name="opus",
    family="opus",
    points=tuple(_opus_point(kbps) for kbps in _OPUS_KBPS),
    default=tuple(f"opus@{kbps}kbps" for kbps in _OPUS_DEFAULT_KBPS),
    load=lambda spec, weights, device: OpusCodec(spec),
    free_point=lambda text: _opus_point(any_rate("opus", text, _OPUS_MIN_KBPS, _OPUS_MAX_KBPS)),
    requires=("av",),
    versions=_opus_versions,
)
MODELS = (_OPUS_MODEL, _MP3_MODEL, _AAC_MODEL)
