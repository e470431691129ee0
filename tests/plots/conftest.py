"""Drawing without files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from snacbench.plots._data import PlotData
from snacbench.plots.plot import Options, plots
from snacbench.plots.style import paper_style
from snacbench.tables.run_rows import RunRows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., "Figure"]


@pytest.fixture
def draw() -> Iterator[Draw]:
    """``draw("speed", rows, domain="music")`` draws one plot of one or more runs."""

    def drawn(name: str, *rows: RunRows, **options: Any) -> Figure:
        chosen = replace(Options(metric="si_sdr"), **options)
        return plots()[name].draw(PlotData(rows), chosen)

    with paper_style():
        yield drawn


def texts(figure: Figure) -> str:
    """All words of a figure, caption included."""
    from matplotlib.text import Text

    return " | ".join(t.get_text() for t in figure.findobj(Text) if t.get_text())


def caption_of(figure: Figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")
