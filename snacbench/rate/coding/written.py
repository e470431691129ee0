"""What coders make of codes, and the codes that they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from snacbench.errors import CodecError
from snacbench.rate.coding.coder import Coder, StreamShape
from snacbench.types import Codes


@dataclass(frozen=True)
class Written:
    """A stream as bytes; `ideal_bits` is its model's code length before rounding to bytes."""

    data: bytes
    ideal_bits: float


class MeasuredCoder(Coder, Protocol):
    """A coder that also tells its model's ideal code length."""

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length."""


def check_codes(codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> None:
    """Refuse codes that are in no codebook, which a table would not notice.

    Raises
    ------
    CodecError
        If a code lies outside its codebook, or streams and codebooks are not equally many.
    """
    if len(codes) != len(codebook_sizes):
        raise CodecError(f"found {len(codes)} streams of codes for {len(codebook_sizes)} codebooks")
    for index, (array, size) in enumerate(zip(codes, codebook_sizes, strict=True)):
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < size:
            raise CodecError(
                f"stream {index} holds codes from {array.min()} to {array.max()}, outside its "
                f"codebook of {size}"
            )


def check_streams(data: Sequence[bytes], shapes: Sequence[StreamShape]) -> None:
    """Refuse bytes of more or fewer streams than are to be decoded.

    Raises
    ------
    CodecError
        If the numbers differ.
    """
    if len(data) != len(shapes):
        raise CodecError(f"found bytes of {len(data)} streams for {len(shapes)} streams")
