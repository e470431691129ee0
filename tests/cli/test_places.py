"""Folders that cannot be written, and terminals that cannot show everything."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from snacbench.cli.main import main
from snacbench.cli.verbs import cli as verbs
from tests.support.command_line import Run, snacbench_command, write_wav


def test_a_terminal_that_is_not_unicode(cli: Run) -> None:
    for env in (
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ):
        done = cli("show", "codec", "snac-24khz", env=env, fresh=True)
        assert done.returncode == 0, done.stderr
        assert r"Gr\xf6tschla" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_to_a_full_disk_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            snacbench_command("list", "recipes"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "error: output: No space left on device\n"


def test_a_bug_is_told_even_where_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(verbs, "main", broken)
    for folder, told in ((tmp_path, "snacbench-bug-"), (tmp_path / "gone", "Traceback")):
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 3
        assert told in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_said_and_the_run_goes_on(
    cli: Run, tmp_path: Path
) -> None:
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 16_000)
    (tmp_path / "file").touch()
    home, cache = tmp_path / "file" / "home", tmp_path / "file" / "cache"
    env = {"HOME": str(home), "SNACBENCH_CACHE": str(cache), "NUMBA_CACHE_DIR": ""}
    run = ("run", "--codecs", "identity", "--data", "clips", "--jobs", "1")
    done = cli(*run, "--metrics", "si_sdr,mel_dac7", env=env, fresh=True)
    assert done.returncode == 0, done.stderr
    (warning,) = (line for line in done.stderr.splitlines() if line.startswith("warning: the cach"))
    assert f"the cache folder {cache} may not be written" in warning
    assert "SNACBENCH_CACHE" in warning
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "summary.csv").is_file()


def test_numba_keeps_what_it_compiles_in_our_cache(cli: Run, tmp_path: Path) -> None:
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 16_000)
    env = {"SNACBENCH_CACHE": str(tmp_path / "cache"), "NUMBA_CACHE_DIR": ""}
    run = ("run", "--codecs", "identity", "--data", "clips", "--jobs", "1")
    done = cli(*run, "--metrics", "mel_dac7", env=env, fresh=True)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "cache" / "numba").iterdir())  # a folder for each module it may keep
