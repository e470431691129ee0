"""Ways of writing codes as bytes.

Codes come as in `snacbench.types.Encoded`: one int32 array ``(channels, frames)`` per stream,
coarse to fine, each with its own number of frames. Every stream becomes bytes of its own, so that
the cost of a codebook can be weighed; a model may look at coarser streams to code a finer one:
the decoder has them by then.

========  =======  ================================================================================
name      tables   what it knows of the codes
========  =======  ================================================================================
packed    none     their codebook's size: whole bits per code, what `actual_kbps` counts
static    needed   how often each code occurred in other clips
adaptive  if any   the same, and how often each occurred in this clip so far
context   if any   the same, under the same code of the next coarser stream (for SNAC: the parent),
                   and after the same code in the frame before
========  =======  ================================================================================

The context model falls back on what ``adaptive`` knows, so the difference between them is what the
contexts tell. A code's share of the range comes from layers of counts, each the fallback of the
next:

- the static table: ``q(s) = (n(s) + smoothing) / (N + smoothing K)``;
- the clip so far: ``p0(s) = (m(s) + A q(s)) / (M + A)``;
- the clip so far and the training under the same coarser code c, with p0 for p:
  ``p1(s) = (n_c(s) + B p(s)) / (N_c + B)``; the same after the same previous code, with p1 for p.

n and N are counts of training, m and M of this clip, n_c and N_c of both. A and the two B are the
strengths in the tables; without tables q is uniform and A = B = K / 2. This is a Dirichlet prior
at each layer (MacKay and Peto 1995, "A hierarchical Dirichlet language model", section 2).

All of it is whole numbers: a stream's weights are counted in 4096ths of a token, shares are
rounded down, and what is left goes to the last code. Encoder and decoder update after each token.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import CodecError, UnknownName, UserError, did_you_mean
from snacbench.rate.coding.range_coder import SHARES, Reader, Shares, Table, Writer, divisible
from snacbench.rate.coding.trained import (
    CONTEXTS,
    NO_CONTEXT,
    UNIT,
    Ints,
    Pairs,
    StreamTable,
    Tables,
    check_fits,
    coarser_context,
    untrained,
)
from snacbench.types import Codes
from snacbench.units import BITS_PER_BYTE, bits_per_code

ENTROPY_CODERS = ("static", "adaptive", "context")
CONTEXT_CODERS = ("context",)
CODERS = ("packed", *ENTROPY_CODERS)
LANGUAGE_CODER = "language-model"

_SHARES_PER_UNIT = 12  # bits: 2^24 shares against 2^12 units in a token


@dataclass(frozen=True)
class StreamShape:
    """What a decoder knows of a stream before its bytes: from the container's header."""

    codebook_size: int
    channels: int
    frames: int


Shapes = Sequence[StreamShape]


