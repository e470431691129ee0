"""Bits that one `Encoded` really takes, and how often each code occurs in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snacbench.errors import CodecError
from snacbench.rows import Bits, CodeHistogram
from snacbench.types import CodecSpec, Codes, Encoded
from snacbench.units import BITS_PER_BYTE, bits_per_code


def check_range(codes: Codes, codebook_size: int, what: str) -> None:
    """Refuse codes outside their codebook (`CodecError`)."""
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < codebook_size:
        raise CodecError(
            f"{what} holds codes from {codes.min()} to {codes.max()}, outside its codebook of "
            f"{codebook_size}"
        )


def bits_of(encoded: Encoded, spec: CodecSpec) -> Bits:
    """Bits of codes (whole bits per index), side information and packets, over all channels.

    Padding frames count: they are in the codes. A container around packets (Ogg) does not. Raises
    `CodecError` for codes that do not fit the spec, or more counted bits than the packets have.
    """
    if len(encoded.codes) != len(spec.streams):
        raise CodecError(
            f"{spec.name} returned {len(encoded.codes)} code arrays for {len(spec.streams)} streams"
        )
    code_bits = 0
    for index, (codes, stream) in enumerate(zip(encoded.codes, spec.streams, strict=True)):
        check_range(codes, stream.codebook_size, f"{spec.name} stream {index}")
        code_bits += codes.size * bits_per_code(stream.codebook_size)
    held = sum(map(len, encoded.packets)) * BITS_PER_BYTE
    counted = held if encoded.payload_bits is None else encoded.payload_bits
    if not 0 <= counted <= held:
        raise CodecError(f"{spec.name} counts {counted} bits in packets of {held} bits")
    return Bits(code_bits, len(encoded.side_info) * BITS_PER_BYTE, counted)


def histograms_of(
    parts: Sequence[Encoded], *, clip: str, spec: CodecSpec
) -> tuple[CodeHistogram, ...]:
    """One histogram per stream of a clip; `parts` are its channels where each is coded alone."""
    rows = []
    for index, stream in enumerate(spec.streams):
        codes = np.concatenate([part.codes[index].ravel() for part in parts])
        used, counts = np.unique(codes, return_counts=True)
        size, used, counts = stream.codebook_size, used.astype(np.int32), counts.astype(np.int64)
        rows.append(CodeHistogram(clip, spec.name, index, size, used, counts))
    return tuple(rows)
