"""Loudness by the test signals of EBU Tech 3341, which states 0.1 LU of tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.audio.loudness import loudness_lufs, peak_dbfs
from snacbench.types import Audio
from tests.conftest import broadband

TOLERANCE_LU = 0.1
Parts = list[tuple[float, float]]


def tones(parts: Parts, rate_hz: int, *, channels: int = 2) -> Audio:
    """A tone of 1 kHz in all channels: peak levels in dBFS and durations in s."""
    amplitude = np.concatenate(
        [np.full(round(seconds * rate_hz), 10 ** (dbfs / 20)) for dbfs, seconds in parts]
    )
    tone = amplitude * np.sin(2 * np.pi * 1_000 * np.arange(len(amplitude)) / rate_hz)
    return Audio(np.tile(tone, (channels, 1)).astype(np.float32), rate_hz)


EBU: dict[int, tuple[float, Parts]] = {
    1: (-23, [(-23, 20)]),
    2: (-33, [(-33, 20)]),
    3: (-23, [(-36, 10), (-23, 60), (-36, 10)]),
    4: (-23, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]),
    5: (-23, [(-26, 20), (-20, 20.1), (-26, 20)]),
}


@pytest.mark.parametrize("case", EBU)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_ebu_tech_3341(case: int, rate_hz: int) -> None:
    expected, parts = EBU[case]
    assert loudness_lufs(tones(parts, rate_hz)) == pytest.approx(expected, abs=TOLERANCE_LU)


def test_ebu_tech_3341_with_five_channels() -> None:
    levels_dbfs = (-28, -28, -24, -30, -30)
    channels = [tones([(dbfs, 20)], 48_000, channels=1).samples for dbfs in levels_dbfs]
    audio = Audio(np.concatenate(channels), 48_000)
    assert loudness_lufs(audio) == pytest.approx(-23, abs=TOLERANCE_LU)


def test_mono_counts_as_one_channel() -> None:
    mono = loudness_lufs(tones([(-23, 5)], 48_000, channels=1))
    stereo = loudness_lufs(tones([(-23, 5)], 48_000))
    assert mono is not None
    assert stereo == pytest.approx(mono + 3.01, abs=0.01)


@given(st.floats(-30, 10), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_gain_shifts_loudness_and_peak(gain_db: float, channels: int, seed: int) -> None:
    audio = broadband(1.0, 16_000, channels=channels, seed=seed)
    louder = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), audio.rate_hz)
    before, peak = loudness_lufs(audio), peak_dbfs(audio)
    assert before is not None
    assert peak is not None
    assert loudness_lufs(louder) == pytest.approx(before + gain_db, abs=1e-3)
    assert peak_dbfs(louder) == pytest.approx(peak + gain_db, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_one_block_is_enough_and_less_is_not(rate_hz: int) -> None:
    block = -(-4 * rate_hz // 10)
    samples = broadband(0.5, rate_hz).samples
    assert loudness_lufs(Audio(np.array(samples[:, :block]), rate_hz)) is not None
    assert loudness_lufs(Audio(np.array(samples[:, : block - 1]), rate_hz)) is None


def test_an_incomplete_last_block_does_not_count() -> None:
    whole = tones([(-23, 2.0)], 48_000)
    longer = tones([(-23, 2.08)], 48_000)
    assert loudness_lufs(longer) == pytest.approx(loudness_lufs(whole), abs=1e-9)


def test_under_the_absolute_gate_there_is_none() -> None:
    assert loudness_lufs(tones([(-75, 2)], 48_000)) is None


def test_six_channels_have_none() -> None:
    assert loudness_lufs(broadband(1.0, 16_000, channels=6)) is None


def test_peak_is_of_any_channel_and_polarity() -> None:
    samples = np.zeros((2, 9), np.float32)
    samples[1, 3] = -0.5
    assert peak_dbfs(Audio(samples, 8_000)) == pytest.approx(-6.02, abs=0.01)
    assert peak_dbfs(Audio(np.zeros((1, 9), np.float32), 8_000)) is None
