"""Ways of writing codes as bytes.

Codes come as in `snacbench.types.Encoded`: one int32 array ``(channels, frames)`` per stream,
coarse to fine, each with its own number of frames. Every stream becomes bytes of its own, so that
the cost of a codebook can be weighed; a model may look at coarser streams to code a finer one:
the decoder has them by then.

`packed` writes whole bits per code, what `actual_kbps` counts; `static` knows how often each code
occurred in other clips; `adaptive` also how often in this clip so far; `context` also the same
under the same code of the next coarser stream, and after the same code in the frame before. A
code's share of the range comes from layers of counts, each the fallback of the next:
docs/bitstreams.md has the formulas and where they come from.

All of it is whole numbers: a stream's weights are counted in 4096ths of a token, shares are
rounded down, and what is left goes to the last code. Encoder and decoder update after each token.
"""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from snacbench.errors import CodecError, UnknownName, UserError, did_you_mean
from snacbench.rate.bits import check_range
from snacbench.rate.coding import trained
from snacbench.rate.coding.range_coder import Reader, Shares, Writer, divisible
from snacbench.rate.coding.trained import Pairs, StreamTable, Tables
from snacbench.types import Codes
from snacbench.units import BITS_PER_BYTE, bits_per_code

STATIC = "static"
ENTROPY_CODERS = (STATIC, "adaptive", "context")
CONTEXT_CODERS = ("context",)
CODERS = ("packed", *ENTROPY_CODERS)

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

    `name` is one of `CODERS`; `tables_sha256` the digest of the tables that a decoder needs, empty
    where it needs none. A stream is written after the coarser one before it, which it sees.
    """

    name = ""

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables
        self.tables_sha256 = tables.sha256 if tables else ""

    def write(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[Written, ...]:
        """Every stream as bytes, and its ideal code length.

        Raises `CodecError` where a code lies outside its codebook, or streams and codebooks are not
        equally many; `UserError` for tables of other streams.
        """
        if len(codes) != len(codebook_sizes):
            text = f"found {len(codes)} streams of codes for {len(codebook_sizes)} codebooks"
            raise CodecError(text)
        for number, (array, size) in enumerate(zip(codes, codebook_sizes, strict=True)):
            check_range(array, size, f"stream {number}")
        shapes = shapes_of(codes, codebook_sizes)
        self._check(shapes)
        return tuple(
            self._put(array, shape, number, codes[number - 1] if number else None)
            for number, (array, shape) in enumerate(zip(codes, shapes, strict=True))
        )

    def encode(self, codes: Sequence[Codes], codebook_sizes: Sequence[int]) -> tuple[bytes, ...]:
        """One string of bytes per stream; raises as `write`."""
        return tuple(one.data for one in self.write(codes, codebook_sizes))

    def decode(self, data: Sequence[bytes], shapes: Sequence[StreamShape]) -> tuple[Codes, ...]:
        """The very codes; `CodecError` where the bytes cannot have come from such codes."""
        if len(data) != len(shapes):
            raise CodecError(f"found bytes of {len(data)} streams for {len(shapes)} streams")
        self._check(shapes)
        decoded: list[Codes] = []
        for number, (one, shape) in enumerate(zip(data, shapes, strict=True)):
            flat = self._take(one, shape, number, decoded[-1] if decoded else None)
            decoded.append(flat.reshape(shape.channels, shape.frames))
        return tuple(decoded)

    def _check(self, shapes: Sequence[StreamShape]) -> None:
        found = [shape.codebook_size for shape in shapes]
        if self.tables and (known := [*self.tables.codebook_sizes]) != found:
            raise UserError(
                f"the tables are those of {self.tables.codec}, with codebooks of {known} entries, "
                f"and do not fit codes from codebooks of {found}; train tables for this operating "
                "point"
            )

    @abstractmethod
    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        """A stream as bytes, given its number and the codes of the coarser stream."""

    @abstractmethod
    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        """The inverse, channel after channel."""


class Packed(Coder):
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
        check_range(codes, shape.codebook_size, f"stream {number}")
        return codes


PACKED = Packed()


class ModelCoder(Coder):
    """``static``, ``adaptive`` and ``context``: a share of the range for every token in turn.

    The latter two learn token by token, channel after channel, and start anew with every `Encoded`,
    from the tables if there are any.
    """

    def __init__(self, name: str, tables: Tables | None) -> None:
        super().__init__(tables)
        self.name = name

    def _put(self, codes: Codes, shape: StreamShape, number: int, over: Codes | None) -> Written:
        writer, flat = Writer(), codes.ravel()
        known = self._shares(flat, shape, number, over)
        for symbol, shares in zip(flat.tolist(), known, strict=True):
            writer.put(symbol, shares)
        return Written(writer.finish(), writer.bits)

    def _take(self, data: bytes, shape: StreamShape, number: int, over: Codes | None) -> Codes:
        reader, codes = Reader(data), np.zeros(shape.channels * shape.frames, np.int32)
        for place, shares in enumerate(self._shares(codes, shape, number, over)):
            codes[place] = reader.take(shares)
        reader.finish()
        return codes

    def _shares(
        self, codes: Codes, shape: StreamShape, number: int, over: Codes | None
    ) -> Iterator[Shares]:
        """The shares for every place of a stream; each of `codes` is looked at after its own."""
        size, held = shape.codebook_size, self.tables
        table = held.streams[number] if held else trained.untrained(size)
        if self.name == STATIC:
            yield from repeat(table.shares, len(codes))
            return
        contexts = trained.CONTEXTS if self.name in CONTEXT_CODERS else ()
        model, before = LearningModel(table, contexts), trained.NO_CONTEXT
        parents = trained.coarser_context(shape.frames, shape.channels, over)
        for place, parent in enumerate(parents.ravel().tolist()):
            known = (parent, before if place % shape.frames else trained.NO_CONTEXT)
            yield model.shares(known)
            before = int(codes[place])
            model.learn(before, known)


class LearningModel:
    """Shares of one stream's codes, which learn from every token; contexts add to order 0."""

    def __init__(self, table: StreamTable, contexts: Sequence[str] = ()) -> None:
        prior = ((table.shares + 1) * table.strength) >> _SHARES_PER_UNIT
        self._weights: trained.Ints = np.maximum(prior, 1)
        self._total = int(self._weights.sum())
        self._divisible = divisible(len(table.counts))
        none = np.zeros(0, np.int64)
        untold = Pairs(none, none, none, max(1, len(table.counts) // 2))
        # By context: what followed it in training, and how often each code did in this clip so far.
        self._layers: list[tuple[Pairs, defaultdict[int, Counter[int]]]] = [
            (table.pairs.get(name, untold), defaultdict(Counter)) for name in contexts
        ]

    def shares(self, contexts: Sequence[int] = ()) -> Shares:
        """Shares of all codes for the next token, given a token for every context."""
        left, added = self._divisible, []
        # From the last layer on: each takes its part of what is left, the rest falls back.
        for (pairs, seen), context in zip(self._layers[::-1], contexts[::-1], strict=False):
            if context == trained.NO_CONTEXT:
                continue
            own = seen[context]
            here = (np.fromiter(part, np.int64, len(own)) for part in (own, own.values()))
            followed = [pairs.after(context), tuple(here)]
            if known := sum(int(counts.sum()) for _, counts in followed):
                part = left * known // (known + pairs.strength)
                added += [(symbols, counts * part // known) for symbols, counts in followed]
                left -= part
        shares: Shares = self._weights * left
        shares //= self._total
        for symbols, amounts in added:
            shares[symbols] += amounts
        shares[-1] += self._divisible - int(shares.sum())
        return shares

    def learn(self, symbol: int, contexts: Sequence[int] = ()) -> None:
        """Count a token and what it followed."""
        self._weights[symbol] += trained.UNIT
        self._total += trained.UNIT
        for (_, seen), context in zip(self._layers, contexts, strict=False):
            if context != trained.NO_CONTEXT:
                seen[context][symbol] += 1


def coder_named(name: str, tables: Tables | None = None) -> Coder:
    """One of `CODERS`, which has the tables if they are of any use to it (`UserError` if none)."""
    if name not in CODERS:
        raise UnknownName(f"no coder {name!r}; {did_you_mean(name, CODERS)}")
    if name == PACKED.name:
        return PACKED
    if name == STATIC and tables is None:
        raise UserError(
            f"the coder {name} needs tables that were trained on other clips; "
            "'snacbench entropy RUN --save-tables DIR' writes some, or take adaptive"
        )
    return ModelCoder(name, tables)
