"""What a table should say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

By = Literal["domain", "all", "both"]


@dataclass(frozen=True)
class Options:
    """What a layout is asked for.

    Attributes
    ----------
    by : {"domain", "all", "both"} or None
        One table per domain, one over all clips, or both; None: as the layout's paper does.
    ci : bool
        95 % intervals of the means of metrics.
    significance : bool
        Marks where a codec differs from the best, or from `baseline`.
    baseline : str
        The codec that the others are compared with; empty: the best of each metric.
    digits : int or None
        Digits after the point of metrics; None: as the layout has it.
    published : bool
        Published figures beside ours, where the layout has some.
    """

    by: By | None = None
    ci: bool = False
    significance: bool = False
    baseline: str = ""
    digits: int | None = None
    published: bool = False
