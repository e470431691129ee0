"""Clipped samples: flat tops are counted, round ones and coarse steps are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snacbench.audio.clipping import clipped_samples
from snacbench.audio.io import read
from snacbench.types import Audio
from tests.conftest import broadband

RATE_HZ = 48_000


def count(samples: NDArray[np.float64]) -> int:
    audio = Audio(np.atleast_2d(samples).astype(np.float32), RATE_HZ)
    return int(clipped_samples(audio).sum())


def tone(frequency_hz: float, seconds: float = 1.0) -> NDArray[np.float64]:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(np.sin(2 * np.pi * frequency_hz * at))


def in_16_bit(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767) / 32_768)


@pytest.mark.parametrize("frequency_hz", [10, 20, 50, 997, 8_000, 12_000, 16_000])
@pytest.mark.parametrize("level", [1.0, 0.9, 0.3])
def test_tones_are_not_clipped(frequency_hz: float, level: float) -> None:
    assert count(level * tone(frequency_hz)) == 0
    assert count(in_16_bit(level * tone(frequency_hz))) == 0


@pytest.mark.parametrize("level", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("finish", [np.asarray, in_16_bit], ids=["float", "16 bit"])
def test_what_was_cut_off_is_counted(level: float, finish) -> None:
    loud = 2 * broadband(2.0, RATE_HZ).samples[0].astype(np.float64)
    cut = np.abs(loud) > 0.5
    runs = np.convolve(cut, np.ones(3), mode="valid") == 3
    in_runs = np.convolve(runs, np.ones(3)) > 0
    found = count(finish(level * np.clip(loud, -0.5, 0.5) / 0.5))
    assert in_runs.sum() > 100
    # Runs of opposite sign that touch are two runs, and rounding can lengthen one.
    assert found == pytest.approx(int(in_runs.sum()), rel=0.05)


def test_dither_after_clipping_does_not_hide_it() -> None:
    rng = np.random.default_rng(0)
    flat = 0.7 * np.clip(1.5 * tone(300), -1, 1)
    noise = (rng.random(flat.size) - rng.random(flat.size)) / 32_768
    assert count(in_16_bit(flat + noise)) > 0.4 * flat.size


def test_a_normalised_file_is_not_clipped() -> None:
    samples = broadband(2.0, RATE_HZ).samples
    assert count(samples / np.abs(samples).max()) == 0


def test_runs_of_two_are_not_counted_and_runs_of_three_are() -> None:
    samples = 0.1 * tone(440)
    samples[1_000:1_002] = 1.0
    assert count(samples) == 0
    samples[1_000:1_003] = 1.0
    assert count(samples) == 3


def test_a_run_at_either_end_of_the_clip_is_counted() -> None:
    samples = 0.1 * tone(440)
    samples[:4] = samples[-5:] = -0.8
    assert count(samples) == 9


def test_coarse_steps_are_not_clipping() -> None:
    eight_bit = np.rint(100 * 0.9 * broadband(2.0, RATE_HZ).samples) / 128
    assert count(eight_bit) == 0


@pytest.mark.parametrize("samples", [np.zeros(100), np.full(100, 0.7), np.ones(1)])
def test_constants_are_not_clipped(samples: NDArray[np.float64]) -> None:
    assert count(samples) == 0


@given(st.floats(0.25, 1.0), st.sampled_from([-1.0, 1.0]))
@settings(max_examples=20, deadline=None)
def test_gain_and_polarity_do_not_matter(gain: float, sign: float) -> None:
    flat = np.clip(1.5 * tone(300, 0.2), -1, 1)
    assert count(sign * gain * flat) == count(flat)


@pytest.mark.parametrize(
    ("name", "percent"), [("loop_amen_full", 0.76), ("orchestra", 0.004), ("loop_garzul", 0.0)]
)
def test_real_clips(shared: Path, name: str, percent: float) -> None:
    audio = read(shared / f"audio/eval/music/{name}.flac")
    found = 100 * float(clipped_samples(audio).mean())
    assert found == pytest.approx(percent, rel=0.1)
