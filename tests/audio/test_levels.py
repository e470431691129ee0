"""Loudness by the signals of EBU Tech 3341; peaks; clipped samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.audio.levels import clipped_samples, loudness_lufs, peak_dbfs
from snacbench.types import Audio
from tests.conftest import broadband

RATE_HZ = 48_000
TOLERANCE_LU = 0.1


def tones(parts, rate_hz=RATE_HZ, *, channels=2):
    """A tone of 1 kHz in all channels: peak levels in dBFS and durations in s."""
    amplitude = np.concatenate(
        [np.full(round(seconds * rate_hz), 10 ** (dbfs / 20)) for dbfs, seconds in parts]
    )
    tone = amplitude * np.sin(2 * np.pi * 1_000 * np.arange(len(amplitude)) / rate_hz)
    return Audio(np.tile(tone, (channels, 1)).astype(np.float32), rate_hz)


EBU = {
    1: (-23, [(-23, 20)]),
    2: (-33, [(-33, 20)]),
    3: (-23, [(-36, 10), (-23, 60), (-36, 10)]),
    4: (-23, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]),
    5: (-23, [(-26, 20), (-20, 20.1), (-26, 20)]),
}


@pytest.mark.parametrize(
    ("case", "rate_hz"), [(1, 8_000), (2, 16_000), (3, 44_100), (4, 48_000), (5, 48_000)]
)
def test_ebu_tech_3341(case, rate_hz):
    expected, parts = EBU[case]
    assert loudness_lufs(tones(parts, rate_hz)) == pytest.approx(expected, abs=TOLERANCE_LU)


def test_how_channels_count():
    levels_dbfs = (-28, -28, -24, -30, -30)  # EBU Tech 3341, case 6
    channels = [tones([(dbfs, 20)], channels=1).samples for dbfs in levels_dbfs]
    five = Audio(np.concatenate(channels), RATE_HZ)
    assert loudness_lufs(five) == pytest.approx(-23, abs=TOLERANCE_LU)
    mono, stereo = (loudness_lufs(tones([(-23, 5)], channels=n)) for n in (1, 2))
    assert mono is not None
    assert stereo == pytest.approx(mono + 3.01, abs=0.01)
    assert loudness_lufs(broadband(1.0, 16_000, channels=6)) is None
    samples = np.zeros((2, 9), np.float32)
    assert peak_dbfs(Audio(samples, 8_000)) is None
    samples[1, 3] = -0.5  # in any channel, of any polarity
    assert peak_dbfs(Audio(samples, 8_000)) == pytest.approx(-6.02, abs=0.01)


@given(st.floats(-30, 10), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_gain_shifts_loudness_and_peak(gain_db, channels, seed):
    audio = broadband(1.0, 16_000, channels=channels, seed=seed)
    louder = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), audio.rate_hz)
    for measured in (loudness_lufs, peak_dbfs):
        assert measured(louder) == pytest.approx(measured(audio) + gain_db, abs=1e-3)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 48_000])
def test_one_block_is_enough_and_less_is_not(rate_hz):
    block = -(-4 * rate_hz // 10)
    samples = broadband(0.5, rate_hz).samples
    assert loudness_lufs(Audio(np.array(samples[:, :block]), rate_hz)) is not None
    assert loudness_lufs(Audio(np.array(samples[:, : block - 1]), rate_hz)) is None
    assert loudness_lufs(tones([(-75, 2)])) is None  # under the gate
    whole, longer = tones([(-23, 2.0)]), tones([(-23, 2.08)])  # an incomplete last block
    assert loudness_lufs(longer) == pytest.approx(loudness_lufs(whole), abs=1e-9)


def count(samples):
    audio = Audio(np.atleast_2d(samples).astype(np.float32), RATE_HZ)
    return int(clipped_samples(audio).sum())


def tone(frequency_hz, seconds=1.0):
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(np.sin(2 * np.pi * frequency_hz * at))


def in_16_bit(samples):
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767) / 32_768)


@pytest.mark.parametrize("frequency_hz", [10, 50, 997, 8_000, 12_000, 16_000])
def test_tones_and_what_is_loud_coarse_or_constant_are_not_clipped(frequency_hz):
    for level in (1.0, 0.3):
        assert count(level * tone(frequency_hz)) == 0
        assert count(in_16_bit(level * tone(frequency_hz))) == 0
    samples = broadband(2.0, RATE_HZ).samples.astype(float)
    assert count(samples / np.abs(samples).max()) == 0
    assert count(np.rint(100 * 0.9 * samples) / 128) == 0  # 8 bits
    assert [count(np.full(n, v)) for n, v in ((100, 0.0), (100, 0.7), (1, 1.0))] == [0, 0, 0]


@pytest.mark.parametrize("level", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("finish", [np.asarray, in_16_bit], ids=["float", "16 bit"])
def test_what_was_cut_off_is_counted(level, finish):
    loud = 2 * broadband(2.0, RATE_HZ).samples[0].astype(np.float64)
    cut = np.abs(loud) > 0.5
    runs = np.convolve(cut, np.ones(3), mode="valid") == 3
    in_runs = np.convolve(runs, np.ones(3)) > 0
    found = count(finish(level * np.clip(loud, -0.5, 0.5) / 0.5))
    assert in_runs.sum() > 100
    # Runs of opposite sign that touch are two runs, and rounding can lengthen one.
    assert found == pytest.approx(int(in_runs.sum()), rel=0.05)


def test_neither_dither_nor_gain_nor_polarity_hides_it_and_runs_of_two_do_not_count():
    rng = np.random.default_rng(0)
    flat = np.clip(1.5 * tone(300), -1, 1)
    noise = (rng.random(flat.size) - rng.random(flat.size)) / 32_768
    assert count(in_16_bit(0.7 * flat + noise)) > 0.4 * flat.size
    assert {count(factor * flat) for factor in (-0.25, 0.7, -1.0)} == {count(flat)}
    for length, expected in ((2, 0), (3, 3)):
        samples = 0.1 * tone(440)
        samples[1_000 : 1_000 + length] = 1.0
        assert count(samples) == expected
    samples[:4] = samples[-5:] = -0.8  # at either end
    samples[1_000:1_003] = 0.0
    assert count(samples) == 9
