"""One coded signal of a ``.sncb`` file as bytes: a table of lengths, then what it measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snacbench.bitstream import wire
from snacbench.bitstream.header import MAX_CHANNELS
from snacbench.rate.coding.coder import Coder, StreamShape, shapes_of
from snacbench.types import Encoded

MAX_PARTS = MAX_CHANNELS
MAX_STREAMS = 1024
# Entropy-coded streams may hold many codes per byte, but a short file must not fill the memory:
# this is two minutes of the densest codec here as digital silence, and more where bytes are.
FREE_CODES = 1 << 18
CODES_PER_BYTE = 1024


@dataclass(frozen=True)
class StoredPart:
    """A coded signal whose streams are still bytes."""

    num_samples: int
    channels: int
    side_info: bytes
    packets: tuple[bytes, ...]
    payload_bits: int | None
    shapes: tuple[StreamShape, ...]
    streams: tuple[bytes, ...]
    table_bytes: int = 0

    @property
    def num_codes(self) -> int:
        """Indices in all streams."""
        return sum(shape.channels * shape.frames for shape in self.shapes)


def part_bytes(encoded: Encoded, codebook_sizes: Sequence[int], coder: Coder) -> bytes:
    """A signal as it is stored, its codes written by a coder.

    Raises
    ------
    CodecError
        If a code lies outside its codebook.
    """
    shapes = shapes_of(encoded.codes, codebook_sizes)
    streams = coder.encode(encoded.codes, codebook_sizes)
    counted = 0 if encoded.payload_bits is None else encoded.payload_bits + 1
    table = (
        wire.numbers((encoded.num_samples, encoded.channels, counted, len(encoded.side_info))),
        wire.numbers((len(encoded.packets), *map(len, encoded.packets))),
        wire.runs([(shape.channels, shape.frames) for shape in shapes]) if shapes else b"",
        wire.runs([(len(stream),) for stream in streams]) if shapes else b"",
    )
    return b"".join((*table, encoded.side_info, *encoded.packets, *streams))


def read_part(cursor: wire.Cursor, codebook_sizes: Sequence[int]) -> StoredPart:
    """The inverse, but for the coder's work.

    Raises
    ------
    BitstreamError
        If a length is impossible, or the streams hold more codes than their bytes can.
    """
    began = cursor.place
    num_samples = cursor.number("the length of a part", least=1)
    channels = cursor.number("the channels of a part", least=1, most=MAX_CHANNELS)
    counted = cursor.number("the bits of the packets that count")
    side_info = cursor.length("the length of the side information")
    packets = [
        cursor.length("the length of a packet")
        for _ in range(cursor.length("the number of packets"))
    ]
    shapes, streams = _stream_table(cursor, codebook_sizes)
    table_bytes = cursor.place - began
    part = StoredPart(
        num_samples,
        channels,
        side_info=bytes(cursor.take(side_info, "the side information")),
        packets=tuple(bytes(cursor.take(size, "a packet")) for size in packets),
        payload_bits=counted - 1 if counted else None,
        shapes=shapes,
        streams=tuple(bytes(cursor.take(size, "a stream")) for size in streams),
        table_bytes=table_bytes,
    )
    _check_density(part)
    return part


def _stream_table(
    cursor: wire.Cursor, codebook_sizes: Sequence[int]
) -> tuple[tuple[StreamShape, ...], list[int]]:
    """Shape and number of bytes of each stream."""
    if not codebook_sizes:
        return (), []
    count = len(codebook_sizes)
    shapes = cursor.runs(
        "the channels and frames of streams",
        least=(1, 0),
        most=(MAX_CHANNELS, wire.MOST),
        rows=count,
    )
    sizes = cursor.runs("the lengths of streams", least=(0,), most=(cursor.left,), rows=count)
    described = zip(codebook_sizes, shapes, strict=True)
    return (
        tuple(StreamShape(size, channels, frames) for size, (channels, frames) in described),
        [size for (size,) in sizes],
    )


def _check_density(part: StoredPart) -> None:
    held = sum(map(len, part.streams))
    most = FREE_CODES + CODES_PER_BYTE * held
    if part.num_codes > most:
        raise wire.impossible(
            f"{part.num_codes} codes in {held} bytes, where there may be {most}; the coder packed "
            "takes any codes"
        )
