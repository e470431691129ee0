from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import interpolate, optimize

from snacbench.stats.curves import (
    RateCurve,
    RatePoint,
    bd_quality,
    bd_rate,
    mean_gap,
    pchip_slopes,
    shared_scores,
)
from snacbench.stats.matched_rate import first_reach, isotonic, value_at


def points(name: str, of: dict[float, dict[str, float]]) -> RateCurve:
    return RateCurve(name, tuple(RatePoint(kbps, scores) for kbps, scores in of.items()))


def test_points_are_sorted_and_only_clips_that_every_point_has_are_shared():
    assert points("x", {24: {}, 8: {}, 14: {}}).kbps.tolist() == [8, 14, 24]
    first = points("x", {8: {"a": 1.0, "b": 2.0, "c": 3.0}, 14: {"a": 4.0, "c": 5.0}})
    second = points("y", {6: {"c": 6.0, "a": 7.0, "d": 8.0}})
    values, clustering, lost = shared_scores([first, second], {"a": "s1", "c": "s1"})
    assert values.tolist() == [[1, 4, 7], [3, 5, 6]]
    assert (lost, clustering.count) == (("b", "d"), 1)
    one = points("x", {8: {"a": 1.0}})  # equal names and rates do not collide
    assert shared_scores([one, one], None)[0].tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ((), "x: a curve needs at least one point, found none"),
        *(
            ((8, rate), "x: rates must be positive numbers of kbps, found")
            for rate in (0.0, -1.0, float("nan"), float("inf"))
        ),
        ((8, 8), "x: rates must differ from each other, found"),
    ],
)
def test_what_is_no_curve(rates, message):
    with pytest.raises(ValueError, match=message):
        RateCurve("x", tuple(RatePoint(rate, {}) for rate in rates))


# -------------------------------------------------------------------------------- interpolation


@pytest.mark.parametrize("count", [3, 4, 6])
def test_curves_and_their_gaps_equal_scipys(count):
    rng = np.random.default_rng(count)
    x = np.cumsum(rng.uniform(0.1, 2, (5, count)), axis=1)
    y, z = rng.standard_normal((2, 5, count))
    gaps = mean_gap(
        x,
        y,
        x + 0.05,
        z,
    )
    for i in range(len(x)):
        theirs = interpolate.PchipInterpolator(x[i], y[i])
        at = np.linspace(x[i, 0], x[i, -1], 30)
        ours = [float(value_at(x[i], y[i], place)) for place in at]
        assert ours == pytest.approx(theirs(at), abs=1e-12)
        low, high = x[i, 0] + 0.05, x[i, -1]
        area = interpolate.PchipInterpolator(x[i] + 0.05, z[i]).integrate(low, high)
        expected = (area - theirs.integrate(low, high)) / (high - low)
        assert gaps[i] == pytest.approx(float(expected), abs=1e-12)
    assert pchip_slopes(x[0], y)[2] == pytest.approx(pchip_slopes(x[0], y[2]))  # one x for many
    assert pchip_slopes(np.array([0.0, 2]), np.array([1.0, 5])).tolist() == [2, 2]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9))
def test_isotonic_equals_scipys_and_what_rises_already_stays_exactly(values):
    y = np.array(values)
    assert isotonic(y) == pytest.approx(optimize.isotonic_regression(y).x, abs=1e-12)
    rises = np.array([[0.1, 0.2, 0.3], [0.7, 0.7, 0.9]])
    assert np.array_equal(isotonic(rises), rises)


def test_first_reach_inverts_the_curve():
    x = np.array([0.0, 1, 2.5, 4])
    y = np.array([[1.0, 2, 2.2, 5]] * 4)
    level = np.array([1.3, 2.0, 2.1, 4.9])
    found = first_reach(x, y, level)
    back = [float(value_at(x, y[0], place)) for place in found]
    assert back == pytest.approx(level.tolist(), abs=1e-12)
    assert found[1] == pytest.approx(1.0)
    # On a plateau the smallest place counts; beyond the ends there is none.
    plateau, rising = np.array([[1.0, 2, 2, 3]]), np.array([[1.0, 2, 3]] * 4)
    assert first_reach(np.arange(4.0), plateau, np.array([2.0]))[0] == pytest.approx(1.0)
    found = first_reach(np.arange(3.0), rising, np.array([0.9, 1.0, 3.0, 3.1]))
    assert found.tolist() == pytest.approx([-np.inf, 0.0, 2.0, np.inf])


