from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.audio.resample import fit_length, num_samples_at, resample
from snacbench.types import Audio

RATES_HZ = st.sampled_from([8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])


@settings(deadline=None, max_examples=60)
@given(RATES_HZ, RATES_HZ, st.integers(1, 3000), st.integers(1, 3))
def test_length_is_the_duration_rounded_to_samples(rate_hz, new_rate_hz, num_samples, channels):
    audio = Audio(np.full((channels, num_samples), 0.1, np.float32), rate_hz)
    out = resample(audio, new_rate_hz)
    exact = num_samples * new_rate_hz / rate_hz
    assert (out.channels, out.rate_hz) == (channels, new_rate_hz)
    assert out.num_samples == num_samples_at(num_samples, rate_hz, new_rate_hz)
    assert abs(out.num_samples - exact) <= 0.5 or out.num_samples == 1


def test_lengths_are_rounded_half_up_and_never_zero():
    assert num_samples_at(3, 2, 1) == 2
    assert num_samples_at(5, 2, 1) == 3
    assert num_samples_at(1, 96_000, 8000) == 1


def test_the_same_rate_is_the_very_same_object():
    audio = Audio(np.zeros((1, 10), np.float32), 8000)
    assert resample(audio, 8000) is audio


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
def test_a_sine_keeps_frequency_amplitude_and_phase(rate_hz):
    def sine(rate: int):
        return 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)

    out = resample(Audio(sine(48_000).astype(np.float32)[np.newaxis], 48_000), rate_hz)
    inner = slice(rate_hz // 10, -rate_hz // 10)
    np.testing.assert_allclose(out.samples[0, inner], sine(rate_hz)[inner], atol=2e-6)


def test_what_the_new_rate_cannot_hold_is_gone():
    tone = np.sin(2 * np.pi * 10_000 * np.arange(48_000) / 48_000)
    out = resample(Audio(tone.astype(np.float32)[np.newaxis], 48_000), 16_000)
    assert np.abs(out.samples[0, 2000:-2000]).max() < 1e-6


def test_fit_length_cuts_or_pads_at_the_end():
    samples = np.array([[1, 2, 3]])
    assert fit_length(samples, 2).tolist() == [[1, 2]]
    assert fit_length(samples, 3).tolist() == [[1, 2, 3]]
    assert fit_length(samples, 5).tolist() == [[1, 2, 3, 0, 0]]
