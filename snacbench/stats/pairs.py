"""Codec against codec, on the clips that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import did_you_mean
from snacbench.stats.clusters import Clusters, cluster_clips, labels_of
from snacbench.stats.effect import EffectSize, effect_sizes
from snacbench.stats.intervals import Interval, mean_intervals
from snacbench.stats.moments import moments_of
from snacbench.stats.multiple import holm
from snacbench.stats.resample import DRAWS
from snacbench.stats.scores import Scores, score_table
from snacbench.stats.significance import FLIPS, Method, Test, zero_mean_tests


@dataclass(frozen=True)
class PairedDifference:
    """One codec's values minus another's on their shared clips.

    Attributes
    ----------
    first, second : str
        The difference is `first` minus `second`.
    difference : Interval or None
        Mean difference with its interval, `n` being the shared clips; None without any.
    p_value, p_holm : float or None
        Two-sided, of a mean difference of zero: alone, and corrected for all pairs of the family.
        None where it cannot be tested.
    test : str
        Name of the test, or why there is none.
    effect : EffectSize or None
    lost_by_first, lost_by_second : tuple of str
        Clips that only the other one has; they are in neither mean.
    """

    first: str
    second: str
    difference: Interval | None
    p_value: float | None
    p_holm: float | None
    test: str
    effect: EffectSize | None
    lost_by_first: tuple[str, ...]
    lost_by_second: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Number of clips that only one of the two has."""
        return len(self.lost_by_first) + len(self.lost_by_second)


def all_pairs(  # noqa: PLR0913 - keyword-only options of one analysis
    scores: Mapping[str, Scores],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
    method: Method = "auto",
    draws: int = DRAWS,
    seed: int = 0,
) -> list[PairedDifference]:
    """Every codec against every later one, with Holm's correction over all these pairs.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Codec -> clip -> value, of one metric in one domain. A clip that failed is not there.
    clusters : mapping of str to str or None, or None
        Clip -> speaker or track.
    level, method, draws, seed
        As in `paired_differences`.

    Returns
    -------
    list of PairedDifference
        In the codecs' order: first with second, first with third, and so on.

    Raises
    ------
    ValueError
        As `paired_differences`.
    """
    return paired_differences(
        scores,
        list(combinations(scores, 2)),
        clusters,
        level=level,
        method=method,
        draws=draws,
        seed=seed,
    )


def paired_differences(  # noqa: PLR0913 - keyword-only options of one analysis
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
    method: Method = "auto",
    draws: int = DRAWS,
    seed: int = 0,
    family: int = 0,
) -> list[PairedDifference]:
    """Chosen pairs of codecs, with Holm's correction over the pairs given.

    Mean difference over the shared clips with an interval as `intervals.mean_intervals` makes it,
    a test as `significance.zero_mean_tests` chooses it, and the effect size.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Codec -> clip -> value, of one metric in one domain. A clip that failed is not there.
    pairs : sequence of (str, str)
        The family of comparisons; choose it before looking at the values.
    clusters : mapping of str to str or None, or None
        Clip -> speaker or track; where not known, a clip is taken as independent.
    level : float
    method : {"auto", "t", "sign-flip"}
    draws, seed : int
        Bootstrap draws, and the seed of these and of the sign flips.
    family : int
        Comparisons that the caller corrects for, where they are more than the pairs.

    Raises
    ------
    ValueError
        If a pair names a codec that has no scores, or a value is not finite.
    """
    for name in (name for pair in pairs for name in pair):
        if name not in scores:
            raise ValueError(f"no scores of {name!r}; {did_you_mean(name, scores)}")
    clips, table = score_table(scores)
    column = {name: i for i, name in enumerate(scores)}
    left, right = ([column[pair[side]] for pair in pairs] for side in (0, 1))
    differences = table[:, left] - table[:, right]
    labels = labels_of(clips, clusters)
    intervals = mean_intervals(differences, labels, level=level, draws=draws, seed=seed)
    m = moments_of(differences, cluster_clips(labels, clips=len(clips)))
    # Enough flips that a pair can pass the correction for all the others.
    flips = max(FLIPS, 40 * max(len(pairs), family))
    tests = zero_mean_tests(m, method=method, flips=flips, seed=seed)
    effects = effect_sizes(differences, m)
    adjusted = _holm_of(tests)
    has_left, has_right = np.isfinite(table[:, left]), np.isfinite(table[:, right])
    return [
        PairedDifference(
            first=first,
            second=second,
            difference=intervals[i],
            p_value=tests[i].p_value,
            p_holm=adjusted[i],
            test=tests[i].method,
            effect=effects[i],
            lost_by_first=_named(clips, has_right[:, i] & ~has_left[:, i]),
            lost_by_second=_named(clips, has_left[:, i] & ~has_right[:, i]),
        )
        for i, (first, second) in enumerate(pairs)
    ]


def _holm_of(tests: Sequence[Test]) -> list[float | None]:
    adjusted = iter(holm([test.p_value for test in tests if test.p_value is not None]))
    return [None if test.p_value is None else next(adjusted) for test in tests]


def _named(clips: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(clip for clip, wanted in zip(clips, chosen, strict=True) if wanted)
