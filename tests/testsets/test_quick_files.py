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


def rows() -> list[dict[str, str]]:
    with (FOLDER / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(params=rows(), ids=lambda row: row["path"])
def row(request: pytest.FixtureRequest) -> dict[str, str]:
    return request.param


def test_the_columns_are_those_promised() -> None:
    assert (FOLDER / "manifest.csv").read_text(encoding="utf-8").splitlines()[0] == COLUMNS


def test_the_set_is_balanced_and_small() -> None:
    domains = Counter(row["domain"] for row in rows())
    assert set(domains) == {"speech", "music", "environment"}
    assert min(domains.values()) >= 7
    assert domains.total() >= 18
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 6_000_000


def test_manifest_and_folder_name_the_same_files() -> None:
    listed = sorted(row["path"] for row in rows())
    found = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.flac"))
    assert listed == found


def test_speech_has_words_from_several_speakers_and_the_rest_has_tracks() -> None:
    speakers = {row["speaker"] for row in rows() if row["domain"] == "speech"}
    assert len(speakers) >= 4
    for row in rows():
        assert bool(row["transcript"]) == bool(row["speaker"]) == (row["domain"] == "speech")
        assert bool(row["track"]) == (row["domain"] != "speech")


def test_rates_and_channels_vary() -> None:
    assert {"16000", "22050", "32000", "44100", "48000"} <= {row["sample_rate"] for row in rows()}
    assert {row["channels"] for row in rows()} == {"1", "2"}


def test_the_card_warns_and_lists_every_clip() -> None:
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert "demonstration set of synthetic material" in card
    assert "CC0" in card
    assert all(row["path"] in card for row in rows())


def test_a_row_tells_the_truth_about_its_file(row: dict[str, str]) -> None:
    path = FOLDER / row["path"]
    info = soundfile.info(str(path))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
    assert (info.format, info.subtype) == ("FLAC", "PCM_16")
    assert info.samplerate == int(row["sample_rate"])
    assert info.channels == int(row["channels"])
    assert info.duration == pytest.approx(float(row["duration_s"]), abs=1e-3)
    assert 4 <= info.duration <= 8
    assert row["path"].startswith(row["domain"] + "/")
    assert (row["licence"], row["lossy_source"]) == ("CC0-1.0", "false")
