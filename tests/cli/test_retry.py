"""Rows that failed for a reason that has passed are tried again, if that is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from snacbench.rows import Coded, Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, Run, run_in
from tests.support.plugged import codec, install, metric
from tests.support.synthetic_runs import make_run

MOODY = codec(
    "moody",
    decode="open(HERE).close(); return np.frombuffer(data, '<f4').reshape(shape)",
    more="HERE = {folder!r} + '/disk'",
)
DEAF = metric("ear", value="float(open({folder!r} + '/cache').read())")


@pytest.fixture
def begun(clips: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run during which a disk was away for a codec, and a cache for a metric."""
    folder = tmp_path / "path"
    install(folder, "moody", MOODY.replace("{folder!r}", repr(str(tmp_path))))
    install(folder, "ears", DEAF.replace("{folder!r}", repr(str(tmp_path))), kinds=("metrics",))
    options = ("--data", clips, "--limit", "1", *FAST[2:], "--metrics", "si_sdr,ear", "-o", "r")
    done = run_in(tmp_path, "run", "--codecs", "moody,noise@20dB", *options, plugged=folder)
    assert done.returncode == 1, done.stderr
    return tmp_path / "r", folder


def statuses(path: Path) -> dict[tuple[str, ...], str]:
    run = RunFolder.open(path)
    coded = {(r.clip, r.codec): r.status for r in run.read(Coded)}
    scores = {(r.clip, r.codec, r.metric): r.status for r in run.read(Score)}
    assert len(list(run.read(Coded))) == len(coded)
    assert len(list(run.read(Score))) == len(scores)
    return coded | scores  # type: ignore[return-value]


def test_what_failed_is_tried_again_and_replaced(begun: tuple[Path, Path], tmp_path: Path) -> None:
    path, plugged = begun
    before = statuses(path)
    log = (path / "workers.log").read_text()
    assert "Traceback" in log
    assert "FileNotFoundError" in log
    assert {key[1] for key, status in before.items() if status == "ok"} == {"noise@20dB"}
    (tmp_path / "disk").touch()
    assert run_in(tmp_path, "run", "--resume", path, plugged=plugged).returncode == 1
    assert statuses(path) == before
    kept = {(r.clip, r.metric): r.value for r in RunFolder.open(path).read(Score) if r.value}
    done = run_in(tmp_path, "run", "--resume", path, "--retry-failed", plugged=plugged)
    assert done.returncode == 1, done.stderr
    assert (
        "retried: 3 codings, 3 of them now ok; 9 scores, 2 of them now ok, 6 failed again"
        in done.stderr
    )
    now = statuses(path)
    assert now.keys() == before.keys()
    assert {key[2] for key, status in now.items() if status == "failed"} == {"ear"}
    scores = RunFolder.open(path).read(Score)
    of_noise = {(r.clip, r.metric): r.value for r in scores if r.codec == "noise@20dB" and r.value}
    assert of_noise == kept
    (tmp_path / "cache").write_text("0.5")
    copy = shutil.copytree(path, tmp_path / "copy")
    for run, options in ((path, ("--metrics", "ear")), (copy, ())):
        done = run_in(tmp_path, "score", run, *options, "--retry-failed", plugged=plugged)
        assert done.returncode == 0, done.stderr
        assert "retried: 6 scores, 6 of them now ok" in done.stderr
        assert set(statuses(run).values()) <= {"ok", "undefined"}
    done = run_in(tmp_path, "run", "--resume", path, "--retry-failed", plugged=plugged)
    assert done.returncode == 0
    assert "nothing had failed: nothing was retried" in done.stderr


def test_where_no_run_or_no_metric_is_named(cli: Run, tmp_path: Path) -> None:
    done = cli("run", "--codecs", "identity", "--retry-failed")
    assert done.returncode == 2
    assert "name it by --resume RUN" in done.stderr
    make_run(tmp_path / "made", {"c": {"up": np.arange(2.0)}})
    done = cli("score", tmp_path / "made")
    assert done.returncode == 2
    assert "name metrics with --metrics, or try failed scores again" in done.stderr
