"""Our metrics on one item: singly at a metric's rate, and all together as a run scores a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks._material import Item
from snacbench.plugins import select_metrics
from snacbench.runner.signal_rules import for_metric, match_length
from snacbench.types import Domain, Metric, PreparedMetric


def default_metrics(domain: Domain) -> list[Metric]:
    """Those that a run computes on clips of a domain if nobody asks for others."""
    return [metric for metric in select_metrics(()) if domain in metric.spec.domains]


def score_singly(metric: Metric, item: Item, per_reference: int) -> Iterator[float]:
    """Score an item at the metric's rate; the reference is prepared anew after so many decodes."""
    for first in range(0, len(item.degraded), per_reference):
        prepared = metric.prepare(item.reference)
        for degraded in item.degraded[first : first + per_reference]:
            yield prepared(degraded=degraded)


def score_together(chosen: Sequence[Metric], item: Item, per_reference: int) -> Iterator[float]:
    """Score an item, at whatever rates it comes, as the runner does: decode by decode."""
    for first in range(0, len(item.degraded), per_reference):
        prepared: dict[str, PreparedMetric] = {}
        for degraded in item.degraded[first : first + per_reference]:
            for metric in chosen:
                spec = metric.spec
                reference = for_metric(item.reference, spec)
                if spec.name not in prepared:
                    prepared[spec.name] = metric.prepare(reference)
                ready = match_length(reference=reference, degraded=for_metric(degraded, spec))
                yield prepared[spec.name](degraded=ready)
