"""Quality against tokens per second: what a language model over the codes has to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snacbench.plots._against import Abscissa, draw_against
from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, Plot
from snacbench.types import CodecSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _tokens_per_s(spec: CodecSpec) -> float | None:
    return spec.tokens_per_s


_TOKENS = Abscissa(
    _tokens_per_s, "tokens per second  ← shorter sequences", needed="tokens", lacking="no tokens"
)


def draw(data: PlotData, options: Options) -> Figure:
    """Mean score per operating point against code indices per second, over all codebooks."""
    return draw_against(data, options, _TOKENS)


PLOT = Plot("tokens", "quality against tokens per second", draw)