def shapes_of(codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[StreamShape, ...]:
    """The shapes of code arrays; ValueError where their number is not that of the sizes."""
    return tuple(
        StreamShape(size, *map(int, array.shape))
        for array, size in zip(codes, codebook_sizes, strict=True)
    )


@dataclass(frozen=True)
class Written:
    """A stream as bytes; `ideal_bits` is its model's code length before rounding to bytes."""

    data: bytes
    ideal_bits: float


class Coder(ABC):
    """A lossless code for the codes of one `Encoded`; nothing is kept between calls.

    `name` is one of `CODERS`, or `LANGUAGE_CODER`; `tables_sha256` the digest of the trained tables
    that a decoder needs, empty where it needs none.
    """

    name = ""
    tables_sha256 = ""

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length.

        Raises `CodecError` where a code lies outside its codebook, or streams and codebooks are not
        equally many.
        """
        if len(codes) != len(codebook_sizes):
            raise CodecError(
                f"found {len(codes)} streams of codes for {len(codebook_sizes)} codebooks"
            )
        for stream, (array, size) in enumerate(zip(codes, codebook_sizes, strict=True)):
            check_range(array, size, stream)
        return tuple(self._write(codes, shapes_of(codes, codebook_sizes)))

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream; raises as `write`."""
        return tuple(one.data for one in self.write(codes, codebook_sizes))

    def decode(self, data: Sequence[bytes], shapes: Shapes) -> tuple[Codes, ...]:
        """The very codes; `CodecError` where the bytes cannot have come from such codes."""
        if len(data) != len(shapes):
            raise CodecError(f"found bytes of {len(data)} streams for {len(shapes)} streams")
        return tuple(self._decode(data, shapes))

    @abstractmethod
    def _write(self, codes: Sequence[Codes], shapes: Shapes) -> Sequence[Written]: ...

    @abstractmethod
    def _decode(self, data: Sequence[bytes], shapes: Shapes) -> Sequence[Codes]: ...


def check_range(codes: Codes, codebook_size: int, stream: int) -> None:
    """Refuse codes outside their codebook (`CodecError`)."""
    if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < codebook_size:
        raise CodecError(
            f"stream {stream} holds codes from {codes.min()} to {codes.max()}, outside its "
            f"codebook of {codebook_size}"
        )


class _StreamCoder(Coder):
    """A code that writes one stream after another, and sees the one before."""

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables
        self.tables_sha256 = tables.sha256 if tables else ""

    def _write(self, codes: Sequence[Codes], shapes: Shapes) -> Sequence[Written]:
        self._check(shapes)
        return [
            self._put(array, shape, number, codes[number - 1] if number else None)
            for number, (array, shape) in enumerate(zip(codes, shapes, strict=True))
        ]

    def _decode(self, data: Sequence[bytes], shapes: Shapes) -> Sequence[Codes]:
        self._check(shapes)
        decoded: list[Codes] = []
        for number, (one, shape) in enumerate(zip(data, shapes, strict=True)):
            decoded.append(self._take(one, shape, number, decoded[-1] if decoded else None))
        return decoded

    def _check(self, shapes: Shapes) -> None:
        if self.tables:
            check_fits(self.tables, [shape.codebook_size for shape in shapes])

    @abstractmethod
    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        """A stream as bytes, given its number and the codes of the coarser stream."""

    @abstractmethod
    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        """The inverse."""


class Packed(_StreamCoder):
    """ceil(log2 K) bits per index: nothing is trained and nothing can go wrong.

    Every stream is one string of bits, index after index, first bit first, channel after channel;
    zeros fill its last byte up.
    """

    name = "packed"

    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        bits = bits_per_code(shape.codebook_size)
        in_bits = np.empty((codes.size, bits), np.uint8)
        for place in range(bits):
            in_bits[:, place] = codes.ravel() >> (bits - 1 - place) & 1
        return Written(np.packbits(in_bits).tobytes(), codes.size * bits)

    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        bits, count = bits_per_code(shape.codebook_size), shape.channels * shape.frames
        if len(data) != (expected := -(-count * bits // BITS_PER_BYTE)):
            raise CodecError(
                f"stream {number} has {len(data)} bytes, expected {expected} for "
                f"{shape.channels} x {shape.frames} indices into {shape.codebook_size} entries"
            )
        in_bits = np.unpackbits(np.frombuffer(data, np.uint8))
        if in_bits[count * bits :].any():
            raise CodecError(f"stream {number} goes on after its last index; its bytes are damaged")
        codes = np.zeros(count, np.int32)
        for place in range(bits):  # a bit of all at a time: a long file must not take 32 bytes each
            codes <<= 1
            codes |= in_bits[place : count * bits : bits]
        check_range(codes, shape.codebook_size, number)
        return codes.reshape(shape.channels, shape.frames)


PACKED = Packed()


class StaticCoder(_StreamCoder):
    """Order 0, trained beforehand: fixed tables; fast, because a stream is one call."""

    name = "static"

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self._ready = [Table(stream.shares) for stream in tables.streams]

    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        writer = Writer()
        writer.put_all(codes.ravel(), self._ready[number])
        return Written(writer.finish(), writer.bits)

    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        reader = Reader(data)
        codes = reader.take_all(shape.channels * shape.frames, self._ready[number])
        reader.finish()
        return codes.reshape(shape.channels, shape.frames).astype(np.int32)


class LearningCoder(_StreamCoder):
    """``adaptive`` and ``context``: models that learn token by token, channel after channel.

    They start anew with every `Encoded`, from the tables if there are any.
    """

    def __init__(self, name: str, contexts: Sequence[str], tables: Tables | None) -> None:
        super().__init__(tables)
        self.name = name
        self._contexts = contexts

    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        writer = Writer()

        def put(shares: Shares, channel: int, frame: int) -> int:
            symbol = int(codes[channel, frame])
            writer.put(symbol, shares)
            return symbol

        self._walk(shape, number, over, put)
        return Written(writer.finish(), writer.bits)

    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        reader = Reader(data)
        codes = np.zeros((shape.channels, shape.frames), np.int32)

        def take(shares: Shares, channel: int, frame: int) -> int:
            codes[channel, frame] = symbol = reader.take(shares)
            return symbol

        self._walk(shape, number, over, take)
        reader.finish()
        return codes

    def _walk(
        self, shape: StreamShape, number: int, over: Codes | None, code: Callable[..., int]
    ) -> None:
        """Go through a stream's tokens; ``code(shares, channel, frame)`` codes each of them."""
        table = self.tables.streams[number] if self.tables else untrained(shape.codebook_size)
        model = LearningModel(table, self._contexts)
        parents = coarser_context(shape.frames, shape.channels, over).tolist()
        for channel, of_channel in enumerate(parents):
            before = NO_CONTEXT
            for frame, parent in enumerate(of_channel):
                contexts = (parent, before)
                before = code(model.shares(contexts), channel, frame)
                model.learn(before, contexts)


class LearningModel:
    """Shares of one stream's codes, which learn from every token; contexts add to order 0."""

    def __init__(self, table: StreamTable, contexts: Sequence[str] = ()) -> None:
        prior = ((table.shares + 1) * table.strength) >> _SHARES_PER_UNIT
        self._weights: Ints = np.maximum(prior, 1)
        self._total = int(self._weights.sum())
        self._divisible = divisible(len(table.counts))
        none = np.zeros(0, np.int64)
        untold = Pairs(none, none, none, max(1, len(table.counts) // 2))
        self._layers = [_Layer(table.pairs.get(name, untold)) for name in contexts]

    def shares(self, contexts: Sequence[int] = ()) -> Shares:
        """Shares of all codes for the next token, given a token for every context."""
        left, added = self._divisible, []
        # From the last layer on: each takes its part of what is left, the rest falls back.
        for layer, context in zip(self._layers[::-1], contexts[::-1], strict=False):
            if context == NO_CONTEXT or not (known := layer.known(context)):
                continue
            part = left * known // (known + layer.strength)
            added += [(symbols, counts * part // known) for symbols, counts in layer.after(context)]
            left -= part
        shares: Shares = self._weights * left
        shares //= self._total
        for symbols, amounts in added:
            shares[symbols] += amounts
        shares[-1] += self._divisible - int(shares.sum())
        return shares

    def learn(self, symbol: int, contexts: Sequence[int] = ()) -> None:
        """Count a token and what it followed."""
        self._weights[symbol] += UNIT
        self._total += UNIT
        for layer, context in zip(self._layers, contexts, strict=False):
            if context != NO_CONTEXT:
                layer.learn(symbol, context)


class _Layer:
    """What followed one kind of context, in training and in the clip so far."""

    def __init__(self, pairs: Pairs) -> None:
        self.strength = pairs.strength
        self._pairs = pairs
        self._trained: dict[int, tuple[Ints, Ints, int]] = {}
        self._seen: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._seen_total: defaultdict[int, int] = defaultdict(int)

    def known(self, context: int) -> int:
        """Tokens that followed a context."""
        if context not in self._trained:
            symbols, counts = self._pairs.after(context)
            self._trained[context] = (symbols, counts, int(counts.sum()))
        return self._trained[context][2] + self._seen_total[context]

    def after(self, context: int) -> list[tuple[Ints, Ints]]:
        """Symbols that followed a context that `known` was asked for, and how often."""
        symbols, counts, _ = self._trained[context]
        seen = self._seen[context]
        own = np.fromiter(seen, np.int64, len(seen))
        return [(symbols, counts), (own, np.fromiter(seen.values(), np.int64, len(seen)))]

    def learn(self, symbol: int, context: int) -> None:
        seen = self._seen[context]
        seen[symbol] = seen.get(symbol, 0) + 1
        self._seen_total[context] += 1


class LanguageCoder(Coder):
    """Codes frame by frame, every stream into bytes of its own, by a neural language model.

    It predicts a frame of all streams from the frames before it. Its probabilities come out of
    floating-point sums, so encoder and decoder must run the same steps on the same machine with the
    same number of threads, as the authors' own coder does. Rounded to whole shares of the range
    they are exact from there on.

    `predictor` has a `sha256`, knows some `codebooks` of `codebook_size`, begins anew after
    `segment_frames` (None: never), and ``begin(streams)`` a walk through frames: a function from
    the codes of a frame, or None, to the probabilities of the next one, (streams, codebook_size).
    """

    name = LANGUAGE_CODER

    def __init__(self, predictor: Any) -> None:
        self.tables_sha256 = predictor.sha256
        self._predictor = predictor

    def _write(self, codes: Sequence[Codes], shapes: Shapes) -> Sequence[Written]:
        self._check(shapes)
        writers = [Writer() for _ in codes]

        def put(frame: NDArray[np.int64], likely: NDArray[Any]) -> None:
            for writer, symbol, chances in zip(writers, frame, likely, strict=True):
                writer.put(int(symbol), shares_of(chances))

        if codes:
            self._walk(np.stack(codes, axis=-1).astype(np.int64), put)
        return [Written(writer.finish(), writer.bits) for writer in writers]

    def _decode(self, data: Sequence[bytes], shapes: Shapes) -> Sequence[Codes]:
        self._check(shapes)
        readers = [Reader(one) for one in data]

        def take(frame: NDArray[np.int64], likely: NDArray[Any]) -> None:
            frame[:] = [
                reader.take(shares_of(chances))
                for reader, chances in zip(readers, likely, strict=True)
            ]

        if not shapes:
            return []
        codes = np.zeros((shapes[0].channels, shapes[0].frames, len(data)), np.int64)
        self._walk(codes, take)
        for reader in readers:
            reader.finish()
        return [np.ascontiguousarray(one, np.int32) for one in np.moveaxis(codes, -1, 0)]

    def _check(self, shapes: Shapes) -> None:
        known = self._predictor
        sizes = {shape.codebook_size for shape in shapes}
        if len(shapes) > known.codebooks or sizes - {known.codebook_size}:
            raise UserError(
                f"the language model knows {known.codebooks} codebooks of {known.codebook_size} "
                f"entries, and the codes come from {len(shapes)} of {sorted(sizes)}"
            )
        if len(set(shapes)) > 1:
            raise CodecError("the streams differ in length; a language model codes whole frames")

    def _walk(
        self, codes: NDArray[np.int64], code: Callable[[NDArray[np.int64], NDArray[Any]], None]
    ) -> None:
        """Go through frames, shape (channels, frames, streams), segment by segment."""
        length = self._predictor.segment_frames or codes.shape[1]
        for channel in codes:
            for number, frame in enumerate(channel):
                if number % length == 0:
                    step = self._predictor.begin(codes.shape[2])
                    likely = step(None)
                else:
                    likely = step(channel[number - 1])
                code(frame, likely)


def shares_of(likely: NDArray[Any]) -> Shares:
    """Probabilities as shares of the range, rounded down; what is left goes to the last code."""
    weights = (likely.astype(np.float64) * SHARES).astype(np.int64)
    left = divisible(len(weights))
    shares: Shares = weights * left // max(1, int(weights.sum()))
    shares[-1] += left - int(shares.sum())
    return shares


def coder_named(name: str, tables: Tables | None = None) -> Coder:
    """One of `CODERS`, which has the tables if they are of any use to it (`UserError` if none)."""
    if name not in CODERS:
        raise UnknownName(f"no coder {name!r}; {did_you_mean(name, CODERS)}")
    if name == PACKED.name:
        return PACKED
    if name != StaticCoder.name:
        return LearningCoder(name, CONTEXTS if name in CONTEXT_CODERS else (), tables)
    if tables is None:
        raise UserError(
            f"the coder {name} needs tables that were trained on other clips; "
            "'snacbench entropy RUN --save-tables DIR' writes some, or take adaptive"
        )
    return StaticCoder(tables)
