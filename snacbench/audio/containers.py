"""What an audio file states of its length, against what it holds.

libsndfile passes a WAV, AIFF, Ogg or MP3 file that was cut off as a shorter recording, and of
several recordings in one file both it and FFmpeg read the first. So for these containers what the
header states is compared here with the bytes that are there, and the start of every container is
looked for again behind it. Of the others FFmpeg's duration is compared with what decoding gives
(`snacbench.audio.io`).

Sources: RIFF/WAVE and RF64 (EBU Tech 3306), AIFF-C, RFC 9639 (FLAC), RFC 3533 (Ogg), and of MP3
the tags that the encoders Xing and VBRI introduced.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20
_LONGEST_MATCH = 64
_JOINED = "another recording begins after it in the same file; split them"
# A file that starts so, and which eight bytes of it no recording holds by chance a second time.
_STARTS = {
    rb"RIFF|RIFX|RF64|BW64|FORM": 8,
    rb"riff\x2e\x91\xcf\x11|caff|\.snd|dns\.|NIST_1A|fLaC|\x1a\x45\xdf\xa3|\x30\x26\xb2\x75": 0,
    rb"TTA1|MAC |tBaK|FLV\x01|DSD ": 0,
    rb"....ftyp": 4,
}
# Where sound is one chunk of several: name and size of a chunk, where the first one stands, to how
# many bytes they are aligned.
_CHUNKED = {
    **dict.fromkeys((b"RIFF", b"RF64", b"BW64"), ("<4sI", 12, 2)),
    **dict.fromkeys((b"RIFX", b"FORM"), (">4sI", 12, 2)),
    b"riff": ("<16sQ", 40, 8),  # Wave64, whose sizes count the header
    b"caff": (">4sq", 8, 1),
}
# A page of Ogg: flags, stream, and what begins in it where that is a stream of audio.
_OGG_PAGE = re.compile(
    rb"OggS\0([\0-\7]).{8}(.{4})(?:.{10}(\x01vorbis|OpusHead|\x7fFLAC|Speex   ))?", re.DOTALL
)
_OGG_BEGINS, _OGG_ENDS = 2, 4
_ID3 = re.compile(rb"ID3[\2-\4]\0[\0-\xf0][\0-\x7f]{4}")
# The first frame of an MP3: a header, silence, how many frames follow, and perhaps how many bytes.
_XING = re.compile(
    rb"\xff[\xe2-\xff]..(?:.{9}|.{17}|.{32})"
    rb"(?:(?:Xing|Info)\0\0\0(?:[\3\7\x0b\x0f](?=.{4}(.{4}))|[\1\5\x09\x0d])|(VBRI).{10})(.{4})",
    re.DOTALL,
)
_MPEG_SLACK_BYTES = 2048


@dataclass(frozen=True)
class Extent:
    """How many bytes of audio a file states and how many of them are there.

    `stated` is None where the header does not tell, `is_open` where it leaves the length open. An
    MP3 states a number of frames (`unit`), which are not counted here. With `decode`, libsndfile
    would estimate the length. `problem` says why the file is not one whole recording.
    """

    stated: int | None = None
    held: int = 0
    is_open: bool = False
    decode: bool = False
    is_cut: bool = False
    problem: str = ""
    unit: str = "bytes"


def extent_of(stream: BinaryIO, size: int, *, thorough: bool = True) -> Extent:
    """What a file states of its length, and what it holds.

    `thorough` looks through the whole file, for the end of Ogg streams and further recordings;
    else the header alone is read.
    """
    start = 0  # behind the tags of ID3v2
    while (tag := _at(stream, start, 10))[:3] == b"ID3" and len(tag) == 10:
        length = sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        start += 10 + length + (10 if tag[5] & 0x10 else 0)
    head = _at(stream, start, 32)
    again = None
    for magic, place in _STARTS.items():
        if re.match(magic, head, re.DOTALL):
            again = re.compile(re.escape(head[place : place + 8]))
    if again and thorough and any(_found(stream, again, start + 16)):
        return Extent(problem=_JOINED)
    if head[:4] in _CHUNKED:
        return _chunked(stream, size, start)
    if head[:4] in (b".snd", b"dns."):
        layout = ">II" if head[:1] == b"." else "<II"
        offset, stated = struct.unpack_from(layout, head.ljust(12, b"\0"), 4)
        held, is_open = max(0, size - start - offset), stated == 0xFFFF_FFFF
        return Extent(stated, held, is_open=is_open, is_cut=held < stated and not is_open)
    if head[:4] == b"fLaC":
        is_open = int.from_bytes(head[18:26]) & 0xF_FFFF_FFFF == 0  # of 36 bits
        return Extent(is_open=is_open, decode=is_open)
    if head[:4] == b"OggS":
        return _ogg(stream, size, start) if thorough else Extent()
    return Extent() if again else _mpeg(stream, size, start, thorough=thorough)


def _at(stream: BinaryIO, place: int, count: int) -> bytes:
    stream.seek(place)
    return stream.read(count) or b""


def _found(stream: BinaryIO, wanted: re.Pattern[bytes], place: int) -> Iterator[re.Match[bytes]]:
    """Where an expression matches from a place on; its matches are short."""
    stream.seek(place)
    data, at_end = b"", False
    while not at_end:
        block = stream.read(_BLOCK_BYTES) or b""
        data, at_end = data + block, not block
        beyond = len(data) if at_end else max(0, len(data) - _LONGEST_MATCH)
        for match in wanted.finditer(data):
            if match.start() < beyond:
                yield match
        data = data[beyond:]


def _chunked(stream: BinaryIO, size: int, start: int) -> Extent:
    """WAV and its relatives (RIFX, RF64, BW64, Wave64), AIFF, CAF; and AVI."""
    kind, outer = _at(stream, start, 4), _at(stream, start + 4, 4)
    layout, place, aligned = _CHUNKED[kind]
    place, head_size, wide = start + place, struct.calcsize(layout), None
    found: list[tuple[int, int]] = []
    for _ in range(10_000):
        head = _at(stream, place, head_size)
        if len(head) < head_size or not (head[:4].isascii() and head[:4].decode().isprintable()):
            break  # the end of the file, or what is no chunk
        name, length = struct.unpack(layout, head)
        if name[:4] in _CHUNKED:
            return Extent(problem=_JOINED)
        place += head_size
        if name == b"ds64":
            wide = int.from_bytes(_at(stream, place + 8, 8), "little")
        if name == b"data" and length == 0xFFFF_FFFF and wide is not None:
            length = wide
        length -= head_size if kind == b"riff" else 0
        if name[:4] in (b"data", b"SSND"):
            found.append((place, length))
        if length < 0:
            break
        place += length + -length % aligned
    if sum(length > 0 for _, length in found) > 1:
        return Extent(problem=f"it holds {len(found)} data chunks; join them into one")
    total, there = struct.unpack(f"{layout[0]}I", outer)[0], size - start - 8
    if not found:
        return Extent(total, there, is_cut=kind == b"RIFF" and there < total)
    first, stated = found[0]
    held = max(0, size - first)
    # A header that was never completed states 0; a file that really holds nothing ends in chunks.
    never_completed = stated == 0 and place < size - 1
    # Left open, as by programs that write to a pipe: all ones, or about half, of 32 bits.
    is_riff = kind not in (b"FORM", b"riff", b"caff")
    open_size = 0x7FFF_0000 <= stated <= 0x8000_0FFF or 0xFFFF_0000 <= stated <= 0xFFFF_FFFF
    if never_completed or stated < 0 or (open_size and held < stated):
        return Extent(held=held, is_open=True, decode=never_completed and is_riff)
    # Where the outer size is that of the file, the inner one was written wrong.
    is_whole = total == there and kind not in (b"riff", b"caff")
    return Extent(stated, held, is_cut=held < stated and not is_whole)


def _ogg(stream: BinaryIO, size: int, start: int) -> Extent:
    """Pages; the last one of a stream bears an end mark."""
    audio: set[bytes] = set()
    began = ended = False
    for page in _found(stream, _OGG_PAGE, start):
        flags, serial = page[1][0], page[2]
        if flags & _OGG_BEGINS and began:
            return Extent(problem=_JOINED)
        began = began or not flags & _OGG_BEGINS
        if page[3]:
            audio.add(serial)
        if serial in audio:
            ended = bool(flags & _OGG_ENDS)
    if len(audio) > 1:
        return Extent(problem=f"it holds {len(audio)} streams of audio at once; extract one")
    longest = 27 + 255 + 255 * 255
    tail = _at(stream, max(0, size - longest), longest)
    last = tail[max(0, tail.rfind(b"OggS\0")) :]
    whole = len(last) > 26 and len(last) >= 27 + last[26] + sum(last[27 : 27 + last[26]])
    return Extent(is_cut=bool(audio) and not (ended and whole))


def _mpeg(stream: BinaryIO, size: int, start: int, *, thorough: bool) -> Extent:
    """MP3: the first frame may state how many follow. Of others a tag parts recordings."""
    tag = _XING.search(_at(stream, start, 4096))  # more than the longest frame
    if tag and (stated := int.from_bytes(tag[3])):
        end = start + tag.start() + (int.from_bytes(tag[1] or b"") or size)
        goes_on = size - end > _MPEG_SLACK_BYTES and _at(stream, end, 3)
        problem = _JOINED if goes_on and re.match(rb"\xff[\xe2-\xff]|ID3", goes_on) else ""
        is_vbri = tag[2] is not None  # of which libsndfile makes nothing
        return Extent(stated, decode=is_vbri, problem=problem, unit="frames")
    parted = thorough and any(_found(stream, _ID3, start + 1))
    return Extent(problem=_JOINED if parted else "")
