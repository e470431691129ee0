"""How often somebody may ask: buckets that fill up again, kept in memory alone.

Sizes are such that a class of 30 who begin at the same moment behind one address meets no limit,
and that guessing a token of 256 bits stays as hopeless as it is.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from snacbench.listening.answers.refusal import Refused

_MOST_BUCKETS = 20_000


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many per second from then on."""

    burst: int
    per_s: float


@dataclass(frozen=True)
class Rates:
    """The limits of a server: per address, and per listener's token."""

    address: Rate = Rate(4_000, 400.0)
    starts: Rate = Rate(90, 0.5)
    failures: Rate = Rate(90, 0.5)  # tokens that are nobody's
    admin_failures: Rate = Rate(5, 0.1)
    listener: Rate = Rate(600, 20.0)


class Limiter:
    """Token buckets by any key; buckets that are full again are forgotten."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def check(self, key: str) -> None:
        """Refuse if nothing is left in the bucket of that key; takes nothing out.

        Raises
        ------
        Refused
            With the time after which it makes sense to ask again.
        """
        level = self._level(key)
        if level < 1:
            wait_s = math.ceil((1 - level) / self._rate.per_s)
            raise Refused(
                429, "limit", f"Too many requests; try again in {wait_s} s", retry_after_s=wait_s
            )

    def spend(self, key: str) -> None:
        """Take one out of the bucket."""
        if len(self._buckets) >= _MOST_BUCKETS:
            self._drop_full()
        self._buckets[key] = (max(0.0, self._level(key) - 1), self._clock())

    def take(self, key: str) -> None:
        """Take one out of the bucket, or refuse as `check` does."""
        self.check(key)
        self.spend(key)

    def _level(self, key: str) -> float:
        level, at = self._buckets.get(key, (float(self._rate.burst), self._clock()))
        return min(self._rate.burst, level + (self._clock() - at) * self._rate.per_s)

    def _drop_full(self) -> None:
        kept = {k: v for k, v in self._buckets.items() if self._level(k) < self._rate.burst}
        # Under an attack from more addresses than that, the oldest are let go.
        self._buckets = dict(list(kept.items())[-_MOST_BUCKETS // 2 :])


def network_of(host: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, which one customer has whole."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
