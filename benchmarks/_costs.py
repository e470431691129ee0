"""CPU seconds per second of audio for a pair: ours by decodes per reference, and the peers'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks._material import Item, at_rate, renewed
from benchmarks._ours import default_metrics, score_singly, score_together
from benchmarks._peers import peer_of, score_all
from benchmarks._timing import Setup, least_cpu_s
from snacbench.types import Domain, Metric

PER_REFERENCE = (1, 8, 20)
MOST_DECODES = max(PER_REFERENCE)
# The peers take as long for the first decode of a reference as for any other.
PEER_DECODES = 2


@dataclass(frozen=True)
class Costs:
    """CPU seconds for a pair per second of its audio: ours by decodes per reference, the peers'."""

    ours: dict[int, float]
    peers: float

    def ratio(self, per_reference: int) -> float:
        """How many times the peers' time is ours."""
        return self.peers / self.ours[per_reference]


def of_metric(metric: Metric, items: Sequence[Item], rounds: int) -> Costs:
    """One metric on signals that are at its rate already."""
    spec, peer = metric.spec, peer_of(metric.spec)
    if peer is None:
        raise ValueError(f"{spec.name} has no peer to compare with")
    ready = [at_rate(item, spec.rate_hz) for item in items if item.domain in spec.domains]
    return _measured(
        ready,
        rounds,
        ours=lambda item, count: score_singly(metric, item, count),
        peers=lambda item: (peer(item.reference, degraded) for degraded in item.degraded),
    )


def of_default_set(domain: Domain, items: Sequence[Item], rounds: int) -> Costs:
    """All metrics that a run computes by default on a domain, resampling included."""
    chosen = default_metrics(domain)
    specs = [metric.spec for metric in chosen]
    return _measured(
        [item for item in items if item.domain == domain],
        rounds,
        ours=lambda item, count: score_together(chosen, item, count),
        peers=lambda item: (score_all(item.reference, y, specs) for y in item.degraded),
    )


def _measured(
    items: Sequence[Item],
    rounds: int,
    *,
    ours: Callable[[Item, int], Iterable[object]],
    peers: Callable[[Item], Iterable[object]],
) -> Costs:
    first = shortened(items[0], 1)
    for _ in (*ours(first, 1), *peers(first)):
        pass  # compiles loops, loads models, makes filters
    ways = {str(n): _repeatedly([shortened(i, n) for i in items], _with(ours, n))
            for n in PER_REFERENCE}  # fmt: skip
    ways["peers"] = _repeatedly([shortened(i, PEER_DECODES) for i in items], peers)
    seconds = least_cpu_s(ways, rounds)
    audio_s = sum(item.duration_s for item in items)
    return Costs(
        {n: seconds[str(n)] / (n * audio_s) for n in PER_REFERENCE},
        seconds["peers"] / (PEER_DECODES * audio_s),
    )


def _with(
    ours: Callable[[Item, int], Iterable[object]], count: int
) -> Callable[[Item], Iterable[object]]:
    return lambda item: ours(item, count)


def _repeatedly(items: Sequence[Item], score: Callable[[Item], Iterable[object]]) -> Setup:
    def setup() -> Callable[[], Iterable[object]]:
        fresh = [renewed(item) for item in items]
        return lambda: (value for item in fresh for value in score(item))

    return setup


def shortened(item: Item, decodes: int) -> Item:
    """An item with its first decodes only."""
    return Item(item.domain, item.reference, item.degraded[:decodes])
