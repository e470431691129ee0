"""Drawing without files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from snacbench.plots.drawing import plot
from snacbench.tables.run_rows import RunRows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., "Figure"]


@pytest.fixture
def draw() -> Draw:
    """``draw("speed", rows, domain="music")`` draws one plot of one or more runs."""

    def drawn(name: str, *rows: RunRows, **options: Any) -> Figure:
        return plot(rows, name, **options)

    return drawn
