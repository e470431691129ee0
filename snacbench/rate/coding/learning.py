"""Coders whose models learn token by token: ``adaptive`` and the context models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from snacbench.rate.coding.adaptive import OneContext, OrderZero
from snacbench.rate.coding.coder import StreamShape, shapes_of
from snacbench.rate.coding.contexts import NO_CONTEXT, coarser_context
from snacbench.rate.coding.range_coder import Reader, Writer
from snacbench.rate.coding.tables import StreamTable, Tables, check_fits, untrained
from snacbench.rate.coding.written import Written, check_codes, check_streams
from snacbench.types import Codes

Context = Literal["", "previous", "coarser"]


class LearningCoder:
    """Codes stream by stream, coarse to fine, and channel by channel within a stream.

    The models start anew with every `Encoded`, from the tables if there are any.
    """

    def __init__(self, name: str, context: Context, tables: Tables | None) -> None:
        self.name = name
        self.tables_sha256 = tables.sha256 if tables else ""
        self._context = context
        self._tables = tables

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length."""
        check_codes(codes, codebook_sizes)
        models = self._models(codebook_sizes)
        coarser: Codes | None = None
        written = []
        for array, shape, model in zip(
            codes, shapes_of(codes, codebook_sizes), models, strict=True
        ):
            written.append(self._write_stream(array, shape, model, coarser))
            coarser = array
        return tuple(written)

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream."""
        return tuple(one.data for one in self.write(codes, codebook_sizes))

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The very codes; CodecError where the bytes cannot have come from such codes."""
        check_streams(data, shapes)
        models = self._models([shape.codebook_size for shape in shapes])
        codes: list[Codes] = []
        for one, shape, model in zip(data, shapes, models, strict=True):
            codes.append(self._read_stream(one, shape, model, codes[-1] if codes else None))
        return tuple(codes)

    def _write_stream(
        self, codes: Codes, shape: StreamShape, model: OrderZero | OneContext, coarser: Codes | None
    ) -> Written:
        writer = Writer()
        given = self._given(shape, coarser)
        for row, contexts in zip(codes.tolist(), given, strict=True):
            before = NO_CONTEXT
            for symbol, context in zip(row, contexts, strict=True):
                looked_at = before if self._context == "previous" else context
                writer.put(symbol, model.shares(looked_at))
                model.learn(symbol, looked_at)
                before = symbol
        return Written(writer.finish(), writer.bits)

    def _read_stream(
        self, data: bytes, shape: StreamShape, model: OrderZero | OneContext, coarser: Codes | None
    ) -> Codes:
        reader = Reader(data)
        codes = np.zeros((shape.channels, shape.frames), np.int32)
        for row, contexts in zip(codes, self._given(shape, coarser), strict=True):
            before = NO_CONTEXT
            for frame, context in enumerate(contexts):
                looked_at = before if self._context == "previous" else context
                before = reader.take(model.shares(looked_at))
                model.learn(before, looked_at)
                row[frame] = before
        reader.finish()
        return codes

    def _given(self, shape: StreamShape, coarser: Codes | None) -> list[list[int]]:
        """Contexts that are known before the stream is read, per channel and frame."""
        if self._context != "coarser":
            coarser = None
        given: list[list[int]] = coarser_context(shape.frames, shape.channels, coarser).tolist()
        return given

    def _models(self, codebook_sizes: Sequence[int]) -> list[OrderZero | OneContext]:
        if self._tables:
            check_fits(self._tables, codebook_sizes)
        known: Sequence[StreamTable] = (
            self._tables.streams if self._tables else [untrained(size) for size in codebook_sizes]
        )
        if not self._context:
            return [OrderZero(table) for table in known]
        return [OneContext(table, table.pairs.get(self._context)) for table in known]
