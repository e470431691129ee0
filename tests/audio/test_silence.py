from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.silence import missing_sound
from snacbench.types import Audio
from tests.conftest import broadband

RATE_HZ = 16_000
BAND_HZ = 3_400.0
SOURCE = broadband(3.0, RATE_HZ, seed=1)
X = SOURCE.samples
ZEROS = np.zeros_like(X)


def audio(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Audio:
    return Audio(np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32), rate_hz)


def told(samples: np.ndarray, source: Audio = SOURCE) -> str:
    return missing_sound(reference=source, degraded=audio(samples), band_hz=BAND_HZ)


def with_zeros(start_s: float, stop_s: float) -> np.ndarray:
    samples = X.copy()
    samples[:, round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)] = 0
    return samples


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_a_decode_without_any_sound(level):
    assert "the decode is silent: all samples" in told(ZEROS + level)
    dither = np.random.default_rng(0).integers(-1, 2, X.shape) / 2**15
    assert "the decode is silent" in told(ZEROS + level * 0.5 + dither)


def test_a_decode_with_a_hole():
    for hole in ((1.5, 3.0), (0.0, 1.5), (1.0, 1.4), (2.6, 3.0)):
        found = told(with_zeros(*hole))
        assert found.startswith("the decode is silent from ")
        assert "while the source sounds for" in found
    assert told(with_zeros(1.0, 1.08)) == ""  # short
    assert told(X) == ""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("delay_s", [0.025, 0.2, 0.5])
def test_a_delay_is_no_hole(delay_s, sign):
    d = round(delay_s * RATE_HZ)
    assert told(sign * np.concatenate([ZEROS[:, :d], X[:, :-d]], axis=1)) == ""
    assert told(sign * np.concatenate([X[:, d:], ZEROS[:, :d]], axis=1)) == ""


def test_the_source_must_sound_where_the_decode_is_silent():
    pausing = X.copy()
    pausing[:, 16_000:32_000] *= 0.01  # 40 dB below what is beside it
    assert told(with_zeros(1.0, 2.0), audio(pausing)) == ""
    assert told(ZEROS, audio(1e-4 * X)) == ""  # below -70 dBFS
    assert told(ZEROS, audio(ZEROS + 0.3)) == ""  # an offset is no sound


def test_only_the_band_that_the_codec_keeps_counts():
    t = np.arange(48_000) / 48_000
    high = audio(0.5 * np.sin(2 * np.pi * 6_000 * t), 48_000)
    narrow = audio(np.zeros(8_000), 8_000)
    assert missing_sound(reference=high, degraded=narrow, band_hz=BAND_HZ) == ""
    wide = audio(np.zeros(48_000), 48_000)
    assert missing_sound(reference=high, degraded=wide, band_hz=10_000.0)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.05])
def test_clips_shorter_than_a_frame(seconds):
    short = broadband(seconds, RATE_HZ, seed=2)
    assert told(np.zeros_like(short.samples), short)
    assert told(short.samples, short) == ""


def test_the_channel_is_named():
    both, one = audio(np.concatenate([X, X])), audio(np.concatenate([X, ZEROS]))
    found = missing_sound(reference=both, degraded=one, band_hz=BAND_HZ)
    assert found.startswith("channel 1 of the decode is silent")
