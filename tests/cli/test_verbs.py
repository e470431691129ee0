"""The small verbs: list, show, check, score-files."""

import csv

import numpy as np
import pytest
import soundfile

from snacbench.rows import Calibration, Coded, Score
from snacbench.store.run_folder import RunFolder
from tests.support.cases import cases
from tests.support.command_line import call, write_wav


@pytest.mark.parametrize(("arguments", "expected"), cases(__file__)["shown"])
def test_what_is_shown(arguments, expected, cli):
    shown = call(*arguments.split()).output
    assert [text for text in expected if text not in shown] == []
    # A verb that there is not.
    cli("runn", code=2)


@pytest.fixture
def degraded(clips, tmp_path):
    """What an outside codec might return: 8 samples late, quieter."""
    for path in sorted(clips.rglob("*.wav")):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        late = np.pad(samples, [(8, 0), (0, 0)])[: len(samples)]
        target = tmp_path / "evs" / path.relative_to(clips)
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, 0.5 * late, rate_hz)
    return tmp_path / "evs"


def test_two_folders_are_scored_as_a_run_beside_others(cli, clips, degraded, tmp_path):
    folders = ("--reference", clips, "--degraded", degraded, "--kbps", "9.6")
    options = ("--metrics", "si_sdr,si_sdr_aligned", "--jobs", "1", "-o")
    done = cli("score-files", *folders, *options, tmp_path / "outside")
    assert "Rates and quality" in done.stdout
    cli("run", "--codecs", "opus@24", "--data", clips, *options, tmp_path / "own")
    both = cli("table", tmp_path / "own", tmp_path / "outside", "--format", "csv").stdout
    rows = {(r["codec"], r["domain"]): r for r in csv.DictReader(both.splitlines())}
    speech = rows["evs", "speech"]
    assert (float(speech["nominal_kbps"]), speech["actual_kbps"]) == (9.6, "")
    assert float(speech["si_sdr_aligned"]) > float(speech["si_sdr"]) + 10
    (calibration,) = RunFolder.open(tmp_path / "outside").read(Calibration)
    assert calibration.found
    assert 8 / 48_000 <= calibration.delay_s <= 8 / 16_000  # 8 samples of each file's own rate


def test_unmatched_and_shorter_files_fail_or_are_undefined(cli, clips, degraded, tmp_path):
    (degraded / "speech" / "a.wav").unlink()
    write_wav(degraded / "speech" / "b.wav", 0.4, 24_000)
    (degraded / "music" / "c.wav").write_text("not audio")
    options = ("--metrics", "si_sdr", "-o", tmp_path / "r", "--jobs", "1")
    done = cli("score-files", "--reference", clips, "--degraded", degraded, *options, code=1)
    assert "no degraded file of that name" in done.stderr
    folder = RunFolder.open(tmp_path / "r")
    failed = {row.clip for row in folder.read(Coded) if row.status == "failed"}
    assert failed == {"clips/speech/a", "clips/music/c"}
    assert [r.clip for r in folder.read(Score) if r.status == "undefined"] == ["clips/speech/b"]
