"""Tables from the codes of a corpus.

Three numbers per stream say how far counts are to be believed: what is added to each of them, how
many tokens they are worth against those of a clip, and how many tokens order 0 is worth against a
context. Each is the power of two that would have coded the training clips in the fewest bits, every
clip by the counts of the *other* clusters and its own tokens so far, as it will be in use. Where a
context tells nothing, order 0 so wins by weight, and the context does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.coding.contexts import NO_CONTEXT, coarser_context, previous_context
from snacbench.rate.coding.tables import UNIT, Pairs, StreamTable, Tables
from snacbench.types import Codes

_SMOOTHINGS = [2**power for power in range(4, 17)]  # 1/256 to 16 tokens, in units
_STRENGTHS = [2**power for power in range(21)]  # tokens
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingCodes:
    """The codes of one `Encoded`, and the cluster (speaker, track) that its clip belongs to."""

    codes: tuple[Codes, ...]
    cluster: str
    clip: str = ""


def train_tables(
    codec: str, corpus: Sequence[TrainingCodes], codebook_sizes: Sequence[int]
) -> Tables:
    """Counts of every stream over a corpus, and how far to believe them.

    Raises
    ------
    ValueError
        If there are no codes to train on.
    """
    if not corpus:
        raise ValueError(f"no codes of {codec} to train tables on")
    clips = len({one.clip for one in corpus})
    streams = (_stream_table(corpus, index, size) for index, size in enumerate(codebook_sizes))
    return Tables(codec, tuple(streams), clips)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """All tokens of one stream in coding order, each with where it comes from."""

    symbols: Ints
    part: Ints
    cluster: Ints
    previous: Ints
    coarser: Ints


def _tokens(corpus: Sequence[TrainingCodes], index: int) -> _Tokens:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(c.cluster for c in corpus))}
    columns: list[list[Ints]] = [[] for _ in range(5)]
    for part, one in enumerate(corpus):
        codes = one.codes[index]
        coarser = one.codes[index - 1] if index else None
        contexts = coarser_context(codes.shape[1], codes.shape[0], coarser)
        of_part: tuple[NDArray[Any], ...] = (
            codes,
            np.full(codes.size, part),
            np.full(codes.size, numbers[one.cluster]),
            previous_context(codes),
            contexts,
        )
        for column, values in zip(columns, of_part, strict=True):
            column.append(values.ravel().astype(np.int64))
    return _Tokens(*(np.concatenate(column) for column in columns))


def _stream_table(corpus: Sequence[TrainingCodes], index: int, size: int) -> StreamTable:
    tokens = _tokens(corpus, index)
    counts = np.bincount(tokens.symbols, minlength=size).astype(np.int64)
    none = np.zeros_like(tokens.symbols)
    code, total = _Counted.of(tokens, tokens.symbols, size), _Counted.of(tokens, none, 1)
    smoothing, static = _cheapest(
        _SMOOTHINGS, lambda s: (code.elsewhere + s / UNIT) / (total.elsewhere + size * s / UNIT)
    )
    strength, order_zero = _cheapest(
        _STRENGTHS, lambda a: (code.before + a * static) / (total.before + a)
    )
    contexts = {"previous": tokens.previous, "coarser": tokens.coarser}
    pairs = {name: _pairs(tokens, context, order_zero, size) for name, context in contexts.items()}
    return StreamTable(counts, smoothing, strength, pairs)


def _pairs(tokens: _Tokens, context: Ints, order_zero: Floats, size: int) -> Pairs:
    has = context != NO_CONTEXT
    tokens = _Tokens(*(column[has] for column in vars(tokens).values()))
    after, fallback = context[has], order_zero[has]
    keys = after * size + tokens.symbols  # contexts may come from a larger codebook than `size`
    pair = _Counted.of(tokens, keys, int(keys.max(initial=0)) + 1)
    known = _Counted.of(tokens, after, int(after.max(initial=0)) + 1)
    strength, _ = _cheapest(
        _STRENGTHS,
        lambda b: (
            (pair.elsewhere + pair.before + b * fallback) / (known.elsewhere + known.before + b)
        ),
    )
    found, counts = np.unique(keys, return_counts=True)
    return Pairs(found // size, found % size, counts.astype(np.int64), strength)


@dataclass(frozen=True, eq=False)
class _Counted:
    """How often each token's key occurred in other clusters, and earlier in its own clip."""

    elsewhere: Ints
    before: Ints

    @classmethod
    def of(cls, tokens: _Tokens, keys: Ints, bound: int) -> _Counted:
        own = _occurrences(tokens.cluster * bound + keys)
        return cls(_occurrences(keys) - own, _earlier(tokens.part * bound + keys))


def _occurrences(keys: Ints) -> Ints:
    """For every element, how many are equal to it, itself included."""
    _, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[which].astype(np.int64)


def _earlier(keys: Ints) -> Ints:
    """For every element, how many before it are equal to it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])[: len(keys)]
    lengths = np.diff(np.r_[begins, len(keys)])
    earlier = np.empty(len(keys), np.int64)
    earlier[order] = np.arange(len(keys)) - np.repeat(begins, lengths)
    return earlier


def _cheapest(
    candidates: Sequence[int], probabilities: Callable[[int], Floats]
) -> tuple[int, Floats]:
    """The candidate under which the tokens take the fewest bits, and their probabilities."""
    bits = [-float(np.log2(probabilities(candidate)).sum()) for candidate in candidates]
    best = candidates[int(np.argmin(bits))]
    return best, probabilities(best)
