"""The command line, called in this process or another, and small folders of audio for it."""

import csv
import importlib
import io
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from snacbench import plugins
from snacbench.cli.main import main
from snacbench.cli.verbs import cli
from snacbench.rows import Calibration, ClipMeasures, Coded, CodeHistogram, Delay, Score
from snacbench.store.run_folder import RunFolder
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
    folder: Path, *arguments: object, code: int = 0, env: dict[str, str] | None = None,
    plugged: Path | None = None, fresh: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run snacbench in a folder, without a network to look for; it must exit with `code`.

    In this process, which has imported everything, and with plug-ins from the folder `plugged`;
    in a `fresh` one where the environment matters to what is imported."""
    command = snacbench_command(*arguments)
    given = {"HF_HUB_OFFLINE": "1", **(env or {})}
    if fresh:
        how = {"capture_output": True, "text": True, "timeout": 300}
        done = subprocess.run(command, cwd=folder, env={**os.environ, **given}, check=False, **how)
        assert done.returncode == code, done.stdout + done.stderr
        return done
    outputs = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        if plugged:
            patch.syspath_prepend(str(plugged))
            forget(plugged)
        for name, value in given.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["snacbench", *command[3:]])
        before = dict(os.environ)
        try:
            with redirect_stdout(outputs[0]), redirect_stderr(outputs[1]):
                main()
            ended_by = 0
        except SystemExit as ended:
            ended_by = int(ended.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
            if plugged:
                forget(plugged)
    done = subprocess.CompletedProcess(command, ended_by, *(text.getvalue() for text in outputs))
    assert ended_by == code, done.stdout + done.stderr
    return done


def forget(plugged: Path) -> None:
    """Forget plug-ins, so that what is installed next is found."""
    for path in plugged.glob("*.py"):
        sys.modules.pop(path.stem, None)
    importlib.invalidate_caches()
    plugins.discovered.cache_clear()


def write_wav(path: Path, seconds: float, rate_hz: int, **options: int) -> Path:
    samples = broadband(seconds, rate_hz, **options).samples.T
    return write_raw(path, samples, rate_hz, subtype="PCM_16")


def make_clips(folder: Path) -> Path:
    """A folder of five healthy clips, three domains, different rates and channels."""
    write_wav(folder / "speech" / "a.wav", 1.0, 16_000, seed=1)
    write_wav(folder / "speech" / "b.wav", 1.2, 24_000, seed=2)
    write_wav(folder / "music" / "c.wav", 1.1, 44_100, channels=2, seed=3)
    write_wav(folder / "music" / "d.wav", 0.9, 48_000, seed=4)
    write_wav(folder / "environment" / "e.wav", 1.0, 32_000, seed=5)
    return folder


def write_raw(path: Path, samples: np.ndarray, rate_hz: int, *, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def call(*arguments: object) -> Result:
    """Call a verb; what it refuses is raised."""
    done = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def begun(path: Path, lines: int, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own, and group, in which a verb has written so many lines of a file."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    process = subprocess.Popen(snacbench_command(*arguments), env=environment, text=True, **how)
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < lines):
        time.sleep(0.01)
    return process


def rows_of(path: Path) -> tuple[list[Coded], list[Score]]:
    folder = RunFolder.open(path)
    coded = sorted(folder.read(Coded), key=lambda r: (r.codec, r.clip))
    scores = sorted(folder.read(Score), key=lambda r: (r.codec, r.clip, r.metric))
    return coded, scores


def summary(path: Path) -> list[dict[str, str]]:
    """The lines of a run's summary."""
    return list(csv.DictReader((path / "summary.csv").read_text("utf-8").splitlines()))


def all_rows(path: Path) -> dict[tuple[Any, ...], Any]:
    """Every row of a run by what it is of, timings left out."""
    run = RunFolder.open(path)
    codes = ((r, (r.codebook_size, r.codes.tolist(), r.counts.tolist()))
             for r in run.read(CodeHistogram))  # fmt: skip
    return {
        **{(r.clip, r.codec): replace(r, encode_s=None, decode_s=None) for r in run.read(Coded)},
        **{(r.clip, r.codec, r.stream): counted for r, counted in codes},
        **{("delay of", r.codec): r for r in run.read(Calibration)},
        **{("lag of", r.clip, r.codec): r for r in run.read(Delay)},
        **{("measures of", r.clip): r for r in run.read(ClipMeasures)},
        **{(r.clip, r.codec, r.metric): r for r in run.read(Score)},
    }
