"""Two runs clip by clip: what is compared, verdicts, and what a gate makes of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from snacbench.errors import UserError
from snacbench.stats.intervals import Interval
from snacbench.tables.gate import compare, pairs_of
from snacbench.tables.run_pair import (
    Answer,
    Question,
    compare_runs,
    comparison_json,
    comparison_markdown,
    judged,
)
from snacbench.tables.run_rows import RunRows
from snacbench.tables.writers import to_terminal
from tests.support.synthetic_runs import DOWN, UP, codec, make_run

N = 40
RNG = np.random.default_rng(0)
BASE = RNG.normal(10, 3, N)
NOISE = RNG.normal(0, 0.1, N)
QUESTION = Question((("c", "c"),), {"up": UP, "down": DOWN})


def rows(path, shift: float, **options) -> RunRows:
    values = {"up": BASE + shift + NOISE * (shift != 0), "down": BASE - shift}
    return RunRows.load(make_run(path, {"c": values}, **options))


def answer(tmp_path, shift: float, **asked) -> Answer:
    pair = rows(tmp_path / "a", 0.0), rows(tmp_path / "b", shift)
    return compare_runs(*pair, replace(QUESTION, **asked))


def test_a_worse_candidate_is_told_alike_in_every_format(tmp_path):
    found = answer(tmp_path, -1.0)
    up, down = found.comparisons
    assert up.paired.difference.mean == pytest.approx(-1 + NOISE.mean())  # minus the baseline
    assert (up.paired.difference.n, up.domain, up.verdict, down.verdict) == (
        N, "speech", "worse", "worse",
    )  # fmt: skip
    assert up.baseline_mean == pytest.approx(BASE.mean())
    assert not found.passed
    frame = found.frame
    assert frame["verdict"].tolist() == ["worse", "worse"]
    assert (frame["difference"][0], frame["n"][0]) == (up.paired.difference.mean, N)
    read = json.loads(comparison_json(found))
    assert (read["passed"], read["failures"]) == (False, found.failures)
    assert read["comparisons"][0]["paired"]["difference"]["n"] == N
    text = comparison_markdown(found)
    assert all(piece in text for piece in ("worse, fails", "**failed**", "| up ↑", "*c, speech*"))
    console = Console(file=io.StringIO(), width=60, color_system=None)
    for part in to_terminal(found.tables, width=60):
        console.print(part)
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= 60
    assert {"baseline", "candidate", "difference", "worse,", "fails"} <= set(shown.split())


@pytest.mark.parametrize(
    ("shift", "tolerances", "verdicts"),
    [
        (0.0, {"up": 0.0}, ["within tolerance", "no difference seen"]),
        (-0.5, {"up": 1.0, "down": 1.0}, ["within tolerance", "within tolerance"]),
    ],
)
def test_the_same_run_and_a_loss_within_its_tolerance_pass(tmp_path, shift, tolerances, verdicts):
    found = answer(tmp_path, shift, tolerances=tolerances)
    assert (found.passed, found.failures) == (True, [])
    assert [c.verdict for c in found.comparisons] == verdicts


def test_rates_are_those_of_shared_clips_and_can_be_gated(tmp_path):
    before = rows(tmp_path / "a", 0.0, kbps={"c": 8.0})
    after = rows(tmp_path / "b", 0.0, kbps={"c": 8.4}, failed={"c": (3,)})
    (rate,) = compare_runs(before, after, QUESTION).rates
    assert (rate.baseline_kbps, rate.candidate_kbps, rate.n, rate.fails) == (8.0, 8.4, N - 1, False)
    assert rate.change_percent == pytest.approx(5)
    gated = compare_runs(before, after, replace(QUESTION, tolerances={"kbps": 0.1}))
    assert gated.rates[0].fails
    assert "speech, c: 0.400 kbps more (+5.00 %), tolerance 0.1 (n = 39)" in gated.failures


def test_clips_that_the_candidate_lost_fail_the_gate_and_are_listed(tmp_path):
    before = rows(tmp_path / "a", 0.0, failed={"c": (5,)})
    found = compare_runs(before, rows(tmp_path / "b", 0.0, failed={"c": (3,)}), QUESTION)
    assert (found.lost[0].by_candidate, found.lost[0].by_baseline) == (("tiny/003",), ("tiny/005",))
    assert found.comparisons[0].paired.difference.n == N - 2
    assert not found.passed
    text = " ".join(found.tables[-1].footnotes)
    assert "candidate c failed on 1 clip (tiny/003)" in text
    assert "baseline c has no score for 1 clip (tiny/005)" in text


def test_only_the_clips_that_were_asked_for_count(tmp_path):
    found = answer(tmp_path, -1.0, clips=frozenset({"tiny/000", "tiny/001", "tiny/002"}))
    assert (found.comparisons[0].paired.difference.n, found.rates[0].n) == (3, 3)


def test_holm_runs_over_everything_that_is_compared(tmp_path):
    tested = [c for c in answer(tmp_path, -0.01).comparisons if c.p_corrected is not None]
    assert tested
    assert all(c.p_corrected >= c.paired.p_value for c in tested)


def test_which_codec_is_compared_with_which():
    one, other, alone, only = ([codec(n) for n in names] for names in ("ab", "bx", "x", "y"))
    assert pairs_of(one, other) == (("b", "b"),)
    assert pairs_of(one, other, "a=x,b") == (("a", "x"), ("b", "b"))
    assert pairs_of(alone, only) == (("x", "y"),)
    two = [codec("b@1"), codec("b@2")]
    for before, after, text, message in (
        (one, alone, "", "no codec in common"),
        (two, only, "b=y", "name one of each, or as many"),
        *((one, other, text, "q|no codec") for text in ("q=b", "a=q", "q", "a")),
    ):
        with pytest.raises(UserError, match=message):
            pairs_of(before, after, text)


def test_folders_are_compared_from_python(tmp_path):
    for name, shift in (("a", 0.0), ("b", -1.0)):
        rows(tmp_path / name, shift)
    one, other = tmp_path / "a", tmp_path / "b"
    assert not compare(one, other).passed
    assert compare(one, other, codecs=["c=c"], tolerances={"up": 2, "down": 2}).passed
    with pytest.raises(UserError, match="the tolerance of up is inf; expected a number of 0 or"):
        compare(one, other, tolerances={"up": float("inf")})


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
        (None, None, None, None, "no shared clips", False),
        (None, None, None, 0.1, "no shared clips", True),
    ],
)
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_verdicts(mean, half, p, tolerance, expected, stops, better):
    sign = 1 if better == "higher" else -1
    ends = (None, None) if half is None else (sign * mean - half, sign * mean + half)
    found = None if mean is None else Interval(sign * mean, *ends, 0.95, 30, 30, "t")
    asked = {"better": better, "tolerance": tolerance}
    assert judged(found, p, **asked) == (expected, stops)
    if expected == "undecided" and tolerance is not None:  # strict stops at what was not shown
        assert judged(found, p, **asked, strict=True) == (expected, True)
