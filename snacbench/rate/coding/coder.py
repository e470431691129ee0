"""What every way of writing codes as bytes offers.

Codes come as in `snacbench.types.Encoded`: one int32 array ``(channels, frames)`` per stream,
coarse to fine, each with its own number of frames. Every stream becomes bytes of its own, so that
the cost of a codebook can be weighed; a model may look at coarser streams to code a finer one:
the decoder has them by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from snacbench.types import Codes


@dataclass(frozen=True)
class StreamShape:
    """What a decoder knows of a stream before its bytes: from the container's header."""

    codebook_size: int
    channels: int
    frames: int


def shapes_of(codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[StreamShape, ...]:
    """The shapes of code arrays; ValueError where their number is not that of the sizes."""
    return tuple(
        StreamShape(size, *map(int, array.shape))
        for array, size in zip(codes, codebook_sizes, strict=True)
    )


class Coder(Protocol):
    """A lossless code for the codes of one `Encoded`; nothing is kept between calls.

    Attributes
    ----------
    name : str
        ``packed``, ``static``, ``adaptive``, or that of a context model.
    tables_sha256 : str
        Digest of the trained tables that a decoder needs; empty where it needs none.
    """

    name: str
    tables_sha256: str

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream."""

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The very codes; CodecError where the bytes cannot have come from such codes."""
