"""Is the mean of paired differences zero? Tests that take whole clusters as their units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from snacbench.stats.clusters import FEW_CLUSTERS, MANY_CLUSTERS
from snacbench.stats.moments import (
    Floats,
    Moments,
    degrees_of_freedom,
    robust_error,
    within_error,
)
from snacbench.stats.resample import compact, in_small_products
from snacbench.stats.student import t_upper_tail

Method = Literal["auto", "t", "sign-flip"]

FLIPS = 9_999
SIGN_FLIP = "sign-flip permutation of whole clusters"
T_ON_CLUSTERS = "t test on cluster means weighted by their clips"
WITHIN = "these clusters only: t test over the clips within them"
_CHUNK_BYTES = 16 * 2**20
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Test:
    """A two-sided test of a mean difference of zero.

    Attributes
    ----------
    p_value : float or None
        None where the data cannot be tested; `method` then says why.
    method : str
        Name of the test, for a footnote.
    """

    p_value: float | None
    method: str

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


def zero_mean_tests(
    m: Moments, *, method: Method = "auto", flips: int = FLIPS, seed: int = 0
) -> list[Test]:
    """Test each column's mean against zero.

    ``auto`` goes by the number of clusters, as the intervals do: from 20 on sign flips; from 5 to
    19 a t test on cluster means, since 2^G sign patterns of G clusters cannot yield p values small
    enough to survive a correction for many pairs; below 5 a t test over the clips within them.

    Parameters
    ----------
    m : Moments
        Of paired differences.
    method : {"auto", "t", "sign-flip"}
        What to do with 5 clusters or more.
    flips, seed
        See `sign_flip_p_values`.

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    if method not in ("auto", "t", "sign-flip"):
        raise ValueError(f"method must be 'auto', 't' or 'sign-flip', found {method!r}")
    few = (m.clusters < FEW_CLUSTERS) & (m.n > m.clusters)
    from_clusters = {"auto": MANY_CLUSTERS, "sign-flip": 1, "t": np.inf}[method]
    flipped = ~few & (m.clusters >= from_clusters)
    p = _t_p_values(m, few)
    if flipped.any():
        chosen = np.flatnonzero(flipped)
        p[chosen] = sign_flip_p_values(m.sums[:, chosen], flips=flips, seed=seed)
    return [_test(m, i, float(p[i]), bool(few[i]), bool(flipped[i])) for i in range(len(p))]


def _t_p_values(m: Moments, few: NDArray[np.bool_]) -> Floats:
    error = np.where(few, within_error(m), robust_error(m))
    freedom = np.where(few, m.n - m.clusters, degrees_of_freedom(m))
    # Differences that are equal but for rounding have no spread to test against.
    spread = np.where(error > _ROUNDING * np.abs(m.mean), error, np.nan)
    return np.asarray(2 * t_upper_tail(np.abs(m.mean) / spread, freedom))


def _test(m: Moments, i: int, p: float, few: bool, flipped: bool) -> Test:
    if m.constant[i] and m.mean[i] == 0:
        return Test(1.0, "not tested: all differences are zero")
    if m.n[i] <= 1:
        return Test(None, f"not tested: {'one clip' if m.n[i] else 'no clip'} has both values")
    if np.isnan(p):
        return Test(None, "not tested: the differences do not vary")
    if few:
        return Test(p, WITHIN)
    singles = m.n[i] == m.clusters[i]
    if flipped:
        return Test(p, SIGN_FLIP.replace("whole clusters", "clips") if singles else SIGN_FLIP)
    return Test(p, "t test over clips" if singles else T_ON_CLUSTERS)


def sign_flip_p_values(sums: Floats, *, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Two-sided p values of mean differences under random signs of whole clusters.

    If two codecs were interchangeable, all differences of a cluster could as well have the other
    sign. p is the share of sign patterns whose sum is at least as far from zero: over all patterns
    where ``flips`` suffice for them; else over ``flips`` random ones, as ``(1 + hits) / (1 +
    flips)`` (Phipson and Smyth, "Permutation p-values should never be zero", Statistical
    Applications in Genetics and Molecular Biology 9(1), 2010). Fisher, "The Design of
    Experiments", 1935, section 21; a relative with regressors is the wild cluster bootstrap,
    Cameron and Miller 2015, section VI.C.

    Parameters
    ----------
    sums : array, shape (clusters, columns)
        Sum of the differences per cluster, so that clusters weigh by their clips.
    flips : int
        Random sign patterns, shared by all columns.
    seed : int

    Returns
    -------
    array, shape (columns,)
    """
    clusters = len(sums)
    observed = np.abs(sums.sum(axis=0))
    # Patterns that tie with the observed one must count, however their sums are rounded.
    bar = observed - 1e-10 * np.abs(sums).sum(axis=0)
    exact = 2 ** (clusters - 1) <= flips
    patterns = _all_signs(clusters) if exact else _random_signs(clusters, flips, seed)
    narrow, wide = compact(sums)
    hits = np.zeros(sums.shape[1])
    tried = 0
    for signs in patterns:
        for some in in_small_products(signs, wide.shape[1]):
            hits += (np.abs((some @ narrow) @ wide) >= bar).sum(axis=0)
        tried += len(signs)
    return np.asarray(hits / tried if exact else (1 + hits) / (1 + tried))


def _all_signs(clusters: int) -> Iterator[Floats]:
    """Every pattern with the first sign up: the others mirror these."""
    numbers = np.arange(2 ** (clusters - 1))[:, None]
    down = numbers >> np.arange(clusters)[::-1] & 1
    yield np.where(down, -1.0, 1.0)


def _random_signs(clusters: int, flips: int, seed: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_BYTES // (8 * clusters))
    for start in range(0, flips, chunk):
        shape = (min(chunk, flips - start), clusters)
        yield np.where(rng.integers(0, 2, shape, dtype=np.int8), -1.0, 1.0)
