"""The container is not the sound: what a run makes of a second of sound in one or the other."""

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
from tests.support.containers import by_pyav, corpus, sound

# Of each way of reading one; tests/audio/test_io.py goes through all.
NAMES = (
    *("wav-pcm_16-file", "wav-gsm610-file", "aiff-pcm_16-file", "flac-pcm_16-file"),
    *("ogg-vorbis-file", "caf-alac_16-file", "ff-ipod-alac", "ff-webm-libopus"),
    *("ff-mp3-libmp3lame", "mp3-without-xing", "pipe-wav", "pipe-flac", "wav-twice", "voc"),
)
IDENTITY = ("--codecs", "identity", "--jobs", "1")


def test_a_run_over_whole_and_halved_files(tmp_path: Path) -> None:
    for part in ("whole", "half"):
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in NAMES:  # the suffix tells nothing
            data = corpus()[name].data if part == "whole" else corpus()[name].half
            (tmp_path / "set" / part / f"{name}.wav").write_bytes(data)
    (tmp_path / "set/papers.pdf").write_bytes(b"%PDF-1.7")
    options = ("--data", "set", *IDENTITY, "--metrics", "waveform_l1", "-o", "r")
    done = run_in(tmp_path, "run", *options, code=1)
    printed = " ".join((done.stdout + done.stderr).split())
    assert "1 file left out, not read as audio: 1 .pdf (papers.pdf)" in printed
    assert f"clips: {NOT_STATED}" in printed
    run = RunFolder.open(tmp_path / "r")
    rows = {row.clip.removeprefix("set/"): row for row in run.read(Coded)}
    notes = {clip.id.removeprefix("set/"): clip.note for clip in run.read(Clip)}
    for name in NAMES:
        case, whole, half = corpus()[name], rows[f"whole/{name}"], rows[f"half/{name}"]
        if case.refused:
            assert whole.status == "failed"
            assert case.refused in whole.reason
            continue
        assert whole.decoded, whole.reason
        decoded, length = read(run.path / whole.decoded).samples[0], len(case.samples)
        if case.tolerance is None:
            assert len(decoded) == pytest.approx(length, rel=0.2)
        else:
            near = {"rtol": 0, "atol": case.tolerance + 2**-23}
            np.testing.assert_allclose(decoded[:length], case.samples, **near)
        assert half.status == ("failed" if case.states else "ok"), name
        assert case.states or notes[f"half/{name}"] == NOT_STATED
    exact = [score.value for score in run.read(Score) if score.status == "ok"]
    assert len(exact) == sum(row.status == "ok" for row in rows.values())
    assert max(exact) < 1e-6


def test_what_score_files_refuses(tmp_path: Path) -> None:
    names = ("wav-pcm_16-file", "aiff-pcm_16-file", "ogg-vorbis-file", "flac-pcm_16-file")
    sides = {side: tmp_path / side for side in ("reference", "degraded")}
    for side, folder in sides.items():
        folder.mkdir()
        for name in names:
            case = corpus()[name]
            (folder / f"{name}.wav").write_bytes(case.half if side == "degraded" else case.data)
    whole = corpus()["wav-pcm_16-file"].data
    (sides["degraded"] / "other.wav").write_bytes(whole)
    options = [word for side, folder in sides.items() for word in (f"--{side}", folder)]
    options += ["--metrics", "si_sdr", "-o", tmp_path / "run"]
    done = run_in(tmp_path, "score-files", *options, code=1)
    assert "1 degraded file without a reference of that name: other" in done.stderr
    rows = {row.clip.partition("/")[2]: row for row in RunFolder.open(tmp_path / "run").read(Coded)}
    assert {name: row.status for name, row in rows.items()} == dict.fromkeys(names, "failed")
    assert all("truncated or damaged" in row.reason for row in rows.values())
    for side, folder in sides.items():  # two files of one name on one side
        (folder / "other.wav").write_bytes(whole)
        (folder / "other.m4a").write_bytes(by_pyav("ipod", "alac"))
        message = f"--{side} .*{side} holds other.m4a and other.wav, which differ in their suffix"
        with pytest.raises(TestSetError, match=message):
            call("score-files", *options[:-1], tmp_path / "again")
        (folder / "other.m4a").unlink()


def test_float_samples_beyond_full_scale_are_under_one_rule(tmp_path: Path) -> None:
    """A codec that returns its input is exact, and so is a copy that another program made."""
    for side in ("reference", "degraded"):
        (tmp_path / side).mkdir()
        stereo = np.stack([8 * sound(), sound()], axis=1)
        soundfile.write(tmp_path / side / "a.wav", stereo, 24_000, subtype="FLOAT")
    sides = ("--reference", "reference", "--degraded", "degraded")
    for verb in (("run", "--data", "reference", *IDENTITY), ("score-files", *sides)):
        done = run_in(tmp_path, *verb, "--metrics", "si_sdr", "-o", verb[0])
        (score,) = RunFolder.open(tmp_path / verb[0]).read(Score)
        assert score.value is not None
        assert score.value > 100
        printed = " ".join((done.stdout + done.stderr).split())
        assert "1 of 1 clips: beyond full scale (peak +10.5 dBFS at most)" in printed


def test_a_damaged_float_is_one_failed_row_and_the_run_goes_on(tmp_path: Path) -> None:
    good = corpus()["wav-float-file"].data
    damaged = bytearray(good)
    damaged[40_003] ^= 0x40  # the highest bit of an exponent
    (tmp_path / "set").mkdir()
    (tmp_path / "set/good.wav").write_bytes(good)
    (tmp_path / "set/damaged.wav").write_bytes(damaged)
    options = ("--data", "set", *IDENTITY, "--metrics", "si_sdr", "-o", "r")
    run_in(tmp_path, "run", *options, code=1)
    rows = {row.clip: row for row in RunFolder.open(tmp_path / "r").read(Coded)}
    assert rows["set/good"].status == "ok"
    assert "holds a sample of" in rows["set/damaged"].reason
    run_in(tmp_path, "run", "--resume", "r", code=1)
    for options, said in (((), "clips 2"), (("--segments", "9"), "1 file that cannot be read")):
        shown = call("sets", "show", tmp_path / "set", *options)
        assert shown.exit_code == 0
        assert said in " ".join(shown.stdout.split())
    drawn = tmp_path / "drawn.csv"
    assert call("sets", "export", tmp_path / "set", "--segments", "1", "-o", drawn).exit_code == 0
    assert "good" in drawn.read_text()
