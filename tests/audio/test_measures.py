"""Measures of whole clips: any length, rate and number of channels."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snacbench.audio.io import read
from snacbench.audio.measures import measure
from snacbench.types import Audio, Measures
from tests.conftest import broadband

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_noise_of_any_rate_fills_its_band(rate_hz: int, channels: int) -> None:
    found = measure(broadband(1.0, rate_hz, channels=channels))
    assert found.bandwidth_hz == pytest.approx(rate_hz / 2, rel=0.02)
    assert not found.brickwall
    assert found.clipped_samples == 0
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert (found.loudness_lufs is None) == (channels > 5)


@given(st.integers(1, 3_000), st.sampled_from(RATES_HZ), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_short_clips_have_measures_or_none(n: int, rate_hz: int, channels: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, n)).astype(np.float32)
    found = measure(Audio(samples, rate_hz))
    assert (found.bandwidth_hz is None) == (n < 256)
    assert (found.loudness_lufs is None) == (n < 0.4 * rate_hz)
    assert found.peak_dbfs is not None
    assert found.peak_dbfs <= 0


@pytest.mark.parametrize("num_samples", [1, 255, 256, 48_000])
def test_digital_silence_has_no_measures(num_samples: int) -> None:
    silent = Audio(np.zeros((2, num_samples), np.float32), 48_000)
    assert measure(silent) == Measures(None, None, None, 0, brickwall=False)


@pytest.mark.parametrize("rate_hz", [1, 50, 999, 1_000, 3_999, 4_000, 655_350])
def test_no_rate_is_too_odd(rate_hz: int) -> None:
    samples = broadband(1.0, 20_000).samples
    found = measure(Audio(samples, rate_hz))
    assert (found.bandwidth_hz is None) == (rate_hz < 1_000)
    assert (found.loudness_lufs is None) == (rate_hz < 4_000 or rate_hz > 48_000)


def test_a_constant_has_a_level_and_no_bandwidth() -> None:
    found = measure(Audio(np.full((1, 48_000), 0.5, np.float32), 48_000))
    assert found.bandwidth_hz is None
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert found.clipped_samples == 0


@given(st.permutations(range(3)), st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_the_order_of_channels_does_not_matter(order: list[int], seed: int) -> None:
    three = broadband(0.6, 16_000, channels=3, seed=seed)
    shuffled = Audio(np.ascontiguousarray(three.samples[order]), 16_000)
    one, other = measure(three), measure(shuffled)
    assert one.loudness_lufs is not None
    assert other.loudness_lufs == pytest.approx(one.loudness_lufs, abs=1e-6)
    assert (other.bandwidth_hz, other.peak_dbfs) == (one.bandwidth_hz, one.peak_dbfs)


def test_measures_are_plain_numbers() -> None:
    found = measure(broadband(0.5, 48_000))
    kinds = [type(value) for value in vars(found).values()]
    assert kinds == [float, float, float, int, bool]


def test_real_clips_cost_a_hundredth_of_their_duration(shared: Path) -> None:
    clip = read(shared / "audio/eval/music/loop_garzul.flac")
    measure(clip)
    begun = time.process_time()
    measure(clip)
    assert time.process_time() - begun < 0.01 * clip.duration_s * clip.channels


REAL = [
    ("speech/two_cities_a", 8_000, True),  # upsampled, with noise-shaped dither above
    ("speech/lyra_sample1", 8_000, True),  # upsampled
    ("speech/kerstin_0033", 8_000, True),  # Opus wideband; images up to 20 kHz
    ("environment/fire", 5_512, True),  # upsampled from 11.025 kHz
    ("environment/rain_stereo", 15_600, True),  # Ogg Vorbis
    ("speech/sms_speech_female", 18_500, False),
    ("speech/arctic_aew_a0002", 7_700, True),  # its own filter, at its own rate
    ("speech/librivox_0870", 8_000, False),
    ("music/castanets48_stereo", 21_000, True),
    ("music/guitar48_stereo", 20_400, True),
    ("music/loop_amen_full", 22_050, False),
    ("environment/ocean", 22_050, False),
]


@pytest.mark.parametrize(("name", "bandwidth_hz", "brickwall"), REAL)
def test_real_clips_as_read_from_their_spectra(
    shared: Path, name: str, bandwidth_hz: float, brickwall: bool
) -> None:
    found = measure(read(shared / f"audio/eval/{name}.flac"))
    assert found.bandwidth_hz == pytest.approx(bandwidth_hz, rel=0.1)
    assert found.brickwall == brickwall


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 2000)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        fill=st.sampled_from([np.float32(0), np.float32(0.5), np.float32(4e37)]),
    )
)
def test_measuring_takes_any_samples(samples: np.ndarray) -> None:
    with np.errstate(all="raise", under="ignore"):
        found = measure(Audio(samples, 16_000))
    assert all(value is None or np.isfinite(value) for value in asdict(found).values())
