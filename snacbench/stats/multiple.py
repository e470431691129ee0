"""Many comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, 0 to 1: reject those up to 0.05, and one false alarm in 20 families.

    The k-th smallest of m becomes ``max over j <= k of (m - j + 1) p_j``, at most 1. It holds the
    family-wise error whatever the dependence between the tests. Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.

    Parameters
    ----------
    p_values : sequence of float
        Of one family: all pairs of codecs for one metric in one domain.

    Raises
    ------
    ValueError
        If a p value is not between 0 and 1.
    """
    p = np.asarray(p_values, float)
    wrong = p[~((p >= 0) & (p <= 1))]
    if wrong.size:
        raise ValueError(f"p values must lie between 0 and 1, found {wrong[0]}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]
