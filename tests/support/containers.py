"""One second of sound in every container that soundfile and PyAV write, whole and altered."""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 24_000
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "ALAC_16": 16}
_READ = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")


@dataclass(frozen=True)
class Case:
    """A file, what it should decode to, and what is right.

    `tolerance` is the largest error of a sample, None where a lossy coder decides; `states` says
    whether its header states a length, `refused` what a message must say where it is refused,
    `sound_bytes` where the sound ends, if not with the file."""

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


def by_pyav(kind: str, codec: str, *, rate_hz: int = RATE_HZ, pipe: bool = False,
            **options: str) -> bytes:  # fmt: skip
    """A file, or what goes through a pipe, in which nobody can go back."""
    written = io.BytesIO()
    target: Any = SimpleNamespace(write=written.write) if pipe else written
    with av.open(target, "w", format=kind, options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate_hz, layout="mono")
        if codec in ("wavpack", "tta"):
            stream.codec_context.format = "s16p" if codec == "wavpack" else "s16"
        stream.codec_context.open()
        source = av.AudioFrame.from_ndarray(sound(rate_hz)[np.newaxis], "fltp", "mono")
        source.sample_rate, source.pts = rate_hz, 0
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz)
        fifo = av.AudioFifo()
        for frame in [*resampler.resample(source), *resampler.resample(None)]:
            fifo.write(frame)
        size = stream.codec_context.frame_size or 1024
        while (frame := fifo.read(size, partial=True)) is not None:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return written.getvalue()


def whole_by_soundfile() -> Iterator[tuple[str, Case]]:
    """Every subtype of the kinds that are read, and one each of those that are not."""
    for kind in ("AVR", "HTK", "IRCAM", "MAT5", "SDS", "SVX", "VOC"):
        data = by_soundfile(kind, str(soundfile.default_subtype(kind)))
        yield kind.lower(), Case(data, sound(), refused="is not audio")
    no_files = ("MPEG_LAYER_I", "MPEG_LAYER_II", "DWVW_12", "DWVW_16", "DWVW_24")
    for kind, subtype in ((k, s) for k in _READ for s in soundfile.available_subtypes(k)):
        if subtype in no_files or (kind, subtype) == ("WAV", "MPEG_LAYER_III"):
            continue
        for endian in ("FILE", "BIG") if kind == "WAV" else ("FILE",):
            data = by_soundfile(kind, subtype, endian=endian)
            rate_hz = soundfile.info(io.BytesIO(data)).samplerate
            tolerance: float | None = 2e-6
            if kind in ("OGG", "MP3") or "ADPCM" in subtype or subtype[:3] in ("GSM", "G72"):
                tolerance = None
            elif subtype in ("ULAW", "ALAW"):
                tolerance = 0.02
            elif subtype in _BITS:
                tolerance = 1.1 * 2.0 ** (1 - _BITS[subtype])
            yield f"{kind}-{subtype}-{endian}".lower(), Case(data, sound(), rate_hz, tolerance)


