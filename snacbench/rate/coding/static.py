"""Order 0, trained beforehand: one table per stream, the same for every clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snacbench.rate.coding.coder import StreamShape
from snacbench.rate.coding.range_coder import Reader, Table, Writer
from snacbench.rate.coding.tables import Tables, check_fits
from snacbench.rate.coding.written import Written, check_codes, check_streams
from snacbench.types import Codes


class StaticCoder:
    """Codes by fixed tables; fast, because a stream is one call."""

    name = "static"

    def __init__(self, tables: Tables) -> None:
        self.tables_sha256 = tables.sha256
        self._tables = tables
        self._ready = [Table(stream.shares) for stream in tables.streams]

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length."""
        check_codes(codes, codebook_sizes)
        check_fits(self._tables, codebook_sizes)
        written = []
        for array, table in zip(codes, self._ready, strict=True):
            writer = Writer()
            writer.put_all(array.ravel(), table)
            written.append(Written(writer.finish(), writer.bits))
        return tuple(written)

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream."""
        return tuple(one.data for one in self.write(codes, codebook_sizes))

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The very codes; CodecError where the bytes cannot have come from such codes."""
        check_streams(data, shapes)
        check_fits(self._tables, [shape.codebook_size for shape in shapes])
        codes = []
        for one, shape, table in zip(data, shapes, self._ready, strict=True):
            reader = Reader(one)
            symbols = reader.take_all(shape.channels * shape.frames, table)
            reader.finish()
            codes.append(symbols.reshape(shape.channels, shape.frames).astype(np.int32))
        return tuple(codes)
