"""A package that does not load is named in one sentence, by every verb, in every process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command_line import Run, write_wav

SYMBOL = "OSError: libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv"
WAY_OUT = "pip install -c constraints.txt ."


def broken(folder: Path, package: str, raised: str = SYMBOL) -> dict[str, str]:
    """Environment in which a package raises, once it is imported."""
    kind, _, text = raised.partition(": ")
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(f"raise {kind}({text!r})\n", "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def assert_told(stderr: str, package: str, raised: str = SYMBOL) -> None:
    (sentence,) = (line for line in stderr.splitlines() if line.startswith("error: "))
    for text in (f"the Python package {package}", "does not load", raised, WAY_OUT):
        assert text in sentence
    assert "bug in snacbench" not in stderr
    assert "Traceback" not in stderr


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "clips" / "a.wav", 0.5, 24_000).parent


def test_a_run_says_which_package_its_codec_cannot_load(
    cli: Run, clip: Path, tmp_path: Path
) -> None:
    env = broken(tmp_path / "site", "torchaudio")
    run = ("run", "--codecs", "encodec-mini", "--data", clip, "--metrics", "si_sdr", "--jobs", "1")
    done = cli(*run, "-o", "r", env=env, fresh=True)
    assert done.returncode == 2, done.stderr
    assert_told(done.stderr, "torchaudio")
    coded = cli(
        "encode", clip / "a.wav", "--codec", "encodec-mini", "-o", "a.sncb", env=env, fresh=True
    )
    assert coded.returncode == 2
    assert_told(coded.stderr, "torchaudio")
    mended = cli("run", "--resume", "r", "--jobs", "1")
    assert mended.returncode == 0, mended.stderr


def test_a_metric_that_cannot_be_loaded_ends_the_run_and_loses_nothing(
    cli: Run, clip: Path, tmp_path: Path
) -> None:
    raised = "ImportError: libgomp.so.1: cannot open shared object file"
    env = broken(tmp_path / "site", "librosa", raised)
    run = ("run", "--codecs", "identity", "--data", clip, "--jobs", "1", "-o", "r")
    done = cli(*run, "--metrics", "si_sdr,mcd", env=env, fresh=True)
    assert done.returncode == 2
    assert_told(done.stderr, "librosa", raised)
    again = cli("score", "r", "--metrics", "mcd", "--jobs", "1", env=env, fresh=True)
    assert again.returncode == 2
    assert_told(again.stderr, "librosa", raised)
    assert cli("score", "r", "--metrics", "mcd", "--jobs", "1").returncode == 0


def test_check_shows_what_does_not_load_and_lists_go_on(cli: Run, tmp_path: Path) -> None:
    env = broken(tmp_path / "site", "torchaudio")
    done = cli("check", env=env, fresh=True)
    assert done.returncode == 2
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "does not load: encodec" in rows["encodec-mini"]
    assert "ok" in rows["snac-mini"]
    assert "error: the Python package torchaudio" in done.stderr
    assert SYMBOL in done.stderr
    assert WAY_OUT in done.stderr
    listed = cli("list", "codecs", env=env, fresh=True)
    assert (listed.returncode, listed.stderr) == (0, "")


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("soundfile", ("check",)),
        ("soundfile", ("run", "--codecs", "opus")),
        ("scipy", ("run", "--codecs", "opus")),
        ("pydantic", ("list", "recipes")),
        ("click", ("--help",)),
    ],
)
def test_a_package_that_everything_needs(
    cli: Run, tmp_path: Path, package: str, arguments: tuple[str, ...]
) -> None:
    raised = "OSError: library not found"
    done = cli(*arguments, env=broken(tmp_path / "site", package, raised), fresh=True)
    assert done.returncode == 2
    assert_told(done.stderr, package, raised)
