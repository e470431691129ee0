"""Whole runs from Python: everything is told to the progress that is handed over."""

from __future__ import annotations

from unittest.mock import Mock, call

from snacbench.progress import Progress
from snacbench.request import Request
from snacbench.rows import Coded, Score
from snacbench.runner.engine import outcome_of, resume, run


def test_progress_is_told_of_every_clip_and_of_what_there_is_not_to_do(tmp_path):
    asked = Request(
        "identity,noise@20dB", limit=1, metrics=("si_sdr",), speed_budget_s=0, jobs=1,
        out=tmp_path / "run", seed=3,
    )  # fmt: skip
    told = Mock(spec=Progress)
    folder = run(asked, progress=told)
    assert (folder.path, folder.run.request.seed) == (tmp_path / "run", 3)
    assert call("encode and decode", 6) in told.begin.mock_calls
    assert told.step.mock_calls.count(call("encode and decode", 1, failed=0)) == 6
    assert told.step.mock_calls.count(call("score", 1, failed=0)) == 3
    assert len(list(folder.read(Coded))) == len(list(folder.read(Score))) == 6
    assert outcome_of(resume(folder, retry_failed=True, progress=told)).all_ok
    assert told.note.mock_calls == [call("nothing had failed: nothing was retried")]
