"""Two runs clip by clip: what is compared, verdicts, and what a gate makes of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import UnknownName, UserError
from snacbench.stats.intervals import Interval
from snacbench.tables.gate import compare, comparison_json, comparison_markdown, judged, pairs_of
from tests.support.cases import cases
from tests.support.synthetic_runs import codec, make_run

VERDICTS = cases(__file__)["verdicts"]
N = 40
RNG = np.random.default_rng(0)
BASE = RNG.normal(10, 3, N)
NOISE = RNG.normal(0, 0.1, N)


def run(path, shift=0.0, **options):
    values = {"up": BASE + shift + NOISE * (shift != 0), "down": BASE - shift}
    return make_run(path, {"c": values}, **options).path


def answer(tmp_path, shift, **asked):
    return compare(run(tmp_path / "a"), run(tmp_path / "b", shift), **asked)


def test_a_worse_candidate_is_told_alike_in_every_form(tmp_path):
    found = answer(tmp_path, -1.0)
    up, down = found.comparisons
    difference = up.paired.difference
    assert difference.mean == pytest.approx(-1 + NOISE.mean())  # minus the baseline
    assert (difference.n, up.domain, up.verdict, down.verdict) == (N, "speech", "worse", "worse")
    assert up.baseline_mean == pytest.approx(BASE.mean())
    assert up.p_corrected >= up.paired.p_value  # corrected for both
    assert not found.passed
    read = json.loads(comparison_json(found))
    assert (read["passed"], read["failures"]) == (False, found.failures)
    assert read["comparisons"][0]["paired"]["difference"]["n"] == N
    text = comparison_markdown(found)
    assert all(piece in text for piece in ("worse, fails", "**failed**", "| up ↑", "*c, speech*"))


def test_the_same_run_and_a_loss_within_its_tolerance_pass(tmp_path):
    found = answer(tmp_path / "0", 0.0, tolerances={"up": 0.0}, codecs="c=c")
    assert (found.passed, found.failures) == (True, [])
    assert [c.verdict for c in found.comparisons] == ["within tolerance", "no difference seen"]
    found = answer(tmp_path / "1", -0.5, tolerances={"up": 1.0, "down": 1.0})
    assert found.passed
    assert [c.verdict for c in found.comparisons] == ["within tolerance"] * 2


def test_lost_clips_leave_both_sides_and_the_candidates_fail_and_rates_can_be_gated(tmp_path):
    before = run(tmp_path / "a", failed={"c": (5,)}, kbps={"c": 8.0})
    runs = before, run(tmp_path / "b", failed={"c": (3,)}, kbps={"c": 8.4})
    found = compare(*runs)
    assert found.not_coded == {"c": ["tiny/003"]}
    assert found.comparisons[0].paired.difference.n == N - 2
    said = " ".join(found.tables[-1].footnotes)
    assert "up, speech: baseline c has no score for 1 clip (tiny/005)" in said
    (rate,) = found.rates
    assert (rate.baseline_mean, rate.candidate_mean, rate.fails) == (8.0, 8.4, False)
    assert found.failures == [
        "speech, up, c: no difference seen, +0.000 [+0.000, +0.000] dB (higher is better; n = 38); "
        "no score for 1 clip (tiny/003)",
        "speech, down, c: no difference seen, +0.000 [+0.000, +0.000] (lower is better; n = 38); "
        "no score for 1 clip (tiny/003)",
        "c: not coded: 1 clip (tiny/003)",
    ]
    gated = compare(*runs, tolerances={"kbps": 0.1}).failures
    assert "speech, kbps, c: worse, +0.400 kbps (lower is better, tolerance 0.1; n = 38)" in gated
    assert not compare(*runs, tolerances={"kbps": 0.5}).rates[0].fails


def test_mistakes(tmp_path):
    runs = run(tmp_path / "a"), run(tmp_path / "b")
    for asked, message in (
        ({"tolerances": {"upp": 1}}, "'upp' is not compared; did you mean up"),
        ({"tolerances": {"up": -1}}, "tolerance of up is -1; expected a number of 0 or"),
        ({"tolerances": {"up": float("inf")}}, "tolerance of up is inf; expected"),
        ({"metrics": ["u"]}, "not every run has scores of 'u'; did you mean up"),
    ):
        with pytest.raises(UserError, match=message):
            compare(*runs, **asked)


def test_runs_without_a_codec_or_a_metric_in_common(tmp_path):
    one, other, alone = ([codec(n) for n in names] for names in ("ab", "bx", "x"))
    assert pairs_of(one, other, "a=x,b") == [("a", "x"), ("b", "b")]
    assert pairs_of(alone, one[:1]) == [("x", "a")]
    with pytest.raises(UserError, match="no codec in common"):
        pairs_of(one, alone)
    foreign = make_run(tmp_path / "foreign", {"c": {"else": BASE}}).path
    with pytest.raises(UserError, match="no metric in common"):
        compare(run(tmp_path / "a"), foreign)
    with pytest.raises(UnknownName, match="nor of any other metric in common"):
        compare(tmp_path / "a", foreign, metrics=["up"])
    unknown = make_run(tmp_path / "unknown", {"c": {"else": BASE}})
    unknown.rewrite_run(replace(unknown.run, metrics=()))
    with pytest.raises(UserError, match=r"else: neither run\.json nor an installed package says"):
        compare(unknown.path, unknown.path)


@pytest.mark.parametrize(("mean", "half", "p", "tolerance", "expected", "stops"), VERDICTS)
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_verdicts(mean, half, p, tolerance, expected, stops, better):
    sign = 1 if better == "higher" else -1
    ends = (None, None) if half is None else (sign * mean - half, sign * mean + half)
    found = None if mean is None else Interval(sign * mean, *ends, 0.95, 30, 30, "t")
    asked = {"better": better, "tolerance": tolerance}
    assert judged(found, p, **asked) == (expected, stops)
    if expected == "undecided" and tolerance is not None:  # strict stops at what was not shown
        assert judged(found, p, **asked, strict=True) == (expected, True)
