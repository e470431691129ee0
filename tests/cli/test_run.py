"""The main job from the command line: a run, its folder, its tables, and its repetition."""

import json
import os
import signal

import pytest

from snacbench.audio.resample import resample
from snacbench.rows import Agreement, Calibration, Coded, CodeHistogram
from snacbench.store.run_folder import RunFolder
from tests.conftest import broadband
from tests.support import command_line
from tests.support.waiting import PATIENCE_S

CODECS = "identity,lowpass@3.5kHz,noise@20dB,opus@24"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Five healthy clips for all tests of this file; none of them may change one."""
    return command_line.make_clips(tmp_path_factory.mktemp("set") / "clips")


@pytest.fixture(scope="module")
def run(clips, tmp_path_factory):
    """A finished run, which no test changes."""
    path = tmp_path_factory.mktemp("runs") / "r"
    options = ("--codecs", CODECS, "--data", clips, *command_line.FAST)
    done = command_line.run_in(path.parent, "run", *options, "-o", path)
    assert "Rates and quality" in done.stdout
    assert str(path) in done.stdout
    assert "5 clips" in done.stderr
    return path


def test_a_run_has_every_row_and_its_provenance(run, cli):
    coded, scores = command_line.rows_of(run)
    assert [r.status for r in coded] == ["ok"] * 5 * 4
    assert len(scores) == 5 * 4 * 2
    of_identity = [s for s in scores if s.codec == "identity"]
    assert {s.value for s in of_identity if s.metric == "mel_dac7"} == {0.0}
    undefined = [s for s in of_identity if s.metric == "si_sdr"]
    assert all(s.status == "undefined" and s.value is None and s.reason for s in undefined)
    provenance = json.loads((run / "run.json").read_text())
    assert provenance["request"]["codecs"] == CODECS
    assert provenance["packages"]["numpy"]
    # Its tables are tidy and printed again.
    rows = command_line.summary(run)
    domains = [row["domain"] for row in rows if row["codec"] == "identity"]
    assert domains == ["speech", "music", "environment", "all"]
    assert (rows[0]["si_sdr"], rows[0]["si_sdr_n"]) == ("", "0")
    assert cli("table", run, "--format", "csv").stdout == (run / "summary.csv").read_text()
    assert cli("table", run, "--format", "markdown").stdout == (run / "summary.md").read_text()


def test_ctrl_c_says_how_to_go_on(clips, tmp_path):
    path = tmp_path / "r"
    options = ("run", "--codecs", CODECS, "--data", clips, *command_line.FAST, "-o", path)
    process = command_line.begun(path / "coded.jsonl", 0, *options)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"snacbench run --resume {path}" in stderr
    assert "Traceback" not in stderr


def test_embedded_models_run_and_are_named_so(cli, clips, tmp_path):
    path = tmp_path / "minis"
    options = ("--weights", "embedded", "--data", clips, "--limit", "1", "-o", path)
    done = cli("run", "--codecs", "snac,dac@3q,9q,encodec@3", *options, "--metrics", "mel_dac7")
    assert "demonstration models, not the published codecs" in done.stdout
    coded, _ = command_line.rows_of(path)
    dac = {"dac-mini@2.25kbps", "dac-mini@6.75kbps"}
    assert {r.codec for r in coded} == {"snac-mini", "encodec-mini@3kbps", *dac}
    folder = RunFolder.open(path)
    delays = {c.codec: c.delay_s for c in folder.read(Calibration)}
    assert delays.keys() == {r.codec for r in coded}
    assert len({delays[name] for name in dac}) == 1
    assert {h.stream for h in folder.read(CodeHistogram) if h.codec == "snac-mini"} == {0, 1, 2}
    row = command_line.summary(path)[0]
    assert (row["entropy_kbps"], row["efficiency_percent"]) == ("", "")  # of so few only a range
    assert 0 < float(row["entropy_kbps_low"]) <= float(row["entropy_kbps_high"])


def test_batches_and_reduced_precision_are_recorded_and_said(cli, tmp_path):
    for seed, seconds in enumerate((0.6, 0.6, 0.6, 0.6, 0.8)):
        path = tmp_path / "clips" / "speech" / f"{seed}.wav"
        command_line.write_wav(path, seconds, 24_000, seed=seed)
    codecs = ("--codecs", "encodec-mini@1.5,opus@24", "--weights", "embedded")
    options = ("--precision", "bf16", "--batch", "3", "--speed-budget-s", "0.2", "--jobs", "1")
    metrics = ("--metrics", "si_sdr")
    done = cli("run", *codecs, "--data", tmp_path / "clips", *options, *metrics, "-o", "r")
    assert "codes are compared with fp32's first" in " ".join(done.stderr.split())
    assert "encodec-mini@1.5kbps in cpu bf16 against cpu fp32" in done.stdout
    assert "RTF in batches" in done.stdout
    run = RunFolder.open(tmp_path / "r")
    (row,) = run.read(Agreement)
    assert 0 < row.equal < row.tokens
    assert (run.run.request.batch, run.run.request.precision) == (3, "bf16")
    batches = {(c.codec[:4], c.clip[-1]): c.batch for c in run.read(Coded)}
    assert sorted(batches["enco", clip] or 0 for clip in "0123") == [1, 3, 3, 3]
    batched = {line["codec"]: line["rtf_batch"] for line in command_line.summary(run.path)}
    assert batched["encodec-mini@1.5kbps"] == "3"


def test_a_run_warns_of_what_it_measured_on_the_recordings(cli, tmp_path):
    narrow = resample(broadband(2.0, 16_000, seed=6), 48_000)
    for name in ("a", "b"):
        command_line.write_raw(tmp_path / "wide" / f"{name}.wav", narrow.samples.T, 48_000)
    wide = ("--data", tmp_path / "wide", *command_line.FAST)
    done = cli("run", "--codecs", "identity", *wide, "-o", "r")
    (warning,) = (line for line in done.stderr.splitlines() if line.startswith("warning:"))
    assert "2 of 2 clips: a sharp end at 7.8 kHz in files at 48 kHz" in " ".join(warning.split())
