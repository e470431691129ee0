"""Codec against codec, on the clips that both have: interval, test, Holm's correction.

Tests take whole clusters as their units, as the intervals do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, compress

import numpy as np
from scipy.special import stdtr

from snacbench.errors import did_you_mean
from snacbench.stats.clusters import (
    MANY_CLUSTERS,
    Clusters,
    Moments,
    Scores,
    cluster_clips,
    labels_of,
    moments_of,
    score_table,
)
from snacbench.stats.intervals import (
    CHUNK_BYTES,
    DRAWS,
    Interval,
    in_small_products,
    mean_intervals,
)
from snacbench.types import Floats

FLIPS = 9_999
SIGN_FLIP = "sign-flip permutation of whole clusters"
T_ON_CLUSTERS = "t test on cluster means weighted by their clips"
WITHIN = "these clusters only: t test over the clips within them"
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedDifference:
    """One codec's values minus another's on their shared clips.

    `difference` is `first` minus `second`; its `n` are the shared clips. The p values, two-sided,
    of a mean difference of zero, are alone and corrected for all pairs of the family; None where
    it cannot be tested, and `test` says why, or names the test. Clips that only the other one has
    are lost, and in neither mean.
    """

    first: str
    second: str
    difference: Interval | None
    p_value: float | None
    p_holm: float | None
    test: str
    lost_by_first: tuple[str, ...]
    lost_by_second: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Number of clips that only one of the two has."""
        return len(self.lost_by_first) + len(self.lost_by_second)


def paired_differences(  # noqa: PLR0913 - keyword-only options of one analysis
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]] | None = None,
    clusters: Clusters | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    family: int = 0,
) -> list[PairedDifference]:
    """Pairs of codecs, with Holm's correction over the pairs given.

    Mean difference over the shared clips with an interval as `mean_intervals` makes it, and a test
    as `zero_mean_tests` chooses it.

    `scores` are codec -> clip -> value, of one metric in one domain, `pairs` the family of
    comparisons, chosen before looking at the values (None: every codec against every later one).
    `family` is how many comparisons the caller corrects for, where they are more than the pairs.

    Raises `ValueError` if a pair names a codec that has no scores.
    """
    pairs = list(combinations(scores, 2)) if pairs is None else pairs
    for name in (name for pair in pairs for name in pair):
        if name not in scores:
            raise ValueError(f"no scores of {name!r}; {did_you_mean(name, scores)}")
    clips, table = score_table(scores)
    column = {name: i for i, name in enumerate(scores)}
    left, right = (table[:, [column[pair[side]] for pair in pairs]] for side in (0, 1))
    differences = left - right
    labels = labels_of(clips, clusters)
    intervals = mean_intervals(differences, labels, draws=draws, seed=seed)
    m = moments_of(differences, cluster_clips(labels))
    # Enough flips that a pair can pass the correction for all the others.
    flips = max(FLIPS, 40 * max(len(pairs), family))
    tests = zero_mean_tests(m, flips=flips, seed=seed)
    adjusted = holm([p for p, _ in tests])

    lost = (~np.isfinite(left) & np.isfinite(right)).T, (~np.isfinite(right) & np.isfinite(left)).T
    by_first, by_second = ([tuple(compress(clips, pair)) for pair in of] for of in lost)
    return [
        PairedDifference(codec, other, interval, p_value, p_holm, test, first, second)
        for (codec, other), interval, (p_value, test), p_holm, first, second in zip(
            pairs, intervals, tests, adjusted, by_first, by_second, strict=True
        )
    ]


def zero_mean_tests(
    m: Moments, *, flips: int = FLIPS, seed: int = 0
) -> list[tuple[float | None, str]]:
    """Two-sided tests of each column's mean (of paired differences) against zero.

    By the number of clusters, as the intervals: from 20 on sign flips; from 5 to 19 a t test on
    cluster means, since 2^G sign patterns of G clusters cannot yield p values small enough to
    survive a correction for many pairs; below 5 a t test over the clips within them. Returns the p
    value, None where the data cannot be tested, and the test's name, or why there is none.
    """
    flipped = ~m.few & (m.clusters >= MANY_CLUSTERS)
    error, freedom = m.error_and_freedom()
    # Differences that are equal but for rounding have no spread to test against.
    spread = np.where(error > _ROUNDING * np.abs(m.mean), error, np.nan)
    p = np.asarray(2 * stdtr(freedom, -np.abs(m.mean) / spread))  # scipy.stats loads slowly
    if flipped.any():
        sums = m.residual_sums + m.counts * m.mean
        p[flipped] = sign_flip_p_values(sums[:, flipped], flips=flips, seed=seed)
    singles, zero = m.n == m.clusters, m.constant & (m.mean == 0)
    cases = {
        "not tested: all differences are zero": zero,
        "not tested: no clip has both values": m.n == 0,
        "not tested: one clip has both values": m.n == 1,
        "not tested: the differences do not vary": np.isnan(p),
        WITHIN: m.few,
        SIGN_FLIP.replace("whole clusters", "clips"): flipped & singles,
        SIGN_FLIP: flipped,
        "t test over clips": singles,
    }
    names = np.select(list(cases.values()), list(cases), T_ON_CLUSTERS).tolist()
    p = np.where(zero, 1.0, np.where(m.n <= 1, np.nan, p))
    values = [None if np.isnan(value) else value for value in p.tolist()]
    return list(zip(values, names, strict=True))


def sign_flip_p_values(sums: Floats, *, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Two-sided p values of mean differences under random signs of whole clusters.

    If two codecs were interchangeable, all differences of a cluster could as well have the other
    sign (Fisher, "The Design of Experiments", 1935, section 21). p is the share of random sign
    patterns whose sum is at least as far from zero, as ``(1 + hits) / (1 + flips)`` (Phipson and
    Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
    Molecular Biology 9(1), 2010): of 20 and more clusters all patterns are too many. `sums`, shape
    (clusters, columns), are those of the differences per cluster, so that clusters weigh by their
    clips; the sign patterns are shared by all columns.
    """
    clusters = len(sums)
    # Patterns that tie with the observed one must count, however their sums are rounded.
    bar = np.abs(sums.sum(axis=0)) - 1e-10 * np.abs(sums).sum(axis=0)
    hits, rng = np.zeros(sums.shape[1]), np.random.default_rng(seed)
    chunk = max(1, CHUNK_BYTES // (8 * clusters))
    for start in range(0, flips, chunk):
        shape = (min(chunk, flips - start), clusters)
        signs = np.where(rng.integers(0, 2, shape, dtype=np.int8), -1.0, 1.0)
        for some in in_small_products(signs, sums.shape[1]):
            hits += (np.abs(some @ sums) >= bar).sum(axis=0)
    return np.asarray((1 + hits) / (1 + flips))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values, 0 to 1: reject those up to 0.05, and one false alarm in 20 families.

    The k-th smallest of m becomes ``max over j <= k of (m - j + 1) p_j``, at most 1. It holds the
    family-wise error whatever the dependence between the tests. Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.

    None could not be tested, is no part of the family, and stays None. Raises `ValueError` if a p
    value is not between 0 and 1.
    """
    tested = [p for p in p_values if p is not None]
    p = np.asarray(tested, float)
    wrong = p[~((p >= 0) & (p <= 1))]
    if wrong.size:
        raise ValueError(f"p values must lie between 0 and 1, found {wrong[0]}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    values = iter(adjusted.tolist())
    return [None if p is None else next(values) for p in p_values]
