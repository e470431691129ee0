"""Real recordings laid out as a corpus and read back, metadata and samples."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.audio.io import probe, read
from snacbench.testsets.corpora import corpora


@pytest.fixture(scope="session")
def clips(shared: Path) -> dict[str, dict[str, list[Path]]]:
    """Real clips by domain, a few of each."""
    folder = shared / "audio" / "eval"
    return {
        domain: sorted((folder / domain).glob("*.flac"))[:4]
        for domain in ("speech", "music", "environment")
    }


def as_wav(source: Path, target: Path) -> None:
    samples, rate_hz = soundfile.read(str(source), dtype="int16")
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(target), samples, rate_hz, subtype="PCM_16")


def check(name: str, root: Path, sources: list[Path]) -> None:
    found = list(corpora()[name].find(root))
    assert len(found) == len(sources)
    for file, source in zip(found, sources, strict=True):
        assert probe(root / file.path) == probe(source)
        original = read(source)
        copy = read(root / file.path)
        assert np.abs(copy.samples - original.samples).max() <= 1 / 2**15


def test_libritts(clips, tmp_path):
    for i, source in enumerate(clips["speech"]):
        path = tmp_path / f"LibriTTS/test-clean/{100 + i}/7/{100 + i}_7_000001_000000.wav"
        as_wav(source, path)
        text = source.with_suffix(".txt")
        if text.is_file():
            path.with_suffix(".normalized.txt").write_bytes(text.read_bytes())
    check("libritts-test-clean", tmp_path, clips["speech"])
    for file, source in zip(
        corpora()["libritts-test-clean"].find(tmp_path), clips["speech"], strict=True
    ):
        text = source.with_suffix(".txt")
        assert file.transcript == (text.read_text("utf-8").strip() if text.is_file() else None)


def test_librispeech_as_links(clips, tmp_path):
    for i, source in enumerate(clips["speech"]):
        path = tmp_path / f"LibriSpeech/test-clean/{100 + i}/7/{100 + i}-7-0000.flac"
        path.parent.mkdir(parents=True)
        path.symlink_to(source)
    check("librispeech-test-clean", tmp_path, clips["speech"])


def test_musdb18_hq(clips, tmp_path):
    for i, source in enumerate(clips["music"]):
        as_wav(source, tmp_path / f"test/Band {i} - {source.stem}/mixture.wav")
    check("musdb18-hq", tmp_path, clips["music"])


def test_esc50(clips, tmp_path):
    rows = [("filename", "fold", "target", "category", "esc10", "src_file", "take")]
    for i, source in enumerate(clips["environment"]):
        name = f"1-{100_000 + i}-A-{i}.wav"
        as_wav(source, tmp_path / "ESC-50-master/audio" / name)
        rows.append((name, "1", str(i), source.stem, "False", str(100_000 + i), "A"))
    (tmp_path / "ESC-50-master/meta").mkdir()
    with (tmp_path / "ESC-50-master/meta/esc50.csv").open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    check("esc50", tmp_path, clips["environment"])
