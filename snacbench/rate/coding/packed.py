"""Codes at whole bits per index: what `actual_kbps` counts, as bytes.

Every stream is one string of bits, index after index, first bit first, channel after channel; zeros
fill its last byte up. Nothing is trained and nothing can go wrong: this is what others are
measured against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import CodecError
from snacbench.rate.coding.coder import StreamShape
from snacbench.types import Codes
from snacbench.units import BITS_PER_BYTE, bits_per_code

_WORD_BITS = 32
_BLOCK = 1 << 16  # codes at once, a multiple of 8: each bit of a block takes a byte of memory


class Packed:
    """`Coder` of ceil(log2 K) bits per index."""

    name = "packed"
    tables_sha256 = ""

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream.

        Raises
        ------
        CodecError
            If a code lies outside its codebook.
        """
        pairs = zip(codes, codebook_sizes, strict=True)
        return tuple(_pack(array, size, stream) for stream, (array, size) in enumerate(pairs))

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The codes that were packed.

        Raises
        ------
        CodecError
            If a string has not exactly the bytes of its shape, an index lies outside its codebook,
            or the bits after the last index are not zero.
        """
        pairs = zip(data, shapes, strict=True)
        return tuple(_unpack(packed, shape, stream) for stream, (packed, shape) in enumerate(pairs))


PACKED = Packed()


def packed_bytes(shape: StreamShape) -> int:
    """Bytes that a stream of a shape takes."""
    bits = shape.channels * shape.frames * bits_per_code(shape.codebook_size)
    return -(-bits // BITS_PER_BYTE)


def _pack(codes: Codes, size: int, stream: int) -> bytes:
    _check_range(codes, size, stream)
    bits, flat = bits_per_code(size), codes.reshape(-1)
    blocks = (flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK))
    return b"".join(np.packbits(_to_bits(block, bits)).tobytes() for block in blocks)


def _unpack(packed: bytes, shape: StreamShape, stream: int) -> Codes:
    expected = packed_bytes(shape)
    if len(packed) != expected:
        raise CodecError(
            f"stream {stream} has {len(packed)} bytes, expected {expected} for {shape.channels} x "
            f"{shape.frames} indices into {shape.codebook_size} entries"
        )
    bits, count = bits_per_code(shape.codebook_size), shape.channels * shape.frames
    codes, raw = np.empty(count, np.int32), np.frombuffer(packed, np.uint8)
    for start in range(0, count, _BLOCK):
        in_block = min(_BLOCK, count - start)
        first = start * bits // BITS_PER_BYTE
        last = -(-(start + in_block) * bits // BITS_PER_BYTE)
        codes[start : start + in_block] = _from_bits(raw[first:last], in_block, bits)
    filling = expected * BITS_PER_BYTE - count * bits
    if filling and packed[-1] & ((1 << filling) - 1):
        raise CodecError(f"stream {stream} goes on after its last index; its bytes are damaged")
    shaped = codes.reshape(shape.channels, shape.frames)
    _check_range(shaped, shape.codebook_size, stream)
    return shaped


def _to_bits(codes: NDArray[np.int32], bits: int) -> NDArray[np.uint8]:
    """The last bits of each code, shape (codes, bits)."""
    as_bytes = codes.astype(">u4").view(np.uint8).reshape(-1, _WORD_BITS // BITS_PER_BYTE)
    return np.unpackbits(as_bytes, axis=1)[:, _WORD_BITS - bits :]


def _from_bits(packed: NDArray[np.uint8], count: int, bits: int) -> NDArray[np.int32]:
    """The inverse: `count` codes."""
    words = np.zeros((count, _WORD_BITS), np.uint8)
    words[:, _WORD_BITS - bits :] = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    return np.packbits(words, axis=1).reshape(-1).view(">u4").astype(np.int32)


def _check_range(codes: Codes, size: int, stream: int) -> None:
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < size:
        raise CodecError(
            f"stream {stream} holds codes from {codes.min()} to {codes.max()}, outside its "
            f"codebook of {size}"
        )
