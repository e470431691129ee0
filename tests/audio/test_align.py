import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfiltfilt

from snacbench.audio.align import Match, advanced, best_lag, cross_correlation, strongest
from snacbench.types import Audio

RATE_HZ, MAX_LAG = 24_000, 400


def audio(samples):
    return Audio(np.atleast_2d(np.asarray(samples, np.float32)), RATE_HZ)


def noise(num_samples=12_000, seed=0):
    return np.random.default_rng(seed).standard_normal(num_samples) * 0.1


def pitched():
    """A steady voice at 200 Hz: its plain correlation has equal peaks 120 samples apart."""
    time_s = np.arange(24_000) / RATE_HZ
    tone = sum(np.cos(2 * np.pi * 200 * k * time_s) / k for k in range(1, 40))
    return 0.1 * tone + 0.02 * noise(24_000, seed=1)


def delayed(samples, d):
    return np.pad(samples, (d, 0))[: len(samples)] if d >= 0 else np.pad(samples[-d:], (0, -d))


def found(x, y, max_lag=MAX_LAG):
    curve = cross_correlation(reference=audio(x), degraded=audio(y), max_lag=max_lag)
    assert curve.shape == (2 * max_lag + 1,)
    return strongest(curve)


@pytest.mark.parametrize("d", [-8, 0, 1])
def test_a_delay_is_found_whatever_the_decoder_did(d):
    match = found(noise(), delayed(noise(), d))
    assert (match.lag, match.correlation) == (d, pytest.approx(1.0, abs=2e-3))
    assert found(pitched(), delayed(pitched(), d) + 0.005 * noise(24_000, seed=2)).lag == d
    # Bands that it fills with noise.
    falling = butter(2, 300, fs=RATE_HZ, output="sos")
    x, other = (sosfilt(falling, noise(24_000, seed)) for seed in (3, 4))
    coded_band = butter(8, 1500, fs=RATE_HZ, output="sos")
    coded = sosfiltfilt(coded_band, delayed(x, d)) + other - sosfiltfilt(coded_band, other)
    match = found(x, coded)
    assert match.lag == d
    assert match.correlation > 0.8
    # A hum whose phase it changed, as if it came 19 samples late.
    phase = 2 * np.pi * 100 * np.arange(24_000) / RATE_HZ
    x, y = np.sin(phase) + noise(24_000), np.sin(phase - 0.5) + delayed(noise(24_000), d)
    assert found(x, y).lag == d


def test_of_long_signals_the_same_stretch_is_searched():
    x = noise(40 * RATE_HZ)
    for in_front in (0, 3_000):
        y = np.concatenate([noise(in_front, seed=1), x, noise(9_000, seed=2)])
        assert found(x, y, 4_000).lag == in_front
    assert found(x, delayed(x, 7)[:48_000]).lag == 7  # a short file, with the beginning of it


def test_silence_no_lag_and_channels_of_opposite_phase():
    assert found(np.zeros(1000), noise(1000)) == found(noise(1000), np.zeros(1000)) == Match(0, 0.0)
    assert found(noise(), noise(), 0).correlation == pytest.approx(1.0, abs=1e-4)
    x = np.stack([noise(), -noise()])
    assert found(x, np.stack([delayed(row, 5) for row in x])).lag == 5


def test_of_the_equal_peaks_of_a_tone_the_nearest_counts():
    tone = np.sin(2 * np.pi * 400 * np.arange(48_000) / RATE_HZ)  # a period of 60 samples
    assert found(tone, np.roll(tone, 20), 12_000).lag == 20
    at_once = best_lag(reference=audio(tone), degraded=audio(tone), around=0, reach=100)
    assert (at_once.lag, round(at_once.correlation, 6)) == (0, 1.0)


@pytest.mark.parametrize(("d", "sign"), [(-6, 1), (0, -1), (6, -1)])
def test_the_lag_of_the_highest_si_sdr_is_found_close_to_a_delay(d, sign):
    x, rest = noise(48_000), noise(48_000, seed=7)
    y = sign * delayed(x, 500 + d) + 0.5 * rest
    match = best_lag(reference=audio(x), degraded=audio(y), around=500, reach=6)
    assert match.lag == 500 + d
    assert match.correlation == pytest.approx(sign / np.sqrt(1.25), abs=0.01)
    x = np.stack([x, rest])  # the mean over channels decides
    y = np.stack([delayed(x[0], 3), 0.1 * delayed(x[1], 3)])
    assert best_lag(reference=audio(x), degraded=audio(y), around=0, reach=6).lag == 3


@pytest.mark.parametrize("num_samples", [1, 2, 3, 5, 30, 300])
def test_clips_that_are_shorter_than_the_window_or_do_not_vary(num_samples):
    x = audio(noise(num_samples))
    assert best_lag(reference=x, degraded=x, around=0, reach=12).lag == 0
    assert best_lag(reference=x, degraded=x, around=1000, reach=12) == Match(1000, 0.0)
    x, constant = audio(noise(2000)), audio(np.full(2000, 0.1))
    for pair in ((x, constant), (constant, x), (constant, constant)):
        assert best_lag(reference=pair[0], degraded=pair[1], around=2, reach=6) == Match(2, 0.0)


@pytest.mark.parametrize("d", [-200, -99, -8, 0, 60, 100])
def test_advancing_undoes_a_delay_and_keeps_the_length(d):
    x = np.float32(noise(100))
    assert np.array_equal(advanced(audio(x), d).samples[0], delayed(x, -d))
