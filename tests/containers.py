"""One second of sound in every container that soundfile and PyAV write, whole and altered."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 24_000
_PACKED = ("RAW", "SD2")  # without a header, and with one in another file
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "DPCM_8": 7, "PCM_16": 16, "DPCM_16": 16, "ALAC_16": 16}
_EXACT = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_20", "ALAC_24", "ALAC_32")


@dataclass(frozen=True)
class Case:
    """A file, what it should decode to, and what is right.

    `tolerance` is the largest error of a sample, None where a lossy coder decides; `states` says
    whether its header states a length, `refused` what a message must say where it is refused,
    `sound_bytes` where the sound ends, if not with the file.
    """

    data: bytes
    samples: NDArray[np.float32]
    rate_hz: int = RATE_HZ
    tolerance: float | None = None
    states: bool = True
    refused: str = ""
    sound_bytes: int | None = None

    @property
    def half(self) -> bytes:
        """The file cut off in the middle of its sound."""
        return self.data[: (self.sound_bytes or len(self.data)) // 2]


@cache
def sound(rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """A tone that swells, with a little noise: one second, and an odd number of samples."""
    time_s = np.arange(rate_hz + 1) / rate_hz
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    tone = (0.1 + 0.3 * time_s) * np.sin(2 * np.pi * 440 * time_s)
    return (tone + 0.01 * noise).astype(np.float32)


def by_soundfile(kind: str, subtype: str, *, rate_hz: int = RATE_HZ, endian: str = "FILE") -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, sound(rate_hz), rate_hz, subtype, endian, kind)
    return stream.getvalue()


class _Pipe:
    """Takes bytes and cannot seek, as a pipe."""

    def __init__(self) -> None:
        self.data = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self.data.write(data)


def by_pyav(
    kind: str,
    codec: str,
    *,
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    pipe: bool = False,
    **options: str,
) -> bytes:
    target: Any = _Pipe() if pipe else io.BytesIO()
    layout = "mono" if channels == 1 else "stereo"
    with av.open(target, "w", format=kind, options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate_hz, layout=layout)
        if codec in ("wavpack", "tta"):
            stream.codec_context.format = "s16p" if codec == "wavpack" else "s16"
        stream.codec_context.open()
        source = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.tile(sound(rate_hz), (channels, 1))), "fltp", layout
        )
        source.sample_rate, source.pts = rate_hz, 0
        resampler = av.AudioResampler(stream.format.name, layout, rate_hz)
        fifo = av.AudioFifo()
        for frame in [*resampler.resample(source), *resampler.resample(None)]:
            fifo.write(frame)
        size = stream.codec_context.frame_size or 1024
        while (frame := fifo.read(size, partial=True)) is not None:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return (target.data if pipe else target).getvalue()


def whole_by_soundfile() -> Iterator[tuple[str, Case]]:
    """Every kind and subtype that soundfile writes."""
    for kind in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(kind):
            if kind in _PACKED or subtype in ("MPEG_LAYER_I", "MPEG_LAYER_II", "DWVW_12"):
                continue
            if (kind, subtype) == ("WAV", "MPEG_LAYER_III"):
                continue
            for endian in ("FILE", "BIG") if kind == "WAV" else ("FILE",):
                data = by_soundfile(kind, subtype, endian=endian)
                yield (
                    f"{kind.lower()}-{subtype.lower()}-{endian.lower()}",
                    Case(
                        data,
                        sound(),
                        soundfile.info(io.BytesIO(data)).samplerate,
                        tolerance_of(kind, subtype),
                        states=kind not in ("PAF", "PVF", "IRCAM", "XI"),
                        refused="DWVW" if subtype.startswith("DWVW") else "",
                    ),
                )


def tolerance_of(kind: str, subtype: str) -> float | None:
    if kind in ("OGG", "MP3") or "ADPCM" in subtype or subtype[:3] in ("GSM", "G72", "MPE"):
        return None
    if subtype in ("ULAW", "ALAW"):
        return 0.02
    if kind == "SDS":
        return None  # its first sample is lost
    return 1.1 * 2.0 ** (1 - _BITS[subtype]) if subtype in _BITS else 2e-6


def whole_by_pyav() -> Iterator[tuple[str, Case]]:
    """What PyAV writes and soundfile does not, files and pipes."""
    lossless = (
        *(("ipod", "alac"), ("mp4", "flac"), ("mov", "pcm_s16le"), ("matroska", "flac")),
        *(("matroska", "pcm_s16le"), ("wv", "wavpack"), ("tta", "tta"), ("caf", "alac")),
        *(("ogg", "flac"), ("wav", "pcm_s24le"), ("avi", "pcm_s16le")),
        *(("aiff", "pcm_s16be"), ("au", "pcm_s16be"), ("flac", "flac")),
    )
    for kind, codec in lossless:
        yield f"ff-{kind}-{codec}", Case(by_pyav(kind, codec), sound(), tolerance=4e-5)
    lossy = (
        *(("mp3", "libmp3lame"), ("ipod", "aac"), ("webm", "libopus"), ("ogg", "libopus")),
        *(("matroska", "aac"), ("wav", "libmp3lame"), ("wav", "adpcm_yamaha"), ("flv", "aac")),
    )
    for kind, codec in lossy:
        rate_hz = 48_000 if codec == "libopus" and kind == "webm" else RATE_HZ
        yield f"ff-{kind}-{codec}", Case(by_pyav(kind, codec), sound(rate_hz), rate_hz)
    unstated = (
        *(("adts", "aac"), ("mp2", "mp2"), ("ac3", "ac3"), ("mpegts", "aac"), ("latm", "aac")),
    )
    for kind, codec in unstated:
        rate_hz = 48_000 if kind == "ac3" else RATE_HZ
        data = by_pyav(kind, codec, rate_hz=rate_hz)
        yield f"ff-{kind}-{codec}", Case(data, sound(rate_hz), rate_hz, states=False)
    for name, kind, codec, tolerance in (
        ("wav", "wav", "pcm_s16le", 4e-5),
        ("flac", "flac", "flac", 4e-5),
        ("au", "au", "pcm_s16be", 4e-5),
        ("mka", "matroska", "flac", 4e-5),
        ("mp3", "mp3", "libmp3lame", None),
    ):
        data = by_pyav(kind, codec, pipe=True)
        yield f"pipe-{name}", Case(data, sound(), tolerance=tolerance, states=False)
    bare = by_pyav("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    yield "mp3-without-xing", Case(bare, sound(), states=False)
    yield "mp3-without-xing-twice", Case(bare + bare, np.tile(sound(), 2), states=False)


def patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    changed = bytearray(data)
    for place, new in changes:
        changed[place : place + len(new)] = new
    return bytes(changed)


def little(number: int) -> bytes:
    return struct.pack("<I", number)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + little(len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + little(len(body)) + body


def id3(size: int) -> bytes:
    """An ID3v2 tag of zeros."""
    seven = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + seven + bytes(size)


def altered() -> Iterator[tuple[str, Case]]:
    """Lawful headers that are seldom seen."""
    wav = by_soundfile("WAV", "PCM_16")
    fmt, data = wav[12:36], wav[44:]
    size = len(data)
    good = {
        "riff-8-too-large": patched(wav, (4, little(len(wav)))),
        "riff-2-too-large": patched(wav, (4, little(len(wav) - 6))),
        "data-6-too-large": patched(wav, (40, little(size + 6))),
        "riff-too-small": patched(wav, (4, little(36))),
        "list-before-data": riff(fmt, chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"), wav[36:]),
        "odd-chunks": riff(chunk(b"bext", b"x" * 603), fmt, chunk(b"junk", b"y" * 7), wav[36:]),
        "chunks-after": riff(fmt, wav[36:], chunk(b"LIST", b"INFO"), chunk(b"id3 ", id3(20))),
        "id3-before-wav": id3(300) + wav,
        "bytes-after": wav + b"\0" * 64,
    }
    for name, content in good.items():
        yield name, Case(content, sound(), tolerance=4e-5)
    extended = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, RATE_HZ, 4 * RATE_HZ, 4, 32, 22, 24, 4, 1)
    in_32 = (np.rint(sound() * 2**23).astype(np.int32) << 8).tobytes()
    guid = bytes.fromhex("000000001000800000aa00389b71")
    wavex = riff(chunk(b"fmt ", extended + guid), chunk(b"data", in_32))
    yield "wavex-24-in-32", Case(wavex, sound(), tolerance=2e-6)
    for name, sizes in {
        "all-ones": (0xFFFF_FFFF, 0xFFFF_FFFF),
        "half-ones": (0x7FFF_F024, 0x7FFF_F000),
        "two-gib": (0x8000_0024, 0x8000_0000),
        "zeros": (0, 0),
        "never-completed": (36, 0),
    }.items():
        content = patched(wav, (4, little(sizes[0])), (40, little(sizes[1])))
        yield f"wav-{name}", Case(content, sound(), tolerance=4e-5, states=False)
    rf64 = by_soundfile("RF64", "PCM_16")
    yield "bw64", Case(b"BW64" + rf64[4:], sound(), tolerance=4e-5)
    aiff, au, caf = (by_soundfile(kind, "PCM_16") for kind in ("AIFF", "AU", "CAF"))
    yield "id3-before-aiff", Case(id3(128) + aiff, sound(), tolerance=4e-5)
    yield "au-open", Case(patched(au, (8, b"\xff" * 4)), sound(), tolerance=4e-5, states=False)
    open_caf = patched(caf, (caf.index(b"data") + 4, b"\xff" * 8))
    yield "caf-open", Case(open_caf, sound(), tolerance=4e-5, states=False)
    flac = by_soundfile("FLAC", "PCM_16")
    yield "id3-before-flac", Case(id3(200) + flac, sound(), tolerance=4e-5)
    padding = bytes([1]) + (50_000).to_bytes(3, "big") + bytes(50_000)
    yield "flac-padding", Case(flac[:42] + padding + flac[42:], sound(), tolerance=4e-5)
    mp3 = by_pyav("mp3", "libmp3lame")
    yield "id3-around-mp3", Case(id3(1000) + mp3 + b"TAG" + bytes(125), sound())
    art = np.random.default_rng(0).bytes(1 << 20)  # in which some bytes look like frames
    data = mp3 + b"APETAGEX" + bytes(24) + art
    yield "mp3-with-art-behind", Case(data, sound(), sound_bytes=len(mp3))
    empty = riff(fmt, chunk(b"data", b""), chunk(b"LIST", bytes(1000)))
    yield "wav-empty", Case(empty, sound(), refused="holds no samples")
    yield from joined(wav, size)


def joined(wav: bytes, size: int) -> Iterator[tuple[str, Case]]:
    """Several recordings in one file: refused, never the first part alone."""
    two = wav + b"data" + little(size) + wav[44:]
    two = patched(two, (4, little(len(two) - 8)))
    several = {"wav-two-data": (two, "2 data chunks")}
    for kind, subtype in (
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
        ("W64", "PCM_16"),
    ):
        several[f"{kind.lower()}-twice"] = (by_soundfile(kind, subtype) * 2, "another recording")
    for name, data in (
        ("wav", wav),
        ("wav-padded", wav + bytes(16)),
        ("wav-open", patched(wav, (4, b"\xff" * 4), (40, b"\xff" * 4))),
        ("flac", by_soundfile("FLAC", "PCM_16")),
        ("vorbis", by_soundfile("OGG", "VORBIS")),
        ("opus", by_soundfile("OGG", "OPUS")),
        ("nist", by_soundfile("NIST", "PCM_16")),
        ("m4a", by_pyav("ipod", "alac")),
        ("webm", by_pyav("webm", "libopus")),
        ("tta", by_pyav("tta", "tta")),
    ):
        several[f"{name}-twice"] = (data * 2, "another recording")
    tagged = by_pyav("mp3", "libmp3lame", write_xing="0")
    several["mp3-without-xing-tagged-twice"] = (tagged * 2, "another recording")
    several["mp3-twice"] = (by_pyav("mp3", "libmp3lame") * 2, "several recordings")
    several["wv-twice"] = (by_pyav("wv", "wavpack") * 2, "truncated or damaged")
    for name, (data, message) in several.items():
        yield name, Case(data, np.tile(sound(), 2), refused=message)


@cache
def corpus() -> Mapping[str, Case]:
    """Every case by its name."""
    return dict([*whole_by_soundfile(), *whole_by_pyav(), *altered()])
