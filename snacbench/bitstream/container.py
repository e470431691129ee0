"""The container ``.sncb``: a `Bitstream` as bytes and back (docs/bitstreams.md, byte by byte).

The header is binary and not JSON, because the file is there to be weighed: three seconds at 1 kbps
are 375 bytes, and a header in words would double them.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from snacbench.bitstream import wire
from snacbench.errors import BitstreamError, CodecError, UserError
from snacbench.files import write_bytes, writing
from snacbench.rate.bits import side_info_bits
from snacbench.rate.coding.coders import CODERS, PACKED, Coder, StreamShape, coder_named, shapes_of
from snacbench.rate.coding.trained import Tables
from snacbench.rows import Bits
from snacbench.types import Codes, Encoded
from snacbench.units import BITS_PER_BYTE, bits_per_code, kbps

MAGIC = b"SNCB"
VERSION, VERSION_WITH_LENGTHS = 1, 2  # where the lengths of segments travel
# How the source's channels went to the codec. New ways are added at the end.
CHANNEL_MODES = ("mono", "stereo", "all channels", "mono in both channels", "each channel alone")
MAX_CHANNELS = 64
MAX_PARTS = MAX_CHANNELS
MAX_RATE_HZ = 10_000_000
MAX_STREAMS = 1024
MAX_CODEBOOK_SIZE = 1 << 16  # entropy coders keep a table of so many entries
MAX_WEIGHTS_FILES = 64
# Entropy-coded streams may hold many codes per byte, but a short file must not fill the memory:
# this is two minutes of the densest codec here as digital silence, and more where bytes are.
FREE_CODES = 1 << 18
CODES_PER_BYTE = 1024
_MAX_CONTENT_BYTES = 1 << 40
_CHECKSUM_BYTES = 4
_DIGEST_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Header:
    """All that a decoder must know beside the codes.

    `codec` is the operating point's name (``dac-44khz@2.58kbps``), `weights_sha256` the digest of
    each weights file that encoded, `codec_rate_hz` the rate of the decoder's answer. `rate_hz`,
    `channels` and `num_samples` are the source's, and `channel_mode` is how its channels were given
    to the codec, as `Coded` has it. `seed` is of the decoder's random numbers for part 0; part i
    takes seed + i. `coder` names the `Coder` of the codes; `tables_sha256` is the digest of its
    trained tables. `max_segment_frames` is above 1 where parts have segment lengths.
    """

    codec: str
    weights_sha256: Mapping[str, str]
    codec_rate_hz: int
    rate_hz: int
    channels: int
    num_samples: int
    channel_mode: str
    seed: int
    coder: str = "packed"
    tables_sha256: str = ""
    max_segment_frames: int = 1


@dataclass(frozen=True)
class Bitstream:
    """A coded signal: its header, and one part per signal that went through the codec."""

    header: Header
    codebook_sizes: tuple[int, ...]
    parts: tuple[Encoded, ...]


@dataclass(frozen=True)
class StoredPart:
    """A signal without its codes, and these still as the coder wrote them."""

    encoded: Encoded
    shapes: tuple[StreamShape, ...]
    streams: tuple[bytes, ...]
    table_bytes: int


@dataclass(frozen=True)
class Summary:
    """What a file of `size` bytes holds, its codes still as the coder wrote them, and its figures.

    Rates are in kbps over the duration of the source, lower is cheaper.
    """

    header: Header
    codebook_sizes: tuple[int, ...]
    parts: tuple[StoredPart, ...]
    size: int

    @property
    def frames(self) -> tuple[tuple[int, ...], ...]:
        """Frames of each part's streams."""
        return tuple(tuple(shape.frames for shape in part.shapes) for part in self.parts)

    @property
    def bits(self) -> Bits:
        """What a run reports: codes at whole bits per index, side information, payload."""
        total = Bits()
        for part in self.parts:
            encoded, held = part.encoded, BITS_PER_BYTE * sum(map(len, part.encoded.packets))
            total += Bits(
                sum(s.channels * s.frames * bits_per_code(s.codebook_size) for s in part.shapes),
                side_info_bits(encoded, self.header.max_segment_frames),
                held if encoded.payload_bits is None else encoded.payload_bits,
            )
        return total

    @property
    def stream_bytes(self) -> tuple[int, ...]:
        """Bytes of each stream's codes, over all parts."""
        parts = zip(*(map(len, part.streams) for part in self.parts), strict=True)
        return tuple(map(sum, parts))

    @property
    def costs(self) -> dict[str, int]:
        """Bytes by what they are for, which add up to the whole ``file``.

        ``header`` is all that a stream in a session would send once: magic, names, digests, rates,
        codebook sizes, checksum; ``container`` the lengths of parts, packets and streams.
        """
        bits = partial(side_info_bits, max_segment_frames=self.header.max_segment_frames)
        parts = {
            "codes": sum(self.stream_bytes),
            "side_info": sum(-(-bits(part.encoded) // BITS_PER_BYTE) for part in self.parts),
            "packets": sum(len(packet) for part in self.parts for packet in part.encoded.packets),
            "container": sum(part.table_bytes for part in self.parts),
        }
        return {**parts, "header": self.size - sum(parts.values()), "file": self.size}

    @property
    def duration_s(self) -> float:
        """Duration of the source in seconds."""
        return self.header.num_samples / self.header.rate_hz

    @property
    def actual_kbps(self) -> float:
        """Rate of `bits`, in kbps."""
        return kbps(self.bits.total, self.duration_s)

    def kbps_of(self, num_bytes: int) -> float:
        """Rate of so many bytes of the file, in kbps."""
        return kbps(num_bytes * BITS_PER_BYTE, self.duration_s)


def write(bitstream: Bitstream, coder: Coder) -> bytes:
    """A coded signal as a file; the header's coder becomes this one.

    Raises `BitstreamError` where the format cannot hold it, and `CodecError` for a code outside its
    codebook.
    """
    rate_hz = bitstream.header.codec_rate_hz
    if any(part.rate_hz != rate_hz for part in bitstream.parts):
        found = sorted({part.rate_hz for part in bitstream.parts})
        raise BitstreamError(f"parts at {found} Hz, expected all at the codec's {rate_hz} Hz")
    header = replace(bitstream.header, coder=coder.name, tables_sha256=coder.tables_sha256)
    sizes = bitstream.codebook_sizes
    if header.channel_mode not in CHANNEL_MODES:
        raise BitstreamError(
            f"no way of handling channels is called {header.channel_mode!r}; a .sncb file knows "
            f"{', '.join(CHANNEL_MODES)}"
        )
    weights = sorted(header.weights_sha256.items())
    tables = [header.tables_sha256] if header.tables_sha256 else []
    most = header.max_segment_frames
    told = b"".join(
        (
            wire.text(header.codec),
            wire.number(len(weights)),
            *(wire.text(name) + _digest(digest) for name, digest in weights),
            wire.numbers((header.codec_rate_hz, header.rate_hz)),
            wire.numbers((header.channels, header.num_samples)),
            wire.numbers((CHANNEL_MODES.index(header.channel_mode), header.seed)),
            wire.text(header.coder),
            wire.number(len(tables)),
            *map(_digest, tables),
            wire.number(len(sizes)),
            wire.runs([(k,) for k in sizes]),
            wire.numbers([most] if most > 1 else ()),
        )
    )
    body = wire.number(len(told)) + told + wire.number(len(bitstream.parts))
    for part in bitstream.parts:  # lengths, then what they measure
        shapes, streams = shapes_of(part.codes, sizes), coder.encode(part.codes, sizes)
        counted = 0 if part.payload_bits is None else part.payload_bits + 1
        body += wire.numbers((part.num_samples, part.channels, counted, len(part.side_info)))
        body += wire.numbers((len(part.packets), *map(len, part.packets)))
        if shapes:
            body += wire.runs([(shape.channels, shape.frames) for shape in shapes])
            body += wire.runs([(len(stream),) for stream in streams])
        body += b"".join((part.side_info, _packed_lengths(part, most), *part.packets, *streams))
    version = VERSION if most == 1 else VERSION_WITH_LENGTHS
    unsigned = MAGIC + bytes([version]) + wire.number(len(body)) + body
    data = unsigned + _checksum(unsigned)
    try:
        parse(data)  # nothing is written that could not be read
    except BitstreamError as error:
        raise BitstreamError(f"no .sncb file can hold this: {error}") from error
    return data


def read(data: bytes, tables: Tables | None = None) -> Bitstream:
    """A file's coded signal; `tables` are those of its coder, looked at if the header names any.

    Raises `BitstreamError` unless it is a whole, undamaged file of a version and coder that are
    known here, and these are its tables; and `CodecError` where the codes cannot be what the coder
    wrote.
    """
    stored = parse(data)
    header = stored.header
    if header.coder not in CODERS:
        raise BitstreamError(
            f"the codes are written by the coder {header.coder!r}, which is unknown here; read "
            "the file with the snacbench that wrote it"
        )
    tables = tables if header.tables_sha256 else None
    found = tables.sha256 if tables and header.coder != PACKED.name else ""
    if found != (wanted := header.tables_sha256):
        raise BitstreamError(
            f"the coder {header.coder} wrote the codes with tables of sha256 "
            f"{wanted[:_SHOWN_DIGITS]}... and has {found[:_SHOWN_DIGITS] or 'none'} here; give the "
            "tables that the file was written with"
        )
    try:
        coder = coder_named(header.coder, tables)
        parts = tuple(
            replace(part.encoded, codes=coder.decode(part.streams, part.shapes))
            for part in stored.parts
        )
    except UserError as error:  # tables of other streams, or none where the coder needs some
        raise BitstreamError(str(error)) from error
    return Bitstream(header, stored.codebook_sizes, parts)


def parse(data: bytes) -> Summary:
    """A file's content but for its codes, which stay as they were written.

    Raises `BitstreamError` unless it is a whole, undamaged file of a known version.
    """
    cursor, with_lengths = wire.Cursor(_body(data)), data[len(MAGIC)] == VERSION_WITH_LENGTHS
    told = wire.Cursor(cursor.take(cursor.length("the length of the header"), "the header"))
    codec, weights = told.text("the codec's name"), dict[str, str]()
    for _ in range(told.number("the number of weights files", most=MAX_WEIGHTS_FILES)):
        name = told.text("the name of a weights file")
        if weights and name <= max(weights):
            raise wire.impossible("the weights files are not in order")
        weights[name] = told.take(_DIGEST_BYTES, "a digest").hex()
    header = Header(
        codec=codec,
        weights_sha256=weights,
        codec_rate_hz=told.number("the codec's rate", least=1, most=MAX_RATE_HZ),
        rate_hz=told.number("the source's rate", least=1, most=MAX_RATE_HZ),
        channels=told.number("the source's channels", least=1, most=MAX_CHANNELS),
        num_samples=told.number("the source's length", least=1),
        channel_mode=CHANNEL_MODES[told.number("the channel mode", most=len(CHANNEL_MODES) - 1)],
        seed=told.number("the seed"),
        coder=told.text("the coder's name"),
        tables_sha256=told.take(_DIGEST_BYTES, "a digest").hex()
        if told.number("whether there are tables", most=1)
        else "",
    )
    count = told.number("the number of streams", most=MAX_STREAMS)
    sizes = told.runs("codebook sizes", least=(2,), most=(MAX_CODEBOOK_SIZE,), rows=count)
    if with_lengths:
        most = told.number("the longest segment", least=2, most=MAX_CODEBOOK_SIZE)
        header = replace(header, max_segment_frames=most)
    told.end("the header")
    codebook_sizes = tuple(size for (size,) in sizes)
    parts = tuple(
        _read_part(cursor, codebook_sizes, header)
        for _ in range(cursor.number("the number of parts", least=1, most=MAX_PARTS))
    )
    cursor.end("the last part")
    return Summary(header, codebook_sizes, parts, len(data))


def _body(data: bytes) -> memoryview:
    """What lies between the frame's head and its checksum, once both are right."""
    if not data or data[: len(MAGIC)] != MAGIC[: len(data)]:
        text = f"not a .sncb file: it begins with {bytes(data[: len(MAGIC)])!r}, expected {MAGIC!r}"
        raise BitstreamError(text)
    ends = f"truncated: the file ends after {len(data)}"
    if len(data) <= len(MAGIC):
        raise _spoilt(f"{ends} bytes")
    if data[len(MAGIC)] not in (VERSION, VERSION_WITH_LENGTHS):
        raise BitstreamError(
            f"the file has version {data[len(MAGIC)]} of the format and this snacbench reads "
            f"{VERSION} and {VERSION_WITH_LENGTHS}; use the snacbench that wrote it, or a newer one"
        )
    cursor = wire.Cursor(memoryview(data))
    try:
        cursor.take(len(MAGIC) + 1, "the beginning")
        size = cursor.number("the length of the content", most=_MAX_CONTENT_BYTES)
    except BitstreamError as error:
        text = "damaged: its length cannot be read" if cursor.left else f"{ends} bytes"
        raise _spoilt(text) from error
    if (missing := size + _CHECKSUM_BYTES - cursor.left) > 0:
        raise _spoilt(f"{ends} of {len(data) + missing} bytes")
    if missing < 0:
        raise _spoilt(f"damaged: {-missing} bytes follow its end")
    body, checksum = cursor.take(size, "the content"), cursor.take(_CHECKSUM_BYTES, "the checksum")
    if checksum != _checksum(memoryview(data)[:-_CHECKSUM_BYTES]):
        raise _spoilt("damaged: its checksum is not that of its content")
    return body


def _spoilt(how: str) -> BitstreamError:
    return BitstreamError(f"{how}; fetch the file or write it again")


def _checksum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _digest(sha256: str) -> bytes:
    if not _DIGEST.fullmatch(sha256):
        text = f"a sha256 digest has 64 hexadecimal digits in lower case, found {sha256!r}"
        raise BitstreamError(text)
    return bytes.fromhex(sha256)


def _packed_lengths(part: Encoded, most: int) -> bytes:
    """A part's segment lengths; BitstreamError unless they are the codes', or there are none."""
    lengths, shapes = part.segment_lengths, {codes.shape for codes in part.codes}
    if (lengths is None) != (most == 1) or (lengths is not None and shapes != {lengths.shape}):
        raise BitstreamError(
            f"a part has {'no' if lengths is None else lengths.shape} segment lengths of up to "
            f"{most} frames for codes of shapes {sorted(shapes)}; every code has one, or none has"
        )
    return b"" if lengths is None else PACKED.encode((lengths - 1,), (most,))[0]


def _read_lengths(cursor: wire.Cursor, rows: Sequence[wire.Row], most: int) -> Codes | None:
    """The inverse."""
    if most == 1:
        return None
    if len(set(rows)) != 1:
        raise wire.impossible("codes of segments are of several shapes, or there are none")
    shape = StreamShape(most, *rows[0])
    size = -(-shape.channels * shape.frames * bits_per_code(most) // BITS_PER_BYTE)
    packed = bytes(cursor.take(size, "the array of segment lengths"))
    try:
        return PACKED.decode((packed,), (shape,))[0] + np.int32(1)
    except CodecError as error:
        raise wire.impossible(f"of segment lengths, {error}") from error


def _read_part(cursor: wire.Cursor, codebook_sizes: Sequence[int], header: Header) -> StoredPart:
    """The inverse, but for the coder's work; BitstreamError where it is impossible."""
    began = cursor.place
    num_samples = cursor.number("the length of a part", least=1)
    channels = cursor.number("the channels of a part", least=1, most=MAX_CHANNELS)
    counted = cursor.number("the bits of the packets that count")
    side_info = cursor.length("the length of the side information")
    count = cursor.length("the number of packets")
    packets = [cursor.length("the length of a packet") for _ in range(count)]
    rows: tuple[wire.Row, ...] = ()
    lengths: tuple[wire.Row, ...] = ()
    if count := len(codebook_sizes):
        most = (MAX_CHANNELS, wire.MOST)
        what = "the channels and frames of streams"
        rows = cursor.runs(what, least=(1, 0), most=most, rows=count)
        left = (cursor.left,)
        lengths = cursor.runs("the lengths of streams", least=(0,), most=left, rows=count)
    table_bytes = cursor.place - began
    encoded = Encoded(
        num_samples, channels, header.codec_rate_hz,
        side_info=bytes(cursor.take(side_info, "the side information")),
        segment_lengths=_read_lengths(cursor, rows, header.max_segment_frames),
        packets=tuple(bytes(cursor.take(size, "a packet")) for size in packets),
        payload_bits=counted - 1 if counted else None,
    )  # fmt: skip
    shapes = tuple(StreamShape(k, *row) for k, row in zip(codebook_sizes, rows, strict=True))
    streams = tuple(bytes(cursor.take(size, "a stream")) for (size,) in lengths)
    codes = sum(shape.channels * shape.frames for shape in shapes)
    held = sum(map(len, streams))
    if codes > (allowed := FREE_CODES + CODES_PER_BYTE * held):
        raise wire.impossible(
            f"{codes} codes in {held} bytes, where there may be {allowed}; the coder packed takes "
            "any codes"
        )
    return StoredPart(encoded, shapes, streams, table_bytes)


def save(path: Path, data: bytes) -> None:
    """Write a file, which appears once it is complete; `StoreError` where that fails."""
    with writing(str(path)):
        write_bytes(path, data)


def load(path: Path) -> bytes:
    """A file's bytes; `BitstreamError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BitstreamError(f"{path} cannot be read: {error.strerror}") from error
