"""Shards by a script for a queue, what a run will take, and decoded audio that is not kept."""

import os
import subprocess

import pytest

import snacbench as sb
from snacbench.errors import UserError
from snacbench.rows import Coded
from snacbench.runner import cluster as clusters
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, call, make_clips, run_in

CODECS = ("--codecs", "identity,noise@20dB", "--data", "clips")


def test_a_job_array_runs_shards_goes_on_with_them_and_they_merge(tmp_path):
    make_clips(tmp_path / "clips")
    words = ("--shards", 2, "--jobs", 1, "--", *CODECS, *FAST[:2])
    for queue, number in (("pbs", "PBS_ARRAY_INDEX"), ("lsf", "LSB_JOBINDEX")):
        assert f"run=shards/${number}\n" in call("cluster", "template", queue, *words).output
    printed = run_in(tmp_path, "cluster", "template", "slurm", *words)
    (tmp_path / "shards.sh").write_text(printed.stdout)
    for shard in ("1", "2", "2"):  # the last one goes on with what is done
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": shard, "HF_HUB_OFFLINE": "1"}
        command = ["bash", "shards.sh"]
        how = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        done = subprocess.run(command, check=False, **how)
        assert done.returncode == 0, done.stderr
    run_in(tmp_path, "merge", "shards/1", "shards/2", "-o", "whole")
    assert len(list(RunFolder.open(tmp_path / "whole").read(Coded))) == 10
    alone = run_in(tmp_path, "merge", "shards/1", "shards/1", "-o", "half")
    assert "not among them: shard 2/2" in alone.stdout


def test_an_estimate_says_time_disk_and_memory_and_keeps_nothing(tmp_path):
    make_clips(tmp_path / "clips")
    done = run_in(tmp_path, "run", *CODECS, *FAST, "--estimate")
    for told in ("estimate ", "of one worker", "GB of decoded audio", "GB of memory per worker"):
        assert told in done.stdout
    assert not (tmp_path / "runs").exists()


def test_decoded_audio_that_is_not_kept_is_missed_in_words(tmp_path):
    make_clips(tmp_path / "clips")
    done = run_in(tmp_path, "run", *CODECS, *FAST, "--discard-decoded", "-o", "run")
    assert "removed once it is scored" in done.stderr
    rows = list(RunFolder.open(tmp_path / "run").read(Coded))
    assert all(row.decoded_sha256 and not (tmp_path / "run" / row.decoded).exists() for row in rows)
    for words, told in (
        (("score", "run", "--metrics", "lsd"), "was not kept"),
        (("mushra", "design", "run", "-o", "test", "--systems", "noise"), "decoded audio"),
    ):
        assert told in run_in(tmp_path, *words, code=2).stderr
    run_in(tmp_path, "report", "run")
    page = next((tmp_path / "run").rglob("index.html")).read_text()
    assert "No players: the decoded audio of this run is not at hand" in page


def test_a_cluster_that_is_not_there_is_missed_before_anything_is_made(tmp_path, monkeypatch):
    make_clips(tmp_path / "clips")
    monkeypatch.setattr(clusters, "CONNECT_S", 1)
    words = ("run", "--codecs", "noise", "--data", tmp_path / "clips", "-o", tmp_path / "run")
    for place, told in ("queue.yaml", "there is no file"), ("tcp://127.0.0.1:9", "no scheduler"):
        with pytest.raises(UserError, match=told):
            call(*words, "--cluster", place)
    assert not (tmp_path / "run").exists()
    of = {"data": tmp_path / "clips", "metrics": "lsd", "speed_budget_s": 0}
    made = sb.run("noise", out=tmp_path / "run", **of)
    with pytest.raises(UserError, match="there is no file"):
        made.score("si_sdr", client="queue.yaml")
    assert [metric.name for metric in sb.load(made.path).folder.run.metrics] == ["lsd"]
