"""A package that does not load is named in one sentence, by every verb, in every process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command_line import Run, write_wav

SYMBOL = "OSError: libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv"


def broken(folder: Path, package: str, raised: str = SYMBOL) -> dict[str, str]:
    """Environment in which a package raises, once it is imported."""
    kind, _, text = raised.partition(": ")
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(f"raise {kind}({text!r})\n", "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def assert_told(cli: Run, arguments: str, env: dict[str, str], package: str, raised: str) -> str:
    """What a verb shows that ends with a sentence on a package; `check` may have others."""
    done = cli(*arguments.split(), env=env, fresh=True)
    assert done.returncode == 2, done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1 or arguments == "check"
    sentence = next(line for line in sentences if f"error: the Python package {package}" in line)
    way_out = "pip install -c constraints.txt ."
    for text in ("does not load", raised, way_out):
        assert text in sentence
    assert "bug in snacbench" not in done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("package", "raised", "verb", "other", "mended"),
    [
        (
            "torchaudio", SYMBOL, "run --codecs encodec-mini --data clips --metrics si_sdr -o r",
            "encode clips/a.wav --codec encodec-mini -o a.sncb", "run --resume r",
        ),
        (
            "librosa", "ImportError: libgomp.so.1: cannot open shared object file",
            "run --codecs identity --data clips --metrics si_sdr,mcd -o r",
            "score r --metrics mcd", "score r --metrics mcd",
        ),
    ],
)  # fmt: skip
def test_what_a_codec_or_metric_needs_ends_the_run_and_loses_nothing(
    cli: Run, tmp_path: Path, package: str, raised: str, verb: str, other: str, mended: str
) -> None:
    write_wav(tmp_path / "clips" / "a.wav", 0.5, 24_000)
    env = broken(tmp_path / "site", package, raised)
    assert_told(cli, f"{verb} --jobs 1", env, package, raised)
    assert_told(cli, other, env, package, raised)
    done = cli(*mended.split(), "--jobs", "1")
    assert done.returncode == 0, done.stderr


def test_check_shows_what_does_not_load_and_lists_go_on(cli: Run, tmp_path: Path) -> None:
    env = broken(tmp_path / "site", "torchaudio")
    shown = assert_told(cli, "check", env, "torchaudio", SYMBOL)
    rows = {line.split()[0]: line for line in shown.splitlines() if line}
    assert "does not load: encodec" in rows["encodec-mini"]
    assert "ok" in rows["snac-mini"]
    listed = cli("list", "codecs", env=env, fresh=True)
    assert (listed.returncode, listed.stderr) == (0, "")


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("soundfile", "check"),
        ("scipy", "run --codecs opus"),
        ("pydantic", "list recipes"),
        ("click", "--help"),
    ],
)
def test_a_package_that_everything_needs(
    cli: Run, tmp_path: Path, package: str, arguments: str
) -> None:
    raised = "OSError: library not found"
    assert_told(cli, arguments, broken(tmp_path / "site", package, raised), package, raised)
