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
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snacbench.errors import CodecError, UnknownName, UserError, did_you_mean
from snacbench.rate.coding.range_coder import Reader, Shares, Table, Writer, divisible
from snacbench.rate.coding.tables import (
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

_WORD_BITS = 32
_BLOCK = 1 << 16  # codes at once, a multiple of 8: each bit of a block takes a byte of memory
_SHARES_PER_UNIT = 12  # bits: 2^24 shares against 2^12 units in a token


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


@dataclass(frozen=True)
class Written:
    """A stream as bytes; `ideal_bits` is its model's code length before rounding to bytes."""

    data: bytes
    ideal_bits: float


class Coder(ABC):
    """A lossless code for the codes of one `Encoded`; nothing is kept between calls.

    Attributes
    ----------
    name : str
        One of `CODERS`, or that of a language model.
    tables_sha256 : str
        Digest of the trained tables that a decoder needs; empty where it needs none.
    """

    name = ""
    tables_sha256 = ""

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length.

        Raises
        ------
        CodecError
            If a code lies outside its codebook, or streams and codebooks are not equally many.
        """
        if len(codes) != len(codebook_sizes):
            raise CodecError(
                f"found {len(codes)} streams of codes for {len(codebook_sizes)} codebooks"
            )
        _check_range(codes, codebook_sizes)
        return self._write(codes, shapes_of(codes, codebook_sizes))

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream; raises as `write`."""
        return tuple(one.data for one in self.write(codes, codebook_sizes))

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The very codes.

        Raises
        ------
        CodecError
            If the bytes cannot have come from such codes.
        """
        if len(data) != len(shapes):
            raise CodecError(f"found bytes of {len(data)} streams for {len(shapes)} streams")
        return self._decode(data, shapes)

    @abstractmethod
    def _write(
        self, codes: Sequence[Codes], shapes: Sequence[StreamShape]
    ) -> tuple[Written, ...]: ...

    @abstractmethod
    def _decode(
        self, data: Sequence[bytes], shapes: Sequence[StreamShape]
    ) -> tuple[Codes, ...]: ...


def _check_range(codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> None:
    for stream, (array, size) in enumerate(zip(codes, codebook_sizes, strict=True)):
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < size:
            raise CodecError(
                f"stream {stream} holds codes from {array.min()} to {array.max()}, outside its "
                f"codebook of {size}"
            )


class Packed(Coder):
    """ceil(log2 K) bits per index: nothing is trained and nothing can go wrong.

    Every stream is one string of bits, index after index, first bit first, channel after channel;
    zeros fill its last byte up.
    """

    name = "packed"

    def _write(self, codes: Sequence[Codes], shapes: Sequence[StreamShape]) -> tuple[Written, ...]:
        written = []
        for array, shape in zip(codes, shapes, strict=True):
            bits, flat, packed = bits_per_code(shape.codebook_size), array.reshape(-1), []
            for start in range(0, flat.size, _BLOCK):
                as_bytes = flat[start : start + _BLOCK].astype(">u4").view(np.uint8)
                in_bits = np.unpackbits(as_bytes.reshape(-1, _WORD_BITS // BITS_PER_BYTE), axis=1)
                packed.append(np.packbits(in_bits[:, _WORD_BITS - bits :]).tobytes())
            written.append(Written(b"".join(packed), flat.size * bits))
        return tuple(written)

    def _decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        pairs = enumerate(zip(data, shapes, strict=True))
        codes = tuple(_unpack(packed, shape, stream) for stream, (packed, shape) in pairs)
        _check_range(codes, [shape.codebook_size for shape in shapes])
        return codes


PACKED = Packed()


def packed_bytes(shape: StreamShape) -> int:
    """Bytes that a stream of a shape takes, packed."""
    bits = shape.channels * shape.frames * bits_per_code(shape.codebook_size)
    return -(-bits // BITS_PER_BYTE)


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
        some = min(_BLOCK, count - start)
        first, last = start * bits // BITS_PER_BYTE, -(-(start + some) * bits // BITS_PER_BYTE)
        words = np.zeros((some, _WORD_BITS), np.uint8)
        in_bits = np.unpackbits(raw[first:last], count=some * bits)
        words[:, _WORD_BITS - bits :] = in_bits.reshape(some, bits)
        codes[start : start + some] = np.packbits(words, axis=1).reshape(-1).view(">u4")
    filling = expected * BITS_PER_BYTE - count * bits
    if filling and packed[-1] & ((1 << filling) - 1):
        raise CodecError(f"stream {stream} goes on after its last index; its bytes are damaged")
    return codes.reshape(shape.channels, shape.frames)


class StaticCoder(Coder):
    """Order 0, trained beforehand: fixed tables; fast, because a stream is one call."""

    name = "static"

    def __init__(self, tables: Tables) -> None:
        self.tables_sha256 = tables.sha256
        self._tables = tables
        self._ready = [Table(stream.shares) for stream in tables.streams]

    def _write(self, codes: Sequence[Codes], shapes: Sequence[StreamShape]) -> tuple[Written, ...]:
        check_fits(self._tables, [shape.codebook_size for shape in shapes])
        written = []
        for array, table in zip(codes, self._ready, strict=True):
            writer = Writer()
            writer.put_all(array.ravel(), table)
            written.append(Written(writer.finish(), writer.bits))
        return tuple(written)

    def _decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        check_fits(self._tables, [shape.codebook_size for shape in shapes])
        codes = []
        for one, shape, table in zip(data, shapes, self._ready, strict=True):
            reader = Reader(one)
            symbols = reader.take_all(shape.channels * shape.frames, table)
            reader.finish()
            codes.append(symbols.reshape(shape.channels, shape.frames).astype(np.int32))
        return tuple(codes)


class LearningCoder(Coder):
    """``adaptive`` and ``context``: models that learn token by token.

    Codes stream by stream, coarse to fine, and channel by channel within a stream. The models start
    anew with every `Encoded`, from the tables if there are any.
    """

    def __init__(self, name: str, contexts: Sequence[str], tables: Tables | None) -> None:
        self.name = name
        self.tables_sha256 = tables.sha256 if tables else ""
        self._contexts = contexts
        self._tables = tables

    def _write(self, codes: Sequence[Codes], shapes: Sequence[StreamShape]) -> tuple[Written, ...]:
        written = []
        models, coarser = self._models(shapes), [None, *codes]
        for array, shape, model, parent in zip(codes, shapes, models, coarser, strict=False):
            writer = Writer()
            parents = coarser_context(shape.frames, shape.channels, parent).tolist()
            for row, of_row in zip(array.tolist(), parents, strict=True):
                before = NO_CONTEXT
                for symbol, over in zip(row, of_row, strict=True):
                    writer.put(symbol, model.shares((over, before)))
                    model.learn(symbol, (over, before))
                    before = symbol
            written.append(Written(writer.finish(), writer.bits))
        return tuple(written)

    def _decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        decoded: list[Codes] = []
        for one, shape, model in zip(data, shapes, self._models(shapes), strict=True):
            reader = Reader(one)
            codes = np.zeros((shape.channels, shape.frames), np.int32)
            parent = decoded[-1] if decoded else None
            parents = coarser_context(shape.frames, shape.channels, parent).tolist()
            for row, of_row in zip(codes, parents, strict=True):
                before = NO_CONTEXT
                for frame, over in enumerate(of_row):
                    symbol = reader.take(model.shares((over, before)))
                    model.learn(symbol, (over, before))
                    row[frame] = before = symbol
            reader.finish()
            decoded.append(codes)
        return tuple(decoded)

    def _models(self, shapes: Sequence[StreamShape]) -> list[LearningModel]:
        sizes = [shape.codebook_size for shape in shapes]
        if self._tables:
            check_fits(self._tables, sizes)
        known = self._tables.streams if self._tables else map(untrained, sizes)
        return [LearningModel(table, self._contexts) for table in known]


class LearningModel:
    """Shares of one stream's codes, which learn from every token; contexts add to order 0."""

    def __init__(self, table: StreamTable, contexts: Sequence[str] = ()) -> None:
        prior = ((table.shares + 1) * table.strength) >> _SHARES_PER_UNIT
        self._weights: Ints = np.maximum(prior, 1)
        self._total = int(self._weights.sum())
        self._divisible = divisible(table.codebook_size)
        none = np.zeros(0, np.int64)
        untold = Pairs(none, none, none, max(1, table.codebook_size // 2))
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


def coder_named(name: str, tables: Tables | None = None) -> Coder:
    """One of `CODERS`, which has the tables if they are of any use to it.

    Raises
    ------
    UnknownName
        If there is none of that name.
    UserError
        If it needs tables and none are given.
    """
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
