"""The container is not the sound: one run over a second of sound in every container."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.audio.io import NOT_STATED, read
from snacbench.errors import TestSetError
from snacbench.rows import Coded, Score
from snacbench.store.run_folder import RunFolder
from snacbench.types import Clip
from tests.support.command_line import call, run_in
from tests.support.containers import Case, by_pyav, corpus, sound

_SUFFIX = ".wav"  # of all of them: a name tells nothing


def _run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_in(folder, *arguments, env={"SNACBENCH_CACHE": str(folder / "cache")})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, str]:
    """A run over all cases, whole and halved, and what it printed."""
    folder = tmp_path_factory.mktemp("containers")
    for part in ("whole", "half"):
        (folder / "set" / part).mkdir(parents=True)
    for name, case in corpus().items():
        (folder / "set/whole" / f"{name}{_SUFFIX}").write_bytes(case.data)
        (folder / "set/half" / f"{name}{_SUFFIX}").write_bytes(case.half)
    options = ("--codecs", "identity", "--metrics", "waveform_l1", "--jobs", "1", "-o", "run")
    (folder / "set/papers.pdf").write_bytes(b"%PDF-1.7")
    done = _run(folder, "run", "--data", folder / "set", *options)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return RunFolder.open(folder / "run"), " ".join((done.stdout + done.stderr).split())


def _rows(run: RunFolder, part: str) -> Mapping[str, Coded]:
    rows = {row.clip.removeprefix("set/"): row for row in run.read(Coded)}
    return {name: rows[f"{part}/{name}"] for name in corpus()}


def _problem(name: str, case: Case, row: Coded, run: RunFolder) -> str:
    """What is wrong with the row of a whole file."""
    if case.refused:
        return "" if row.status == "failed" and case.refused in row.reason else f"{name}: {row}"
    if row.status != "ok" or row.decoded is None:
        return f"{name}: {row.reason}"
    decoded = read(run.path / row.decoded).samples[0]
    length = len(case.samples)
    if case.tolerance is None:
        return "" if abs(len(decoded) - length) < 0.2 * length else f"{name}: {len(decoded)}"
    error = float(np.abs(decoded[:length] - case.samples).max())
    return "" if error <= case.tolerance + 2**-23 else f"{name}: off by {error}"


def test_whole_files_give_what_the_samples_give_or_are_refused_by_name(
    everything: tuple[RunFolder, str],
) -> None:
    run, _ = everything
    rows = _rows(run, "whole")
    problems = [_problem(name, case, rows[name], run) for name, case in corpus().items()]
    assert [problem for problem in problems if problem] == []


def test_half_a_file_is_refused_or_noted(everything: tuple[RunFolder, str]) -> None:
    run, printed = everything
    notes = {clip.id: clip.note for clip in run.read(Clip)}
    passed = {name for name, row in _rows(run, "half").items() if row.status == "ok"}
    unstated = {name for name, case in corpus().items() if not case.states}
    assert passed <= unstated | {name for name, case in corpus().items() if case.refused}
    assert unstated <= passed
    for name in unstated:
        assert notes[f"set/half/{name}"] == NOT_STATED
    assert f"{NOT_STATED}: " in printed
    assert "1 file left out, not read as audio: 1 .pdf (papers.pdf)" in printed


def test_every_score_is_that_of_an_exact_copy(everything: tuple[RunFolder, str]) -> None:
    run, _ = everything
    coded = {row.clip for row in run.read(Coded) if row.status == "ok"}
    scores = {score.clip: score for score in run.read(Score) if score.status == "ok"}
    assert scores.keys() == coded
    assert max(score.value or 0 for score in scores.values()) < 1e-6


def test_half_a_decode_is_refused_in_score_files(tmp_path: Path) -> None:
    names = ("wav-pcm_16-file", "aiff-pcm_16-file", "ogg-vorbis-file", "flac-pcm_16-file")
    for side in ("reference", "degraded"):
        (tmp_path / side).mkdir()
        for name in names:
            half = side == "degraded"
            case = corpus()[name]
            (tmp_path / side / f"{name}.wav").write_bytes(case.half if half else case.data)
    (tmp_path / "degraded/other.wav").write_bytes(corpus()["wav-pcm_16-file"].data)
    sides = ("--reference", tmp_path / "reference", "--degraded", tmp_path / "degraded")
    done = _run(tmp_path, "score-files", *sides, "--metrics", "si_sdr", "-o", tmp_path / "run")
    assert done.returncode == 1, done.stderr
    assert "1 degraded file without a reference of that name: other" in done.stderr
    rows = {row.clip.partition("/")[2]: row for row in RunFolder.open(tmp_path / "run").read(Coded)}
    assert {name: row.status for name, row in rows.items()} == dict.fromkeys(names, "failed")
    assert all("truncated or damaged" in row.reason for row in rows.values())


def test_files_of_one_name_on_one_side_are_an_error(tmp_path: Path) -> None:
    wav, m4a = corpus()["wav-pcm_16-file"].data, by_pyav("ipod", "alac")
    for side in ("reference", "degraded"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.wav").write_bytes(wav)
    twice = tmp_path / "degraded/a.m4a"
    twice.write_bytes(m4a)
    sides = ("--reference", tmp_path / "reference", "--degraded", tmp_path / "degraded")
    for option in ("--degraded", "--reference"):
        message = f"{option} .*{option[2:]} holds a.m4a and a.wav, which differ in their suffix"
        with pytest.raises(TestSetError, match=message):
            call("score-files", *sides, "--metrics", "si_sdr", "-o", tmp_path / "run")
        twice = twice.rename(tmp_path / "reference/a.m4a")


def test_float_samples_beyond_full_scale_are_under_one_rule(tmp_path: Path) -> None:
    """A codec that returns its input is exact, and so is a copy that another program made."""
    for side in ("reference", "degraded"):
        (tmp_path / side).mkdir()
        stereo = np.stack([8 * sound(), sound()], axis=1)
        soundfile.write(tmp_path / side / "a.wav", stereo, 24_000, subtype="FLOAT")
    sides = ("--reference", tmp_path / "reference", "--degraded", tmp_path / "degraded")
    run = ("run", "--data", tmp_path / "reference", "--codecs", "identity")
    for number, verb in enumerate([run, ("score-files", *sides)]):
        out = tmp_path / f"run-{number}"
        done = _run(tmp_path, *verb, "--metrics", "si_sdr", "-o", out)
        assert done.returncode == 0, done.stderr
        (score,) = RunFolder.open(out).read(Score)
        assert score.value is not None
        assert score.value > 100
        printed = " ".join((done.stdout + done.stderr).split())
        assert "1 of 1 clips goes beyond full scale (peak +10.5 dBFS at most)" in printed


def test_a_damaged_float_is_one_failed_row_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "cache"))
    good = corpus()["wav-float-file"].data
    (tmp_path / "set").mkdir()
    (tmp_path / "set/good.wav").write_bytes(good)
    damaged = bytearray(good)
    damaged[40_003] ^= 0x40  # the highest bit of an exponent
    (tmp_path / "set/damaged.wav").write_bytes(damaged)
    options = ("--data", tmp_path / "set", "--codecs", "identity", "--metrics", "si_sdr")
    assert _run(tmp_path, "run", *options, "-o", tmp_path / "run").returncode == 1
    rows = {row.clip: row for row in RunFolder.open(tmp_path / "run").read(Coded)}
    assert rows["set/good"].status == "ok"
    assert "holds a sample of" in rows["set/damaged"].reason
    assert _run(tmp_path, "run", "--resume", tmp_path / "run").returncode == 1
    shown = call("sets", "show", tmp_path / "set")
    assert shown.exit_code == 0
    assert "1 clip cannot be read" in " ".join(shown.stdout.split())
    drawn = tmp_path / "drawn.csv"
    assert call("sets", "export", tmp_path / "set", "--segments", "1", "-o", drawn).exit_code == 0
    assert "good" in drawn.read_text()
