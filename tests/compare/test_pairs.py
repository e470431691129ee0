from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.compare.formats import comparison_json, comparison_markdown, remarks
from snacbench.compare.pairs import Answer, Question, compare_runs, pairs_of
from snacbench.errors import UnknownName, UserError
from snacbench.tables.run import RunRows
from tests.synthetic_runs import DOWN, UP, make_run

N = 40
RNG = np.random.default_rng(0)
BASE = RNG.normal(10, 3, N)
NOISE = RNG.normal(0, 0.1, N)


def rows(path: Path, shift: float, **options: object) -> RunRows:
    values = {"up": BASE + shift + NOISE * (shift != 0), "down": BASE - shift}
    return RunRows.load(make_run(path, {"c": values}, **options))  # type: ignore[arg-type]


def asked(**fields: object) -> Question:
    return replace(Question((("c", "c"),), {"up": UP, "down": DOWN}), **fields)  # type: ignore[arg-type]


def answer(tmp_path: Path, shift: float, **fields: object) -> Answer:
    return compare_runs(rows(tmp_path / "a", 0.0), rows(tmp_path / "b", shift), asked(**fields))


def test_the_difference_is_the_candidates_minus_the_baselines(tmp_path: Path) -> None:
    found = answer(tmp_path, -1.0)
    up, down = found.comparisons
    assert up.paired.difference is not None
    assert up.paired.difference.mean == pytest.approx(-1 + NOISE.mean())
    assert up.paired.difference.n == N
    assert up.baseline_mean == pytest.approx(BASE.mean())
    assert (up.verdict, down.verdict) == ("worse", "worse")
    assert up.domain == "speech"
    assert not found.passed


def test_the_same_run_passes_by_any_tolerance(tmp_path: Path) -> None:
    one = rows(tmp_path / "a", 0.0)
    found = compare_runs(one, one, asked(tolerances={"up": 0.0}))
    assert found.passed
    assert [c.verdict for c in found.comparisons] == ["within tolerance", "no difference seen"]


def test_a_loss_within_its_tolerance_passes(tmp_path: Path) -> None:
    assert answer(tmp_path, -0.5, tolerances={"up": 1.0, "down": 1.0}).passed


def test_rates_are_those_of_shared_clips_and_can_be_gated(tmp_path: Path) -> None:
    before = rows(tmp_path / "a", 0.0, kbps={"c": 8.0})
    after = rows(tmp_path / "b", 0.0, kbps={"c": 8.4}, failed={"c": (3,)})
    (rate,) = compare_runs(before, after, asked()).rates
    assert (rate.baseline_kbps, rate.candidate_kbps, rate.n) == (8.0, 8.4, N - 1)
    assert rate.change_percent == pytest.approx(5)
    assert not rate.fails
    (gated,) = compare_runs(before, after, asked(tolerances={"kbps": 0.1})).rates
    assert gated.fails


def test_clips_that_the_candidate_lost_fail_the_gate_and_are_listed(tmp_path: Path) -> None:
    found = compare_runs(
        rows(tmp_path / "a", 0.0, failed={"c": (5,)}),
        rows(tmp_path / "b", 0.0, failed={"c": (3,)}),
        asked(),
    )
    assert found.lost[0].by_candidate == ("tiny/003",)
    assert found.lost[0].by_baseline == ("tiny/005",)
    assert found.comparisons[0].paired.lost_by_first == ("tiny/003",)
    assert found.comparisons[0].paired.difference.n == N - 2  # type: ignore[union-attr]
    assert not found.passed
    text = " ".join(remarks(found))
    assert "candidate c failed on 1 clip (tiny/003)" in text
    assert "baseline c has no score for 1 clip (tiny/005)" in text


def test_only_the_clips_that_were_asked_for_count(tmp_path: Path) -> None:
    some = frozenset({"tiny/000", "tiny/001", "tiny/002"})
    found = answer(tmp_path, -1.0, clips=some)
    assert found.comparisons[0].paired.difference.n == 3  # type: ignore[union-attr]
    assert found.rates[0].n == 3


def test_holm_runs_over_everything_that_is_compared(tmp_path: Path) -> None:
    found = answer(tmp_path, -0.01)
    tested = [c for c in found.comparisons if c.p_corrected is not None]
    assert all(c.p_corrected >= c.paired.p_value for c in tested)  # type: ignore[operator]


def test_which_codec_is_compared_with_which(tmp_path: Path) -> None:
    values = {"up": BASE}
    one = RunRows.load(make_run(tmp_path / "1", {"a": values, "b": values}))
    other = RunRows.load(make_run(tmp_path / "2", {"b": values, "x": values}))
    alone = RunRows.load(make_run(tmp_path / "3", {"x": values}))
    only = RunRows.load(make_run(tmp_path / "4", {"y": values}))
    assert pairs_of(one, other, []) == (("b", "b"),)
    assert pairs_of(one, other, ["a=x", "b"]) == (("a", "x"), ("b", "b"))
    assert pairs_of(alone, only, []) == (("x", "y"),)
    with pytest.raises(UserError, match="no codec in common"):
        pairs_of(one, alone, [])
    with pytest.raises(UnknownName, match="second run has no codec 'a'"):
        pairs_of(one, other, ["a"])
    with pytest.raises(UnknownName, match="first run has no codec 'q'"):
        pairs_of(one, other, ["q=b"])


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    found = answer(tmp_path, -1.0)
    read = json.loads(comparison_json(found))
    assert read["passed"] is False
    assert read["comparisons"][0]["paired"]["difference"]["n"] == N
    text = comparison_markdown(found)
    assert "worse, fails" in text
    assert "**failed**" in text
    assert "up ↑" in text
