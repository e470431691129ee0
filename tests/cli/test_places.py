"""Terminals, folders and packages that are not as they should be: one sentence each."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from snacbench.cli import terminal
from snacbench.cli.main import main
from snacbench.cli.terminal import ProgressBar, show_failures
from snacbench.cli.verbs import cli as verbs
from tests.support.command_line import snacbench_command, write_wav


def test_progress_is_a_line_now_and_then_that_tells_of_all_stages(capsys, monkeypatch):
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
    first, last = (f"code: {n} of 3, 1 failed, ETA 0 s; score: 2 of 2" for n in (1, 2))
    shown = ["code: 3 to do", "score: 2 to do", first, last, "fetching a.bin: 2.5 MB"]
    shown.append(f"{last}; a.bin: 1.5 of 2.5 MB, ETA 0 s")
    assert capsys.readouterr().err.splitlines() == shown
    # Many failures are counted and the first shown.
    rows = [(f"clip{index}", "x", "", "broken") for index in range(10)]
    show_failures(pd.DataFrame(rows, columns=["clip", "codec", "metric", "reason"]))
    first, second, *_, last = capsys.readouterr().err.splitlines()
    assert (first, second.strip()) == ("10 codings failed:", "x on clip0: broken")
    assert last.strip() == "... and 2 more, in the run's rows"


def test_a_terminal_that_is_not_unicode(cli):
    done = cli("show", "codec", "snac-24khz", env={"PYTHONIOENCODING": "ascii"}, fresh=True)
    assert r"Gr\xf6tschla" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_to_a_full_disk_is_said():
    command = snacbench_command("list", "recipes")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: output: No space left on device\n"


def test_a_bug_is_told_with_its_traceback(monkeypatch, capsys):
    def broken(**_):
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(verbs, "main", broken)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 3
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "This is a bug in snacbench; please report it" in told


def test_a_cache_that_cannot_be_written_is_said_and_the_run_goes_on(cli, tmp_path):
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 16_000)
    (tmp_path / "file").touch()
    run = ("run", "--codecs", "identity", "--data", "clips", "--jobs", "1", "--metrics", "mel_dac7")
    home = {"HOME": str(tmp_path / "file" / "home"), "NUMBA_CACHE_DIR": ""}
    done = cli(*run, env={**home, "SNACBENCH_CACHE": str(tmp_path / "file" / "cache")}, fresh=True)
    assert done.stderr.count(f"the cache folder {tmp_path}/file/cache may not be written") == 1


SYMBOL = "OSError: libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv"


def broken(folder, package, raised=SYMBOL):
    """Environment in which a package raises, once it is imported."""
    kind, _, text = raised.partition(": ")
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(f"raise {kind}({text!r})\n", "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def assert_told(cli, arguments, env, package, raised):
    """What a verb shows that ends with a sentence on a package; `check` may have others."""
    done = cli(*arguments, env=env, fresh=True, code=2)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1 or arguments == ("check",)
    sentence = next(line for line in sentences if f"error: the Python package {package}" in line)
    for text in ("does not load", raised, "pip install -c constraints.txt ."):
        assert text in sentence
    assert "bug in snacbench" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_what_a_codec_needs_ends_the_run_and_loses_nothing(cli, tmp_path):
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 24_000)
    env = broken(tmp_path / "site", "torchaudio", SYMBOL)
    codec = ("--codecs", "encodec-mini", "--data", "clips", "--metrics", "si_sdr")
    for verb in (
        ("run", *codec, "-o", "r", "--jobs", "1"),
        ("encode", "clips/a.wav", "--codec", "encodec-mini", "-o", "a.sncb"),
    ):
        assert_told(cli, verb, env, "torchaudio", SYMBOL)
    cli("run", "--resume", "r", "--jobs", "1")


def test_check_shows_what_does_not_load_and_lists_go_on(cli, tmp_path):
    env = broken(tmp_path / "site", "torchaudio")
    shown = assert_told(cli, ("check",), env, "torchaudio", SYMBOL)
    rows = {line.split()[0]: line for line in shown.splitlines() if line}
    assert "does not load: encodec" in rows["encodec-mini"]
    assert "ok" in rows["snac-mini"]
    assert cli("list", "codecs", env=env, fresh=True).stderr == ""
    assert_told(cli, ("--help",), broken(tmp_path / "other", "click"), "click", SYMBOL)
