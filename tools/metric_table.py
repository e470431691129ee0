"""The table of docs/metrics.md, made from the metrics' own specs.

python -m tools.metric_table
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from snacbench.plugins import metrics
from snacbench.types import DOMAINS, MetricSpec

HEADER = (
    "| metric | unit | better | range | rate | channels | domains | default | falls on |",
    "|---|---|---|---|---|---|---|---|---|",
)


def rows() -> Iterator[str]:
    """The table, line by line."""
    yield from HEADER
    for metric in metrics().values():
        yield f"| {' | '.join(_cells(metric.spec))} |"


def _cells(spec: MetricSpec) -> list[str]:
    domains = "all" if spec.domains == DOMAINS else ", ".join(spec.domains)
    return [
        f"`{spec.name}`",
        spec.unit,
        spec.better,
        _range(*spec.range),
        f"{spec.rate_hz:,} Hz",
        "downmix" if spec.mono else "each",
        domains + (" with transcript" if spec.needs_transcript else ""),
        "yes" if spec.default else "no",
        ", ".join(spec.ladder) or "-",
    ]


def _range(low: float, high: float) -> str:
    if math.isinf(low):
        return "unbounded"
    return f"from {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"


if __name__ == "__main__":
    print("\n".join(rows()))
