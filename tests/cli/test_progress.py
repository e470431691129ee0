"""Progress where there is no terminal: a line now and then, stages beside each other."""

from __future__ import annotations

import pytest

from snacbench.cli import terminal
from snacbench.cli.terminal import ProgressBar, show_failures
from snacbench.rows import Coded
from snacbench.runner.engine import Outcome, Tally


def test_stages_overlap_and_a_line_tells_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar.begin("code", 2)
        bar.begin("score", 3)
        bar.step("code")
        bar.step("score", 2)
        bar.step("code")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["code: 2 to do", "score: 3 to do"]
    assert lines[2].startswith("code: 2 of 2; score: 2 of 3, ETA 0 s")


def test_a_line_comes_once_enough_time_has_passed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProgressBar() as bar:
        bar.begin("code", 9)
        bar.step("code")
        monkeypatch.setattr(terminal, "_SECONDS_BETWEEN_LINES", -1.0)
        bar.step("code")
    assert capsys.readouterr().err.splitlines()[1:] == ["code: 2 of 9, ETA 0 s"]


def test_many_failures_are_counted_and_the_first_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Coded(f"clip{index}", "x", "failed", "broken") for index in range(8)]
    outcome = Outcome(Tally(10, 10, rows), Tally())
    assert not outcome.all_ok
    show_failures(outcome)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "10 codings failed:"
    assert lines[1].strip() == "x on clip0: broken"
    assert lines[-1].strip() == "... and 2 more, in the run's rows"
