"""Rate curves: their shape, the Bjontegaard deltas of two, and the rate that one needs."""

import math
import re

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
    isotonic,
    matched_rate,
    mean_gap,
    pchip_slopes,
    shared_scores,
    value_at,
)
from tests.support.cases import cases

ANCHOR = {6: 2.0, 12: 3.0, 24: 3.6, 48: 4.0}


def points(name, of):
    return RateCurve(name, tuple(RatePoint(kbps, scores) for kbps, scores in of.items()))


def curve(name, of, *, clips=120, own=0.1):
    """Mean scores of exactly these values, with noise per clip common to all curves, and some own.

    A different name has other noise."""
    common = np.random.default_rng(99).standard_normal(clips)
    rng = np.random.default_rng(len(name))
    scores = {}
    for kbps, mean in of.items():
        values = 0.5 * common + own * rng.standard_normal(clips)
        values += mean - values.mean()
        scores[kbps] = {f"clip{i}": float(v) for i, v in enumerate(values)}
    return points(name, scores)


def bare(kbps, quality):
    """A curve of published figures: one clip."""
    return points("x", {k: {"all": float(q)} for k, q in zip(kbps, quality, strict=True)})


def speakers(count=20, clips=120):
    return {f"clip{i}": f"s{i % count}" for i in range(clips)}


def test_points_are_sorted_and_only_clips_that_every_point_has_are_shared():
    assert points("x", {24: {}, 8: {}, 14: {}}).kbps.tolist() == [8, 14, 24]
    first = points("x", {8: {"a": 1.0, "b": 2.0, "c": 3.0}, 14: {"a": 4.0, "c": 5.0}})
    second = points("y", {6: {"c": 6.0, "a": 7.0, "d": 8.0}})
    values, clustering, lost = shared_scores([first, second], {"a": "s1", "c": "s1"})
    assert values.tolist() == [[1, 4, 7], [3, 5, 6]]
    assert (lost, clustering.count) == (("b", "d"), 1)
    one = points("x", {8: {"a": 1.0}})  # equal names and rates do not collide
    assert shared_scores([one, one], None)[0].tolist() == [[1, 1]]


@pytest.mark.parametrize("rates", [(), (8, 0.0), (8, -1.0), (8, math.nan), (8, math.inf), (8, 8)])
def test_what_is_no_curve_and_no_target(rates):
    with pytest.raises(ValueError, match="x: rates in kbps must be positive and differ, found"):
        RateCurve("x", tuple(RatePoint(rate, {}) for rate in rates))
    anchor = curve("a", ANCHOR)
    with pytest.raises(ValueError, match="a: the target of a matched rate has one point, found 4"):
        matched_rate(anchor, anchor)


@pytest.mark.parametrize("count", [3, 4, 6])
def test_curves_and_their_gaps_equal_scipys(count):
    rng = np.random.default_rng(count)
    x = np.cumsum(rng.uniform(0.1, 2, (5, count)), axis=1)
    y, z = rng.standard_normal((2, 5, count))
    gaps = mean_gap(x, y, x + 0.05, z)
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


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=9))
def test_isotonic_equals_scipys_and_what_rises_already_stays_exactly(values):
    y = np.array(values)
    assert isotonic(y) == pytest.approx(optimize.isotonic_regression(y).x, abs=1e-12)
    rises = np.array([[0.1, 0.2, 0.3], [0.7, 0.7, 0.9]])
    assert np.array_equal(isotonic(rises), rises)


