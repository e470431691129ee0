"""What a ``.sncb`` file costs, in bytes and as rates over its source's duration."""

from __future__ import annotations

from dataclasses import dataclass

from snacbench.bitstream.container import Costs, Stored, costs_of
from snacbench.bitstream.file import Header
from snacbench.rows import Bits
from snacbench.units import BITS_PER_BYTE, bits_per_code, kbps


@dataclass(frozen=True)
class Summary:
    """A file's figures; rates in kbps over the duration of the source, lower is cheaper.

    Attributes
    ----------
    bits : Bits
        What a run reports: codes at whole bits per index, side information, payload.
    costs : Costs
        The bytes of the file.
    """

    header: Header
    codebook_sizes: tuple[int, ...]
    frames: tuple[tuple[int, ...], ...]
    bits: Bits
    costs: Costs

    @property
    def duration_s(self) -> float:
        """Duration of the source in seconds."""
        return self.header.num_samples / self.header.rate_hz

    @property
    def actual_kbps(self) -> float:
        """Rate of codes at whole bits per index, side information and payload, in kbps."""
        return kbps(self.bits.total, self.duration_s)

    def kbps_of(self, num_bytes: int) -> float:
        """Rate of so many bytes of the file, in kbps."""
        return kbps(num_bytes * BITS_PER_BYTE, self.duration_s)


def summary_of(stored: Stored) -> Summary:
    """The figures of a parsed file."""
    return Summary(
        header=stored.header,
        codebook_sizes=stored.codebook_sizes,
        frames=tuple(tuple(shape.frames for shape in part.shapes) for part in stored.parts),
        bits=_bits(stored),
        costs=costs_of(stored),
    )


def _bits(stored: Stored) -> Bits:
    bits = Bits()
    for part in stored.parts:
        held = sum(map(len, part.packets)) * BITS_PER_BYTE
        bits += Bits(
            codes=sum(
                shape.channels * shape.frames * bits_per_code(shape.codebook_size)
                for shape in part.shapes
            ),
            side_info=len(part.side_info) * BITS_PER_BYTE,
            payload=held if part.payload_bits is None else part.payload_bits,
        )
    return bits
