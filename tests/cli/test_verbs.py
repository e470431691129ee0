"""The small verbs: list, show, check, score-files."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.errors import SnacbenchError
from snacbench.rows import Calibration, Coded
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import Run, call, write_wav


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("codecs", ["snac-24khz", "dac-44khz-16kbps", "lyra-v2", "lowpass", "encodec-mini"]),
        ("metrics", ["si_sdr_aligned", "mel_dac7", "visqol_speech", "lower is better"]),
        ("sets", ["quick", "debian-speech", "debian-music"]),
    ],
)
def test_list(cli: Run, what: str, expected: list[str]) -> None:
    done = cli("list", what)
    assert done.returncode == 0
    assert all(text in done.stdout for text in expected)


def test_show_codec(cli: Run) -> None:
    shown = cli("show", "codec", "snac-24khz").stdout
    for text in ("24000 Hz", "0.9844 kbps", "82.03", "24.97 s of audio", "19.8 M", "MIT"):
        assert text in shown
    assert "truncated" in cli("show", "codec", "snac-24khz@0.42").stdout
    done = cli("show", "codec", "dak")
    assert done.returncode == 2
    assert "did you mean dac" in done.stderr


def test_check_reports_packages_weights_and_sets(cli: Run) -> None:
    done = cli("check")
    assert done.returncode == 0, done.stderr
    for text in (
        "torch",
        "embedded demonstration weights",
        "visqol_audio",
        "quick",
        "clips",
        "numba's cache",
        "writable",
    ):
        assert text in done.stdout


def test_version_and_help(cli: Run) -> None:
    assert "snacbench" in cli("--version").stdout
    assert "score-files" in cli("--help").stdout
    assert "[default: 1;" in cli("mushra", "design", "--help").stdout
    assert cli("runn").returncode == 2


def degrade(clips: Path, out: Path) -> Path:
    """What an outside codec might return: other rate, 8 samples late, quieter."""
    for path in sorted(clips.rglob("*.wav")):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        late = np.pad(samples, [(8, 0), (0, 0)])[: len(samples)]
        target = out / path.relative_to(clips)
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, 0.5 * late, rate_hz)
    return out


def test_two_folders_are_scored_as_a_run_beside_others(
    cli: Run, clips: Path, tmp_path: Path
) -> None:
    degraded = degrade(clips, tmp_path / "evs")
    options = ("--metrics", "si_sdr,si_sdr_aligned", "--jobs", "1", "-o", tmp_path / "outside")
    done = cli(
        "score-files", "--reference", clips, "--degraded", degraded,
        "--name", "evs", "--kbps", "9.6", "--format", "csv", *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["domain"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert rows["all"]["codec"] == "evs"
    assert float(rows["all"]["nominal_kbps"]) == 9.6
    assert rows["all"]["actual_kbps"] == ""
    assert float(rows["speech"]["si_sdr_aligned"]) > float(rows["speech"]["si_sdr"]) + 10
    own = cli("run", "--codecs", "opus@24", "--data", clips, "-o", tmp_path / "own", *options[:4])
    assert own.returncode == 0, own.stderr
    both = cli("table", tmp_path / "own", tmp_path / "outside", "--format", "csv").stdout
    assert {row["codec"] for row in csv.DictReader(io.StringIO(both))} == {"evs", "opus@24kbps"}
    (calibration,) = RunFolder.open(tmp_path / "outside").read(Calibration)
    assert calibration.found
    assert 8 / 48_000 <= calibration.delay_s <= 8 / 16_000  # 8 samples of each file's own rate


def test_unmatched_and_shorter_files_fail_or_are_undefined(
    cli: Run, clips: Path, tmp_path: Path
) -> None:
    degraded = degrade(clips, tmp_path / "out")
    (degraded / "speech" / "a.wav").unlink()
    write_wav(degraded / "speech" / "b.wav", 0.4, 24_000)
    (degraded / "music" / "c.wav").write_text("not audio")
    done = cli(
        "score-files", "--reference", clips, "--degraded", degraded,
        "--metrics", "si_sdr", "-o", tmp_path / "r", "--jobs", "1",
    )  # fmt: skip
    assert done.returncode == 1
    assert "no degraded file of that name" in done.stderr
    rows = {r.clip: r for r in RunFolder.open(tmp_path / "r").read(Coded)}
    assert rows["clips/speech/a"].status == rows["clips/music/c"].status == "failed"
    scores = (tmp_path / "r" / "scores.jsonl").read_text()
    assert '"undefined"' in scores


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--name": "snac-24khz"}, "is the name of a codec that snacbench runs itself"),
        ({"--kbps": "0"}, "--kbps must be above 0"),
        ({"--degraded": "gone"}, "no such file or folder"),
        ({"--degraded": "clips/speech/a.wav"}, "give two files or two folders"),
        ({"--reference": "clips/speech/a.wav"}, "give two files or two folders"),
        ({"--degraded": "elsewhere"}, "has the name of a reference"),
    ],
    ids=str,
)
def test_score_files_refuses(
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(clips, tmp_path / "out")
    write_wav(tmp_path / "elsewhere" / "other.wav", 0.5, 16_000)
    options = {"--reference": "clips", "--degraded": "out", "--name": "evs", **change}
    with pytest.raises(SnacbenchError) as refusal:
        call("score-files", *[part for item in options.items() for part in item], "-o", "r")
    assert message in " ".join(str(refusal.value).split())
