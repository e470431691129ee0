"""score-files on decodes that come late: what it says, and what --align does."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.rows import Calibration, Coded, Delay
from snacbench.store.run_folder import RunFolder
from tests.conftest import broadband
from tests.support.command_line import Run
from tests.support.outside_runs import score_files, values, write

RATES_HZ = {"a": 16_000, "b": 44_100, "c": 48_000}
DELAY_S = 0.025


@pytest.fixture
def late(tmp_path: Path) -> list[str]:
    """Options that name references and decodes at three rates, which come 25 ms late."""
    for seed, (name, rate_hz) in enumerate(RATES_HZ.items()):
        source = broadband(2.5, rate_hz, seed=seed)
        noise = 0.003 * np.random.default_rng(1).standard_normal(source.samples.shape)
        write(tmp_path / "refs" / f"{name}.wav", source)
        decode = replace(source, samples=np.float32(source.samples + noise))
        write(tmp_path / "evs" / f"{name}.wav", advanced(decode, -round(DELAY_S * rate_hz)))
    return ["--reference", "refs", "--degraded", "evs", "--domain", "speech", "--jobs", "1"]


def test_the_delay_is_said_and_warned_of(cli: Run, late: list[str], tmp_path: Path) -> None:
    metrics = ("--metrics", "si_sdr,si_sdr_aligned")
    done = cli("score-files", *late, *metrics, "-o", "run", "--format", "csv")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "delay 25.0 ms late in 100% of the files looked at" in told
    assert "length as the references" in told
    assert "warning: decodes of evs come 25.0 ms late (median of 3 clips)" in told
    assert "score-files --align takes the delay away" in told
    assert {row["codec"] for row in csv.DictReader(io.StringIO(done.stdout))} == {"evs"}
    folder = RunFolder.open(tmp_path / "run")
    (calibration,) = folder.read(Calibration)
    assert calibration.delay_s == pytest.approx(DELAY_S, abs=1 / 16_000)
    for row in folder.read(Delay):
        rate_hz = RATES_HZ[Path(row.clip).name]
        assert row.lag_s == row.own_lag_s == round(DELAY_S * rate_hz) / rate_hz
    raw, aligned = (np.array(values(folder, m), float) for m in ("si_sdr", "si_sdr_aligned"))
    assert (aligned > np.maximum(raw + 10, 20)).all()


def test_align_takes_the_delay_away_before_every_metric(
    cli: Run, late: list[str], tmp_path: Path
) -> None:
    done = cli("score-files", *late, "--metrics", "stoi", "-o", "run", "--align")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "taken away from all files" in told
    assert "length 3 of 3 files cut or filled up at the end, by up to 25.0 ms" in told
    assert "warning" not in told
    aligned = RunFolder.open(tmp_path / "run")
    as_it_is = score_files(tmp_path / "refs", tmp_path / "evs", tmp_path / "r", metrics="stoi")
    for before, after in zip(values(as_it_is, "stoi"), values(aligned, "stoi"), strict=True):
        assert before is not None
        assert after is not None
        assert after > max(before + 0.1, 0.9)
    assert aligned.run.request.outside.align
    assert "taken away" in aligned.run.facts["delay"]
    coded = list(aligned.read(Coded))
    assert [row.removed_delay_s for row in coded] == pytest.approx([DELAY_S] * 3, abs=1e-4)
    assert [row.fitted_s for row in coded] == pytest.approx([DELAY_S] * 3, abs=1e-4)
    assert [row.delay_s for row in aligned.read(Calibration)] == [0.0]
    assert all(row.found and abs(row.lag_s) <= 1 / 16_000 for row in aligned.read(Delay))
