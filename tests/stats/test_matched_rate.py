from __future__ import annotations

import math

import numpy as np
import pytest

from snacbench.stats.curves import RateCurve, RatePoint
from snacbench.stats.matched_rate import matched_rate


def curve(name: str, points: dict[float, float], *, clips: int = 120, noise: float = 0.1):
    """Mean scores as given, with noise per clip that is common to all curves, and some own."""
    common = np.random.default_rng(99).standard_normal(clips)
    rng = np.random.default_rng(len(name))
    out = []
    for kbps, mean in points.items():
        values = 0.5 * common + noise * rng.standard_normal(clips)
        values += mean - values.mean()
        scores = {f"clip{i}": float(v) for i, v in enumerate(values)}
        out.append(RatePoint(kbps, scores))
    return RateCurve(name, tuple(out))


def speakers(clips: int = 120, count: int = 20):
    return {f"clip{i}": f"s{i % count}" for i in range(clips)}


OPUS = {8.0: 2.0, 16.0: 3.0, 32.0: 4.0}  # a straight line over log rate


def snac(score: float, kbps: float = 0.98):
    return curve("snac-24khz", {kbps: score})


def test_the_rate_where_the_score_is_reached_by_hand():
    found = matched_rate(snac(2.5), curve("opus", OPUS), speakers())
    assert found.status == "reached"
    assert found.kbps == pytest.approx(8 * math.sqrt(2))
    assert found.low_kbps is not None
    assert found.high_kbps is not None
    assert found.low_kbps < 8 * math.sqrt(2) < found.high_kbps
    assert (found.below_share, found.not_reached_share) == (0, 0)
    assert (found.n, found.clusters, found.lost) == (120, 20, ())
    assert found.method == "BCa bootstrap over clusters"


def test_the_sentence_for_a_paper():
    found = matched_rate(snac(2.7), curve("opus", OPUS), speakers())
    ends = f"[{found.low_kbps:.3g}, {found.high_kbps:.3g}]"
    assert found.sentence("ViSQOL", "speaker") == (
        f"opus needs 13.0 kbps {ends} to reach the ViSQOL of snac-24khz at 0.98 kbps "
        "(n = 120 clips, 20 speakers)"
    )


def test_noise_that_the_codecs_share_does_not_widen_the_interval():
    quiet = matched_rate(snac(2.5), curve("opus", OPUS), speakers())
    own = matched_rate(
        curve("snac-24khz", {0.98: 2.5}, noise=1.0), curve("opus", OPUS, noise=1.0), speakers()
    )
    for found in (quiet, own):
        assert found.low_kbps is not None
        assert found.high_kbps is not None
    assert quiet.high_kbps - quiet.low_kbps < 0.3 * (own.high_kbps - own.low_kbps)


def test_below_the_lowest_rate_there_is_no_number():
    found = matched_rate(snac(1.0), curve("opus", OPUS), speakers())
    assert (found.status, found.kbps, found.below_share) == ("below", None, 1.0)
    assert found.low_kbps == found.high_kbps == -math.inf
    assert found.sentence("ViSQOL", "speaker") == (
        "opus reaches the ViSQOL of snac-24khz at 0.98 kbps below 8 kbps, its lowest rate, in "
        "100 % of bootstrap draws (n = 120 clips, 20 speakers)"
    )


def test_above_the_highest_neither():
    found = matched_rate(snac(4.5), curve("opus", OPUS), speakers())
    assert (found.status, found.kbps, found.not_reached_share) == ("not reached", None, 1.0)
    assert found.sentence("ViSQOL", "speaker") == (
        "opus does not reach the ViSQOL of snac-24khz at 0.98 kbps up to 32 kbps, its highest "
        "rate, in 100 % of bootstrap draws (n = 120 clips, 20 speakers)"
    )


@pytest.mark.parametrize(
    ("score", "share", "bracket"),
    [(3.995, "not_reached_share", ", > 32]"), (2.005, "below_share", "[< 8, ")],
)
def test_an_interval_may_end_beyond_the_curve(score, share, bracket):
    found = matched_rate(snac(score), curve("opus", OPUS), speakers())
    assert found.status == "reached"
    assert 0.1 < getattr(found, share) < 0.6
    assert bracket in found.sentence("ViSQOL")
    assert found.method == "percentile bootstrap over clusters"


