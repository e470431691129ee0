"""Opus, MP3 and AAC-LC through PyAV: libopus, libmp3lame and FFmpeg's native AAC encoder.

What counts as sent is the packets. Of Opus every packet is weighed and the pre-skip removed
(RFC 6716); the rate asked for is a wish: with variable bit rate the packets of a short clip miss it
by up to a quarter, so what counts is `actual_kbps`. The decoder is libopus too: FFmpeg's own Opus
decoder differs audibly in the SILK and hybrid modes.

MP3 and AAC are late by a constant that their first packet's time stamp declares (1,105 and 1,024
samples); it is removed. An MP3 frame's header is part of its packet, the container of AAC (ADTS
would add 56 bit per frame) is not.

A lost packet of Opus is concealed by libopus itself (RFC 6716, 4.4). FFmpeg does not hand that
down, so what may have lost packets is decoded by the same library without FFmpeg: `Encoded.lost`
says so, and a packet that the decoder refuses then counts as lost. MP3's and AAC's decoders do not
get a lost packet, and silence takes its place.
"""

import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from snacbench.audio.resample import fit_length
from snacbench.errors import CodecError
from snacbench.later import av, np
from snacbench.models import CodecModel, any_rate
from snacbench.types import Audio, CodecSpec, Encoded, FloatSamples

RATE_HZ = 48_000
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, eq=False)
class _Format:
    """An encoder and its decoder, by FFmpeg's names; `latency_samples` are a frame and the delay.

    `pre_skip`: zeros are appended so that the delayed end of a clip is sent too, and the decoder
    removes the delay itself. Else the encoder is flushed, and its declared delay removed here.
    """

    name: str
    family: str
    encoder: str
    decoder: str
    latency_samples: int
    listed_kbps: Sequence[int]
    licence: str
    citation: str
    packet_samples: int
    concealment: str = "silence"
    any_kbps: tuple[float, float] | None = None
    pre_skip: bool = False
    sample_format: str = "fltp"  # planar; interleaved are ``flt``
    options: Mapping[str, str] = field(default_factory=dict)

    def point(self, kbps: float) -> CodecSpec:
        """An operating point by the rate asked for."""
        return CodecSpec(
            name=f"{self.name}@{kbps:g}kbps", model=self.name, family=self.family, rate_hz=RATE_HZ,
            channels=(1, 2), nominal_kbps=float(kbps), latency_s=self.latency_samples / RATE_HZ,
            packet_s=self.packet_samples / RATE_HZ, concealment=self.concealment,
            settings={"bit_per_s": round(kbps * 1000), **self.options}, licence=self.licence,
            citation=self.citation,
        )  # fmt: skip

    def model(self, *default_kbps: int) -> CodecModel:
        """The codec as `MODELS` has it."""
        return CodecModel(
            name=self.name, family=self.family, points=tuple(map(self.point, self.listed_kbps)),
            default=tuple(f"{self.name}@{kbps}kbps" for kbps in default_kbps),
            load=lambda spec, weights, device: ClassicCodec(spec, self), requires=("av",),
            free_point=any_rate(self.name, self.any_kbps, self.point),
            versions=lambda: _versions(self.name),
        )  # fmt: skip


@dataclass(frozen=True)
class ClassicCodec:
    """A codec at one bit rate, a fresh encoder and decoder for every clip."""

    spec: CodecSpec
    format: _Format

    def encode(self, audio: Audio) -> Encoded:
        """Encode until the last packets carry the end of the delayed signal."""
        encoder = _encoder(self.format, audio.channels, self.spec.settings["bit_per_s"])
        if self.format.pre_skip:
            delay = _pre_skip(self.format, audio.channels)
            packets = _encoded_blocks(encoder, audio.samples, audio.num_samples + delay)
        else:
            packets = _encoded_blocks(encoder, audio.samples, audio.num_samples)
            packets += encoder.encode(None)
        size = (audio.num_samples, audio.channels, audio.rate_hz)
        return Encoded(*size, packets=tuple(map(bytes, packets)))

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode without a flush; deterministic, so the seed is not used."""
        form, channels = self.format, encoded.channels
        if form.pre_skip and encoded.lost:
            blocks, start = _by_libopus(encoded), _pre_skip(form, channels)
        else:
            blocks = [np.zeros((channels, 0), np.float32), *_by_ffmpeg(form, encoded)]
            start = 0 if form.pre_skip else declared_delay(form, channels)
        decoded = np.concatenate(blocks, axis=1)
        kept = decoded[:, start : start + encoded.num_samples]
        if kept.shape[1] < encoded.num_samples:
            raise CodecError(
                f"{form.decoder} returned {kept.shape[1]} of {encoded.num_samples} samples after a "
                f"delay of {start}"
            )
        return Audio(np.ascontiguousarray(kept), RATE_HZ)


def _by_ffmpeg(form: _Format, encoded: Encoded) -> Iterator[FloatSamples]:
    """Decoded packets; zeros for what is lost, or then refused."""
    channels, hole = encoded.channels, np.zeros((encoded.channels, form.packet_samples), np.float32)
    decoder: Any = av.CodecContext.create(form.decoder, "r")
    decoder.sample_rate, decoder.layout = RATE_HZ, _LAYOUTS[channels]
    if header := _header(form, channels):
        decoder.extradata = header
    decoder.open()
    for payload, lost in zip_longest(encoded.packets, encoded.lost):
        if lost:
            yield hole
            continue
        try:
            frames = decoder.decode(av.Packet(payload))
        except av.FFmpegError:
            if not encoded.lost:
                raise
            frames = []
        blocks = []
        for frame in frames:
            block = frame.to_ndarray()
            if not frame.format.is_planar:
                block = block.reshape(-1, channels).T
            scale = np.float32(1 / 32_768 if block.dtype == np.int16 else 1)
            blocks.append(block.astype(np.float32) * scale)
        whole = [b.shape for b in blocks] == [hole.shape] and np.isfinite(blocks[0]).all()
        yield from blocks if whole or not encoded.lost else [hole]


def _by_libopus(encoded: Encoded) -> list[FloatSamples]:
    """Decoded packets, those that are lost or refused concealed by libopus."""
    library = _libopus()
    if library is None:
        raise CodecError(
            "lost packets of Opus are concealed by the libopus of PyAV's wheel, which is not here; "
            "install av as a wheel: pip install --force-reinstall --only-binary=:all: av"
        )
    state = ctypes.create_string_buffer(library.opus_decoder_get_size(encoded.channels))
    library.opus_decoder_init(state, RATE_HZ, encoded.channels)
    samples = np.zeros((_OPUS.packet_samples, encoded.channels), np.int16)
    into = (samples.ctypes.data_as(ctypes.c_void_p), len(samples), 0)
    blocks = []
    for payload, lost in zip(encoded.packets, encoded.lost, strict=True):
        done = 0 if lost else library.opus_decode(state, payload, len(payload), *into)
        if done != len(samples):
            library.opus_decode(state, None, 0, *into)
        blocks.append(samples.T.astype(np.float32) * np.float32(1 / 32_768))
    return blocks


def _encoder(form: _Format, channels: int, bit_per_s: int = 64_000) -> Any:
    encoder: Any = av.CodecContext.create(form.encoder, "w")
    encoder.sample_rate, encoder.layout = RATE_HZ, _LAYOUTS[channels]
    encoder.format, encoder.bit_rate = form.sample_format, bit_per_s
    encoder.time_base, encoder.options = Fraction(1, RATE_HZ), dict(form.options)
    encoder.open()
    return encoder


def _encoded_blocks(encoder: Any, samples: FloatSamples, num_samples: int) -> list[Any]:
    """Packets of a signal, cut or extended by zeros to whole frames that cover `num_samples`."""
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


@cache
def _header(form: _Format, channels: int) -> bytes:
    """What a decoder must know: a constant of the encoder's build (RFC 7845, 5.1, for Opus)."""
    return bytes(_encoder(form, channels).extradata or b"")


