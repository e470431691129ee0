from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfiltfilt

from snacbench.audio.align import cross_correlation, remove_delay
from snacbench.types import Audio

RATE_HZ, MAX_LAG = 24_000, 400
DELAYS = (-8, -1, 0, 1, 8)


def mono(samples) -> Audio:
    return Audio(np.asarray(samples, np.float32)[np.newaxis], RATE_HZ)


def noise(num_samples: int = 12_000, seed: int = 0):
    return np.random.default_rng(seed).standard_normal(num_samples) * 0.1


def pitched():
    """A steady voice at 200 Hz: its plain correlation has equal peaks 120 samples apart."""
    time_s = np.arange(24_000) / RATE_HZ
    tone = sum(np.cos(2 * np.pi * 200 * k * time_s) / k for k in range(1, 40))
    return 0.1 * tone + 0.02 * noise(24_000, seed=1)


def delayed(samples, d: int):
    return np.pad(samples, (d, 0))[: len(samples)] if d >= 0 else np.pad(samples[-d:], (0, -d))


def found(x, y) -> tuple[int, float]:
    correlation = cross_correlation(reference=mono(x), degraded=mono(y), max_lag=MAX_LAG)
    assert correlation.shape == (2 * MAX_LAG + 1,)
    return int(np.argmax(correlation)) - MAX_LAG, float(correlation.max())


@pytest.mark.parametrize("d", DELAYS)
def test_delay_of_noise_is_found(d):
    lag, height = found(noise(), delayed(noise(), d))
    assert lag == d
    assert height == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("d", DELAYS)
def test_delay_of_a_pitched_signal_is_found(d):
    assert found(pitched(), delayed(pitched(), d) + 0.005 * noise(24_000, seed=2))[0] == d


@pytest.mark.parametrize("d", DELAYS)
def test_delay_is_found_after_a_low_pass(d):
    sos = butter(6, 3500, fs=RATE_HZ, output="sos")
    assert found(noise(), sosfiltfilt(sos, delayed(noise(), d)))[0] == d


@pytest.mark.parametrize("d", DELAYS)
def test_bands_that_the_decoder_fills_with_noise_do_not_hide_the_delay(d):
    falling = butter(2, 300, fs=RATE_HZ, output="sos")
    x, other = (sosfilt(falling, noise(24_000, seed)) for seed in (3, 4))
    coded_band = butter(8, 1500, fs=RATE_HZ, output="sos")
    y = sosfiltfilt(coded_band, delayed(x, d)) + other - sosfiltfilt(coded_band, other)
    lag, height = found(x, y)
    assert lag == d
    assert height > 0.8


@pytest.mark.parametrize("d", DELAYS)
def test_a_hum_whose_phase_the_decoder_changed_does_not_decide(d):
    phase = 2 * np.pi * 100 * np.arange(24_000) / RATE_HZ
    x, y = np.sin(phase), np.sin(phase - 0.5)  # as if the hum came 19 samples late
    assert found(x + noise(24_000), y + delayed(noise(24_000), d))[0] == d


def test_lengths_may_differ():
    assert found(noise(), delayed(noise(), 5)[:9000])[0] == 5


def test_correlation_of_silence_is_zero_and_not_nan():
    assert found(np.zeros(1000), noise(1000))[1] == 0.0
    assert found(noise(1000), np.zeros(1000))[1] == 0.0


def test_no_lag_leaves_one_entry():
    same = cross_correlation(reference=mono(noise()), degraded=mono(noise()), max_lag=0)
    assert same == pytest.approx([1.0], abs=1e-4)


@pytest.mark.parametrize("d", [-8, 8])
def test_removing_a_delay_leaves_what_both_signals_cover(d):
    x = noise(1000)
    reference, degraded = remove_delay(
        reference=mono(x), degraded=mono(delayed(x, d)), delay_samples=d
    )
    assert reference.num_samples == degraded.num_samples == 992
    assert np.array_equal(reference.samples, degraded.samples)


def test_removing_no_delay_changes_nothing():
    x, y = mono(noise(100)), mono(noise(90))
    assert remove_delay(reference=x, degraded=y, delay_samples=0) == (x, y)


def test_removing_a_delay_makes_lengths_equal():
    x, y = mono(noise(100)), mono(noise(95))
    shifted = remove_delay(reference=x, degraded=y, delay_samples=2)
    assert [a.num_samples for a in shifted] == [93, 93]
