from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.stats.bjontegaard import bd_quality, bd_rate, delta_quality, delta_rate_percent
from snacbench.stats.curves import RateCurve, RatePoint

# The example in the documentation of the package bjontegaard (libx265, two presets): kbps, dB.
X265 = (
    ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
)
METHODS = ("pchip", "akima", "cubic")


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_deltas_agree_with_the_package_bjontegaard(method, seed):
    package = pytest.importorskip("bjontegaard")
    anchor, test = X265
    if seed is not None:
        rng = np.random.default_rng(seed)
        rates = np.sort(rng.uniform(1, 30, (2, 5)))[:, ::-1]
        quality = 30 + 3 * np.log(rates) + rng.uniform(0, 0.5, (2, 1)) + 0.1 * rates
        anchor, test = zip(rates, quality, strict=True)
    assert delta_rate_percent(anchor, test, method=method) == pytest.approx(
        package.bd_rate(*anchor, *test, method=method, min_overlap=0), rel=1e-8
    )
    assert delta_quality(anchor, test, method=method) == pytest.approx(
        package.bd_psnr(*anchor, *test, method=method, min_overlap=0), rel=1e-8
    )


@pytest.mark.parametrize("method", METHODS)
def test_half_the_rate_at_equal_quality_is_minus_50_percent(method):
    kbps, quality = np.array([4.0, 8, 16, 32]), np.array([1.0, 2, 3.5, 4])
    found = delta_rate_percent((kbps, quality), (kbps / 2, quality), method=method)
    assert found == pytest.approx(-50)


def test_quality_by_hand():
    # Two straight lines over log rate, one 0.25 above: only 8 to 16 kbps is shared.
    found = delta_quality(([4, 8, 16], [1, 2, 3]), ([8, 16, 32], [2.25, 3.25, 4.25]))
    assert found == pytest.approx(0.25)


def test_for_a_metric_where_lower_is_better_rate_saved_stays_negative():
    kbps, distance = np.array([4.0, 8, 16, 32]), np.array([2.0, 1.5, 1.2, 1.0])
    found = delta_rate_percent((kbps, distance), (kbps / 2, distance), better="lower")
    assert found == pytest.approx(-50)


def test_of_runs_it_is_the_delta_of_mean_scores_with_an_interval():
    kbps, quality = [6, 12, 24, 48], [2.0, 3, 3.6, 4]
    anchor, test = curve("opus", kbps, quality), curve("x", kbps, [2.3, 3.2, 3.9, 4.2], seed=1)
    bare = (kbps, quality), (kbps, [2.3, 3.2, 3.9, 4.2])
    rate, gain = (f(anchor, test, speakers()) for f in (bd_rate, bd_quality))
    assert rate.value == pytest.approx(delta_rate_percent(*bare))
    assert gain.value == pytest.approx(delta_quality(*bare))
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
    ("kbps", "quality", "method", "reason"),
    [
        ([6, 12], [2.0, 3], "pchip", "x has 2 points, pchip needs 3"),
        ([6, 12, 24], [2.0, 3, 4], "akima", "x has 3 points, akima needs 4"),
        ([6, 12, 24], [2.0, 3, 4], "cubic", "x has 3 points, cubic needs 4"),
        ([6, 12, 24, 48], [2.0, 3.5, 3, 4], "pchip", "x does not get better from 12 to 24 kbps"),
        ([6, 12, 24, 48], [5.0, 6, 7, 8], "pchip", "no overlap: quality 2 to 4 against 5 to 8"),
    ],
)
def test_without_a_delta_rate_there_is_a_reason(kbps, quality, method, reason):
    anchor = curve("opus", [6, 12, 24, 48], [2.0, 3, 3.6, 4])
    found = bd_rate(anchor, curve("x", kbps, quality), speakers(), method=method)
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


def test_bare_points_without_a_delta_raise():
    anchor = ([1, 2, 3], [1, 2, 3])
    with pytest.raises(Undefined, match="no overlap: quality 1 to 3 against 4 to 6"):
        delta_rate_percent(anchor, ([1, 2, 3], [4, 5, 6]))
    with pytest.raises(Undefined, match="test does not get better from 2 to 3 kbps"):
        delta_rate_percent(anchor, ([1, 2, 3], [1, 3, 2]))
    with pytest.raises(Undefined, match="anchor has 3 points, cubic needs 4"):
        delta_quality(anchor, anchor, method="cubic")


@pytest.mark.parametrize("test_kbps", [[1, 2], [0, 1, 2]])
def test_bare_points_are_pairs(test_kbps):
    with pytest.raises(ValueError, match="test: give one quality for every positive rate, found"):
        delta_rate_percent(([1, 2, 3], [1, 2, 3]), (test_kbps, [1, 2, 3]))


def test_methods_are_known_by_name():
    anchor = curve("a", [6, 12, 24], [2.0, 3, 4])
    with pytest.raises(ValueError, match=r"method must be one of \['pchip', .*found 'linear'"):
        bd_rate(anchor, anchor, method="linear")


def test_directions_are_known_by_name():
    anchor = curve("a", [6, 12, 24], [2.0, 3, 4])
    with pytest.raises(ValueError, match="better must be 'higher' or 'lower'"):
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
