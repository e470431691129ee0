"""Speeds of a run: measured once, kept, measured again, or left out and said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from snacbench.rows import Speed
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import call, write_wav


def test_speeds_are_kept_measured_again_or_left_out(tmp_path: Path) -> None:
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 48_000)
    run = tmp_path / "run"
    none = call(
        "run", "--codecs", "noise@20dB,noise@5dB", "--data", tmp_path / "clips", "--jobs", "1",
        "--metrics", "waveform_l1", "--speed-budget-s", "0", "-o", run,
    ).stdout  # fmt: skip
    assert "RTF" not in none
    assert "Speed was not measured; 'snacbench speed RUN' does." in none
    call("speed", run)
    folder = RunFolder.open(run)
    first = list(folder.read(Speed))
    assert [(row.codec, row.device, row.duration_s, len(row.encode_s)) for row in first] == [
        ("noise@20dB", "cpu", 3.0, 10),
        ("noise@5dB", "cpu", 3.0, 10),
    ]
    call("run", "--resume", run)
    assert list(folder.read(Speed)) == first
    request = replace(folder.run.request, metrics=("forgotten",), data="gone")
    folder.rewrite_run(replace(folder.run, request=request))  # neither is needed
    shorter = call("speed", run, "--budget-s", "1e-9").stdout
    assert [len(row.encode_s) for row in folder.read(Speed)][2:] == [1, 1]
    assert "! RTF of noise@20dB is unstable: 1 repeats within the budget" in shorter
