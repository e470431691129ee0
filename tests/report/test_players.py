"""Previews, pictures, the signals behind them, and bytes inside scripts."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from snacbench.report import spectra
from snacbench.report.players import (
    Preview,
    packed,
    packed_script,
    script_json,
    signals_of,
    sources,
)
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.reports import TONES_HZ, tone

OPUS, FLAC = Preview(False, 1.0), Preview(True, 1.0)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_preview_has_about_its_rate_and_all_samples(channels: int) -> None:
    audio = broadband(4.0, 48_000, channels=channels)
    file = OPUS.encoded(audio)
    assert 120 < len(file) * 8 / 4.0 / 1000 < 150
    info = soundfile.info(io.BytesIO(file))
    assert (info.samplerate, info.frames, info.channels) == (48_000, audio.num_samples, channels)
    assert (info.format, info.subtype) == ("OGG", "OPUS")
    assert "Opus 130 kbps" in OPUS.label


def test_lossless_is_lossless() -> None:
    audio = broadband(0.5, 48_000)
    samples, _ = soundfile.read(io.BytesIO(FLAC.encoded(audio)), dtype="float32")
    np.testing.assert_allclose(samples, audio.samples[0], atol=2**-23)
    assert "Lossless" in FLAC.label


def test_previews_are_cut_and_resampled() -> None:
    assert Preview(True, 0.5).cut(tone(440)).num_samples == 24_000
    assert Preview(True, float("inf")).cut(broadband(1.0, 16_000)).num_samples == 48_000


def test_thirty_clips_and_twelve_codecs_fit_into_sixty_megabytes() -> None:
    """Previews of noise as long as they may be, and two pictures of each."""
    signals, audio = 30 * 13, broadband(7.5, 48_000)
    longest_s = Preview.longest_within(49e6, signals)
    assert 7.0 < longest_s < 8.0
    script = packed_script("f", [packed(OPUS.encoded(audio))])
    levels = spectra.levels_db(audio, 24_000.0)
    other = spectra.levels_db(broadband(7.5, 48_000, seed=1), 24_000.0)
    pictures = (
        spectra.spectrogram_image(levels, float(levels.max())),
        spectra.change_image(reference=other, degraded=levels, top_db=float(levels.max())),
    )
    scripts = len(script) * longest_s / audio.duration_s
    assert signals * (scripts + sum(map(len, pictures))) < 59e6


def test_a_tone_lies_where_its_mark_says() -> None:
    levels = spectra.levels_db(tone(4_000), 24_000.0)
    assert levels.shape == (spectra.HEIGHT, spectra.WIDTH)
    row = int(levels[:, spectra.WIDTH // 2].argmax())
    height = 100 * (spectra.HEIGHT - row - 0.5) / spectra.HEIGHT
    assert height == pytest.approx(dict(spectra.marks(24_000.0))["4k"], abs=1.0)
    short = Audio(np.ones((1, 10), np.float32), 48_000)
    assert np.isfinite(spectra.levels_db(short, 4_000.0)).all()


def test_pictures_of_changes_are_blue_where_something_is_missing_and_red_where_it_was_added() -> (
    None
):
    here, gone = np.zeros((132, 440)), np.full((132, 440), -40.0)
    same, missing, added = (
        np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)
        for file in (
            spectra.change_image(reference=a, degraded=b, top_db=0.0)
            for a, b in ((here, here), (here, gone), (gone, here))
        )
    )
    assert same.shape == (spectra.HEIGHT, spectra.WIDTH, 3)
    assert np.ptp(same) <= 12  # of 255: WebP is lossy
    assert missing[60, 200, 2] > missing[60, 200, 0] + 60
    assert added[60, 200, 0] > added[60, 200, 2] + 60


def test_signals_have_one_length_and_failed_ones_are_missing(run_folder: RunFolder) -> None:
    signals, problems = signals_of(run_folder, sources(run_folder)["set/c"], list(TONES_HZ), OPUS)
    assert [signal and signal.num_samples for signal in signals] == [48_000, None, 48_000, 48_000]
    assert problems == []


def test_a_recording_that_changed_is_not_passed_off_as_the_reference(run_folder: RunFolder) -> None:
    found = sources(run_folder)["set/b"]
    assert found.clip
    for clip, reason in (
        (replace(found.clip, sha256="0" * 64), "no longer the file that the run coded"),
        (replace(found.clip, path=found.clip.path / "gone"), "not at hand"),
        (None, "does not say where"),
    ):
        other = replace(found, clip=clip)
        signals, problems = signals_of(run_folder, other, list(TONES_HZ), OPUS)
        assert signals[0] is None
        assert signals[1] is not None
        assert reason in problems[0]


def test_a_damaged_decode_is_a_problem_and_no_end(run_folder: RunFolder) -> None:
    found = sources(run_folder)["set/b"]
    row = replace(found.coded["same"], decoded="decoded/gone.flac")
    other = replace(found, coded={**found.coded, "same": row})
    signals, problems = signals_of(run_folder, other, list(TONES_HZ), OPUS)
    assert signals[1] is None
    assert "does not exist" in problems[0]


@given(st.binary(max_size=64))
def test_bytes_come_back(data: bytes) -> None:
    text = packed(data)
    bits = "".join(f"{ord(character) - 0x3000:015b}" for character in text)
    assert bytes(int(bits[i * 8 : i * 8 + 8], 2) for i in range(len(data))) == data
    assert all(0x3000 <= ord(character) <= 0xAFFF for character in text)


def test_a_script_takes_a_fifteenth_more_than_its_bytes() -> None:
    data = np.random.default_rng(0).bytes(30_000)
    script = packed_script("f", [packed(data)])
    assert len(script) < len(data) * 16 / 15 + 32
    assert script.decode("utf-16").startswith('f(["')


def test_json_cannot_end_a_script_or_a_line() -> None:
    value = {"</script>": "\u2028<!--"}
    text = script_json(value)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == value
