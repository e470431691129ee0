"""Symbols to bytes by range coding, with probabilities that are whole numbers.

The range coder is that of `constriction` (32-bit words, 64-bit state). It divides its range into
2^24 shares and gives every symbol one of them; we hand out the others as integers that add up to
exactly 2^24 minus the number of symbols, so that nothing is left to be rounded: an encoder and a
decoder on different machines have the same table or none.

Constriction ends a stream with whole words. We end it with the shortest string of bytes that lies
within the final range, which saves up to 3 bytes a stream; zeros stand for what was left off. How
many bytes there are must be known from elsewhere. There is no redundancy: nearly every string of
bytes is the code of something, so damage is for a checksum to find.
"""

import math
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from snacbench.errors import CodecError

SHARES = 1 << 24
Shares = NDArray[np.int64]
_WORD_BYTES = 4
_STATE_BITS, _WORD_BITS = 64, 32
_SPARE_WORDS = 2  # of zeros, for a decoder that reads ahead of where the bytes end
_FOREIGN = (
    "the entropy-coded bytes cannot have come from these tables and lengths; the file is damaged, "
    "or its codes were written by another model of them"
)


def divisible(codebook_size: int) -> int:
    """Shares that a model may hand out among its symbols; each has one more already."""
    return SHARES - codebook_size


def divided(weights: NDArray[Any]) -> Shares:
    """Shares in proportion to whole-numbered weights, shape (codebook_size,).

    They are rounded down; what is left goes to the last symbol.
    """
    exact = weights.astype(object) * divisible(len(weights)) // max(1, int(weights.sum()))
    shares: Shares = exact.astype(np.int64)
    shares[-1] += divisible(len(weights)) - int(shares.sum())
    return shares


def _model(shares: Shares) -> Any:
    return constriction.stream.model.Categorical(shares.astype(float), perfect=False, lazy=True)


class Writer:
    """Symbols in, bytes out; `bits` is their ideal code length so far."""

    def __init__(self) -> None:
        self.encoder = constriction.stream.queue.RangeEncoder()
        self.bits = 0.0

    def put(self, symbol: int, shares: Shares) -> None:
        """Write a symbol, given the shares of all of them."""
        self.encoder.encode(symbol, _model(shares))
        self.bits += math.log2(SHARES / (int(shares[symbol]) + 1))

    def finish(self) -> bytes:
        """The shortest bytes that a `Reader` takes for these symbols."""
        words_done, (low, width) = self.encoder.pos()
        words = self.encoder.get_compressed()[: words_done + 1]
        if not len(words):
            return b""
        # The last word kept is the top of a point at or above the end of the range, which gives
        # the carry; the range starts at most a word below it.
        point = int.from_bytes(words.astype(">u4").tobytes()) << _WORD_BITS
        start = point - (point - low) % (1 << _STATE_BITS)
        num_bytes = (len(words) + 1) * _WORD_BYTES
        # The number in the range that ends in the most zero bytes, without these.
        for kept in range(max(0, num_bytes - 2 * _WORD_BYTES), num_bytes + 1):
            unit = 8 * (num_bytes - kept)
            number = -(-start >> unit)
            if number << unit < start + width:
                break
        return bytes(number.to_bytes(kept).rstrip(b"\0"))


class Reader:
    """Bytes in, symbols out; it writes them again, to see whether they give the same bytes.

    Raises `CodecError` where the bytes are damaged, or were written by other tables.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        padded = data + bytes(-len(data) % _WORD_BYTES + _SPARE_WORDS * _WORD_BYTES)
        words = np.frombuffer(padded, ">u4").astype(np.uint32)
        self._decoder = constriction.stream.queue.RangeDecoder(words)
        self._again = Writer()

    def take(self, shares: Shares) -> int:
        """The next symbol, given the shares of all of them."""
        model = _model(shares)
        try:
            symbol = int(self._decoder.decode(model))
        except AssertionError as error:  # what constriction raises for a point out of range
            raise CodecError(_FOREIGN) from error
        self._again.encoder.encode(symbol, model)
        return symbol

    def finish(self) -> None:
        """Check that these very symbols would have been written as these very bytes."""
        if self._again.finish() != self._data:
            raise CodecError(_FOREIGN)
