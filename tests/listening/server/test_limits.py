from __future__ import annotations

import pytest

from snacbench.listening.answers.refusal import Refused
from snacbench.listening.server import limits
from snacbench.listening.server.limits import Limiter, Rate, network_of


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    limiter = Limiter(Rate(burst=3, per_s=0.5), clock)
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(Refused, match="Too many requests; try again in 2 s") as refused:
        limiter.take("a")
    assert refused.value.retry_after_s == 2
    limiter.take("b")
    clock.now_s = 2.0
    limiter.take("a")
    with pytest.raises(Refused):
        limiter.take("a")
    clock.now_s = 100.0
    for _ in range(3):
        limiter.take("a")


def test_what_is_refused_costs_nothing() -> None:
    clock = Clock()
    limiter = Limiter(Rate(burst=1, per_s=1.0), clock)
    limiter.take("a")
    for _ in range(100):
        with pytest.raises(Refused):
            limiter.take("a")
    clock.now_s = 1.0
    limiter.take("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_BUCKETS", 100)
    clock = Clock()
    limiter = Limiter(Rate(burst=2, per_s=1.0), clock)
    for number in range(1000):
        clock.now_s += 0.001
        limiter.take(str(number))
        assert len(limiter._buckets) <= 100
    clock.now_s += 10
    limiter.take("last")
    for number in range(100):
        limiter.take(f"more {number}")
    assert len(limiter._buckets) <= 100


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(host: str, network: str) -> None:
    assert network_of(host) == network