def _pre_skip(form: _Format, channels: int) -> int:
    """Samples at 48 kHz by which libopus is late; FFmpeg's decoder takes them away itself."""
    return int(struct.unpack_from("<H", _header(form, channels), 10)[0])


@cache
def declared_delay(form: _Format, channels: int) -> int:
    """Samples at 48 kHz by which an encoder says it is late: its first packet's time stamp."""
    encoder = _encoder(form, channels)
    silence = np.zeros((channels, 1), np.float32)
    packets = _encoded_blocks(encoder, silence, 1) + list(encoder.encode(None))
    return -int(packets[0].pts)


@cache
def _libopus() -> Any:
    """The library inside PyAV's wheel; None where PyAV comes from elsewhere."""
    found = sorted(Path(av.__file__).parent.parent.glob("av.libs/libopus-*"))
    return ctypes.CDLL(str(found[0])) if found else None


@cache
def _versions(name: str) -> Mapping[str, str]:
    """Versions of PyAV and of what codes a format; of libopus inside its wheel by its own word."""
    if name != "opus":
        libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
        return {"pyav": av.__version__, "libavcodec": libavcodec}
    said = "unknown: PyAV was not installed from a wheel"
    if library := _libopus():
        library.opus_get_version_string.restype = ctypes.c_char_p
        said = str(library.opus_get_version_string().decode())
    return {"libopus": said, "pyav": av.__version__, "opus options": str(_OPUS.options)}


_OPUS = _Format(
    name="opus", family="opus", encoder="libopus", decoder="libopus", concealment="libopus",
    latency_samples=960 + 312,  # a frame of 20 ms and the look-ahead
    packet_samples=960, any_kbps=(6.0, 510.0), pre_skip=True, sample_format="flt",
    listed_kbps=(6, 8, 12, 14, 16, 24, 32, 48, 64, 96, 128),
    licence="BSD-3-Clause",
    citation="Valin, Vos, Terriberry: Definition of the Opus Audio Codec, RFC 6716, 2012",
    # "audio" and not "voip": the latter high-passes, which costs music 13 dB of SI-SDR at 14 kbps.
    options={
        "application": "audio", "vbr": "on", "frame_duration": "20", "compression_level": "10",
    },
)  # fmt: skip
_MP3 = _Format(
    name="mp3", family="classic", encoder="libmp3lame", decoder="mp3float",
    latency_samples=1_152 + 1_105, packet_samples=1_152,
    # The bit rates of MPEG-1 layer III; at 48 kHz there is nothing below 32 kbps.
    listed_kbps=(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    licence="LGPL-2.0-or-later (LAME)",
    citation="ISO/IEC 11172-3, layer III",
)  # fmt: skip
_AAC = _Format(
    name="aac", family="classic", encoder="aac", decoder="aac",
    latency_samples=3 * 1_024,  # a frame, its overlap, and the one that window switching looks at
    packet_samples=1_024,
    listed_kbps=(16, 24, 32, 48, 64, 96, 128, 192, 256),
    licence="LGPL-2.1-or-later (FFmpeg)",
    citation="ISO/IEC 13818-7 and 14496-3, low complexity",
    any_kbps=(8.0, 288.0),  # 6,144 bit per channel and frame at most
)  # fmt: skip
MODELS = (_OPUS.model(8, 14, 24), _MP3.model(64, 128), _AAC.model(64, 128))
