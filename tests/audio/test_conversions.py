"""Channels, the one resampler, and the one low-pass: ITU-R BS.1534-3's mask for anchors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import csd, welch

from snacbench.audio.channels import downmix, join, split, upmix
from snacbench.audio.filters import energy_above_db, low_pass
from snacbench.audio.resample import fit_length, num_samples_at, resample
from snacbench.errors import AudioError
from snacbench.types import Audio

RATES_HZ = st.sampled_from([8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
MASK_DB = {500: 25.0, 1_000: 50.0}  # Hz above the cut-off: least attenuation in dB


def mono(samples, rate_hz=48_000):
    return Audio(samples.astype(np.float32)[np.newaxis], rate_hz)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged_copied_split_and_joined(channels):
    samples = np.arange(channels, dtype=np.float32)[:, None] * np.ones((1, 5), np.float32)
    audio = Audio(samples, 8000)
    assert np.all(downmix(audio).samples == np.full((1, 5), (channels - 1) / 2))
    parts = split(audio)
    assert [p.samples.shape for p in parts] == [(1, 5)] * channels
    assert np.array_equal(join(parts).samples, audio.samples)
    assert np.array_equal(upmix(parts[-1], 3).samples, np.repeat(samples[-1:], 3, axis=0))
    if channels == 1:
        assert downmix(audio) is upmix(audio, 1) is audio
    else:
        with pytest.raises(AudioError, match=f"mono can be copied to 9 channels, found {channels}"):
            upmix(audio, 9)


@settings(deadline=None, max_examples=60)
@given(RATES_HZ, RATES_HZ, st.integers(1, 3000), st.integers(1, 3))
def test_length_is_the_duration_rounded_to_samples(rate_hz, new_rate_hz, num_samples, channels):
    audio = Audio(np.full((channels, num_samples), 0.1, np.float32), rate_hz)
    out = resample(audio, new_rate_hz)
    exact = num_samples * new_rate_hz / rate_hz
    assert (out.channels, out.rate_hz) == (channels, new_rate_hz)
    assert out.num_samples == num_samples_at(num_samples, rate_hz, new_rate_hz)
    assert abs(out.num_samples - exact) <= 0.5 or out.num_samples == 1
    assert np.ptp(out.samples) == 0  # a constant stays constant
    assert rate_hz != new_rate_hz or out is audio


def test_lengths_are_rounded_half_up_and_fitted_at_the_end():
    assert [num_samples_at(n, 2, 1) for n in (1, 3, 5)] == [1, 2, 3]
    samples = np.array([[1, 2, 3]])
    fitted = [fit_length(samples, n).tolist() for n in (2, 3, 5)]
    assert fitted == [[[1, 2]], [[1, 2, 3]], [[1, 2, 3, 0, 0]]]


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
def test_a_sine_keeps_frequency_amplitude_and_phase_or_is_gone(rate_hz):
    def sine(rate, hertz=1000):
        return 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)

    out = resample(mono(sine(48_000)), rate_hz)
    inner = slice(rate_hz // 10, -rate_hz // 10)
    np.testing.assert_allclose(out.samples[0, inner], sine(rate_hz)[inner], atol=2e-6)
    beyond = resample(mono(sine(48_000, rate_hz // 2 + 1500)), rate_hz)
    assert np.abs(beyond.samples[0, inner]).max() < 1e-6


@pytest.mark.parametrize("cutoff_hz", [3_500, 7_000])
def test_what_it_does_to_sound_meets_the_mask(cutoff_hz):
    reference = mono(np.random.default_rng(0).uniform(-0.5, 0.5, 240_000))
    options = {"fs": 48_000, "nperseg": 8192, "window": "blackmanharris"}
    x, y = (a.samples[0].astype(float) for a in (reference, low_pass(reference, cutoff_hz)))
    hertz, power = welch(x, **options)
    response = csd(x, y, **options)[1] / power  # its phase shows a delay, too
    level_db = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(level_db[hertz <= cutoff_hz]).max() <= 0.1  # ripple
    for above_hz, least_db in MASK_DB.items():
        assert level_db[hertz >= cutoff_hz + above_hz].max() <= -least_db
    assert np.abs(np.angle(response[hertz <= cutoff_hz])).max() < 0.01
    assert len(x) == len(y)


def test_energy_above_a_frequency():
    time_s = np.arange(48_000) / 48_000
    tones = np.sin(2 * np.pi * 1_000 * time_s) + 0.01 * np.sin(2 * np.pi * 9_000 * time_s)
    audio = mono(0.3 * tones + 0.2)
    assert energy_above_db(audio, 7_000) == pytest.approx(-40.0, abs=0.01)
    assert energy_above_db(audio, 500) == pytest.approx(0.0, abs=0.01)
    assert energy_above_db(mono(np.zeros(100)), 7_000) == -np.inf
