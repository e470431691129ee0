"""compare, merge and rates from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import StoreError, UserError
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call
from tests.support.synthetic_runs import make_run

BASE = np.random.default_rng(0).normal(10, 3, 30)
QUICK = Path(__file__).parents[2] / "results" / "quick"


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A baseline, and a candidate that is 1 dB worse by one metric and equal by the other."""
    steady = BASE + np.linspace(-0.3, 0.3, 30)
    before = make_run(tmp_path / "a", {"c": {"up": BASE, "down": BASE}})
    after = make_run(tmp_path / "b", {"c": {"up": steady - 1, "down": BASE}})
    return before.path, after.path


def test_the_gate_fails_a_worse_candidate(runs: tuple[Path, Path]) -> None:
    done = call("compare", *runs)
    assert done.return_value == 1
    assert "failed: the candidate is worse" in done.stdout
    assert call("compare", *runs, "--metrics", "down").return_value == 0
    assert call("compare", *reversed(runs)).return_value == 0
    assert call("compare", *runs, "--format", "markdown").stdout.startswith("| metric")
    done = call("compare", *runs, "--format", "json", "--tolerance", "up=2", "--strict")
    read = json.loads(done.stdout)
    assert (done.return_value, read["passed"]) == (0, True)
    assert read["comparisons"][0]["verdict"] == "within tolerance"
    for text in ("up=much", "1"):
        with pytest.raises(UserError, match="expected METRIC=VALUE with a number"):
            call("compare", *runs, "--tolerance", text)


def test_merge_joins_and_shows_and_cannot_be_resumed(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other", {"d": {"up": BASE}})
    done = call("merge", runs[0], other.path, "-o", tmp_path / "new")
    said = "2 runs merged; 0 rows were in several; decoded files: 60 linked, 0 copied"
    assert said in done.stdout
    assert len(RunFolder.open(tmp_path / "new").run.codecs) == 2
    assert (tmp_path / "new" / "summary.md").is_file()
    with pytest.raises(StoreError, match="it was merged; go on with the runs"):
        call("run", "--resume", tmp_path / "new")


def test_rates_shows_the_ladder_or_says_what_a_rate_is_worth() -> None:
    shown = call("rates", QUICK, "--format", "csv", "--codebooks", "--by", "domain").stdout
    assert shown.startswith("schema,table,codec,domain,source,beside,nominal_kbps")
    assert "Codebooks of snac-mini, speech" in shown
    asked = ("rates", QUICK, "--of", "snac-mini", "--against", "opus", "--domain", "speech")
    assert call(*asked, "--metrics", "stoi").stdout.startswith("speech: opus reaches the stoi of")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metrics", "a", "--domain", "b"), "--metrics, --domain is for comparing; add --of"),
        (("--of", "x", "--codebooks"), "--codebooks is for the table of rates, without --of"),
        (("--of", "x", "--format", "csv"), "--format with --of is one of text, json; found csv"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        call("rates", QUICK, *arguments)
