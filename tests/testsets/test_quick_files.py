from __future__ import annotations

import csv
import hashlib
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

FOLDER = Path(str(files("snacbench.testsets"))) / "quick"
COLUMNS = (
    "path,domain,duration_s,sample_rate,channels,transcript,speaker,track,source,licence,"
    "lossy_source,sha256"
)


# What the digests of a set hold once and for all needs a look only when it is made anew.
of_its_making = pytest.mark.tools


def rows() -> list[dict[str, str]]:
    with (FOLDER / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def samples_of(row: dict[str, str]) -> np.ndarray:
    samples, _ = soundfile.read(str(FOLDER / row["path"]), dtype="int16", always_2d=True)
    return samples.T


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


@of_its_making
def test_a_clip_is_audible_and_never_clips(row: dict[str, str]) -> None:
    samples = samples_of(row).astype(np.float64) / 2**15
    peak_db = 20 * np.log10(np.max(np.abs(samples)))
    rms_db = 10 * np.log10(np.mean(samples**2))
    assert -9 < peak_db < -0.5
    assert -36 < rms_db < -12
    assert np.all(np.abs(samples.mean(axis=1)) < 2e-3), "a constant offset"


@of_its_making
def test_no_stretch_is_digital_silence(row: dict[str, str]) -> None:
    samples = samples_of(row)
    window = int(row["sample_rate"]) // 50
    blocks = samples[:, : samples.shape[1] // window * window].reshape(len(samples), -1, window)
    assert np.all(np.any(blocks != 0, axis=-1))


@of_its_making
def test_two_channels_are_not_one_twice(row: dict[str, str]) -> None:
    if row["channels"] == "2":
        left, right = samples_of(row).astype(np.float64)
        assert np.sum((left - right) ** 2) > 1e-3 * np.sum((left + right) ** 2)


@of_its_making
def test_the_band_is_used_up_to_the_rate(row: dict[str, str]) -> None:
    """Upsampled material has nothing but its dither above the old Nyquist frequency."""
    samples = samples_of(row).astype(np.float64) / 2**15
    rate_hz = int(row["sample_rate"])
    frequency_hz, density = scipy.signal.welch(samples, rate_hz, nperseg=2048, axis=-1)
    upper = frequency_hz > 0.55 * rate_hz / 2
    density = density.mean(axis=0)
    assert 10 * np.log10(density[upper].sum() / density.sum()) > -80
    # Triangular dither and rounding have a variance of 3/12 of a squared step.
    dither = 0.25 * 2.0**-30 * np.mean(upper)
    assert density[upper].sum() * (frequency_hz[1] - frequency_hz[0]) > 2 * dither