def whole_by_pyav() -> Iterator[tuple[str, Case]]:
    """What PyAV writes and soundfile does not, files and pipes."""
    lossless = (
        "ipod alac, mp4 flac, mov pcm_s16le, matroska flac, matroska pcm_s16le, wv wavpack, "
        "tta tta, caf alac, ogg flac, wav pcm_s24le, avi pcm_s16le, aiff pcm_s16be"
    )
    lossy = "mp3 libmp3lame, ipod aac, webm libopus, ogg libopus, matroska aac"
    lossy += ", wav libmp3lame, flv aac"
    unstated = "adts aac, mp2 mp2, ac3 ac3, mpegts aac, latm aac"
    kinds = ((lossless, 4e-5, True), (lossy, None, True), (unstated, None, False))
    for names, tolerance, states in kinds:
        for kind, codec in (name.split() for name in names.split(", ")):
            rate_hz = 48_000 if kind in ("webm", "ac3") else RATE_HZ
            data = by_pyav(kind, codec, rate_hz=rate_hz if kind == "ac3" else RATE_HZ)
            yield f"ff-{kind}-{codec}", Case(data, sound(rate_hz), rate_hz, tolerance, states)
    for kind, codec in (
        *(("wav", "pcm_s16le"), ("flac", "flac"), ("au", "pcm_s16be"), ("matroska", "flac")),
        ("mp3", "libmp3lame"),
    ):
        data, tolerance = by_pyav(kind, codec, pipe=True), None if kind == "mp3" else 4e-5
        yield f"pipe-{kind}", Case(data, sound(), tolerance=tolerance, states=False)
    bare = by_pyav("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    yield "mp3-without-xing", Case(bare, sound(), states=False)
    yield "mp3-without-xing-twice", Case(bare + bare, np.tile(sound(), 2), states=False)


def patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    for place, new in changes:
        data = data[:place] + new + data[place + len(new) :]
    return data


def little(number: int) -> bytes:
    return struct.pack("<I", number)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + little(len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def id3(size: int) -> bytes:
    """An ID3v2 tag of zeros."""
    return b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


def altered() -> Iterator[tuple[str, Case]]:
    """Lawful headers that are seldom seen."""
    kinds = ("WAV", "RF64", "AIFF", "AU", "CAF", "FLAC")
    wav, rf64, aiff, au, caf, flac = (by_soundfile(kind, "PCM_16") for kind in kinds)
    fmt, size, ones = wav[12:36], len(wav) - 44, b"\xff" * 4
    good = {
        **{name: patched(wav, (at, little(number))) for name, at, number in (
            ("riff-8-too-large", 4, len(wav)), ("riff-2-too-large", 4, len(wav) - 6),
            ("data-6-too-large", 40, size + 6), ("riff-too-small", 4, 36))},
        "list-before-data": riff(fmt, chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"), wav[36:]),
        "odd-chunks": riff(chunk(b"bext", b"x" * 603), fmt, chunk(b"junk", b"y" * 7), wav[36:]),
        "chunks-after": riff(fmt, wav[36:], chunk(b"LIST", b"INFO"), chunk(b"id3 ", id3(20))),
        "id3-before-wav": id3(300) + wav, "bytes-after": wav + b"\0" * 64,
        "bw64": b"BW64" + rf64[4:],
        "id3-before-aiff": id3(128) + aiff, "id3-before-flac": id3(200) + flac,
        "flac-padding": flac[:42] + b"\1" + (50_000).to_bytes(3, "big") + bytes(50_000) + flac[42:],
    }  # fmt: skip
    without_length = {
        "wav-all-ones": patched(wav, (4, ones), (40, ones)),
        "wav-half-ones": patched(wav, (4, little(0x7FFF_F024)), (40, little(0x7FFF_F000))),
        "wav-two-gib": patched(wav, (4, little(0x8000_0024)), (40, little(0x8000_0000))),
        "wav-zeros": patched(wav, (4, little(0)), (40, little(0))),
        "aiff-zeros": patched(aiff, (4, bytes(4)), (aiff.index(b"SSND") + 4, bytes(4))),
        "wav-never-completed": patched(wav, (4, little(36)), (40, little(0))),
        "au-open": patched(au, (8, ones)),
        "caf-open": patched(caf, (caf.index(b"data") + 4, ones + ones)),
    }
    for states, cases in ((True, good), (False, without_length)):
        for name, content in cases.items():
            yield name, Case(content, sound(), tolerance=4e-5, states=states)
    extended = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, RATE_HZ, 4 * RATE_HZ, 4, 32, 22, 24, 4, 1)
    in_32 = (np.rint(sound() * 2**23).astype(np.int32) << 8).tobytes()
    guid = bytes.fromhex("000000001000800000aa00389b71")
    wavex = riff(chunk(b"fmt ", extended + guid), chunk(b"data", in_32))
    yield "wavex-24-in-32", Case(wavex, sound(), tolerance=2e-6)
    mp3 = by_pyav("mp3", "libmp3lame")
    yield "id3-around-mp3", Case(id3(1000) + mp3 + b"TAG" + bytes(125), sound())
    tag = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    frames, count = struct.unpack(">2I", mp3[tag + 8 : tag + 16])
    vbri = b"VBRI\0\1\0\0\0\x4b" + struct.pack(">2I", count, frames)
    vbri = patched(mp3, (tag - 9, bytes(32) + vbri))
    yield "mp3-vbri", Case(vbri, sound())
    art = np.random.default_rng(0).bytes(1 << 20)  # in which some bytes look like frames
    data = mp3 + b"APETAGEX" + bytes(24) + art
    yield "mp3-with-art-behind", Case(data, sound(), sound_bytes=len(mp3))
    data = patched(mp3, (tag + 4, b"\0\0\0\1"), (tag + 12, bytes(4)))
    yield "mp3-counts-frames-alone", Case(data, sound())
    empty = riff(fmt, chunk(b"data", b""), chunk(b"LIST", bytes(1000)))
    yield "wav-empty", Case(empty, sound(), refused="holds no samples")
    # Several recordings in one file: refused, never the first part alone.
    two = riff(fmt, wav[36:], wav[36:])
    several = {
        **{f"{kind}-twice": 2 * by_soundfile(kind, "PCM_16") for kind in ("W64", "NIST")},
        **{f"{kind}-twice": 2 * by_soundfile("OGG", kind) for kind in ("VORBIS", "OPUS")},
        "wav-twice": 2 * wav, "wav-padded-twice": 2 * (wav + bytes(16)), "aiff-twice": 2 * aiff,
        "wav-open-twice": 2 * without_length["wav-all-ones"],
        "au-twice": 2 * au, "caf-twice": 2 * caf, "flac-twice": 2 * flac,
        "m4a-twice": 2 * by_pyav("ipod", "alac"), "webm-twice": 2 * by_pyav("webm", "libopus"),
        "tta-twice": 2 * by_pyav("tta", "tta"),
        "mp3-without-xing-tagged-twice": 2 * by_pyav("mp3", "libmp3lame", write_xing="0"),
    }  # fmt: skip
    refused = {name: (data, "another recording") for name, data in several.items()}
    refused["wav-two-data"] = (two, "2 data chunks")
    refused["mp3-vbri-twice"] = (2 * vbri, "another recording")
    refused["mp3-twice"] = (2 * mp3, "another recording")
    bare = by_pyav("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    refused["mp3-and-one-without-xing"] = (mp3 + bytes(2048) + bare, "another recording")
    half = patched(mp3, (tag + 8, struct.pack(">2I", frames // 2, count // 2)))
    refused["mp3-states-half"] = (half, "another recording")
    refused["au-cut-by-little"] = (au[:-100], "truncated")
    refused["au-little-cut"] = (by_soundfile("AU", "PCM_16", endian="LITTLE")[:-100], "truncated")
    huge = patched(caf, (caf.index(b"data") + 4, (1 << 40).to_bytes(8)))
    refused["caf-states-a-terabyte"] = (huge, "truncated")
    refused["wv-twice"] = (2 * by_pyav("wv", "wavpack"), "truncated or damaged")
    for name, (data, message) in refused.items():
        yield name, Case(data, np.tile(sound(), 2), refused=message)


@cache
def corpus() -> Mapping[str, Case]:
    """Every case by its name."""
    return dict([*whole_by_soundfile(), *whole_by_pyav(), *altered()])