# The example in the documentation of the package bjontegaard (libx265, two presets): kbps, dB.
X265 = (
    ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_deltas_agree_with_the_package_bjontegaard(seed):
    package = pytest.importorskip("bjontegaard")
    anchor, test = X265
    if seed is not None:
        rng = np.random.default_rng(seed)
        rates = np.sort(rng.uniform(1, 30, (2, 5)))[:, ::-1]
        quality = 30 + 3 * np.log(rates) + rng.uniform(0, 0.5, (2, 1)) + 0.1 * rates
        anchor, test = zip(rates, quality, strict=True)
    for ours, theirs in ((bd_rate, package.bd_rate), (bd_quality, package.bd_psnr)):
        expected = theirs(*anchor, *test, method="pchip", min_overlap=0)
        assert ours(bare(*anchor), bare(*test)).value == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_deltas_by_hand(better, sign):
    kbps, quality = np.array([4.0, 8, 16, 32]), sign * np.array([1.0, 2, 3.5, 4])
    half_the_rate = bd_rate(bare(kbps, quality), bare(kbps / 2, quality), better=better)
    assert half_the_rate.value == pytest.approx(-50)
    assert half_the_rate.overlap == pytest.approx(tuple(sorted((sign * 1, sign * 4))))
    # Two straight lines over log rate, one 0.25 above: only 8 to 16 kbps is shared.
    found = bd_quality(bare([4, 8, 16], [1, 2, 3]), bare([8, 16, 32], [2.25, 3.25, 4.25]))
    assert found.value == pytest.approx(0.25)


FEW = "these clusters only: percentile bootstrap over the clips within them"
PERCENTILE, BCA = (f"{kind} bootstrap over clusters" for kind in ("percentile", "BCa"))


@pytest.mark.parametrize(("count", "method"), [(3, FEW), (8, PERCENTILE), (20, BCA)])
def test_of_runs_it_is_the_delta_of_mean_scores_with_an_interval(count, method):
    quality = {6: 2.3, 12: 3.2, 24: 3.9, 48: 4.2}
    anchor, test = curve("opus", ANCHOR), curve("x", quality)
    bare_anchor, bare_test = (bare(of.keys(), of.values()) for of in (ANCHOR, quality))
    for of in (bd_rate, bd_quality):
        found = of(anchor, test, speakers(count))
        assert found.value == pytest.approx(of(bare_anchor, bare_test).value)
        assert found.low < found.value < found.high
        assert (found.n, found.clusters, found.lost) == (120, count, ())
        assert (found.undefined_share, found.interval_method) == (0, method)
    assert found.high - found.low < 0.1  # a clip's own level, which scatters by 0.5, cancels
    assert (found.overlap, found.overlap_share) == ((6, 48), 1)
    rate = bd_rate(anchor, test, draws=99)
    assert rate.overlap == pytest.approx((2.3, 4.0))
    assert rate.overlap_share == pytest.approx(1.7 / 2.2)


ONE, OTHER = (points(c, {k: {c: float(k)} for k in (1, 2, 3)}) for c in "ab")
LINE = {2**q: q for q in (1.0, 2.0, 3.0, 4.0)}
FAR = {2 ** (q + 2.9): q + 2.9 for q in LINE.values()}


@pytest.mark.parametrize(("of", "anchor", "test", "reason"), [
    (bd_rate, ANCHOR, {6: 2.0, 12: 3.0}, "x has 2 points, pchip needs 3"),
    (bd_rate, ANCHOR, {6: 2.0, 12: 3.5, 24: 3}, "x does not get better from 12 to 24 kbps"),
    (bd_rate, ANCHOR, {6: 5.0, 12: 6.0, 24: 8.0}, "no overlap: quality 2 to 4 against 5 to 8"),
    (bd_quality, ANCHOR, {50: 2.0, 60: 3, 70: 4}, "no overlap: kbps 6 to 48 against 50 to 70"),
    (bd_rate, LINE, FAR, r"the curves share 3 % of the narrower one \(.*\), 25 % are needed"),
])  # fmt: skip
def test_without_a_delta_there_is_a_reason(of, anchor, test, reason):
    found = of(curve("opus", anchor), curve("x", test), speakers())
    assert (found.value, found.low, found.high) == (None, None, None)
    assert re.fullmatch(reason, found.reason)
    assert (found.overlap is None) == ("share" not in reason)


def test_an_interval_is_withheld_for_one_clip_and_where_many_draws_have_no_delta():
    assert bd_rate(ONE, OTHER).reason == "no clip is shared by all points"
    alone = bd_rate(ONE, ONE)
    assert (alone.value, alone.low, alone.reason) == (0, None, "one clip: no interval")
    more = points("x", {1.0: {"a": 2.0}, 2.0: {"a": 3.0}, 4.0: {"a": 4.0, "b": 1.0}})
    assert bd_rate(more, more).lost == ("b",)
    # The quality that is reached need not rise with rate.
    assert bd_quality(bare(ANCHOR, ANCHOR.values()), bare(ANCHOR, [2.0, 3.5, 3, 4])).value
    anchor, test = curve("a", {6: 2.0, 12: 3, 24: 3.0005}), curve("bb", {6: 2.0, 12: 3, 24: 3.5})
    found = bd_rate(anchor, test, speakers())
    assert (found.value is None, found.low) == (False, None)
    assert found.undefined_share > 0.3
    assert found.reason.startswith("no interval: undefined in ")


OPUS = {8.0: 2.0, 16.0: 3.0, 32.0: 4.0}  # a straight line over log rate


def match(score, of=OPUS, *, kbps=0.98, own=0.1, **options):
    target = curve("snac-24khz", {kbps: score}, own=own)
    return matched_rate(target, curve("opus", of, own=own), speakers(), **options)


def test_the_rate_where_the_score_is_reached_by_hand():
    found = match(2.5)
    assert (found.status, found.kbps) == ("reached", pytest.approx(8 * math.sqrt(2)))
    assert found.low_kbps < 8 * math.sqrt(2) < found.high_kbps
    assert (found.n, found.clusters, found.lost, found.method) == (120, 20, (), BCA)
    assert found.difference is None
    assert found.reason == "no difference at equal rate: 0.98 kbps is outside 8 to 32 kbps"
    noisy = match(2.5, own=1.0)  # noise that codecs share does not widen the interval
    assert found.high_kbps - found.low_kbps < 0.3 * (noisy.high_kbps - noisy.low_kbps)
    opus = curve("opus", OPUS)
    for point in opus.points:
        own = matched_rate(RateCurve("itself", (point,)), opus, speakers(), draws=99)
        assert own.kbps == pytest.approx(point.kbps)
    pooled = match(3.1, {8.0: 2.0, 12.0: 3.2, 16.0: 3.0, 32.0: 4.0}, draws=99)
    assert (pooled.pooled_kbps, pooled.kbps) == ((12, 16), pytest.approx(12))


@pytest.mark.parametrize(("score", "status", "sentence"), cases(__file__)["sentences"])
def test_the_sentence_for_a_paper(score, status, sentence):
    found = match(score)
    expected = sentence.replace("GOAL", r"the ViSQOL of snac-24khz at 0\.98 kbps")
    said = found.sentence("ViSQOL", "speaker")
    assert re.fullmatch(rf"opus {expected} \(n = 120 clips, 20 speakers\)", said), said
    assert found.status == status
    beyond = found.below_share + found.not_reached_share
    if status != "reached":
        assert (found.kbps, beyond) == (None, 1)
        assert found.low_kbps == found.high_kbps == (-math.inf if score < 2 else math.inf)
    elif ">" in sentence or "<" in sentence:
        assert 0.1 < beyond < 0.6
        assert found.method == PERCENTILE


@pytest.mark.parametrize(("better", "sign"), [("higher", 1), ("lower", -1)])
def test_the_difference_at_equal_rate_by_hand(better, sign):
    falling = {kbps: sign * score for kbps, score in OPUS.items()}
    found = match(sign * 3.2, falling, kbps=16 * math.sqrt(2), better=better)
    assert found.kbps == pytest.approx(8 * 2**1.2)
    assert found.difference.mean == pytest.approx(sign * (3.2 - 3.5))
    assert found.difference.low < found.difference.mean < found.difference.high
    assert found.reason == ""


GOAL = "cannot be compared with the ViSQOL of x at 1 kbps:"


@pytest.mark.parametrize(("clusters", "clips", "of", "said"), [
    (speakers(2), 120, OPUS, "(n = 120 clips, 2 speakers; these speakers only)"),
    (None, 120, OPUS, "(n = 120 clips, independence assumed)"),
    (None, 1, OPUS, "(n = 1 clip, independence assumed)"),
    (None, 1, {8.0: 3.0}, f"{GOAL} opus has one rate, a curve needs two "
     "(n = 1 clip, independence assumed)"),
    (None, 0, OPUS, f"{GOAL} no clip is shared by all points (n = 0 clips)"),
])  # fmt: skip
def test_how_many_are_few_or_unknown_and_what_cannot_be_compared_is_said(clusters, clips, of, said):
    target = curve("x", {1.0: 2.5}, clips=clips) if clips else points("x", {1.0: {"other": 2.5}})
    found = matched_rate(target, curve("opus", of, clips=clips or 9), clusters)
    assert found.sentence("ViSQOL", "speaker").endswith(said)
    assert found.these_clusters_only == ("only" in said)
    assert (found.status == "undefined") == (GOAL in said)
    if clips == 1 and GOAL not in said:
        assert (found.low_kbps, found.reason) == (None, "one clip: no interval")
