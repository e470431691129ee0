"""Student's t: what `scipy.stats.t` gives, to the last bit, without its third of a second to load.

Every verb that draws an interval would wait for all of scipy.stats; these two are what it calls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from snacbench.stats.moments import Floats


def t_quantile(share: ArrayLike, freedom: ArrayLike) -> Floats:
    """Where t stays below with a probability of `share`; NaN without degrees of freedom."""
    return np.asarray(stdtrit(freedom, share))


def t_upper_tail(t: ArrayLike, freedom: ArrayLike) -> Floats:
    """Probability of a larger t; NaN without degrees of freedom."""
    return np.asarray(stdtr(freedom, -np.asarray(t)))
