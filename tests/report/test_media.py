"""Previews, pictures and the signals behind them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from snacbench.report import spectra
from snacbench.report.preview import Preview, at_preview_rate, encoded, longest_within
from snacbench.report.signals import signals_of, sources
from snacbench.store.folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.report.conftest import TONES_HZ, tone


@pytest.mark.parametrize("channels", [1, 2])
def test_a_preview_has_about_its_rate_and_all_samples(channels: int) -> None:
    audio = broadband(4.0, 48_000, channels=channels)
    file = encoded(audio, lossless=False)
    assert 120 < len(file) * 8 / 4.0 / 1000 < 150
    info = soundfile.info(io.BytesIO(file))
    assert (info.samplerate, info.frames, info.channels) == (48_000, audio.num_samples, channels)
    assert (info.format, info.subtype) == ("OGG", "OPUS")


def test_lossless_is_lossless() -> None:
    audio = broadband(0.5, 48_000)
    samples, _ = soundfile.read(io.BytesIO(encoded(audio, lossless=True)), dtype="float32")
    np.testing.assert_allclose(samples, audio.samples[0], atol=2**-23)


def test_previews_are_cut_and_resampled() -> None:
    assert at_preview_rate(tone(440), 0.5).num_samples == 24_000
    assert at_preview_rate(broadband(1.0, 16_000), float("inf")).num_samples == 48_000


def test_labels_say_what_one_hears() -> None:
    assert "Opus 130 kbps" in Preview(False, 5.0).label
    assert "Lossless" in Preview(True, 5.0).label


def test_previews_of_thirty_clips_and_twelve_codecs_stay_useful() -> None:
    assert 7.0 < longest_within(49e6, 30 * 13) < 8.0


def test_a_tone_lies_where_its_mark_says() -> None:
    levels = spectra.levels_db(tone(4_000), 24_000.0)
    assert levels.shape == (spectra.HEIGHT, spectra.WIDTH)
    row = int(levels[:, spectra.WIDTH // 2].argmax())
    height = 100 * (spectra.HEIGHT - row - 0.5) / spectra.HEIGHT
    assert height == pytest.approx(dict(spectra.marks(24_000.0))["4k"], abs=1.0)


def test_pictures_of_equal_signals_show_no_change() -> None:
    levels = spectra.levels_db(tone(4_000), 24_000.0)
    file = spectra.change_image(reference=levels, degraded=levels, top_db=float(levels.max()))
    picture = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    assert picture.shape == (spectra.HEIGHT, spectra.WIDTH, 3)
    assert np.ptp(picture, axis=(0, 1)).max() <= 12  # of 255: WebP is lossy


def test_what_is_missing_is_blue_and_what_was_added_is_red() -> None:
    here, gone = np.zeros((132, 440)), np.full((132, 440), -40.0)
    pixels = [
        Image.open(io.BytesIO(spectra.change_image(reference=a, degraded=b, top_db=0.0)))
        .convert("RGB")
        .getpixel((200, 60))
        for a, b in ((here, gone), (gone, here))
    ]
    missing, added = pixels
    assert missing[2] > missing[0] + 60
    assert added[0] > added[2] + 60


def test_a_short_clip_has_a_picture() -> None:
    short = Audio(np.ones((1, 10), np.float32), 48_000)
    assert np.isfinite(spectra.levels_db(short, 4_000.0)).all()


def test_signals_have_one_length_and_failed_ones_are_missing(run_folder: RunFolder) -> None:
    found = sources(run_folder)["set/c"]
    signals, problems = signals_of(run_folder, found, list(TONES_HZ), longest_s=1.0)
    assert [signal and signal.num_samples for signal in signals] == [48_000, None, 48_000, 48_000]
    assert problems == []


def test_a_recording_that_changed_is_not_passed_off_as_the_reference(
    run_folder: RunFolder,
) -> None:
    found = sources(run_folder)["set/b"]
    assert found.clip
    for clip, reason in (
        (replace(found.clip, sha256="0" * 64), "no longer the file that the run coded"),
        (replace(found.clip, path=found.clip.path / "gone"), "not at hand"),
        (None, "does not say where"),
    ):
        other = replace(found, clip=clip)
        signals, problems = signals_of(run_folder, other, list(TONES_HZ), longest_s=1.0)
        assert signals[0] is None
        assert signals[1] is not None
        assert reason in problems[0]


def test_a_damaged_decode_is_a_problem_and_no_end(run_folder: RunFolder) -> None:
    found = sources(run_folder)["set/b"]
    row = replace(found.coded["same"], decoded="decoded/gone.flac")
    other = replace(found, coded={**found.coded, "same": row})
    signals, problems = signals_of(run_folder, other, list(TONES_HZ), longest_s=1.0)
    assert signals[1] is None
    assert "does not exist" in problems[0]
