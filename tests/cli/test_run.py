"""The main job from the command line: a run, its folder, its tables, and its repetition."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from snacbench.audio.resample import resample
from snacbench.rows import Calibration, CodeHistogram
from snacbench.store.run_folder import RunFolder
from tests.conftest import broadband
from tests.support.command_line import (
    FAST,
    Run,
    essence,
    kill_when,
    make_clips,
    rows_of,
    run_in,
    snacbench_command,
    write_raw,
)

CODECS = "identity,lowpass@3.5kHz,noise@20dB,opus@24"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five healthy clips for all tests of this file; none of them may change one."""
    return make_clips(tmp_path_factory.mktemp("set") / "clips")


@pytest.fixture(scope="module")
def run(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change it work on a copy."""
    path = tmp_path_factory.mktemp("runs") / "r"
    done = run_in(path.parent, "run", "--codecs", CODECS, "--data", clips, "-o", path, *FAST)
    assert done.returncode == 0, done.stderr
    assert "Rates and quality" in done.stdout
    assert str(path) in done.stdout
    assert "5 clips" in done.stderr
    return path


def test_a_run_has_every_row_and_its_provenance(run: Path) -> None:
    coded, scores = rows_of(run)
    assert len(coded) == 5 * 4
    assert len(scores) == 5 * 4 * 2
    assert {r.status for r in coded} == {"ok"}
    provenance = json.loads((run / "run.json").read_text())
    assert provenance["facts"]["libopus"].startswith("libopus")
    assert provenance["request"]["codecs"] == CODECS
    assert provenance["packages"]["numpy"]
    assert provenance["machine"]["cores"]
    assert len(provenance["set_sha256"]) == 64


def test_identity_scores_perfectly_or_says_that_it_cannot(run: Path) -> None:
    _, scores = rows_of(run)
    of_identity = {(s.clip, s.metric): s for s in scores if s.codec == "identity"}
    assert all(s.value == 0.0 for (_, m), s in of_identity.items() if m == "mel_dac7")
    undefined = [s for (_, m), s in of_identity.items() if m == "si_sdr"]
    assert all(s.status == "undefined" and s.value is None and s.reason for s in undefined)


def test_the_csv_is_tidy(run: Path) -> None:
    rows = list(csv.DictReader((run / "summary.csv").open()))
    assert list(rows[0]) == [
        "schema", "table", "codec", "domain", "source", "beside",
        "n", "nominal_kbps", "actual_kbps", "entropy_kbps", "entropy_kbps_low", "entropy_kbps_high",
        "efficiency_percent", "efficiency_percent_low", "efficiency_percent_high",
        "bitrate_efficiency_percent", "tokens_per_s", "rtf_encode", "rtf_encode_low",
        "rtf_encode_high", "rtf_decode", "rtf_decode_low", "rtf_decode_high", "rtf_batch",
        "rtf_unstable", "params_m", "si_sdr", "si_sdr_low", "si_sdr_high", "si_sdr_n",
        "si_sdr_marks", "mel_dac7", "mel_dac7_low", "mel_dac7_high", "mel_dac7_n",
        "mel_dac7_marks", "notes",
    ]  # fmt: skip
    assert [r["domain"] for r in rows if r["codec"] == "identity"] == [
        "speech", "music", "environment", "all",
    ]  # fmt: skip
    undefined = rows[0]
    assert (undefined["si_sdr"], undefined["si_sdr_n"]) == ("", "0")


def test_the_same_request_gives_the_same_rows_on_any_number_of_workers(
    cli: Run, clips: Path, run: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    options = ("--codecs", CODECS, "--data", clips, "--metrics", "si_sdr,mel_dac7")
    assert cli("run", *options, "-o", again, "--jobs", "2").returncode == 0
    assert essence(again) == essence(run)
    other = tmp_path / "other"
    assert cli("run", *options, "-o", other, "--seed", "1").returncode == 0
    assert essence(other) != essence(run)


def test_resuming_a_finished_run_repeats_nothing(cli: Run, run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.jsonl")}
    done = cli("run", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.jsonl")} == before


@pytest.mark.parametrize("file", ["coded.jsonl", "scores.jsonl"])
def test_a_run_stopped_half_way_resumes_to_the_same_rows(
    cli: Run, clips: Path, run: Path, tmp_path: Path, file: str
) -> None:
    path = tmp_path / "stopped"
    options = ("run", "--codecs", CODECS, "--data", clips, *FAST, "-o", path)
    assert kill_when(path / file, 3, signal.SIGKILL, *options) == -signal.SIGKILL
    with (path / file).open("ab") as stream:
        stream.write(b'{"clip": "cut off in the middle of a li')
    done = cli("run", "--resume", path)
    assert done.returncode == 0, done.stderr
    assert essence(path) == essence(run)
    assert not list(path.rglob("*.partial"))


def test_ctrl_c_says_how_to_go_on(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "stopped"
    process = subprocess.Popen(
        snacbench_command("run", "--codecs", CODECS, "--data", clips, *FAST, "-o", path),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    while not (path / "coded.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"snacbench run --resume {path}" in stderr
    assert "Traceback" not in stderr


def test_new_metrics_on_old_decodes_equal_those_of_a_run_that_had_them(
    cli: Run, clips: Path, run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(run, tmp_path / "copy")
    done = cli("score", run, "--metrics", "stft_dac")
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole"
    options = ("--codecs", CODECS, "--data", clips, "--metrics", "stft_dac", "-o", whole)
    assert cli("run", *options).returncode == 0
    later = {(s.clip, s.codec): s.value for s in rows_of(run)[1] if s.metric == "stft_dac"}
    at_once = {(s.clip, s.codec): s.value for s in rows_of(whole)[1]}
    assert later == at_once


def test_table_prints_a_run_again(cli: Run, run: Path) -> None:
    assert cli("table", run, "--format", "csv").stdout == (run / "summary.csv").read_text()
    assert cli("table", run, "--format", "markdown").stdout == (run / "summary.md").read_text()
    assert "Rates and quality" in cli("table", run).stdout


def test_embedded_models_run_and_are_named_so(cli: Run, clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "minis"
    options = ("--weights", "embedded", "--data", clips, "--limit", "1", "-o", path)
    codecs = "snac,dac@3q,9q,encodec@3"
    done = cli("run", "--codecs", codecs, *options, "--metrics", "mel_dac7")
    assert done.returncode == 0, done.stderr
    assert "demonstration models, not the published codecs" in done.stdout
    coded, _ = rows_of(path)
    dac = {"dac-mini@2.25kbps", "dac-mini@6.75kbps"}
    assert {r.codec for r in coded} == {"snac-mini", "encodec-mini@3kbps", *dac}
    assert all("-mini" in (r.decoded or "") for r in coded)
    folder = RunFolder.open(path)
    delays = {c.codec: c.delay_s for c in folder.read(Calibration)}
    assert set(delays) == {r.codec for r in coded}
    assert len({delays[name] for name in dac}) == 1
    assert {h.stream for h in folder.read(CodeHistogram) if h.codec == "snac-mini"} == {0, 1, 2}
    row = next(csv.DictReader((path / "summary.csv").open()))
    assert (row["entropy_kbps"], row["efficiency_percent"]) == (
        "",
        "",
    )  # of so few tokens only a range
    low, high = float(row["entropy_kbps_low"]), float(row["entropy_kbps_high"])
    assert 0 < low <= high <= float(row["actual_kbps"])
    assert 0 < float(row["efficiency_percent_low"]) <= float(row["efficiency_percent_high"]) <= 100


def test_a_run_warns_of_what_it_measured_on_the_recordings(cli: Run, tmp_path: Path) -> None:
    narrow = resample(broadband(2.0, 16_000, seed=6), 48_000)
    for name in ("a", "b"):
        write_raw(tmp_path / "wide" / f"{name}.wav", narrow.samples.T, 48_000)
    done = cli("run", "--codecs", "identity", "--data", tmp_path / "wide", *FAST, "-o", "r")
    assert done.returncode == 0, done.stderr
    (warning,) = (line for line in done.stderr.splitlines() if line.startswith("warning:"))
    assert "2 of 2 clips" in warning
    assert "end sharply at 7.8 kHz in files at 48 kHz" in warning
