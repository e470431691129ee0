"""The container ``.sncb``: a `Bitstream` as bytes and back (docs/bitstreams.md, byte by byte).

The header is binary and not JSON, because the file is there to be weighed: three seconds at 1 kbps
are 375 bytes, and a header in words would double them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from snacbench.bitstream import wire
from snacbench.bitstream.file import Bitstream, Header
from snacbench.bitstream.header import header_bytes, read_header
from snacbench.bitstream.parts import MAX_PARTS, MAX_STREAMS, StoredPart, part_bytes, read_part
from snacbench.errors import BitstreamError, UserError
from snacbench.rate.coding.coder import Coder
from snacbench.types import Encoded

MAGIC = b"SNCB"
VERSION = 1
MAX_CODEBOOK_SIZE = 1 << 16  # entropy coders keep a table of so many entries
_MAX_CONTENT_BYTES = 1 << 40
_CHECKSUM_BYTES = 4
_SHOWN_DIGITS = 12

# The coder of a file, for its header names it and its tables; None where there is no such coder.
Coders = Callable[[Header], Coder | None]


@dataclass(frozen=True)
class Stored:
    """What a file holds, its codes still as the coder wrote them."""

    header: Header
    codebook_sizes: tuple[int, ...]
    parts: tuple[StoredPart, ...]
    size: int


@dataclass(frozen=True)
class Costs:
    """Bytes of a file by what they are for; they add up to the whole file.

    Attributes
    ----------
    header : int
        All that a stream in a session would send once: magic, names, digests, rates, codebook
        sizes, checksum.
    streams : tuple of int
        The codes of each stream, over all parts.
    side_info, packets : int
    container : int
        Lengths of parts, packets and streams.
    """

    header: int
    streams: tuple[int, ...]
    side_info: int
    packets: int
    container: int

    @property
    def codes(self) -> int:
        """Bytes of all streams."""
        return sum(self.streams)

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self.header + self.codes + self.side_info + self.packets + self.container


def write(bitstream: Bitstream, coder: Coder) -> bytes:
    """A coded signal as a file; the header's coder becomes this one.

    Raises
    ------
    BitstreamError
        If the format cannot hold it.
    CodecError
        If a code lies outside its codebook.
    """
    rate_hz = bitstream.header.codec_rate_hz
    if any(part.rate_hz != rate_hz for part in bitstream.parts):
        found = sorted({part.rate_hz for part in bitstream.parts})
        raise BitstreamError(f"parts at {found} Hz, expected all at the codec's {rate_hz} Hz")
    header = replace(bitstream.header, coder=coder.name, tables_sha256=coder.tables_sha256)
    sizes = bitstream.codebook_sizes
    told = header_bytes(header) + wire.number(len(sizes)) + wire.runs([(k,) for k in sizes])
    body = b"".join(
        (
            wire.number(len(told)) + told,
            wire.number(len(bitstream.parts)),
            *(part_bytes(part, sizes, coder) for part in bitstream.parts),
        )
    )
    unsigned = MAGIC + bytes([VERSION]) + wire.number(len(body)) + body
    data = unsigned + _checksum(unsigned)
    try:
        parse(data)  # nothing is written that could not be read
    except BitstreamError as error:
        raise BitstreamError(f"no .sncb file can hold this: {error}") from error
    return data


def read(data: bytes, coders: Coders) -> Bitstream:
    """A file's coded signal.

    Raises
    ------
    BitstreamError
        If it is not a whole, undamaged file of a version and coder that are known here.
    CodecError
        If the codes cannot be what the coder wrote.
    """
    stored = parse(data)
    header = stored.header
    coder = coders(header)
    if coder is None:
        raise BitstreamError(
            f"the codes are written by the coder {header.coder!r}, which is unknown here; read "
            "the file with the snacbench that wrote it"
        )
    if coder.tables_sha256 != header.tables_sha256:
        raise BitstreamError(
            f"the coder {header.coder} wrote the codes with tables of sha256 "
            f"{_shown(header.tables_sha256)} and has {_shown(coder.tables_sha256)} here; give the "
            "tables that the file was written with"
        )
    parts = tuple(_decoded(part, coder, header.codec_rate_hz) for part in stored.parts)
    return Bitstream(header, stored.codebook_sizes, parts)


def costs(data: bytes) -> Costs:
    """What the bytes of a file are for; raises as `parse`."""
    return costs_of(parse(data))


def costs_of(stored: Stored) -> Costs:
    """What the bytes of a parsed file are for."""
    by_part = [[len(stream) for stream in part.streams] for part in stored.parts]
    streams = tuple(map(sum, zip(*by_part, strict=True)))
    side_info = sum(len(part.side_info) for part in stored.parts)
    packets = sum(len(packet) for part in stored.parts for packet in part.packets)
    container = sum(part.table_bytes for part in stored.parts)
    header = stored.size - sum(streams) - side_info - packets - container
    return Costs(header, streams, side_info, packets, container)


def parse(data: bytes) -> Stored:
    """A file's content but for its codes, which stay as they were written.

    Raises
    ------
    BitstreamError
        If it is not a whole, undamaged file of a known version.
    """
    cursor = wire.Cursor(_body(data))
    told = wire.Cursor(cursor.take(cursor.length("the length of the header"), "the header"))
    header = read_header(told)
    count = told.number("the number of streams", most=MAX_STREAMS)
    sizes = told.runs("codebook sizes", least=(2,), most=(MAX_CODEBOOK_SIZE,), rows=count)
    told.end("the header")
    codebook_sizes = tuple(size for (size,) in sizes)
    parts = tuple(
        read_part(cursor, codebook_sizes)
        for _ in range(cursor.number("the number of parts", least=1, most=MAX_PARTS))
    )
    cursor.end("the last part")
    return Stored(header, codebook_sizes, parts, len(data))


def _body(data: bytes) -> memoryview:
    """What lies between the frame's head and its checksum, once both are right."""
    if not data or data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise BitstreamError(
            f"not a .sncb file: it begins with {bytes(data[: len(MAGIC)])!r}, expected {MAGIC!r}"
        )
    if len(data) <= len(MAGIC):
        raise _cut(data)
    if data[len(MAGIC)] != VERSION:
        raise BitstreamError(
            f"the file has version {data[len(MAGIC)]} of the format and this snacbench reads "
            f"{VERSION}; use the snacbench that wrote it, or a newer one"
        )
    cursor = wire.Cursor(memoryview(data))
    try:
        cursor.take(len(MAGIC) + 1, "the beginning")
        size = cursor.number("the length of the content", most=_MAX_CONTENT_BYTES)
    except BitstreamError as error:
        raise _damaged("its length cannot be read") if cursor.left else _cut(data) from error
    missing = size + _CHECKSUM_BYTES - cursor.left
    if missing > 0:
        raise _cut(data, missing)
    if missing < 0:
        raise _damaged(f"{-missing} bytes follow its end")
    body, checksum = cursor.take(size, "the content"), cursor.take(_CHECKSUM_BYTES, "the checksum")
    if checksum != _checksum(memoryview(data)[:-_CHECKSUM_BYTES]):
        raise _damaged("its checksum is not that of its content")
    return body


def _cut(data: bytes, missing: int | None = None) -> BitstreamError:
    of = f" of {len(data) + missing}" if missing else ""
    return BitstreamError(
        f"truncated: the file ends after {len(data)}{of} bytes; fetch it or write it again"
    )


def _damaged(how: str) -> BitstreamError:
    return BitstreamError(f"damaged: {how}; fetch the file or write it again")


def _checksum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _decoded(part: StoredPart, coder: Coder, rate_hz: int) -> Encoded:
    try:
        codes = tuple(coder.decode(part.streams, part.shapes))
    except UserError as error:  # tables of other streams
        raise BitstreamError(str(error)) from error
    return Encoded(
        num_samples=part.num_samples,
        channels=part.channels,
        rate_hz=rate_hz,
        codes=codes,
        side_info=part.side_info,
        packets=part.packets,
        payload_bits=part.payload_bits,
    )


def _shown(digest: str) -> str:
    return f"{digest[:_SHOWN_DIGITS]}..." if digest else "none"
