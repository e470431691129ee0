"""Company changes nothing: a speed is the same alone, beside other codecs, and on other clips.

A codec takes no time and moves a clock of its own instead: the first call of every length costs
0.3 s more than later ones, once per process."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from snacbench.rows import Speed
from snacbench.store.run_folder import RunFolder
from tests.support.cases import cases
from tests.support.command_line import run_in, summary, write_wav

Run = Callable[..., str]

CLOCKED = cases(__file__)["clocked"]


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    (tmp_path / "clocked.py").write_text(CLOCKED)
    for number, rate_hz in enumerate((16_000, 44_100)):
        write_wav(tmp_path / "clips" / "speech" / f"{number}.wav", 0.4, rate_hz, seed=number)
    write_wav(tmp_path / "clips" / "music" / "c.wav", 0.5, 48_000, seed=3)

    return lambda *arguments: run_in(tmp_path, *arguments).stdout


def speeds(run: Path) -> dict[str, list[float]]:
    """What a run's summary says of each codec's speed."""
    lines = [line for line in summary(run) if line["domain"] == "all"]
    return {r["codec"]: [float(r[c]) for c in ("rtf_encode", "rtf_decode")] for r in lines}


OPTIONS = ("--metrics", "waveform_l1", "--speed-budget-s")


def test_a_speed_is_the_same_in_whatever_company(cli: Run, tmp_path: Path) -> None:
    runs = {
        "alone": ("--codecs", "clocked.py@9", "--data", "clips", "--jobs", "2"),
        "beside": ("--codecs", "clocked.py@1,clocked.py@9", "--data", "clips", "--jobs", "1"),
        "other": ("--codecs", "clocked.py@9,lowpass@3kHz", "--data", "clips/music", "--jobs", "1"),
    }
    for name, arguments in runs.items():
        cli("run", *arguments, *OPTIONS, "4", "-o", name)
    for name in runs:
        assert speeds(tmp_path / name)["clocked@9"] == pytest.approx([0.05, 0.05], abs=1e-9)
    assert speeds(tmp_path / "beside")["clocked@1"] == pytest.approx([0.02, 0.02], abs=1e-9)
    # Calls on the material of the measurement, which no clip is as long as, have no worker beside.
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert {beside for samples, beside in log if int(samples) == 3 * 48_000} == {"1"}


def test_speeds_are_kept_measured_again_or_left_out(cli: Run, tmp_path: Path) -> None:
    codecs = ("--codecs", "clocked.py@1,clocked.py@9", "--data", "clips/music", "--jobs", "1")
    none = cli("run", *codecs, *OPTIONS, "0", "-o", "none")
    assert "RTF" not in none
    assert "Speed was not measured; 'snacbench speed RUN' does." in none
    cli("speed", "none")
    folder = RunFolder.open(tmp_path / "none")
    first = list(folder.read(Speed))
    assert [(row.codec, row.device, row.duration_s, len(row.encode_s)) for row in first] == [
        ("clocked@1", "cpu", 3.0, 10),
        ("clocked@9", "cpu", 3.0, 10),
    ]
    cli("run", "--resume", "none")
    assert list(folder.read(Speed)) == first
    request = replace(folder.run.request, metrics=("forgotten",), data="gone")
    folder.rewrite_run(replace(folder.run, request=request))  # neither is needed
    shorter = cli("speed", "none", "--budget-s", "1.66")
    assert [len(row.encode_s) for row in folder.read(Speed)][2:] == [2, 3]
    assert "! RTF of clocked@1 is unstable: 2 repeats within the budget" in shorter
