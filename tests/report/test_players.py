"""Previews, pictures, the signals behind them, and bytes inside scripts."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from snacbench.report import players
from snacbench.types import Audio
from tests.conftest import broadband
from tests.support.reports import TONES_HZ, tone

OPUS, FLAC = players.Preview(False, 1.0), players.Preview(True, 1.0)


def test_previews_are_cut_resampled_and_coded():
    assert players.Preview(True, 0.5).cut(tone(440)).num_samples == 24_000
    assert players.Preview(True).cut(broadband(1.0, 16_000)).num_samples == 48_000
    for channels in (1, 2):
        audio = broadband(4.0, 48_000, channels=channels)
        file = OPUS.encoded(audio)
        assert 120 < len(file) * 8 / 4.0 / 1000 < 150
        info = soundfile.info(io.BytesIO(file))
        assert (info.frames, info.channels, info.subtype) == (192_000, channels, "OPUS")
    audio = broadband(0.5, 48_000)
    samples, _ = soundfile.read(io.BytesIO(FLAC.encoded(audio)), dtype="float32")
    np.testing.assert_allclose(samples, audio.samples[0], atol=2**-23)
    assert 7.0 < players.Preview.longest_within(49e6, 30 * 13) < 8.0


def test_a_tone_lies_where_its_mark_says():
    height = players.HEIGHT
    levels = players.levels_db(tone(4_000), 24_000.0)
    assert levels.shape == (height, players.WIDTH)
    row = int(levels[:, players.WIDTH // 2].argmax())
    mark = dict(players.marks(24_000.0))["4k"]
    assert 100 * (height - row - 0.5) / height == pytest.approx(mark, abs=1.0)
    short = Audio(np.ones((1, 10), np.float32), 48_000)
    assert np.isfinite(players.levels_db(short, 4_000.0)).all()
    # What is missing is blue and what was added red.
    here, gone = np.zeros((132, 440)), np.full((132, 440), -40.0)

    def picture(a, b):
        file = players.change_image(reference=a, degraded=b, top_db=0.0)
        return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)

    same, missing, added = picture(here, here), picture(here, gone), picture(gone, here)
    assert same.shape == (players.HEIGHT, players.WIDTH, 3)
    assert np.ptp(same) <= 12  # of 255: WebP is lossy
    assert missing[60, 200, 2] > missing[60, 200, 0] + 60
    assert added[60, 200, 0] > added[60, 200, 2] + 60


def test_signals_have_one_length_and_what_is_missing_is_a_problem_and_no_end(run_folder):
    source = players.sources(run_folder)["set/c"]
    signals, problems = players.signals_of(run_folder, source, list(TONES_HZ), OPUS)
    assert [signal and signal.num_samples for signal in signals] == [48_000, None, 48_000, 48_000]
    found = players.sources(run_folder)["set/b"]
    assert found.clip
    row = replace(found.coded["same"], decoded="decoded/gone.flac")
    for missing, changes, reason in (
        (0, {"clip": replace(found.clip, sha256="0" * 64)}, "no longer the file that the run"),
        (0, {"clip": replace(found.clip, path=found.clip.path / "gone")}, "not at hand"),
        (0, {"clip": None}, "does not say where"),
        (1, {"coded": {**found.coded, "same": row}}, "does not exist"),
    ):
        other = replace(found, **changes)
        signals, problems = players.signals_of(run_folder, other, list(TONES_HZ), OPUS)
        assert [place for place, signal in enumerate(signals) if signal is None] == [missing]
        assert reason in problems[0]


@given(st.binary(max_size=64))
def test_bytes_come_back(data):
    text = players.packed(data)
    bits = "".join(f"{ord(character) - 0x3000:015b}" for character in text)
    assert bytes(int(bits[i * 8 : i * 8 + 8], 2) for i in range(len(data))) == data
    assert all(0x3000 <= ord(character) <= 0xAFFF for character in text)


def test_scripts_take_a_fifteenth_more_and_cannot_be_ended():
    script = players.packed_script("f", [players.packed(np.random.default_rng(0).bytes(30_000))])
    assert len(script) < 30_000 * 16 / 15 + 32
    assert script.decode("utf-16").startswith('f(["')
    value = {"</script>": "\u2028<!--"}
    text = players.script_json(value)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == value
