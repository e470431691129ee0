"""Quality against tokens per second: what a language model over the codes has to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots._against import draw_against
from snacbench.plots._data import PlotData
from snacbench.plots.drawing import Options, Plot
from snacbench.tables.side_by_side import Span

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against code indices per second, over all codebooks."""
    return draw_against(
        data,
        options,
        lambda spec, _: Span(*(spec.tokens_per_s,) * 3) if spec.tokens_per_s else None,
        label="tokens per second  ← shorter sequences",
        needed="tokens",
        lacking="no tokens",
    )


PLOT = Plot("tokens", "quality against tokens per second", draw)
