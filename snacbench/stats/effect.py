"""How large a difference is, apart from whether it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snacbench.stats.clusters import FEW_CLUSTERS
from snacbench.stats.moments import Floats, Moments


@dataclass(frozen=True)
class EffectSize:
    """Size of a paired difference, higher where the first codec's values are higher.

    Attributes
    ----------
    d_z : float or None
        Standardised: mean over standard deviation of the cluster means of the differences
        (Cohen, "Statistical Power Analysis", 2nd edition, 1988, section 2.3.5, with clusters as the
        units; every cluster counts the same). None below 5 clusters, or without any spread.
    superiority : float
        Share of the clips, 0 to 1, on which the first codec's value is higher, ties counting half;
        0.5 is no difference (Grissom and Kim, "Effect Sizes for Research", 2nd edition, 2012,
        chapter 5, the paired form).
    """

    d_z: float | None
    superiority: float

    D_Z = "d_z = mean / standard deviation of the cluster means of the paired differences"
    SUPERIORITY = "share of clips on which the first is higher, ties half"


def effect_sizes(differences: Floats, m: Moments) -> list[EffectSize | None]:
    """Effect size of each column of paired differences; None where there is none to measure.

    Parameters
    ----------
    differences : array, shape (clips, pairs)
        NaN where a side has no value.
    m : Moments
        Of the differences.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        superiority = ((differences > 0).sum(axis=0) + (differences == 0).sum(axis=0) / 2) / m.n
        d_z = _standardised(m.cluster_means)
    enough = (m.clusters >= FEW_CLUSTERS) & np.isfinite(d_z)
    return [
        EffectSize(float(d_z[i]) if enough[i] else None, float(superiority[i])) if m.n[i] else None
        for i in range(len(m.n))
    ]


def _standardised(cluster_means: Floats) -> Floats:
    present = np.isfinite(cluster_means)
    count = present.sum(axis=0)
    mean = np.where(present, cluster_means, 0.0).sum(axis=0) / count
    squares = np.where(present, cluster_means - mean, 0.0) ** 2
    spread = np.sqrt(squares.sum(axis=0) / (count - 1))
    # Differences that are equal but for rounding have no spread to standardise by.
    return np.asarray(np.where(spread > 1e-12 * np.abs(mean), mean / spread, np.nan))
