from __future__ import annotations

import pytest

from snacbench.compare.verdict import fails, verdict_of
from snacbench.stats.intervals import Interval


def interval(mean: float, half: float | None) -> Interval:
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Interval(mean, low, high, 0.95, 30, 30, "t")


@pytest.mark.parametrize(
    ("mean", "half", "p", "tolerance", "expected", "stops"),
    [
        (-2.0, 1.0, 0.01, None, "worse", True),
        (-2.0, 1.0, 0.20, None, "no difference seen", False),  # did not survive the correction
        (-2.0, 0.0, None, None, "worse", True),  # the same on every clip: nothing to test
        (-0.5, 1.0, 0.30, None, "no difference seen", False),
        (2.0, 1.0, 0.01, None, "better", False),
        (0.0, 0.0, None, 0.0, "within tolerance", False),
        (-2.0, 0.5, 0.01, 1.0, "worse", True),
        (-0.2, 0.3, 0.30, 1.0, "within tolerance", False),
        (2.0, 1.0, 0.01, 1.0, "better", False),
        (-1.5, 1.0, 0.01, 1.0, "undecided", True),  # the mean is beyond: no pass for want of clips
        (-0.5, 1.0, 0.30, 1.0, "undecided", False),
        (-5.0, None, None, 1.0, "undecided", True),
        (-5.0, None, None, None, "undecided", False),
    ],
)
@pytest.mark.parametrize("higher", [True, False])
def test_verdicts(
    mean: float,
    half: float | None,
    p: float | None,
    tolerance: float | None,
    expected: str,
    stops: bool,
    higher: bool,
) -> None:
    found = interval(mean if higher else -mean, half)
    verdict = verdict_of(found, p_corrected=p, higher_is_better=higher, tolerance=tolerance)
    assert verdict == expected
    assert fails(verdict, found, higher_is_better=higher, tolerance=tolerance) is stops


def test_strict_stops_at_what_was_not_shown() -> None:
    found = interval(-0.5, 1.0)
    verdict = verdict_of(found, p_corrected=0.3, higher_is_better=True, tolerance=1.0)
    assert fails(verdict, found, higher_is_better=True, tolerance=1.0, strict=True)


def test_without_shared_clips_only_a_gated_metric_stops() -> None:
    verdict = verdict_of(None, p_corrected=None, higher_is_better=True, tolerance=None)
    assert verdict == "no shared clips"
    assert not fails(verdict, None, higher_is_better=True, tolerance=None)
    assert fails(verdict, None, higher_is_better=True, tolerance=0.1)
