"""Codes by a neural language model that predicts a frame of all streams from the frames before.

Its probabilities come out of floating-point sums, so encoder and decoder must run the same steps
on the same machine with the same number of threads, as the authors' own coder does. Rounded to
whole shares of the range they are exact from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import CodecError, UserError
from snacbench.rate.coding.coders import Coder, StreamShape, Written
from snacbench.rate.coding.range_coder import SHARES, Reader, Shares, Writer, divisible
from snacbench.types import Codes

LANGUAGE_CODER = "language-model"
Likelihoods = NDArray[np.floating[Any]]
Step = Callable[[NDArray[np.int64] | None], Likelihoods]


class FramePredictor(Protocol):
    """A model of frames of codes; its weights are its tables."""

    @property
    def sha256(self) -> str:
        """Digest of the weights."""

    @property
    def segment_frames(self) -> int | None:
        """After so many frames it begins anew; None: never."""

    @property
    def codebooks(self) -> int:
        """How many it knows, coarse to fine; it predicts the first few of them as well."""

    @property
    def codebook_size(self) -> int:
        """Entries of each."""

    def begin(self, streams: int) -> Step:
        """A walk through frames: from a frame's codes to the next one's probabilities."""


class LanguageCoder(Coder):
    """Codes frame by frame, every stream into bytes of its own."""

    name = LANGUAGE_CODER

    def __init__(self, predictor: FramePredictor) -> None:
        self.tables_sha256 = predictor.sha256
        self._predictor = predictor

    def _write(self, codes: Sequence[Codes], shapes: Sequence[StreamShape]) -> tuple[Written, ...]:
        shape = self._shape_of(shapes)
        writers = [Writer() for _ in codes]
        frames = np.stack(codes, axis=-1).astype(np.int64) if shape else np.zeros((0, 0, 0))
        for row in frames:
            likely = self._walk(len(codes))
            for number, frame in enumerate(row):
                # Before the first frame there is none; row[-1] is not looked at then.
                given = likely(number, row[number - 1])
                for writer, symbol, chances in zip(writers, frame, given, strict=True):
                    writer.put(int(symbol), shares_of(chances))
        return tuple(Written(writer.finish(), writer.bits) for writer in writers)

    def _decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        shape = self._shape_of(shapes)
        if shape is None:
            return ()
        readers = [Reader(one) for one in data]
        codes = np.zeros((shape.channels, shape.frames, len(data)), np.int64)
        for row in codes:
            likely = self._walk(len(data))
            for number, frame in enumerate(row):
                given = likely(number, row[number - 1])
                frame[:] = [
                    reader.take(shares_of(chances))
                    for reader, chances in zip(readers, given, strict=True)
                ]
        for reader in readers:
            reader.finish()
        return tuple(np.ascontiguousarray(one, np.int32) for one in np.moveaxis(codes, -1, 0))

    def _walk(self, streams: int) -> Callable[[int, NDArray[np.int64]], Likelihoods]:
        """Probabilities of a frame by its number and the one before it, segment by segment."""
        length = self._predictor.segment_frames
        step: Step | None = None

        def likely(number: int, before: NDArray[np.int64]) -> Likelihoods:
            nonlocal step
            if step is None or (length and number % length == 0):
                step = self._predictor.begin(streams)
                return step(None)
            return step(before)

        return likely

    def _shape_of(self, shapes: Sequence[StreamShape]) -> StreamShape | None:
        """The one shape of all streams; None where there is no stream."""
        known = self._predictor
        sizes = {shape.codebook_size for shape in shapes}
        if len(shapes) > known.codebooks or sizes - {known.codebook_size}:
            raise UserError(
                f"the language model knows {known.codebooks} codebooks of {known.codebook_size} "
                f"entries, and the codes come from {len(shapes)} of {sorted(sizes)}"
            )
        if len(set(shapes)) > 1:
            raise CodecError("the streams differ in length; a language model codes whole frames")
        return shapes[0] if shapes else None


def shares_of(likely: Likelihoods) -> Shares:
    """Probabilities as shares of the range, rounded down; what is left goes to the last code."""
    weights = (likely.astype(np.float64) * SHARES).astype(np.int64)
    left = divisible(len(weights))
    shares: Shares = weights * left // max(1, int(weights.sum()))
    shares[-1] += left - int(shares.sum())
    return shares
