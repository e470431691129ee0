from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import UnknownName, UserError
from snacbench.tables.run_rows import RunRows
from snacbench.tables.savings import savings, savings_json, savings_text
from tests.synthetic_runs import UP, make_run

NOISE = np.random.default_rng(1).normal(0, 0.2, 30)


@pytest.fixture
def rows(tmp_path: Path) -> RunRows:
    """Quality 10 log2(kbps) of one codec, 10 dB more of another, and one with a single rate."""
    kbps = {f"slow@{r}": float(r) for r in (2, 4, 8, 16)} | {
        f"fast@{r}": float(r) for r in (2, 4, 8)
    }
    scores = {
        name: {"up": 10 * np.log2(rate) + 10 * name.startswith("fast") + NOISE}
        for name, rate in kbps.items()
    }
    scores["one"] = {"up": 25 + NOISE}
    kbps["one"] = 4.0
    return RunRows.load(make_run(tmp_path / "run", scores, kbps=kbps, speakers=10))


def test_a_codec_with_one_rate_gets_the_sentence_of_matched_rate(rows: RunRows) -> None:
    (found,) = savings([rows], [UP], of=["one"], against=["slow"])
    assert found.matched is not None
    assert found.matched.kbps == pytest.approx(2**2.5, rel=0.03)
    text = savings_text([found], markdown=False)
    assert text.startswith("speech: slow needs 5.6")
    assert "to reach the up of one at 4 kbps (n = 30 clips, 10 speakers)" in text
    assert "at 4 kbps, one differs from slow by +5" in text


def test_curves_get_bjontegaard_deltas(rows: RunRows) -> None:
    (found,) = savings([rows], [UP], of=["fast"], against=["slow"])
    assert found.rate is not None
    assert found.rate.value == pytest.approx(-50, abs=0.5)
    text = savings_text([found], markdown=True)
    assert "fast needs 50 % less rate than slow for equal quality" in text
    assert "differs from slow by +10" in text


def test_without_an_anchor_all_models_with_a_curve_are_anchors(rows: RunRows) -> None:
    found = savings([rows], [UP], of=["one"])
    assert [s.against for s in found] == ["slow", "fast"]
    assert json.loads(savings_json(found))[0]["sentences"]


def test_unknown_models_and_missing_curves_are_said(rows: RunRows) -> None:
    with pytest.raises(UnknownName, match="no model 'slo'; did you mean slow"):
        savings([rows], [UP], of=["slo"])
    with pytest.raises(UserError, match="a curve needs a codec with two rates or more"):
        savings([rows], [UP], of=["slow"], against=["slow"])
