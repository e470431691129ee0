from __future__ import annotations

import pytest

from snacbench.stats.curves import RateCurve, RatePoint, check_better, shared_scores


def curve(name: str, points: dict[float, dict[str, float]]) -> RateCurve:
    return RateCurve(name, tuple(RatePoint(kbps, scores) for kbps, scores in points.items()))


def test_points_are_sorted_by_rate():
    assert curve("x", {24: {}, 8: {}, 14: {}}).kbps.tolist() == [8, 14, 24]


def test_only_clips_that_every_point_has_are_shared():
    first = curve("x", {8: {"a": 1.0, "b": 2.0, "c": 3.0}, 14: {"a": 4.0, "c": 5.0}})
    second = curve("y", {6: {"c": 6.0, "a": 7.0, "d": 8.0}})
    found = shared_scores([first, second], {"a": "s1", "c": "s1"})
    assert found.values.tolist() == [[1, 4, 7], [3, 5, 6]]
    assert found.lost == ("b", "d")
    assert found.clustering.count == 1


def test_equal_names_and_rates_do_not_collide():
    one = curve("x", {8: {"a": 1.0}})
    assert shared_scores([one, one], None).values.tolist() == [[1, 1]]


def test_a_curve_has_points():
    with pytest.raises(ValueError, match="x: a curve needs at least one point, found none"):
        RateCurve("x", ())


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_are_positive(rate):
    with pytest.raises(ValueError, match="x: rates must be positive numbers of kbps, found"):
        curve("x", {8: {}, rate: {}})


def test_rates_differ():
    with pytest.raises(ValueError, match="x: rates must differ from each other, found"):
        RateCurve("x", (RatePoint(8, {}), RatePoint(8, {})))


def test_a_metric_is_better_one_way_or_the_other():
    with pytest.raises(ValueError, match="better must be 'higher' or 'lower', found 'louder'"):
        check_better("louder")
