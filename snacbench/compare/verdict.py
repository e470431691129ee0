"""What a difference between two runs means: better, worse, or not to be told."""

from __future__ import annotations

from typing import Literal

from snacbench.stats.intervals import Interval

Verdict = Literal[
    "better", "worse", "within tolerance", "no difference seen", "undecided", "no shared clips"
]
SIGNIFICANCE = 0.05


def verdict_of(
    difference: Interval | None,
    *,
    p_corrected: float | None,
    higher_is_better: bool,
    tolerance: float | None,
) -> Verdict:
    """What a mean difference, candidate minus baseline, means.

    Without a tolerance the whole interval must lie on one side of zero, and the difference must
    stand after correction for everything that was compared: the more one looks at, the more
    chance finds. With a tolerance the question is another one: does the interval lie beyond it
    (``worse``), on its good side (``within tolerance``), or across it (``undecided``)?

    Parameters
    ----------
    difference : Interval or None
        In the metric's unit; None where no clip is shared.
    p_corrected : float or None
        Of the hypothesis of no difference; None where it cannot be tested, for example because
        every clip differs by the same.
    higher_is_better : bool
    tolerance : float or None
        How much worse the candidate may be, in the metric's unit, 0 or more; None: not gated.
    """
    if difference is None:
        return "no shared clips"
    sign = 1 if higher_is_better else -1
    if difference.low is None or difference.high is None:
        return "undecided"  # one clip has no interval
    worst, best = sorted((sign * difference.low, sign * difference.high))
    stands = p_corrected is None or p_corrected < SIGNIFICANCE
    if worst > 0 and stands:
        return "better"
    if tolerance is None:
        return "worse" if best < 0 and stands else "no difference seen"
    if best < -tolerance:
        return "worse"
    return "within tolerance" if worst >= -tolerance else "undecided"


def fails(
    verdict: Verdict,
    difference: Interval | None,
    *,
    higher_is_better: bool,
    tolerance: float | None,
    strict: bool = False,
) -> bool:
    """Whether a gate stops here.

    It stops at ``worse``. Where a tolerance was given and the clips are too few to tell, it stops
    if the mean itself is beyond the tolerance, so that a real loss does not pass for want of
    clips; `strict` stops at whatever was not shown to be within the tolerance.
    """
    if verdict == "worse":
        return True
    if tolerance is None or verdict not in ("undecided", "no shared clips"):
        return False
    if strict or difference is None:
        return True
    loss = -difference.mean if higher_is_better else difference.mean
    return loss > tolerance
