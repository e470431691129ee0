"""Whatever is wrong gets one clear sentence or a failed row: no traceback, nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.errors import SnacbenchError
from snacbench.rows import Coded, Score
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, Run, call, write_raw, write_wav

TOYS = ("run", "--codecs", "identity,opus@24", *FAST)


def refused(cli: Run, *arguments: object, message: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--codecs", "snak"), "no codec named 'snak'; did you mean snac"),
        (("--codecs", "dac-44khz@4.9"), "no operating point within 5 % of '4.9'; it works at"),
        (("--codecs", "opus@1000"), "it takes any rate from 6 to 510 kbps"),
        (("--codecs", ""), "name codecs with --codecs"),
        (("--codecs", ","), "no codec named; there are"),
        (("--codecs", "opus", "--metrics", "visqol"), "did you mean visqol_"),
        (("--codecs", "opus", "--data", "nowhere"), "no such folder, manifest or named set"),
        (("--codecs", "opus", "--data", "quik"), "did you mean quick?"),
        (("--codecs", "opus", "--weights", "nowhere"), "no such folder; expected auto"),
        (("--codecs", "opus", "--limit", "0"), "--limit must be 1 or more"),
        (("--codecs", "opus", "--segment-s", "-1"), "--segment-s must be above 0"),
        (("--codecs", "snac-24khz", "--weights", "embedded"), "has no embedded weights"),
        (("--codecs", "lyra-v2"), "set SNACBENCH_LYRA_DIR=DIR"),
        (("--resume", "nowhere"), "holds no run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SNACBENCH_LYRA_DIR", raising=False)
    with pytest.raises(SnacbenchError) as refusal:
        call("run", *arguments)
    assert message in " ".join(str(refusal.value).split())


def test_an_empty_folder_is_refused(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(cli, *TOYS, "--data", tmp_path / "empty", message="holds no audio")


def test_a_run_is_not_overwritten(cli: Run, clips: Path, tmp_path: Path) -> None:
    options = ("--data", clips, "--limit", "1", "-o", tmp_path / "r")
    assert cli(*TOYS, *options).returncode == 0
    refused(cli, *TOYS, *options, message="already holds a run; go on with it by --resume")
    refused(cli, *TOYS, *options[:-1], clips, message="is not empty")


def test_an_output_path_that_is_a_file_is_refused(cli: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("taken")
    refused(cli, *TOYS, "--data", clips, "-o", tmp_path / "file" / "r", message="cannot write to")


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """One healthy clip among everything that can be wrong with a file."""
    folder = tmp_path / "sick"
    rate_hz = 16_000
    write_wav(folder / "healthy.wav", 1.0, rate_hz)
    (folder / "text.wav").write_text("this is no audio at all\n" * 99)
    (folder / "empty.wav").write_bytes(b"")
    whole = folder / "whole.flac"
    soundfile.write(whole, np.random.default_rng(0).uniform(-0.5, 0.5, 30_000), rate_hz)
    (folder / "truncated.flac").write_bytes(whole.read_bytes()[:20_000])
    whole.unlink()
    cut = write_wav(folder / "cut.wav", 1.0, rate_hz)
    cut.write_bytes(cut.read_bytes()[:9_000])
    nothing = np.zeros((0, 1), np.float32)
    write_raw(folder / "no_samples.wav", nothing, rate_hz)
    bad = np.zeros(8_000, np.float32)
    bad[100] = np.nan
    write_raw(folder / "nan.wav", bad, rate_hz)
    bad[100] = np.inf
    write_raw(folder / "inf.wav", bad, rate_hz)
    return folder


def test_unreadable_files_fail_with_their_reasons(cli: Run, sick: Path, tmp_path: Path) -> None:
    done = cli(*TOYS, "--data", sick, "-o", tmp_path / "r")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    folder = RunFolder.open(tmp_path / "r")
    coded = {(r.codec, r.clip.partition("/")[2]): r for r in folder.read(Coded)}
    expected = {
        "text": "is not audio",
        "empty": "is empty (0 bytes)",
        "truncated": "truncated or damaged",
        "cut": "holds 0.28 of the 1.00 s that its header states",
        "no_samples": "holds no samples",
        "nan": "1 of 8000 samples are NaN or infinite",
        "inf": "1 of 8000 samples are NaN or infinite",
    }
    for codec in ("identity", "opus@24kbps"):
        assert coded[codec, "healthy"].status == "ok"
        for name, reason in expected.items():
            row = coded[codec, name]
            assert row.status == "failed"
            assert reason in row.reason
            assert row.bits is None
    scores = list(folder.read(Score))
    assert len(scores) == len(coded) * 2
    assert all(s.value is None for s in scores if not s.clip.endswith("healthy"))
    assert "14 codings failed" in done.stderr


def test_damaged_weights_end_the_run_before_it_begins(cli: Run, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "weights_44khz_8kbps_0.0.1.pth").write_bytes(b"junk" * 1000)
    refused(
        cli, "run", "--codecs", "dac-44khz@3q", "--weights", weights,
        message="is damaged or not a weights file",
    )  # fmt: skip


def test_without_network_and_weights_the_families_fall_back_and_say_so(
    cli: Run, tmp_path: Path
) -> None:
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = cli("run", "--codecs", "snac,dac,encodec,opus", "--plan", env=home)
    assert done.returncode == 0, done.stderr
    assert "embedded demonstration models, because" in done.stderr
    assert "snac-mini" in done.stderr
    refused_fallback = cli("run", "--codecs", "snac", "--weights", "published", "-o", "r", env=home)
    assert refused_fallback.returncode == 2
    assert "--weights embedded" in refused_fallback.stderr
