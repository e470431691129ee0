"""What `import snacbench` offers: runs, scores of single signals, codecs and metrics."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import snacbench as sb
from snacbench.api.run import normal
from tests.conftest import broadband
from tests.support.command_line import write_raw

COLUMNS = [
    "clip", "domain", "cluster", "codec", "model", "condition", "kbps", "tokens_per_s",
    "metric", "value", "status", "reason",
]  # fmt: skip
X = broadband(1.0, 16_000, seed=1)
Y = sb.Audio(X.samples + 0.01 * broadband(1.0, 16_000, seed=2).samples, 16_000)


def write(path: Path, audio: sb.Audio) -> Path:
    return write_raw(path, audio.samples.T, audio.rate_hz)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> sb.Run:
    return sb.run(
        ["snac-mini", "opus@14"], out=tmp_path_factory.mktemp("api") / "run",
        metrics=["si_sdr", "mel_dac7"], limit=1, jobs=1, speed_budget_s=0, weights="embedded",
    )  # fmt: skip


def test_the_public_names_are_there_and_no_others() -> None:
    assert dir(sb) == sb.__all__ == sorted(sb.__all__)
    for name in sb.__all__:
        assert getattr(sb, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sb.nothing  # type: ignore[attr-defined]
    for kind, name in (("families", "snac"), ("codecs", "opus"), ("plots", "quality-rate")):
        assert name in sb.names(kind)
    assert "quick" in sb.names("sets")
    with pytest.raises(sb.UserError, match="no kind of name 'codec'"):
        sb.names("codec")


def test_a_run_has_frames(made: sb.Run) -> None:
    assert made.ok
    assert made.failed.empty
    assert list(made.scores.columns) == COLUMNS
    assert len(made.scores) == 3 * 2 * 2
    summary = made.summary("all", ci=False)
    assert summary["codec"].tolist() == ["snac-mini", "opus@14kbps"]
    mean = made.scores.query("metric == 'si_sdr' and codec == 'snac-mini'")["value"].mean()
    assert summary["si_sdr"][0] == pytest.approx(mean)
    assert "2 operating points" in repr(made)
    assert "<table" in made._repr_html_()


def test_a_run_is_loaded_scored_and_resumed(made: sb.Run) -> None:
    assert sb.load(made.path).scores.equals(made.scores)
    more = made.score("stft_dac")
    assert len(more.scores) == len(made.scores) + 6
    again = sb.run(resume=made.path)
    pd.testing.assert_frame_equal(again.scores, more.scores)
    with pytest.raises(sb.UserError, match=r"leave out codecs, limit"):
        sb.run("opus@6", resume=made.path, limit=3)
    with pytest.raises(sb.UserError, match="name its run: resume=RUN"):
        sb.run("opus@6", retry_failed=True)
    with pytest.raises(sb.UserError, match="asked for 'metric'; did you mean metrics"):
        sb.run("opus@14", metric="pesq")


def test_tables_plots_comparisons_and_reports(made: sb.Run, tmp_path, monkeypatch):
    assert "snac-mini" in made.table(by="all")
    assert "opus" not in made.table(by="all", codecs="snac-mini", caption=False)
    assert made.plot("quality-rate", metric="mel_dac7").axes
    assert sb.compare(made, made.path).passed
    with pytest.raises(sb.UserError, match="no layout named 'snac'"):
        made.table("snac")
    with pytest.raises(sb.UserError, match="no format named 'word'"):
        made.table(format="word")
    monkeypatch.setattr("snacbench.runner.engine.source_warnings", lambda folder: ["1 is silent"])
    page = made.report(tmp_path / "report", clips=0) / "index.html"
    assert "1 is silent.<" in page.read_text("utf-8")


def test_two_runs_in_one_process_do_not_touch_each_other(tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    options = {"limit": 1, "metrics": "si_sdr", "jobs": 1, "speed_budget_s": 0.0}
    sb.run("identity", out=tmp_path / "a", offline=True, asr="pocketsphinx", **options)
    noted = "the host is slow"
    monkeypatch.setattr("snacbench.runner.engine.warnings_before", lambda *_: [noted])
    other = sb.run("identity", out=tmp_path / "b", **options)
    assert other.warnings[0] == noted
    assert noted not in sb.load(other.path).warnings
    both = sb.merge([tmp_path / "a", other], tmp_path / "both")
    assert both.warnings[0].startswith("2 runs merged; ")
    assert not other.request.offline
    assert other.request.asr is None
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import snacbench as sb\n"
        "run = sb.run('identity', out='run', limit=1, metrics='si_sdr', speed_budget_s=0, jobs=1)\n"
        "print(run.ok, len(run.scores))\n"
        "print([found.reason for found in sb.check_codec('identity') if found.reason])\n"
    )
    command = [sys.executable, script.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("True 3\n[]\n", 0), done.stderr


def test_single_signals_are_scored_as_a_run_would(tmp_path: Path) -> None:
    files = [write(tmp_path / name, audio) for name, audio in (("a.wav", X), ("b.wav", Y))]
    names = ["si_sdr", "stoi"]
    si_sdr, stoi = (sb.metric(name)(reference=X, degraded=Y) for name in names)
    expected = [pytest.approx(si_sdr, abs=0.01), pytest.approx(stoi, abs=1e-3)]
    for found in (
        sb.score(*files, ",".join(names)),
        sb.score(X.samples[0], Y.samples[0], names, rate_hz=16_000),
        sb.score(X, Y, names, name="mine"),
    ):
        assert list(found.columns) == COLUMNS
        assert found["metric"].tolist() == names
        assert found["value"].tolist() == expected
    assert set(found["codec"]) == {"mine"}


def test_a_recognisers_folder_is_found_from_anywhere() -> None:
    for asr, kept in (
        ("faster-whisper@cuda:a b", f"faster-whisper@cuda:{Path.cwd()}/a b"),
        ("faster-whisper:", "faster-whisper:"),
        ("wav2vec2@cuda", "wav2vec2@cuda"),
    ):
        assert normal({"asr": asr}) == {"asr": kept}


def test_what_is_no_signal_is_refused() -> None:
    si_sdr, x = sb.metric("si_sdr"), X.samples[0]
    for reference, rate_hz, message in (
        (x, None, "say its sampling rate with rate_hz"),
        (x.astype(np.int16), 16_000, r"array of int16 .* expected floating point"),
        (np.zeros((1, 1, 2)), 16_000, r"shape \(1, 1, 2\)"),
    ):
        with pytest.raises(sb.UserError, match=message):
            si_sdr(reference=reference, degraded=x, rate_hz=rate_hz)
    with pytest.raises(sb.Undefined):
        si_sdr(reference=0 * x, degraded=x, rate_hz=16_000)
    with pytest.raises(sb.UserError, match="score keeps no run, so it takes no out; score_files"):
        sb.score(x, x, rate_hz=16_000, out="run")
    with pytest.raises(sb.UserError, match=r"language 'German': .* did you mean de"):
        si_sdr(reference=x, degraded=x, rate_hz=16_000, language="German")
    with pytest.raises(sb.UserError, match="no metric named 'pesc'"):
        sb.metric("pesc")


def test_a_codec_codes_single_signals_and_files(tmp_path: Path) -> None:
    opus = sb.codec("opus@14")
    decoded = opus.roundtrip(X.samples[0], rate_hz=16_000)
    assert (decoded.rate_hz, decoded.num_samples) == (48_000, 48_000)
    (part,) = opus.encode(X)
    np.testing.assert_array_equal(opus.decode([part]).samples, decoded.samples)
    coded = sb.encode(write(tmp_path / "x.wav", X), tmp_path / "x.sncb", codec="opus@14")
    np.testing.assert_array_equal(sb.decode(coded, tmp_path / "y.wav").samples, decoded.samples)
    assert (tmp_path / "y.wav").is_file()
    with pytest.raises(sb.UserError, match="operating points"):
        sb.codec("opus@6,14")
    # Points of one model stay apart.
    one, other = sb.codec("dac-mini@1q"), sb.codec("dac-mini@2q")
    assert (len(one.encode(X)[0].codes), len(other.encode(X)[0].codes)) == (1, 2)
    assert one.spec.nominal_kbps < other.spec.nominal_kbps
