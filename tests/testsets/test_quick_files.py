"""The embedded set is what its manifest and its card say."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
import soundfile

FOLDER = Path(str(files("snacbench.testsets"))) / "quick"
COLUMNS = (
    "path,domain,duration_s,sample_rate,channels,transcript,speaker,track,source,licence,"
    "lossy_source,sha256"
)


def test_the_set_is_balanced_small_and_described():
    text = (FOLDER / "manifest.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(text.splitlines()))
    domains = Counter(row["domain"] for row in rows)
    assert set(domains) == {"speech", "music", "environment"}
    assert min(domains.values()) >= 7
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 6_000_000
    found = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.flac"))
    assert sorted(row["path"] for row in rows) == found
    assert len({row["speaker"] for row in rows if row["domain"] == "speech"}) >= 4
    assert {"16000", "22050", "32000", "44100", "48000"} <= {row["sample_rate"] for row in rows}
    assert {row["channels"] for row in rows} == {"1", "2"}
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert "demonstration set of synthetic material" in card
    assert "CC0" in card
    for row in rows:
        assert row["path"] in card
        assert bool(row["transcript"]) == bool(row["speaker"]) == (row["domain"] == "speech")
        assert bool(row["track"]) == (row["domain"] != "speech")
        path = FOLDER / row["path"]
        info = soundfile.info(str(path))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert (info.format, info.subtype) == ("FLAC", "PCM_16")
        assert (info.samplerate, info.channels) == (int(row["sample_rate"]), int(row["channels"]))
        assert info.duration == pytest.approx(float(row["duration_s"]), abs=1e-3)
        assert 4 <= info.duration <= 8
        assert row["path"].startswith(row["domain"] + "/")
        assert (row["licence"], row["lossy_source"]) == ("CC0-1.0", "false")
