"""compare, merge and rates from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import StoreError, UnknownName, UserError
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call
from tests.support.synthetic_runs import make_run

BASE = np.random.default_rng(0).normal(10, 3, 30)


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
    assert "worse, fails" in done.stdout
    assert "failed: the candidate is worse" in done.stdout
    assert call("compare", *runs, "--tolerance", "up=2").return_value == 0
    assert call("compare", *runs, "--metrics", "down").return_value == 0
    assert call("compare", *reversed(runs)).return_value == 0


def test_comparisons_for_reviewers_and_for_machines(runs: tuple[Path, Path]) -> None:
    assert call("compare", *runs, "--format", "markdown").stdout.startswith("| metric")
    read = json.loads(call("compare", *runs, "--format", "json", "--tolerance", "up=2").stdout)
    assert read["passed"] is True
    assert read["comparisons"][0]["verdict"] == "within tolerance"
    assert read["rates"][0]["change_percent"] == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--tolerance", "upp=1"), UnknownName, "'upp' is not compared; did you mean up"),
        (("--tolerance", "up=much"), UserError, "expected METRIC=VALUE with a number"),
        (("--tolerance", "1"), UserError, "expected METRIC=VALUE with a number"),
        (
            ("--tolerance", "up=-1"),
            UserError,
            "the tolerance of up is -1.0; expected a number of 0",
        ),
        (("--metrics", "u"), UnknownName, "not every run has scores of 'u'"),
    ],
)
def test_mistakes(
    runs: tuple[Path, Path], arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call("compare", *runs, *arguments)


def test_runs_without_anything_in_common(runs: tuple[Path, Path], tmp_path: Path) -> None:
    foreign = make_run(tmp_path / "foreign", {"c": {"else": BASE}})
    with pytest.raises(UserError, match="no metric in common"):
        call("compare", runs[0], foreign.path)
    with pytest.raises(UnknownName, match="nor of any other metric in common"):
        call("compare", runs[0], foreign.path, "--metrics", "up")
    moved = make_run(tmp_path / "moved", {"c": {"up": BASE}}).path
    clips = moved / "clips.jsonl"
    clips.write_text(clips.read_text().replace("tiny/", "vast/"))
    with pytest.raises(StoreError, match="share no clip"):
        call("compare", runs[0], moved, "--shared-clips")


def test_merge_joins_and_shows_and_cannot_be_resumed(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other", {"d": {"up": BASE}})
    done = call("merge", runs[0], other.path, "-o", tmp_path / "new")
    assert (
        "2 runs merged; 0 rows were in several; decoded files: 60 linked, 0 copied" in done.stdout
    )
    assert len(RunFolder.open(tmp_path / "new").run.codecs) == 2
    assert (tmp_path / "new" / "summary.md").is_file()
    with pytest.raises(StoreError, match="it was merged; go on with the runs"):
        call("run", "--resume", tmp_path / "new")


def test_rates_says_it_in_sentences(tmp_path: Path) -> None:
    scores = {f"c@{k}": {"up": BASE + 5 * np.log2(k)} for k in (2, 4)} | {"one": {"up": BASE + 7}}
    run = make_run(tmp_path / "run", scores, kbps={"c@2": 2.0, "c@4": 4.0, "one": 2.0}).path
    text, markdown, read = (
        call("rates", run, "--of", "one", "--metrics", "up", "--format", form).stdout
        for form in ("text", "markdown", "json")
    )
    assert text.startswith("speech: c needs 2.64 kbps")
    assert markdown.startswith("- speech: c needs")
    assert json.loads(read)[0]["matched"]["status"] == "reached"


QUICK = Path(__file__).parents[2] / "results" / "quick"


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("terminal", "Rates in kbps, all clips"),
        ("markdown", "### Rates in kbps, all clips"),
        ("csv", "schema,table,codec,domain,source,beside,nominal_kbps,actual_kbps,entropy_kbps,"),
        ("json", "{"),
        ("html", "<"),
        ("latex", "%"),
    ],
)
def test_rates_without_of_shows_the_ladder(form: str, start: str) -> None:
    shown = call("rates", QUICK, "--format", form).stdout
    assert shown.lstrip().startswith(start)
    assert "snac" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--against", "opus"), "--against is for comparing; add --of MODEL"),
        (("--metrics", "a", "--domain", "b"), "--metrics, --domain is for comparing"),
        (("--of", "x", "--codebooks"), "--codebooks is for the table of rates, without --of"),
        (("--of", "x", "--format", "csv"), "--format with --of is one of text, markdown, json"),
        (("--format", "text"), "--format without --of is one of terminal, markdown, csv"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        call("rates", QUICK, *arguments)
