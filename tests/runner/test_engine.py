"""Whole runs from Python: nothing printed, everything told to the progress that is handed over."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from snacbench.errors import UserError
from snacbench.progress import Progress
from snacbench.request import Request
from snacbench.rows import Coded, Score, Speed
from snacbench.runner.engine import measure_speed, outcome_of, resume, run, score_again


def test_a_run_is_made_gone_on_with_scored_and_timed_from_python(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = Request(
        "identity,noise@20dB", limit=1, metrics=("si_sdr",), speed_budget_s=0, jobs=1,
        out=tmp_path / "run", seed=3, asr="nobody",
    )  # fmt: skip
    told = Mock(spec=Progress)
    folder = run(asked, progress=told)
    assert folder.path == tmp_path / "run"
    assert folder.run.request.seed == 3
    assert "SNACBENCH_ASR" not in os.environ
    assert call("encode and decode", 6) in told.begin.mock_calls
    assert told.step.mock_calls.count(call("encode and decode", 1, failed=0)) == 6
    assert told.step.mock_calls.count(call("score", 1, failed=0)) == 3
    assert len(list(folder.read(Coded))) == len(list(folder.read(Score))) == 6
    assert outcome_of(resume(folder, retry_failed=True, progress=told)).all_ok
    assert told.note.mock_calls == [call("nothing had failed: nothing was retried")]
    score_again(folder, ["mel_dac7"], jobs=1)
    assert len(list(folder.read(Score))) == 12
    measure_speed(folder, budget_s=0.2)
    assert {row.codec for row in folder.read(Speed)} == {"identity", "noise@20dB"}
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UserError, match="name metrics with --metrics, or try failed scores again"):
        score_again(folder)
