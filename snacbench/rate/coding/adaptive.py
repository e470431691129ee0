"""Models that learn from the clip while it is coded: order 0, and one context over it.

A code's share of the range comes from three layers of counts, each the fallback of the next:

- the static table: ``q(s) = (n(s) + smoothing) / (N + smoothing K)``;
- the clip so far: ``p0(s) = (m(s) + A q(s)) / (M + A)``;
- the clip so far and the training after the same context c:
  ``p(s|c) = (n_c(s) + B p0(s)) / (N_c + B)``.

n and N are counts of training, m and M of this clip, n_c and N_c of both. A and B are the
strengths in the tables; without tables q is uniform and A = B = K / 2. This is a Dirichlet prior
at each layer (MacKay and Peto 1995, "A hierarchical Dirichlet language model", section 2).

All of it is whole numbers: a stream's weights are counted in 4096ths of a token, shares are
rounded down, and what is left goes to the last code. Encoder and decoder update after each token.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from snacbench.rate.coding.contexts import NO_CONTEXT
from snacbench.rate.coding.range_coder import Shares, divisible
from snacbench.rate.coding.tables import UNIT, Pairs, StreamTable

_SHARES_PER_UNIT = 12  # bits: 2^24 shares against 2^12 units in a token


class OrderZero:
    """Order-0 shares of one stream, which learn from every token."""

    def __init__(self, table: StreamTable) -> None:
        size = table.codebook_size
        prior = ((table.shares + 1) * table.strength) >> _SHARES_PER_UNIT
        self._weights: NDArray[np.int64] = np.maximum(prior, 1)
        self._total = int(self._weights.sum())
        self._divisible = divisible(size)

    def shares(self, context: int = NO_CONTEXT) -> Shares:
        """Shares of all codes for the next token; the context is not looked at."""
        shares = self.shares_of(self._divisible)
        shares[-1] += self._divisible - int(shares.sum())
        return shares

    def shares_of(self, part: int) -> Shares:
        """A part of the range in proportion to the weights, rounded down."""
        shares: Shares = self._weights * part
        shares //= self._total
        return shares

    def learn(self, symbol: int, context: int = NO_CONTEXT) -> None:
        """Count a token."""
        self._weights[symbol] += UNIT
        self._total += UNIT


class OneContext:
    """Shares of one stream after a context, falling back on order 0 where it is seldom."""

    def __init__(self, table: StreamTable, pairs: Pairs | None) -> None:
        self._order_zero = OrderZero(table)
        self._divisible = divisible(table.codebook_size)
        self._pairs = pairs
        self._strength = pairs.strength if pairs else max(1, table.codebook_size // 2)
        self._trained: dict[int, tuple[NDArray[np.int64], NDArray[np.int64], int]] = {}
        self._seen: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._seen_total: defaultdict[int, int] = defaultdict(int)

    def shares(self, context: int) -> Shares:
        """Shares of all codes for the next token after a context."""
        if context == NO_CONTEXT:
            return self._order_zero.shares()
        symbols, counts, total = self._after(context)
        known = total + self._seen_total[context]
        if not known:
            return self._order_zero.shares()
        part = self._divisible * known // (known + self._strength)
        shares = self._order_zero.shares_of(self._divisible - part)
        if total:
            shares[symbols] += counts * part // known
        if seen := self._seen[context]:
            own = np.fromiter(seen.values(), np.int64, len(seen))
            shares[np.fromiter(seen, np.int64, len(seen))] += own * part // known
        shares[-1] += self._divisible - int(shares.sum())
        return shares

    def learn(self, symbol: int, context: int) -> None:
        """Count a token and what it followed."""
        self._order_zero.learn(symbol)
        if context != NO_CONTEXT:
            seen = self._seen[context]
            seen[symbol] = seen.get(symbol, 0) + 1
            self._seen_total[context] += 1

    def _after(self, context: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        if context not in self._trained:
            empty = np.zeros(0, np.int64)
            symbols, counts = self._pairs.after(context) if self._pairs else (empty, empty)
            self._trained[context] = (symbols, counts, int(counts.sum()))
        return self._trained[context]
