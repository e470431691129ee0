"""What an audio file states of its length, against what it holds.

libsndfile and FFmpeg decode. But both pass a file that was cut off as a shorter recording, and of
several recordings in one file they read the first. So what the header, the index or the end mark
of a container states is compared here with the bytes that are there.

Sources: RIFF/WAVE and RF64 (EBU Tech 3306), AIFF-C, Sony Wave64, Core Audio Format, NIST SPHERE,
RFC 9639 (FLAC), RFC 3533 (Ogg), ISO/IEC 14496-12 (MP4), RFC 8794 (EBML), ISO/IEC 11172-3 (MPEG).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from typing import NamedTuple

_WINDOW_BYTES = 1 << 16
_MAX_CHUNKS = 10_000
_MPEG_IN_WAVE = (0x50, 0x55)  # format tags of layers 2 and 3
_TRUNCATED = ": the file is truncated or damaged; fetch it again"
_JOINED = "another recording begins after it in the same file; split them"


@dataclass(frozen=True)
class Extent:
    """How much audio a file states and how much of it is there."""

    stated: int | None = None  # in bytes or frames; None: the header leaves the length open
    held: int = 0  # in the same unit
    per_s: float | None = None  # such units, where the header tells
    problem: str = ""  # why the file is not one whole recording
    known: bool = True  # whether this module knows the container
    decode_to_end: bool = False  # only decoding tells the length, which libsndfile would estimate

    @property
    def is_cut(self) -> bool:
        """Whether less is there than is stated."""
        return self.stated is not None and self.held < self.stated


class View:
    """Bytes of an open file at any place, a window at a time.

    `thorough` looks through the whole file where a header does not tell all: for pages and frames
    that are missing, and for further recordings. Else the header alone is read.
    """

    def __init__(self, stream: FileIO, size: int, *, thorough: bool = True) -> None:
        self.size, self.thorough = size, thorough
        self._stream, self._window, self._start = stream, b"", 0

    def at(self, place: int, count: int) -> bytes:
        """Up to `count` bytes from a place; fewer where the file ends."""
        begin = place - self._start
        if not 0 <= begin <= begin + count <= len(self._window):
            self._stream.seek(place)
            self._window = self._stream.read(max(count, _WINDOW_BYTES)) or b""
            self._start, begin = place, 0
        return self._window[begin : begin + count]

    def find(self, needle: bytes, place: int) -> int:
        """Where bytes occur next; -1: nowhere, or not to be looked for."""
        step = 16 * _WINDOW_BYTES
        while self.thorough and place < self.size:
            found = self.at(place, step + len(needle) - 1).find(needle)
            if found >= 0:
                return place + found
            place += step
        return -1

    def unpack(self, layout: str, place: int) -> tuple[int, ...]:
        """Numbers at a place; zeros where the file ends before."""
        size = struct.calcsize(layout)
        return struct.unpack(layout, self.at(place, size).ljust(size, b"\0"))


def extent_of(view: View) -> Extent:
    """What a file states of its length, and what it holds."""
    start = _after_id3(view, 0)
    head = view.at(start, 32)
    for magic, place, parse in _CONTAINERS:
        if head[place : place + len(magic)] == magic:
            return parse(view, start)
    for magic, length in _ONCE_ONLY:
        if head.startswith(magic):
            again = length and view.find(head[:length], start + length) > 0
            return Extent(known=False, problem=_JOINED if again else "")
    return _mpeg(view, start)


def _after_id3(view: View, place: int) -> int:
    """Where what follows ID3v2 tags begins."""
    while (tag := view.at(place, 10))[:3] == b"ID3" and len(tag) == 10:
        size = sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        place += 10 + size + (10 if tag[5] & 0x10 else 0)
    return place


# ------------------------------------------------------------- sound in one stretch of bytes

_RIFF, _IFF, _W64, _CAF = "<4sI", ">4sI", "<16sQ", ">4sq"  # name and size of a chunk
_ALIGNED = {_RIFF: 2, _IFF: 2, _W64: 8, _CAF: 1}
_FIRST_CHUNKS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"riff", b"caff", b"fLaC", b"OggS")


class _Chunk(NamedTuple):
    place: int
    size: int


class _Chunks:
    """The chunks of a file by their names, where the last one ends, and a problem, if any."""

    def __init__(self, view: View, place: int, layout: str) -> None:
        self.named: dict[bytes, list[_Chunk]] = {}
        self.end, self.problem = 0, ""
        head_size, wide = struct.calcsize(layout), None
        for _ in range(_MAX_CHUNKS):
            head = view.at(place, head_size)
            if len(head) < head_size or not _is_name(head[:4]):
                return  # the end of the file, or what is no chunk
            name, size = struct.unpack(layout, head)
            if name == b"ds64":
                wide = view.unpack("<Q", place + head_size + 8)[0]
            if name == b"data" and size == 0xFFFF_FFFF and wide is not None:
                size = wide
            size -= head_size if layout == _W64 else 0  # which counts both
            if name[:4] in _FIRST_CHUNKS:
                self.problem = _JOINED
                return
            self.named.setdefault(name[:4], []).append(_Chunk(place + head_size, size))
            self.end = place + head_size + size
            if size < 0:
                return
            place = self.end + (-size % _ALIGNED[layout])

    def first(self, name: bytes) -> _Chunk | None:
        return next(iter(self.named.get(name, ())), None)


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.decode().isprintable()


def _stretch(
    view: View, place: int, stated: int | None, per_s: float = 0.0, problem: str = ""
) -> Extent:
    """Sound from a place on; of as many bytes as are stated, if any are."""
    held = max(0, view.size - place)
    return Extent(stated, held if stated is None else min(held, stated), per_s or None, problem)


def _is_open(view: View, place: int, size: int) -> bool:
    """Whether a size was left open, as by programs that write to a pipe: all ones, or about half.

    No such size is meant where the file is shorter.
    """
    return (0x7FFF_0000 <= size <= 0x8000_0FFF or size >= 0xFFFF_0000) and view.size < place + size


def _joined(view: View, end: int) -> str:
    """The problem of a file that goes on with another recording where the first one ends."""
    return _JOINED if view.at(end, 4).startswith((*_FIRST_CHUNKS, b".snd", b"NIST")) else ""


def _riff(view: View, start: int) -> Extent:
    """WAV and its relatives: RIFF, RIFX, RF64, BW64; and AVI."""
    if view.at(start + 8, 4) == b"AVI ":
        stated, held = view.unpack("<I", start + 4)[0], view.size - start - 8
        cut = f"it holds {held} of the {stated} bytes that its header states{_TRUNCATED}"
        return Extent(stated or None, held, problem=cut if held < stated else "")
    layout = _IFF if view.at(start, 4) == b"RIFX" else _RIFF
    chunks = _Chunks(view, start + 12, layout)
    found, fmt = chunks.named.get(b"data", ()), chunks.first(b"fmt ")
    if not found:
        return Extent(known=False, problem=chunks.problem)
    problem = chunks.problem
    if sum(chunk.size > 0 for chunk in found) > 1:
        problem = f"it holds {len(found)} data chunks; join them into one"
    order, (place, stated) = layout[0], found[0]
    tag, _, _, bytes_per_s = view.unpack(f"{order}HHII", fmt.place if fmt else view.size)
    held = max(0, view.size - place)
    # A header that was never completed states 0; a file that really holds nothing ends in chunks.
    never_completed = stated == 0 and chunks.end < view.size - 1
    is_open = never_completed or _is_open(view, place, stated)
    if view.find(b"WAVEfmt ", place if is_open else chunks.end) > 0:
        problem = problem or _JOINED
    if is_open:
        return Extent(None, held, bytes_per_s, problem, decode_to_end=never_completed)
    # Where the outer size is that of the file, the inner one was written wrong.
    held = min(held, stated)
    is_whole = view.unpack(f"{order}I", start + 4)[0] == view.size - start - 8
    to_end = tag in _MPEG_IN_WAVE
    stated = held if is_whole else stated
    return Extent(stated, held, bytes_per_s or None, problem, decode_to_end=to_end)


def _aiff(view: View, start: int) -> Extent:
    """AIFF and AIFF-C."""
    chunks = _Chunks(view, start + 12, _IFF)
    data, common = chunks.first(b"SSND"), chunks.first(b"COMM")
    if data is None or common is None:
        return Extent(known=False, problem=chunks.problem)
    place, stated = data.place + 8, max(0, data.size - 8)  # behind offset and size of blocks
    frames, _, exponent, mantissa = view.unpack(">IHHQ", common.place + 2)
    rate_hz = mantissa / 2**63 * 2.0 ** (min(exponent, 16_500) - 16_383)
    frames *= 64 if view.at(common.place + 18, 4) == b"ima4" else 1  # counted in packets
    if (data.size == 0 and frames == 0) or _is_open(view, place, data.size):
        return _stretch(view, place, None, problem=chunks.problem)
    if view.unpack(">I", start + 4)[0] == view.size - start - 8:  # the inner size is wrong
        stated = min(view.size - place, stated)
    return _stretch(view, place, stated, stated * rate_hz / max(frames, 1), chunks.problem)


def _wave64(view: View, start: int) -> Extent:
    chunks = _Chunks(view, start + 40, _W64)
    data, fmt = chunks.first(b"data"), chunks.first(b"fmt ")
    if data is None:
        return Extent(known=False, problem=chunks.problem)
    if not 0 < data.size < 2**62:
        return _stretch(view, data.place, None, problem=chunks.problem)
    bytes_per_s = view.unpack("<I", fmt.place + 8)[0] if fmt else 0
    problem = chunks.problem or _joined(view, data.place + data.size)
    return _stretch(view, data.place, data.size, bytes_per_s, problem)


def _caf(view: View, start: int) -> Extent:
    chunks = _Chunks(view, start + 8, _CAF)
    data, description = chunks.first(b"data"), chunks.first(b"desc")
    if data is None or description is None:
        return Extent(known=False, problem=chunks.problem)
    place = data.place + 4  # behind the edit count
    if data.size < 0:
        return _stretch(view, place, None)
    rate_hz = struct.unpack(">d", view.at(description.place, 8).ljust(8, b"\0"))[0]
    packet_bytes, packet_frames = view.unpack(">II", description.place + 16)
    per_s = rate_hz * packet_bytes / max(packet_frames, 1)
    return _stretch(view, place, data.size - 4, per_s, chunks.problem)


def _au(view: View, start: int) -> Extent:
    order = ">" if view.at(start, 4) == b".snd" else "<"
    offset, stated, encoding, rate_hz, channels = view.unpack(f"{order}5I", start + 4)
    place = start + offset
    if _is_open(view, place, stated):
        return _stretch(view, place, None)
    bits = {23: 4, 25: 3, 26: 5, 3: 16, 4: 24, 5: 32, 6: 32, 7: 64}.get(encoding, 8)
    problem = _joined(view, place + stated)
    if stated == 0 and (held := view.size - place) > 0:
        problem = f"its header states 0 bytes of audio, and {held} follow; write it again"
    return _stretch(view, place, stated, rate_hz * channels * bits / 8, problem)


def _nist(view: View, start: int) -> Extent:
    words = view.at(start, 16).split()
    header = int(words[1]) if len(words) > 1 and words[1].isdigit() else 1024
    lines = [line.split(b" ", 2) for line in view.at(start, min(header, 1 << 16)).splitlines()]
    fields = {line[0]: line[2].strip() for line in lines if len(line) == 3}
    count, sample_bytes, channels, rate_hz = (
        int(fields[name]) if fields.get(name, b"").isdigit() else 0
        for name in (b"sample_count", b"sample_n_bytes", b"channel_count", b"sample_rate")
    )
    if b"," in fields.get(b"sample_coding", b""):  # compressed: its length in bytes is not stated
        return Extent(known=False)
    place, frame_bytes = start + header, sample_bytes * max(channels, 1)
    stated = count * frame_bytes
    problem = _joined(view, place + stated) if stated else ""
    return _stretch(view, place, stated or None, float(rate_hz * frame_bytes), problem)


# -------------------------------------------------------------------------------------- others


def _flac(view: View, start: int) -> Extent:
    """Its length is in samples, which are counted in decoding."""
    rest = view.unpack(">Q", start + 18)[0]  # rate, channels, bits, and 36 bits of length
    problem, place = "", start
    while (place := view.find(b"fLaC", place + 1)) > 0:
        if view.at(place + 4, 4) in (b"\0\0\0\x22", b"\x80\0\0\x22"):
            problem = _JOINED
    if rest & 0xF_FFFF_FFFF == 0:
        return Extent(None, view.size, problem=problem, decode_to_end=True)
    return Extent(view.size, view.size, problem=problem)


def _ogg(view: View, start: int) -> Extent:
    """Pages; the last one of a stream bears an end mark."""
    if not view.thorough:
        return Extent(view.size, view.size)
    rates: dict[int, int] = {}
    granule = ended = cut = began = 0
    problem, place = "", start
    while not cut and len(head := view.at(place, 27)) == 27:
        if head[:4] != b"OggS":
            place = view.find(b"OggS", place)
            if place < 0:
                break
            continue
        _, flags, position, serial, _, _, segments = struct.unpack("<BBqIIIB", head[4:])
        table = view.at(place + 27, segments)
        payload = place + 27 + segments
        cut = payload + sum(table) > view.size or len(table) < segments
        if flags & 2:  # a stream begins
            problem = _JOINED if began else problem
            if rate_hz := _ogg_rate(view.at(payload, 64)):
                rates[serial] = rate_hz
        began = began or not flags & 2
        if serial in rates and not cut:
            granule, ended = max(granule, position), bool(flags & 4)
        place = payload + sum(table)
    if not rates:
        return Extent(known=False, problem=problem)
    if len(rates) > 1 and not problem:
        problem = f"it holds {len(rates)} streams of audio at once; extract one"
    if cut or not ended:
        held_s = granule / next(iter(rates.values()))
        problem = problem or (
            f"it ends after {held_s:.2f} s without the mark that ends an Ogg stream" + _TRUNCATED
        )
    return Extent(view.size, view.size, problem=problem)


def _ogg_rate(packet: bytes) -> int:
    """Positions per second of a stream of audio, from its first packet; 0: it is none."""
    packet = packet.ljust(64, b"\0")
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little")
    if packet.startswith(b"OpusHead"):
        return 48_000
    if packet.startswith(b"\x7fFLAC"):
        return int.from_bytes(packet[27:30], "big") >> 4
    if packet.startswith(b"Speex   "):
        return int.from_bytes(packet[36:40], "little")
    return 0


def _mp4(view: View, start: int) -> Extent:
    names: list[bytes] = []
    place, stated, held, problem = start, 0, 0, ""
    while place + 8 <= view.size and len(names) < _MAX_CHUNKS:
        size, *_ = view.unpack(">I", place)
        name = view.at(place + 4, 4)
        if size == 1:
            size = view.unpack(">Q", place + 8)[0]
        if size == 0:
            size = view.size - place
        if size < 8 or not _is_name(name):
            break
        if name == b"ftyp" and b"moov" in names:
            problem = _JOINED
        names.append(name)
        stated, held = stated + size, held + min(size, view.size - place)
        place += size
    if b"moof" in names and b"mfra" not in names and held == stated:
        return Extent(None, held, problem=problem)
    return Extent(stated, held, problem=problem)


def _ebml(view: View, start: int) -> Extent:
    """Matroska and WebM: a header, and one segment that holds everything."""
    size, width = _ebml_size(view, start + 4)
    segment = start + 4 + width + (size or 0)
    size, width = _ebml_size(view, segment + 4)
    held = view.size - segment - 4 - width
    place, problem = segment, ""
    while (place := view.find(b"\x1a\x45\xdf\xa3", place + 1)) > 0:
        if b"\x42\x82" in view.at(place, 64):  # a document type, as every header of EBML has
            problem = _JOINED
    return Extent(size, min(held, size or held), problem=problem)


def _ebml_size(view: View, place: int) -> tuple[int | None, int]:
    """Size of an element and how many bytes state it; None: unknown."""
    first = (view.at(place, 1) or b"\0")[0]
    width = 9 - first.bit_length()
    if width > 8:
        return 0, 1
    value = int.from_bytes(view.at(place, width), "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


# ---------------------------------------------------------------------------------------- MPEG


class _Frame(NamedTuple):
    """Of a frame of MPEG audio: bits that those of one stream share, its bytes, samples, rate."""

    like: int
    size: int
    samples: int
    rate_hz: int


_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SEARCHED_BYTES = 4096  # more than the longest frame
_LIKE = 0xFFFE_0C00  # sync, version, layer, rate


def _frame(view: View, place: int) -> _Frame | None:
    """The frame whose header stands at a place, if one does."""
    word = view.unpack(">I", place)[0]
    version = {3: 1, 2: 2, 0: 4}.get(word >> 19 & 3)  # 4: the halved rates of "MPEG 2.5"
    layer = {3: 1, 2: 2, 1: 3}.get(word >> 17 & 3)
    rate, bits = word >> 10 & 3, word >> 12 & 15
    if word >> 21 != 0x7FF or version is None or layer is None or rate == 3 or bits in (0, 15):
        return None
    rate_hz = (44_100, 48_000, 32_000)[rate] // version
    bit_per_s = 1000 * _KBPS[min(version, 2), layer][bits - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version > 1 else 1152
    slots = (12 if layer == 1 else samples // 8) * bit_per_s // rate_hz + (word >> 9 & 1)
    return _Frame(word & _LIKE, slots * (4 if layer == 1 else 1), samples, rate_hz)


def _first_frame(view: View, start: int) -> tuple[int, _Frame] | None:
    """The first of three frames of one stream that follow each other, and its place."""
    for place in range(start, start + _SEARCHED_BYTES):
        at = place
        frames: list[_Frame] = []
        while len(frames) < 3 and (frame := _frame(view, at)):
            frames.append(frame)
            at += frame.size
        if len({frame.like for frame in frames}) == 1 and (len(frames) == 3 or at >= view.size):
            return place, frames[0]
    return None


def _mpeg(view: View, start: int) -> Extent:
    """MP3 and MP2: frames, of which the first may state how many follow (Xing, VBRI)."""
    found = _first_frame(view, start)
    if found is None:
        return Extent(known=False)
    (place, first), stated = found, 0
    head = view.at(place, 64)
    if (at := max(head.find(b"Xing"), head.find(b"Info"))) > 0:
        flags, count = view.unpack(">II", place + at + 4)
        stated = count if flags & 1 else 0
    elif head[36:40] == b"VBRI":
        stated = view.unpack(">I", place + 50)[0]
    if not stated:
        # Plain frames of two recordings are one stream; FFmpeg loses some at a tag between them.
        problem, tag = "", place
        while (tag := view.find(b"ID3", tag + 1)) > 0:
            behind = _frame(view, _after_id3(view, tag))
            if behind and behind.like == first.like:
                problem = _JOINED
        return Extent(None, view.size, problem=problem, decode_to_end=True)
    if not view.thorough:
        return Extent(stated, stated)
    count = _count_frames(view, place, first.like)
    per_s = first.rate_hz / first.samples
    problem = ""
    if count - 1 > stated + 1:
        problem = (
            f"its header states {stated / per_s:.2f} s and it holds {(count - 1) / per_s:.2f} s: "
            "several recordings in one file, or one that was edited; split them or write the "
            "header again"
        )
    # Some programs count the frame that states the number, too.
    return Extent(stated, stated if count >= stated else count - 1, per_s, problem)


def _count_frames(view: View, place: int, like: int) -> int:
    """Frames of one stream from a place on; behind anything else there must be two."""
    count, in_step = 0, True
    while 0 <= place < view.size:
        frame = _frame(view, place)
        fits = frame is not None and frame.like == like and place + frame.size <= view.size
        if frame and fits and not in_step:
            following = _frame(view, place + frame.size)
            fits = following is not None and following.like == like
        if frame and fits:
            count += 1
            place += frame.size
        else:
            place = view.find(b"\xff", place + 1)
        in_step = fits
    return count


# Magic bytes, where they stand, and what reads such a container.
_CONTAINERS: tuple[tuple[bytes, int, Callable[[View, int], Extent]], ...] = (
    *((name, 0, _riff) for name in (b"RIFF", b"RIFX", b"RF64", b"BW64")),
    (b"FORM", 0, _aiff),
    (b"riff\x2e\x91\xcf\x11", 0, _wave64),
    (b"caff", 0, _caf),
    *((name, 0, _au) for name in (b".snd", b"dns.")),
    (b"NIST_1A", 0, _nist),
    (b"fLaC", 0, _flac),
    (b"OggS", 0, _ogg),
    *((name, 4, _mp4) for name in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    (b"\x1a\x45\xdf\xa3", 0, _ebml),
)
# Containers whose length FFmpeg reads, and how many of their first bytes occur once only.
_ONCE_ONLY = (
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 16),  # ASF
    (b"TTA1", 8),
    (b"MAC ", 6),
    (b"tBaK", 6),
    (b"#!AMR", 6),
    (b"FLV\x01", 9),
    (b"DSD ", 12),
    (b"wvpk", 0),
)
