"""Held-out code length at order 0: what a table trained on some clips spends on others.

Histograms suffice, since at order 0 the order of tokens does not matter. The mean over many
draws cannot fall below the entropy, so it bounds from above what estimators give; the gap is what
a table does not know of the clips it codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer]

# Candidates for what is added to every count; the largest make nearly flat tables.
_ADDED = 2.0 ** np.arange(-8, 15)


@dataclass(frozen=True)
class HeldOut:
    """Cross-entropy of a stream under tables that never saw the clips they code.

    Attributes
    ----------
    bits : float
        Code length of all tokens in bits; lower is better.
    tokens : int
    """

    bits: float
    tokens: int

    @property
    def bits_per_token(self) -> float:
        """Code length per token; lower is better."""
        return self.bits / self.tokens


def trained_shares(counts: Counts) -> NDArray[np.float64]:
    """Shares of a table trained on counts: ``(n_k + a) / (N + a K)``.

    `a` is the candidate with which every unit (speaker, track) is coded best by the others. So it
    knows how much units differ: where they share few codes, the table comes out nearly flat. A unit
    alone is taken apart into its tokens.

    Parameters
    ----------
    counts : array, shape (units, codebook_size)

    Returns
    -------
    array, shape (codebook_size,)
    """
    size = counts.shape[1]
    units = counts[counts.any(axis=1)].astype(float)
    pooled = units.sum(axis=0)
    total = pooled.sum()
    if total < 2:
        return np.full(size, 1 / size)
    fits = [_alone_fit(pooled, a) if len(units) == 1 else _fit(units, a) for a in _ADDED]
    a = float(_ADDED[int(np.argmax(fits))])
    return np.asarray((pooled + a) / (total + a * size))


def _fit(units: NDArray[np.float64], a: float) -> float:
    """Log-likelihood of every unit's tokens given the others' counts."""
    others = units.sum(axis=0) - units
    shares = (others + a) / (others.sum(axis=1, keepdims=True) + a * units.shape[1])
    return float((units * np.log(shares)).sum())


def _alone_fit(n: NDArray[np.float64], a: float) -> float:
    """Log-likelihood of every token given all others."""
    seen, total = n[n > 0], n.sum()
    return float((seen * np.log(seen - 1 + a)).sum() - total * np.log(total - 1 + a * len(n)))


def held_out_order0(parts: Sequence[Counts]) -> HeldOut | None:
    """Each part of a corpus coded with a table trained on all the others.

    Parameters
    ----------
    parts : sequence of array, shape (units, codebook_size)
        Counts of one stream, by unit, in each part, mostly two halves; what is of one speaker or
        track belongs into the same part.

    Returns
    -------
    HeldOut or None
        None where fewer than two parts have tokens: there is nothing to train on, or to code.
    """
    filled = [part for part in parts if part.any()]
    if len(filled) < 2:
        return None
    bits = 0.0
    for index, part in enumerate(filled):
        trained = np.concatenate([other for i, other in enumerate(filled) if i != index])
        bits -= float((part.sum(axis=0) * np.log2(trained_shares(trained))).sum())
    return HeldOut(bits, sum(int(part.sum()) for part in filled))
