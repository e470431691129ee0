"""Bits that one `Encoded` really takes."""

from __future__ import annotations

from snacbench.errors import CodecError
from snacbench.rows import Bits
from snacbench.types import CodecSpec, Encoded
from snacbench.units import BITS_PER_BYTE, bits_per_code


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
        if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < stream.codebook_size:
            raise CodecError(
                f"{spec.name} stream {index} holds codes from {codes.min()} to {codes.max()}, "
                f"outside its codebook of {stream.codebook_size}"
            )
        code_bits += codes.size * bits_per_code(stream.codebook_size)
    held = sum(map(len, encoded.packets)) * BITS_PER_BYTE
    counted = held if encoded.payload_bits is None else encoded.payload_bits
    if not 0 <= counted <= held:
        raise CodecError(f"{spec.name} counts {counted} bits in packets of {held} bits")
    return Bits(code_bits, len(encoded.side_info) * BITS_PER_BYTE, counted)