def test_the_difference_at_equal_rate_by_hand():
    found = matched_rate(snac(3.2, kbps=16 * math.sqrt(2)), curve("opus", OPUS), speakers())
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(3.2 - 3.5)
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low < -0.3 < found.difference.high
    assert found.reason == ""


def test_outside_the_curve_there_is_no_difference():
    found = matched_rate(snac(2.5), curve("opus", OPUS), speakers())
    assert found.difference is None
    assert found.reason == "no difference at equal rate: 0.98 kbps is outside 8 to 32 kbps"


def test_where_lower_is_better_the_curve_falls():
    falling = {kbps: -score for kbps, score in OPUS.items()}
    found = matched_rate(snac(-2.5, kbps=16), curve("opus", falling), speakers(), better="lower")
    assert found.kbps == pytest.approx(8 * math.sqrt(2))
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(-2.5 + 3.0)


def test_means_that_fall_with_rate_are_pooled_and_named():
    dipping = {8.0: 2.0, 12.0: 3.2, 16.0: 3.0, 32.0: 4.0}
    found = matched_rate(snac(3.1), curve("opus", dipping), speakers())
    assert found.pooled_kbps == (12, 16)
    assert found.kbps == pytest.approx(12)
    assert matched_rate(snac(3.1), curve("opus", OPUS), speakers()).pooled_kbps == ()


def test_a_point_of_the_curve_is_reached_at_its_own_rate():
    opus = curve("opus", OPUS)
    for point in opus.points:
        found = matched_rate(RateCurve("itself", (point,)), opus, speakers())
        assert found.kbps == pytest.approx(point.kbps)


def test_two_speakers_are_these_only():
    found = matched_rate(snac(2.5), curve("opus", OPUS), speakers(count=2))
    assert found.these_clusters_only
    assert found.sentence("ViSQOL", "speaker").endswith(
        "(n = 120 clips, 2 speakers; these speakers only)"
    )


def test_without_speakers_independence_is_assumed():
    assert (
        matched_rate(snac(2.5), curve("opus", OPUS))
        .sentence("ViSQOL")
        .endswith("(n = 120 clips, independence assumed)")
    )


def test_one_clip_has_no_interval():
    found = matched_rate(curve("snac-24khz", {16.0: 2.5}, clips=1), curve("opus", OPUS, clips=1))
    assert found.kbps == pytest.approx(8 * math.sqrt(2))
    assert (found.low_kbps, found.reason) == (None, "one clip: no interval")
    assert found.sentence("ViSQOL") == (
        "opus needs 11.3 kbps to reach the ViSQOL of snac-24khz at 16 kbps "
        "(n = 1 clip, independence assumed)"
    )


def test_clips_that_one_point_lacks_are_left_out_and_listed():
    opus = curve("opus", OPUS)
    target = RateCurve("x", (RatePoint(1.0, {f"clip{i}": 2.5 for i in range(3, 120)}),))
    found = matched_rate(target, opus, speakers())
    assert found.n == 117
    assert found.lost == ("clip0", "clip1", "clip2")


def test_what_cannot_be_compared_says_why():
    one_rate = matched_rate(snac(2.5), curve("dac", {8.0: 3.0}), speakers())
    assert (one_rate.status, one_rate.reason) == (
        "undefined",
        "dac has one rate, a curve needs two",
    )
    elsewhere = RateCurve("x", (RatePoint(1.0, {"another": 2.5}),))
    found = matched_rate(elsewhere, curve("opus", OPUS), speakers())
    assert found.reason == "no clip is shared by all points"
    assert found.sentence("ViSQOL") == (
        "opus cannot be compared with the ViSQOL of x at 1 kbps: no clip is shared by all points "
        "(n = 0 clips)"
    )


def test_the_target_has_one_rate():
    with pytest.raises(
        ValueError, match="opus: the target of a matched rate has one point, found 3"
    ):
        matched_rate(curve("opus", OPUS), curve("opus", OPUS))