def test_there_is_no_gap_without_overlap_or_where_x_falls():
    x = np.array([0.0, 1, 2, 3])
    falling = np.array([0.0, 2, 1, 3])
    both = np.stack([x + 5, falling])
    assert np.isnan(mean_gap(x, x, both, x)).all()
    assert float(mean_gap(x, 2 * x, x + 1.5, 2 * (x + 1.5) + 0.7)) == pytest.approx(0.7)


# --------------------------------------------------------------------------- Bjontegaard deltas

# The example in the documentation of the package bjontegaard (libx265, two presets): kbps, dB.
X265 = (
    ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
)


def bare(kbps, quality) -> RateCurve:
    """A curve of published figures: one clip."""
    return RateCurve("x", tuple(map(RatePoint, kbps, ({"all": float(q)} for q in quality))))


def curve(name: str, kbps, quality, *, clips: int = 60, speakers: int = 20, seed: int = 0):
    """Mean scores of exactly `quality`, with noise per speaker and per clip."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(99).standard_normal(speakers)[np.arange(clips) % speakers]
    points = []
    for rate, mean in zip(kbps, quality, strict=True):
        values = 0.3 * common + 0.1 * rng.standard_normal(clips)
        values += mean - values.mean()
        scores = {f"clip{i}": float(v) for i, v in enumerate(values)}
        points.append(RatePoint(rate, scores))
    return RateCurve(name, tuple(points))


def speakers(clips: int = 60, count: int = 20):
    return {f"clip{i}": f"s{i % count}" for i in range(clips)}


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_deltas_agree_with_the_package_bjontegaard(seed):
    package = pytest.importorskip("bjontegaard")
    anchor, test = X265
    if seed is not None:
        rng = np.random.default_rng(seed)
        rates = np.sort(rng.uniform(1, 30, (2, 5)))[:, ::-1]
        quality = 30 + 3 * np.log(rates) + rng.uniform(0, 0.5, (2, 1)) + 0.1 * rates
        anchor, test = zip(rates, quality, strict=True)
    both = bare(*anchor), bare(*test)
    theirs = package.bd_rate(*anchor, *test, method="pchip", min_overlap=0)
    assert bd_rate(*both).value == pytest.approx(theirs, rel=1e-8)
    theirs = package.bd_psnr(*anchor, *test, method="pchip", min_overlap=0)
    assert bd_quality(*both).value == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_deltas_by_hand(better, sign):
    kbps, quality = np.array([4.0, 8, 16, 32]), sign * np.array([1.0, 2, 3.5, 4])
    half_the_rate = bd_rate(bare(kbps, quality), bare(kbps / 2, quality), better=better)
    assert half_the_rate.value == pytest.approx(-50)
    assert half_the_rate.overlap == pytest.approx(tuple(sorted((sign * 1, sign * 4))))
    # Two straight lines over log rate, one 0.25 above: only 8 to 16 kbps is shared.
    found = bd_quality(bare([4, 8, 16], [1, 2, 3]), bare([8, 16, 32], [2.25, 3.25, 4.25]))
    assert found.value == pytest.approx(0.25)


def test_of_runs_it_is_the_delta_of_mean_scores_with_an_interval():
    kbps, quality = [6, 12, 24, 48], [2.0, 3, 3.6, 4]
    anchor, test = curve("opus", kbps, quality), curve("x", kbps, [2.3, 3.2, 3.9, 4.2], seed=1)
    both = bare(kbps, quality), bare(kbps, [2.3, 3.2, 3.9, 4.2])
    rate, gain = (f(anchor, test, speakers()) for f in (bd_rate, bd_quality))
    assert rate.value == pytest.approx(bd_rate(*both).value)
    assert gain.value == pytest.approx(bd_quality(*both).value)
    for found in (rate, gain):
        assert found.low is not None
        assert found.high is not None
        assert found.value is not None
        assert found.low < found.value < found.high
        assert (found.n, found.clusters, found.lost) == (60, 20, ())
        assert found.undefined_share == 0
        assert found.method == "monotone piecewise cubic (pchip) on log rate"
        assert found.interval_method == "BCa bootstrap over clusters"
    assert rate.overlap == pytest.approx((2.3, 4.0))
    assert rate.overlap_share == pytest.approx(1.7 / 2.2)
    assert gain.overlap == (6, 48)
    assert gain.overlap_share == 1


def test_common_noise_of_clips_cancels_between_the_curves():
    kbps = [6, 12, 24, 48]
    anchor = curve("a", kbps, [2.0, 3, 3.6, 4])
    found = bd_quality(anchor, curve("b", kbps, [2.1, 3.1, 3.7, 4.1], seed=1), speakers())
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.06  # a speaker's own level scatters by 0.3


@pytest.mark.parametrize("clusters", [3, 8])
def test_few_speakers_are_named(clusters):
    kbps = [6, 12, 24, 48]
    anchor, test = (
        curve("a", kbps, [2.0, 3, 3.6, 4]),
        curve("b", kbps, [2.1, 3.1, 3.7, 4.1], seed=1),
    )
    found = bd_rate(anchor, test, speakers(count=clusters))
    assert (
        found.interval_method
        == {
            3: "these clusters only: percentile bootstrap over the clips within them",
            8: "percentile bootstrap over clusters",
        }[clusters]
    )


def test_clips_that_a_point_lacks_are_left_out_and_listed():
    anchor = curve("a", [6, 12, 24], [2.0, 3, 4])
    test = curve("b", [6, 12, 24], [2.5, 3.5, 4.5])
    broken = {k: v for k, v in test.points[1].scores.items() if k != "clip7"}
    test = RateCurve("b", (test.points[0], RatePoint(12, broken), test.points[2]))
    found = bd_rate(anchor, test, speakers())
    assert (found.n, found.lost) == (59, ("clip7",))


@pytest.mark.parametrize(
    ("kbps", "quality", "reason"),
    [
        ([6, 12], [2.0, 3], "x has 2 points, pchip needs 3"),
        ([6, 12, 24, 48], [2.0, 3.5, 3, 4], "x does not get better from 12 to 24 kbps"),
        ([6, 12, 24, 48], [5.0, 6, 7, 8], "no overlap: quality 2 to 4 against 5 to 8"),
    ],
)
def test_without_a_delta_rate_there_is_a_reason(kbps, quality, reason):
    anchor = curve("opus", [6, 12, 24, 48], [2.0, 3, 3.6, 4])
    found = bd_rate(anchor, curve("x", kbps, quality), speakers())
    assert (found.value, found.low, found.high, found.overlap) == (None, None, None, None)
    assert found.reason == reason


def test_delta_quality_needs_common_rates_only():
    anchor = curve("opus", [6, 12, 24, 48], [2.0, 3, 3.6, 4])
    assert bd_quality(anchor, curve("x", [6, 12, 24, 48], [2.0, 3.5, 3, 4])).value is not None
    apart = bd_quality(anchor, curve("x", [50, 60, 70], [2.0, 3, 4]))
    assert apart.reason == "no overlap: kbps 6 to 48 against 50 to 70"


def test_no_shared_clip_and_one_clip():
    one = RateCurve("one", tuple(RatePoint(k, {"a": float(k)}) for k in (1, 2, 3)))
    other = RateCurve("other", tuple(RatePoint(k, {"b": float(k)}) for k in (1, 2, 3)))
    assert bd_rate(one, other).reason == "no clip is shared by all points"
    alone = bd_rate(one, one)
    assert (alone.value, alone.low, alone.reason) == (0, None, "one clip: no interval")


def test_an_interval_is_withheld_where_many_draws_have_no_delta():
    kbps = [6, 12, 24]
    anchor = curve("a", kbps, [2.0, 3, 3.0005])
    found = bd_rate(anchor, curve("b", kbps, [2.0, 3, 3.5], seed=1), speakers())
    assert found.value is not None
    assert found.low is None
    assert found.undefined_share > 0.3
    assert found.reason.startswith("no interval: undefined in ")


def test_directions_are_known_by_name():
    anchor = curve("a", [6, 12, 24], [2.0, 3, 4])
    with pytest.raises(ValueError, match="better must be 'higher' or 'lower', found 'more'"):
        bd_quality(anchor, anchor, better="more")


@pytest.mark.parametrize(("shift", "defined"), [(2.1, True), (2.9, False)])
def test_curves_that_share_too_little_have_the_overlap_and_no_value(shift, defined):
    kbps, quality = np.array([2.0, 4, 8, 16]), np.array([1.0, 2, 3, 4])
    anchor, test = curve("a", kbps, quality), curve("t", kbps * 2**shift, quality + shift)
    for found in (bd_rate(anchor, test, speakers()), bd_quality(anchor, test, speakers())):
        assert found.overlap_of_narrower == pytest.approx(1 - shift / 3, abs=1e-6)
        assert found.overlap is not None
        assert (found.value is not None) == (found.low is not None) == defined
        if not defined:
            assert found.reason.startswith("the curves share 3 % of the narrower one (")
            assert found.reason.endswith("), 25 % are needed")
