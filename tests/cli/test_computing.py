"""Batches, precision and overlap from the command line, on the CPU."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import click
import pytest

from snacbench.errors import SnacbenchError
from snacbench.rows import Agreement, Coded, CodeHistogram, Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, NO_SPEED, Run, call, snacbench_command, write_wav


@pytest.fixture
def equal_clips(tmp_path: Path) -> Path:
    """Four clips of one length, one of another."""
    for seed, seconds in enumerate((0.6, 0.6, 0.6, 0.6, 0.8)):
        write_wav(tmp_path / "clips" / "speech" / f"{seed}.wav", seconds, 24_000, seed=seed)
    return tmp_path / "clips"


def codes_of(run: Path) -> dict[tuple[str, str, int], tuple[list[int], list[int]]]:
    return {
        (h.clip, h.codec, h.stream): (h.codes.tolist(), h.counts.tolist())
        for h in RunFolder.open(run).read(CodeHistogram)
    }


def test_batches_give_the_codes_of_clips_alone_and_say_so(
    cli: Run, equal_clips: Path, tmp_path: Path
) -> None:
    options = ("--codecs", "snac-mini,opus@24", "--data", equal_clips, "--weights", "embedded")
    fast = (*FAST[: -len(NO_SPEED)], "--speed-budget-s", "0.2")
    for batch, name in (("auto", "alone"), ("3", "together")):
        done = cli("run", *options, "--batch", batch, "-o", tmp_path / name, *fast)
        assert done.returncode == 0, done.stderr
    assert codes_of(tmp_path / "together") == codes_of(tmp_path / "alone")
    run = RunFolder.open(tmp_path / "together")
    assert run.run.request.batch == 3
    batches = {c.clip[-1]: c.batch for c in run.read(Coded) if c.codec == "snac-mini"}
    assert sorted(batches[clip] or 0 for clip in "0123") == [1, 3, 3, 3]
    assert {c.batch for c in run.read(Coded) if c.codec == "opus@24kbps"} == {1}
    assert "RTF in batches: so many signals at once" in done.stdout
    row = next(csv.DictReader((run.path / "summary.csv").open()))
    assert (row["codec"], row["rtf_batch"]) == ("snac-mini", "3")


def test_reduced_precision_is_recorded_with_what_it_costs(
    cli: Run, equal_clips: Path, tmp_path: Path
) -> None:
    options = ("--codecs", "encodec-mini@1.5", "--data", equal_clips, "--weights", "embedded")
    done = cli("run", *options, "--precision", "bf16", "-o", tmp_path / "r", *FAST)
    assert done.returncode == 0, done.stderr
    assert "codes are compared with fp32's first" in " ".join(done.stderr.split())
    assert "encodec-mini@1.5kbps in cpu bf16 against cpu fp32" in done.stdout
    run = RunFolder.open(tmp_path / "r")
    (row,) = run.read(Agreement)
    assert 0 < row.equal < row.tokens
    provenance = json.loads((run.path / "run.json").read_text())
    assert provenance["request"]["precision"] == "bf16"
    assert provenance["facts"]["precision"].startswith("bfloat16")
    before = (run.path / "agreements.jsonl").read_bytes()
    assert cli("run", "--resume", run.path).returncode == 0
    assert (run.path / "agreements.jsonl").read_bytes() == before


def children_of(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def workers_of(pid: int) -> list[int]:
    """Processes that were forked from the one that has imported everything."""
    return [worker for child in children_of(pid) for worker in children_of(child)]


def test_a_worker_that_is_killed_costs_no_row(equal_clips: Path, tmp_path: Path) -> None:
    options = ("--codecs", "identity,noise@20dB", "--data", equal_clips, "-o", tmp_path / "r")
    process = subprocess.Popen(
        snacbench_command("run", *options, *FAST),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "r" / "coded.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    worker = workers_of(process.pid)[0]  # the other one decodes for the spot check
    os.kill(worker, signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    run = RunFolder.open(tmp_path / "r")
    assert [row.status for row in run.read(Coded)] == ["ok"] * 10
    assert len(list(run.read(Score))) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--codecs", "identity", "--batch", "0"), "expected auto or a number from 1 up"),
        (("run", "--codecs", "identity", "--batch", "x"), "expected auto or a number from 1 up"),
        (("run", "--codecs", "identity", "--precision", "fp16"), "--precision fp16 is for GPUs"),
        (("check", "--agreement", "--device", "cpu"), "name --device cuda or --precision bf16"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises((SnacbenchError, click.BadParameter)) as refusal:
        call(*arguments)
    assert message in str(refusal.value)


def test_agreement_is_reported(cli: Run) -> None:
    options = ("--device", "cpu", "--precision", "bf16", "--codecs", "encodec-mini@1.5,opus@24")
    done = cli("check", "--agreement", *options)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert "cpu bf16" in rows["encodec-mini@1.5kbps"]
    assert "%" in rows["encodec-mini@1.5kbps"]
    assert "0 of 0" in rows["opus@24kbps"]
