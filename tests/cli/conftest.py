"""Running the real command line on small folders of audio."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.cli.main import main
from tests.conftest import broadband

Run = Callable[..., "subprocess.CompletedProcess[str]"]

NO_SPEED = ("--speed-budget-s", "0")
FAST = ("--metrics", "si_sdr,mel_dac7", "--jobs", "1", *NO_SPEED)


def snacbench_command(*arguments: object) -> list[str]:
    """The command line; runs measure speed, for seconds per point, only if they say how long."""
    words = list(map(str, arguments))
    others = {"--resume", "--plan", NO_SPEED[0]}
    begins = words[:1] == ["run"] and "--codecs" in words and not others & set(words)
    return [sys.executable, "-m", "snacbench", *words, *(NO_SPEED if begins else ())]


def run_in(
    folder: Path, *arguments: object, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run snacbench in a folder, without a network to look for.

    In this process, which has imported everything, unless it is to have another environment.
    """
    command = snacbench_command(*arguments)
    if env is None:
        return _called(folder, command)
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _called(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    outputs = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(sys, "argv", ["snacbench", *command[3:]])
        before = dict(os.environ)
        try:
            with redirect_stdout(outputs[0]), redirect_stderr(outputs[1]):
                main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
    return subprocess.CompletedProcess(command, code, *(text.getvalue() for text in outputs))


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """``cli("run", ...)`` runs snacbench in an empty folder."""
    return partial(run_in, tmp_path)


def write_wav(path: Path, seconds: float, rate_hz: int, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = broadband(seconds, rate_hz, **options)
    soundfile.write(path, audio.samples.T, rate_hz, subtype="PCM_16")
    return path


def make_clips(folder: Path) -> Path:
    """A folder of five healthy clips, three domains, different rates and channels."""
    write_wav(folder / "speech" / "a.wav", 1.0, 16_000, seed=1)
    write_wav(folder / "speech" / "b.wav", 1.2, 24_000, seed=2)
    write_wav(folder / "music" / "c.wav", 1.1, 44_100, channels=2, seed=3)
    write_wav(folder / "music" / "d.wav", 0.9, 48_000, seed=4)
    write_wav(folder / "environment" / "e.wav", 1.0, 32_000, seed=5)
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Five healthy clips for one test alone."""
    return make_clips(tmp_path / "clips")


def write_raw(path: Path, samples: np.ndarray, rate_hz: int, *, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path
