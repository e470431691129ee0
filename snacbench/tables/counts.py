"""How often each code occurred, by domain and unit: what order-0 estimates are made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snacbench.rows import CodeHistogram
from snacbench.types import DOMAINS

ALL_DOMAINS = "all"

Unit = tuple[int, int]
"""A domain's number, and a unit's number in it."""


class CodeCounts:
    """Counts of one codec's codes, for every stream an array of shape (units, codebook_size)."""

    def __init__(self, codebook_sizes: Sequence[int]) -> None:
        self._sizes = tuple(codebook_sizes)
        self._counts: dict[Unit, list[NDArray[np.int32]]] = {}

    def add(self, unit: Unit, row: CodeHistogram, sign: int = 1) -> None:
        """Add a clip's histogram of one stream, or with -1 take it out again."""
        if unit not in self._counts:
            self._counts[unit] = [np.zeros(size, np.int32) for size in self._sizes]
        self._counts[unit][row.stream][row.codes] += (sign * row.counts).astype(np.int32)

    def units(self, domain: str) -> list[Unit]:
        """Units with counts in a domain, in order."""
        return sorted(u for u in self._counts if domain in (DOMAINS[u[0]], ALL_DOMAINS))

    def by_unit(self, domain: str) -> list[NDArray[np.int64]]:
        """For every stream the counts of `units`, shape (units, codebook_size)."""
        chosen = [self._counts[unit] for unit in self.units(domain)]
        return [np.stack(of_stream).astype(np.int64) for of_stream in zip(*chosen, strict=True)]

    def pooled(self, domain: str) -> list[NDArray[np.int64]]:
        """For every stream the counts of all units together, shape (codebook_size,)."""
        chosen = [self._counts[unit] for unit in self.units(domain)]
        return [
            np.sum(of_stream, axis=0, dtype=np.int64) for of_stream in zip(*chosen, strict=True)
        ]
