"""The option ``--asr``: what is said without it, and what a run records of it."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Run, write_wav


@pytest.fixture
def scored(cli: Run, tmp_path: Path) -> Path:
    """A run over one clip whose transcript is known."""
    path = write_wav(tmp_path / "clips" / "a.wav", 1.0, 16_000, seed=1)
    manifest = tmp_path / "clips.csv"
    manifest.write_text(f"path,domain,transcript\n{path},speech,one two three\n")
    fast = ("--metrics", "si_sdr", "--jobs", "1", "-o", "made")
    cli("run", "--codecs", "identity", "--data", manifest, *fast)
    return tmp_path / "made"


def test_a_run_gets_word_error_rates_later(cli: Run, scored: Path) -> None:
    pytest.importorskip("pocketsphinx")
    run = json.loads((scored / "run.json").read_text())
    run["request"]["from_recipe"] = {"name": "paper"}
    (scored / "run.json").write_text(json.dumps(run))
    cli("score", scored, "--metrics", "wer", "--asr", "pocketsphinx", "--jobs", "1")
    rows = [json.loads(line) for line in (scored / "scores.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row["metric"] == "wer"]
    assert row["status"] == "undefined", row  # the clip is noise
    assert "the recogniser understands nothing of the untouched reference" in row["reason"]
    run = json.loads((scored / "run.json").read_text())
    assert run["facts"]["asr"].startswith("pocketsphinx, package 5")
    assert run["facts"]["whisper-normalizer"]
    assert run["request"]["asr"] == "pocketsphinx"  # goes on by it
    assert run["request"]["from_recipe"]["overridden"] == {"asr": None}
    assert [metric["name"] for metric in run["metrics"]] == ["si_sdr", "wer"]
    manifest = scored.parent / "clips.csv"
    manifest.write_text(manifest.read_text().replace("two", "too"))
    done = cli("run", "--resume", scored, code=2)
    assert "or what is said in it, has changed" in " ".join(done.stderr.split())
