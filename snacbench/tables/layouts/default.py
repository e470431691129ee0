"""Everything that a run knows: rates, speed, size, then every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snacbench.tables.layouts._parts import (
    EFFICIENCY,
    ENTROPY,
    KBPS,
    NOMINAL,
    PARAMS,
    PLUG_IN_EFFICIENCY,
    SPEEDS,
    TOKENS,
    Fact,
    Layout,
    Measure,
    N,
    Part,
)
from snacbench.tables.run_rows import RunRows


def _where_filled(part: Fact) -> Fact:
    """Left out where no codec has it; a paper's layout keeps all of its columns."""
    return replace(part, column=replace(part.column, show="filled"))


_FACTS = (N, KBPS, *map(_where_filled, (EFFICIENCY, PLUG_IN_EFFICIENCY, TOKENS)))


def _parts(runs: Sequence[RunRows]) -> Sequence[Part]:
    metrics = dict.fromkeys(name for rows in runs for name in rows.metrics)
    measures = (Measure(name, (name,), digits=3) for name in metrics)
    n, kbps, *shares, tokens = _FACTS
    return (n, _where_filled(NOMINAL), kbps, ENTROPY, *shares, tokens, *SPEEDS, PARAMS, *measures)


LAYOUT = Layout(name="default", title="Rates and quality", parts=_parts, by="both", histograms=True)
