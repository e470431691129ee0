"""An ablation over checkpoints of one's own, from the command line."""

import warnings

import pytest

from snacbench.rows import Coded
from snacbench.store.run_folder import RunFolder
from tests.support.command_line import FAST, run_in, summary, write_wav

pytest.importorskip("torch")


def test_checkpoints_are_compared_under_their_names_and_must_not_change(tmp_path):
    from tests.support.codec_models import tiny_dac

    write_wav(tmp_path / "clips" / "speech" / "a.wav", 0.6, 16_000, seed=1)
    write_wav(tmp_path / "clips" / "music" / "b.wav", 0.5, 44_100, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny_dac(1, quantizer_dropout=1.0).save_to_folder(tmp_path / "runs" / "base" / "latest")
    long, base = tmp_path / "long.pth", "latest/dac/weights.pth"
    tiny_dac(3).save(str(long), package=False)
    shown = run_in(tmp_path, "show", "codec", "dac:runs/base@full").stdout
    for text in ("dac-base@3kbps", "24000 Hz", "quantizer_dropout unknown", "0.75*, 1.5*", base):
        assert text in shown

    selectors, names = "A=dac:runs/base,C=dac:long.pth@2q,full", {"A@3kbps", "C@1.5kbps", "C@3kbps"}
    done = run_in(tmp_path, "run", "--codecs", selectors, "--data", "clips", "-o", "r", *FAST)
    assert f"A: {tmp_path / 'runs/base' / base}" in " ".join(done.stderr.split())
    assert "truncated" in done.stderr  # no file tells of quantiser dropout, so 2 of 4 is a guess
    overall = {row["codec"]: row for row in summary(tmp_path / "r") if row["domain"] == "all"}
    assert overall.keys() == names
    assert len({row["mel_dac7"] for row in overall.values()}) == 3

    def digests():
        coded = RunFolder.open(tmp_path / "r").read(Coded)
        return {(r.codec, r.clip): r.decoded_sha256 for r in coded}

    before, kept = digests(), long.read_bytes()
    coded = tmp_path / "r" / "coded.jsonl"  # as if it had been stopped after its first rows
    coded.write_text("".join(coded.read_text().splitlines(keepends=True)[:3]))
    (tmp_path / "r" / "scores.jsonl").unlink()
    tiny_dac(9).save(str(long), package=False)
    (tmp_path / "elsewhere").mkdir()  # where no path is relative to
    done = run_in(tmp_path / "elsewhere", "run", "--resume", tmp_path / "r", code=2)
    assert "are no longer the same" in done.stderr
    long.write_bytes(kept)
    run_in(tmp_path / "elsewhere", "run", "--resume", tmp_path / "r")
    assert digests() == before
