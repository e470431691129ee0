"""How late one decoded clip comes, close to its codec's delay, and when that is not believed."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.audio.resample import resample
from snacbench.rows import Coded, Delay
from snacbench.runner.scoring import delay_of
from snacbench.types import Audio
from tests.conftest import broadband

CODED = Coded("clip", "codec", "ok")


def noise(seed: int, *, channels: int = 1, num_samples: int = 96_000) -> Audio:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((channels, num_samples))
    return Audio(samples.astype(np.float32), 48_000)


SOURCE = noise(1)


def noisy(audio: Audio, gain: float) -> Audio:
    """With noise so many times as strong as the signal."""
    other = noise(5, channels=audio.channels, num_samples=audio.num_samples).samples
    return Audio((audio.samples + np.float32(gain) * other).astype(np.float32), audio.rate_hz)


def found(degraded: Audio, codec_delay_s: float = 0.0, reference: Audio = SOURCE) -> Delay:
    return delay_of(CODED, reference=reference, degraded=degraded, codec_delay_s=codec_delay_s)


@pytest.mark.parametrize("gain", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(("codec_delay_s", "lag"), [(0.0, 0), (0.0, -9), (0.1, 4_803)])
def test_a_clip_has_a_lag_of_its_own_close_to_the_codecs(
    gain: float, codec_delay_s: float, lag: int
) -> None:
    row = found(noisy(advanced(SOURCE, -lag), gain), codec_delay_s)
    assert (row.clip, row.codec, row.rate_hz) == ("clip", "codec", 48_000)
    assert row.lag_s == row.own_lag_s == lag / 48_000
    assert (row.found, row.inverted, row.reason) == (True, False, "")
    assert row.correlation == pytest.approx(1 / np.sqrt(1 + gain**2), abs=0.05)


def test_the_lag_is_whole_samples_of_the_decodes_own_rate() -> None:
    row = found(advanced(resample(SOURCE, 16_000), -3))
    assert (row.lag_s, row.rate_hz) == (3 / 16_000, 16_000)


@pytest.mark.parametrize("gain", [0.0, 2.0])
def test_inverted_polarity_is_named(gain: float) -> None:
    upright = noisy(advanced(SOURCE, -2), gain)
    row = found(Audio(-upright.samples, 48_000))
    assert (row.lag_s, row.inverted, row.found) == (2 / 48_000, True, True)
    assert row.correlation < -0.3


@pytest.mark.parametrize("lag", [48, 1_200, -4_800, 24_000])
def test_a_clip_that_matches_elsewhere_says_where(lag: int) -> None:
    row = found(advanced(SOURCE, -lag))
    assert not row.found
    assert row.own_lag_s == lag / 48_000
    assert abs(row.lag_s) <= 0.00025
    words = f"by itself the clip comes {abs(lag) / 48:.1f} ms {'late' if lag > 0 else 'early'}"
    assert words in row.reason


def test_a_decode_that_has_nothing_of_the_source_is_not_aligned() -> None:
    for seed in (9, 10, 11):
        row = found(noise(seed), 0.001)
        assert (row.lag_s, row.found, row.own_lag_s, row.inverted) == (0.001, False, None, False)
    assert "resembles the source at no lag within 0.5 s" in row.reason


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_is_not_aligned(level: float) -> None:
    constant = Audio(np.full_like(SOURCE.samples, level), 48_000)
    assert found(constant).reason == "the decode is silent"
    row = found(SOURCE, reference=constant)
    assert (row.reason, row.found, row.correlation) == ("the source is silent", False, 0.0)


@pytest.mark.parametrize("lag", [1_200])
def test_a_rumble_that_matches_at_any_lag_does_not_hide_a_delay(lag: int) -> None:
    rumbling = broadband(2.0, 48_000, seed=1)  # a second of it resembles the next
    row = found(advanced(rumbling, -lag), reference=rumbling)
    assert (row.found, row.own_lag_s) == (False, lag / 48_000)
    assert abs(row.correlation) > 0.5


@pytest.mark.parametrize("hz", [100.0, 1_000.0, 6_000.0])
def test_of_a_tones_lags_the_one_closest_to_the_codecs_delay_counts(hz: float) -> None:
    time_s = np.arange(48_000) / 48_000
    tone = Audio(np.sin(2 * np.pi * hz * time_s)[np.newaxis].astype(np.float32), 48_000)
    row = found(tone, reference=tone)
    assert (row.lag_s, row.found, row.inverted) == (0.0, True, False)


@pytest.mark.parametrize("num_samples", [1, 2, 5, 100, 4_000])
def test_short_clips(num_samples: int) -> None:
    short = Audio(SOURCE.samples[:, :num_samples], 48_000)
    assert found(short, reference=short).lag_s == 0.0


def test_channels_share_a_lag() -> None:
    stereo = noise(3, channels=2)
    opposed = Audio(stereo.samples[:1] * np.float32([[1], [-1]]), 48_000)
    for reference in (stereo, opposed):
        row = found(noisy(advanced(reference, -5), 1.5), reference=reference)
        assert (row.lag_s, row.found, row.inverted) == (5 / 48_000, True, False)


def test_a_decode_with_other_channels_is_downmixed() -> None:
    stereo = noise(3, channels=2)
    mono = Audio(stereo.samples.mean(axis=0, keepdims=True), 48_000)
    assert found(mono, reference=stereo).found
