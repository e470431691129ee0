"""Everything that a run knows: rates, then every metric."""

from __future__ import annotations

from collections.abc import Sequence

from snacbench.tables.layouts._parts import (
    EFFICIENCY,
    KBPS,
    TOKENS,
    Fact,
    Layout,
    Measure,
    Part,
    of_record,
    or_range,
)
from snacbench.tables.run import RunRows
from snacbench.tables.table import Column

_NOMINAL = Fact(Column("nominal_kbps", "nominal", "kbps"), of_record("nominal_kbps"))
_ENTROPY = Fact(
    Column("entropy_kbps", "entropy", "kbps"),
    or_range("entropy_kbps"),
    "Entropy: what an ideal coder with the codes' own statistics would spend.",
)


def _parts(runs: Sequence[RunRows]) -> Sequence[Part]:
    metrics = dict.fromkeys(name for rows in runs for name in rows.metrics)
    measures = (Measure(name, (name,), digits=3) for name in metrics)
    return (_NOMINAL, KBPS, _ENTROPY, EFFICIENCY, TOKENS, *measures)


LAYOUT = Layout(name="default", title="Rates and quality", parts=_parts, by="both", histograms=True)
