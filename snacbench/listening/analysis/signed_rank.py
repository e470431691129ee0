"""Wilcoxon's signed-rank test, exact also where differences tie."""

from __future__ import annotations

import numpy as np
from scipy import stats

from snacbench.stats.clusters import Floats

_EXACT_UP_TO = 500  # differences: 0.1 s; beyond, the normal approximation is as good


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p value of the hypothesis that differences are symmetric around zero.

    Differences of zero are left out, as Wilcoxon did; equal ones share their mean rank. Up to 500
    differences the distribution is exact, given these ranks: each of them is in the sum of the
    positive ones or is not, equally likely (Wilcoxon, "Individual comparisons by ranking methods",
    Biometrics Bulletin 1(6), 1945; with ties as in Pratt and Gibbons, "Concepts of Nonparametric
    Theory", 1981, section 3.7). scipy counts out all patterns of signs where there are ties.

    Parameters
    ----------
    differences : array, shape (n,)
        Finite.
    """
    known = differences[differences != 0]
    if not len(known):
        return 1.0
    if len(known) > _EXACT_UP_TO:
        return float(stats.wilcoxon(known).pvalue)
    doubled = np.rint(2 * stats.rankdata(np.abs(known))).astype(int)  # mean ranks end in .0 or .5
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    positive = int(doubled[known > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    return float(min(1.0, 2 * ways[: smaller + 1].sum() / 2.0 ** len(known)))
