"""Everything that a run knows: rates, speed, size, then every metric."""

from collections.abc import Sequence
from dataclasses import replace

from snacbench.tables.layouts import parts as p
from snacbench.tables.run_rows import RunRows


def _where_filled(part: p.Fact) -> p.Fact:
    """Left out where no codec has it; a paper's layout keeps all of its columns."""
    return replace(part, column=replace(part.column, show="filled"))


_SHARES = tuple(map(_where_filled, (p.EFFICIENCY, p.PLUG_IN_EFFICIENCY, p.TOKENS)))
_RATES = (p.N, _where_filled(p.NOMINAL), p.KBPS, p.ENTROPY, *_SHARES)
_FACTS = (*p.SPEEDS, p.PARAMS, *p.COSTS, *p.CONDITION)


def _parts(runs: Sequence[RunRows]) -> Sequence[p.Part]:
    metrics = dict.fromkeys(n for rows in runs for n in (*rows.metrics, *rows.run.lacking))
    varying = (p.OVER_TIME,) * any(codec.varies for rows in runs for codec in rows.codecs)
    return (*_RATES, *varying, *_FACTS, *(p.Measure(name, (name,), digits=3) for name in metrics))


LAYOUTS = p.Layout(
    "default", "Rates and quality", _parts, by="both", histograms=True, conditions=True
)
