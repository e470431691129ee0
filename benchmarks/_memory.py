"""What metrics hold in memory: of a reference while its decodes are scored, and at most."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._material import Item, at_rate, renewed
from benchmarks._ours import default_metrics, score_together
from snacbench.types import Metric

_KIB = 1024


@dataclass(frozen=True)
class Held:
    """KiB per second of audio, as Python's allocators (numpy's among them) count them.

    `kept_kib` is what stays: with one metric, its prepared reference and the caches that this
    filled; with all of them together, what caches hold on to when the clip is done. `peak_kib` is
    the most while decodes are scored.
    """

    kept_kib: float
    peak_kib: float


def held_by(metric: Metric, item: Item) -> Held:
    """Measure one metric on one item; its filters and models have been loaded before."""
    ready = at_rate(item, metric.spec.rate_hz)
    metric(reference=ready.reference, degraded=ready.degraded[0])
    ready = at_rate(item, metric.spec.rate_hz)
    with _traced():
        prepared = metric.prepare(ready.reference)
        kept = tracemalloc.get_traced_memory()[0]
        prepared(degraded=ready.degraded[0])
        return _per_second(kept, item)


def held_together(item: Item) -> Held:
    """Measure the default metrics of the item's domain, scored as a run does."""
    chosen = default_metrics(item.domain)
    for _ in score_together(chosen, renewed(item), len(item.degraded)):
        pass
    fresh = renewed(item)
    with _traced():
        for _ in score_together(chosen, fresh, len(item.degraded)):
            pass
        gc.collect()
        return _per_second(tracemalloc.get_traced_memory()[0], item)


@contextmanager
def _traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def _per_second(kept: int, item: Item) -> Held:
    peak = tracemalloc.get_traced_memory()[1]
    return Held(kept / _KIB / item.duration_s, peak / _KIB / item.duration_s)


def peak_mib() -> float:
    """Largest resident set of this process so far.

    From Linux' own account of it: what `getrusage` tells of a process begins with its parent's.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / _KIB
