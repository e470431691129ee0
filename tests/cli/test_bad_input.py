"""Whatever is wrong gets one clear sentence or a failed row: no traceback, nothing lost."""

import click
import numpy as np
import pytest

from snacbench.errors import SnacbenchError
from tests.support.cases import cases
from tests.support.command_line import FAST, call, rows_of, write_raw, write_wav
from tests.support.synthetic_runs import make_run


@pytest.mark.parametrize(("arguments", "message"), cases(__file__)["mistakes"])
def test_mistakes_on_the_command_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for path in ("a.wav", "clips/a.wav", "out/a.wav", "elsewhere/b.wav"):
        write_wav(tmp_path / path, 0.1, 16_000)
    make_run(tmp_path / "made", {"c": {"up": np.arange(2.0)}})
    verb, *words = arguments.split()
    if verb == "score-files":
        words = ["--reference", "clips", "--degraded", "out", "--name", "evs", "-o", "r", *words]
    with pytest.raises((SnacbenchError, click.BadParameter)) as refusal:
        call(verb, *words)
    assert message in " ".join(str(refusal.value).split())


def test_unreadable_files_fail_with_their_reasons(cli, tmp_path):
    write_wav(tmp_path / "sick" / "healthy.wav", 1.0, 16_000)
    (tmp_path / "sick" / "text.wav").write_text("this is no audio at all\n" * 99)
    cut = write_wav(tmp_path / "sick" / "cut.wav", 1.0, 16_000)
    cut.write_bytes(cut.read_bytes()[:9_000])
    bad = np.where(np.arange(8_000) == 100, np.nan, 0.0).astype(np.float32)
    write_raw(tmp_path / "sick" / "nan.wav", bad, 16_000)
    done = cli("run", "--codecs", "identity,opus@24", *FAST, "--data", "sick", "-o", "r", code=1)
    assert "6 codings failed" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    coded, scores = rows_of(tmp_path / "r")
    for row in coded:
        reason = {
            "sick/healthy": "",
            "sick/text": "is not audio",
            "sick/cut": "holds 0.28 of the 1.00 s that its header states",
            "sick/nan": "1 of 8000 samples are NaN or infinite",
        }[row.clip]
        assert (row.status, row.bits is None) == (("failed", True) if reason else ("ok", False))
        assert reason in row.reason
    assert (len(coded), len(scores)) == (8, 16)
    assert all(s.value is None for s in scores if s.clip != "sick/healthy")


def test_without_network_and_weights_the_families_fall_back_and_say_so(cli, tmp_path):
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    done = cli("run", "--codecs", "snac,dac,encodec,opus", "--plan", env=home)
    assert "embedded demonstration models, because" in done.stderr
    assert "snac-mini" in done.stderr
