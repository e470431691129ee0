"""What a rate is worth: which of the two methods applies, and the sentences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.tables.run_rows import RunRows
from snacbench.tables.savings import savings, savings_json, savings_text
from tests.support.synthetic_runs import UP, make_run

NOISE = np.random.default_rng(1).normal(0, 0.2, 30)


@pytest.fixture
def rows(tmp_path):
    """Quality 10 log2(kbps) of one codec, 10 dB more of another, and one with a single rate."""
    kbps = {f"slow@{r}": float(r) for r in (2, 4, 8, 16)} | {"one": 4.0}
    kbps |= {f"fast@{r}": float(r) for r in (2, 4, 8)}
    scores = {n: {"up": 10 * np.log2(r) + 10 * (n[:4] == "fast") + NOISE} for n, r in kbps.items()}
    scores["one"] = {"up": 25 + NOISE}
    return RunRows.load(make_run(tmp_path / "run", scores, kbps=kbps, speakers=10))


def test_a_codec_with_one_rate_has_a_matched_rate_and_others_bjontegaard_deltas(rows):
    (one,) = savings([rows], [UP], of=["one"], against=["slow"])
    assert one.matched.kbps == pytest.approx(2**2.5, rel=0.03)
    text = savings_text([one])
    assert text.startswith("speech: slow needs 5.6")
    assert "to reach the up of one at 4 kbps (n = 30 clips, 10 speakers)" in text
    assert "at 4 kbps, one differs from slow by +5" in text
    (fast,) = savings([rows], [UP], of=["fast"], against=["slow"])
    assert fast.rate.value == pytest.approx(-50, abs=0.5)
    text = savings_text([fast])
    assert "speech: by up, fast needs 50 % less rate than slow for equal quality" in text
    assert "at equal rate, fast differs from slow by +10" in text
    found = savings([rows], [UP], of=["one"])  # against all with a curve
    assert [s.against for s in found] == ["slow", "fast"]
    assert json.loads(savings_json(found))[0]["sentences"]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("slo", "no model 'slo'; did you mean slow"),
        ("slow", "a curve needs a codec with two rates"),
    ],
)
def test_unknown_models_and_missing_curves_are_said(rows, of, message):
    with pytest.raises(UserError, match=message):
        savings([rows], [UP], of=[of], against=["slow"])
