"""Company changes nothing: a speed is the same alone, beside other codecs, and on other clips.

A plug-in brings a codec that takes no time and moves a clock of its own instead: the first call of
every length costs 0.3 s more than later ones, once per process.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest

from snacbench.rows import Speed
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import Run, make_clips, run_in

CLOCKED = """
import dataclasses, os, time
from pathlib import Path
from snacbench.codecs.toys import MODELS as TOYS
from snacbench.models import CodecModel

RTF = {"clocked@1": 0.02, "clocked@9": 0.05}
(TOY,) = [model for model in TOYS if model.name == "identity"]
POINTS = tuple(
    dataclasses.replace(TOY.points[0], name=name, model="clocked", anchor=False) for name in RTF
)
clock_s, seen = 0.0, set()


class Clocked:
    def __init__(self, spec, toy):
        self.spec, self.toy = spec, toy

    def at(self, spec):
        return Clocked(spec, self.toy)

    def spend(self, what, audio_s):
        global clock_s
        clock_s += RTF[self.spec.name] * audio_s + (0.0 if (what, audio_s) in seen else 0.3)
        seen.add((what, audio_s))

    def encode(self, audio):
        self.spend("encode", audio.duration_s)
        parent = os.getppid()  # of all workers
        workers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        with open(os.environ["CLOCKED_LOG"], "a") as log:
            print(audio.num_samples, len(workers), file=log)
        return self.toy.encode(audio)

    def decode(self, encoded, *, seed):
        self.spend("decode", encoded.num_samples / encoded.rate_hz)
        return self.toy.decode(encoded, seed=seed)


def load(spec, weights, device):
    time.perf_counter = lambda: clock_s
    return Clocked(spec, TOY.load(TOY.points[0], weights, device))


MODELS = (CodecModel("clocked", "clocked", POINTS, tuple(RTF), load),)
"""


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    return partial(run_in, tmp_path)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    site = tmp_path / "site"
    (site / "clocked-1.0.dist-info").mkdir(parents=True)
    (site / "clocked.py").write_text(CLOCKED)
    (site / "clocked-1.0.dist-info" / "METADATA").write_text("Name: clocked\nVersion: 1.0\n")
    points = "[snacbench.codecs]\nclocked = clocked\n"
    (site / "clocked-1.0.dist-info" / "entry_points.txt").write_text(points)
    path = f"{site}:{Path(__file__).resolve().parents[2]}"
    return {"PYTHONPATH": path, "CLOCKED_LOG": str(tmp_path / "log")}


def speeds(run: Path) -> dict[str, list[str]]:
    """What a run's summary says of each codec's speed."""
    rows = csv.DictReader((run / "summary.csv").open())
    columns = ("rtf_encode", "rtf_decode")
    return {r["codec"]: [r[c] for c in columns] for r in rows if r["domain"] == "all"}


def test_a_speed_is_the_same_in_whatever_company(
    cli: Run, env: dict[str, str], tmp_path: Path
) -> None:
    clips = make_clips(tmp_path / "clips")
    options = ("--metrics", "waveform_l1", "--speed-budget-s", "4")
    runs = {
        "alone": ("--codecs", "clocked@9", "--data", clips, "--jobs", "2"),
        "beside": ("--codecs", "clocked@1,clocked@9", "--data", clips, "--jobs", "1"),
        "other": ("--codecs", "clocked@9,identity", "--data", clips / "music", "--jobs", "1"),
    }
    for name, arguments in runs.items():
        done = cli("run", *arguments, *options, "-o", tmp_path / name, env=env, fresh=True)
        assert done.returncode == 0, done.stderr
    found = {name: speeds(tmp_path / name)["clocked@9"] for name in runs}
    assert [[round(float(v), 9) for v in of] for of in found.values()] == [[0.05, 0.05]] * 3
    assert round(float(speeds(tmp_path / "beside")["clocked@1"][0]), 9) == 0.02
    # Calls on the material of the measurement, which no clip is as long as, have no worker beside.
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert {beside for samples, beside in log if int(samples) == 3 * 48_000} == {"1"}


def test_speeds_are_kept_measured_again_or_left_out(
    cli: Run, env: dict[str, str], tmp_path: Path
) -> None:
    clips = make_clips(tmp_path / "clips") / "music"
    options = ("--data", clips, "--metrics", "waveform_l1", "--jobs", "1")
    codecs = ("--codecs", "clocked@1,clocked@9")
    none = cli(
        "run",
        *codecs,
        *options,
        "--speed-budget-s",
        "0",
        "-o",
        tmp_path / "none",
        env=env,
        fresh=True,
    )
    assert none.returncode == 0, none.stderr
    assert "RTF" not in none.stdout
    assert "Speed was not measured; 'snacbench speed RUN' does." in none.stdout
    again = cli("speed", tmp_path / "none", env=env, fresh=True)
    assert again.returncode == 0, again.stderr
    folder = RunFolder.open(tmp_path / "none")
    first = list(folder.read(Speed))
    assert [(row.codec, row.device, row.duration_s, len(row.encode_s)) for row in first] == [
        ("clocked@1", "cpu", 3.0, 10),
        ("clocked@9", "cpu", 3.0, 10),
    ]
    assert cli("run", "--resume", folder.path, env=env, fresh=True).returncode == 0
    assert list(folder.read(Speed)) == first
    shorter = cli("speed", folder.path, "--budget-s", "1.66", env=env, fresh=True)
    assert shorter.returncode == 0, shorter.stderr
    assert [len(row.encode_s) for row in folder.read(Speed)][2:] == [2, 3]
    assert "! RTF of clocked@1 is unstable: 2 repeats within the budget" in shorter.stdout
