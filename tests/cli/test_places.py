"""Terminals that cannot show everything, progress without one, folders that cannot be written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from snacbench.cli import terminal
from snacbench.cli.main import main
from snacbench.cli.terminal import ProgressBar, show_failures
from snacbench.cli.verbs import cli as verbs
from snacbench.rows import Coded
from snacbench.runner.engine import Outcome, Tally
from tests.support.command_line import Run, snacbench_command, write_wav


def test_progress_is_a_line_now_and_then_that_tells_of_all_stages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProgressBar() as bar:
        bar.begin("code", 3)
        bar.begin("score", 2)
        bar.step("code", failed=1)
        bar.step()
        bar.step()
        monkeypatch.setattr(terminal, "_SECONDS_BETWEEN_LINES", -1.0)
        bar.step("code")
        bar.begin("a.bin", 2_500_000, done=500_000, unit="bytes")
        bar.step("a.bin", 1_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "code: 3 to do",
        "score: 2 to do",
        "code: 1 of 3, 1 failed, ETA 0 s; score: 2 of 2",
        "code: 2 of 3, 1 failed, ETA 0 s; score: 2 of 2",
        "fetching a.bin: 2.5 MB",
        "code: 2 of 3, 1 failed, ETA 0 s; score: 2 of 2; a.bin: 1.5 of 2.5 MB, ETA 0 s",
    ]


def test_many_failures_are_counted_and_the_first_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Coded(f"clip{index}", "x", "failed", "broken") for index in range(8)]
    show_failures(Outcome(Tally(10, 10, rows), Tally()))
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert (first, second.strip()) == ("10 codings failed:", "x on clip0: broken")
    assert last.strip() == "... and 2 more, in the run's rows"


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_terminal_that_is_not_unicode(cli: Run, env: dict[str, str]) -> None:
    done = cli("show", "codec", "snac-24khz", env=env, fresh=True)
    assert done.returncode == 0, done.stderr
    assert r"Gr\xf6tschla" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_to_a_full_disk_is_said() -> None:
    command = snacbench_command("list", "recipes")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: output: No space left on device\n"


def test_a_bug_is_told_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(verbs, "main", broken)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 3
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "This is a bug in snacbench; please report it" in told


def test_a_cache_that_cannot_be_written_is_said_and_the_run_goes_on(
    cli: Run, tmp_path: Path
) -> None:
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 16_000)
    (tmp_path / "file").touch()
    run = ("run", "--codecs", "identity", "--data", "clips", "--jobs", "1", "--metrics", "mel_dac7")
    cache = tmp_path / "file" / "cache"
    env = {"HOME": str(tmp_path / "file" / "home"), "NUMBA_CACHE_DIR": ""}
    done = cli(*run, env={**env, "SNACBENCH_CACHE": str(cache)}, fresh=True)
    assert done.returncode == 0, done.stderr
    (warning,) = (line for line in done.stderr.splitlines() if line.startswith("warning: the cach"))
    assert f"the cache folder {cache} may not be written" in warning
    assert "SNACBENCH_CACHE" in warning
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "summary.csv").is_file()
    done = cli(*run, env={**env, "SNACBENCH_CACHE": str(tmp_path / "cache")}, fresh=True)
    assert done.returncode == 0, done.stderr
    # What numba compiles is kept in our cache: a folder for each module it may keep.
    assert list((tmp_path / "cache" / "numba").iterdir())
