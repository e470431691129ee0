from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, sosfiltfilt

from snacbench.audio.align import (
    MAX_DELAY_S,
    Match,
    advanced,
    best_lag,
    common_part,
    cross_correlation,
    strongest,
)
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


@pytest.mark.parametrize("in_front", [0, 3_000])
def test_of_long_signals_the_same_stretch_is_searched(in_front):
    x = noise(40 * RATE_HZ)
    y = np.concatenate([noise(in_front, seed=1), x, noise(9_000, seed=2)])
    curve = cross_correlation(reference=mono(x), degraded=mono(y), max_lag=4_000)
    assert strongest(curve).lag == in_front


def test_a_short_file_is_compared_with_the_beginning_of_a_long_one():
    assert found(noise(40 * RATE_HZ), delayed(noise(40 * RATE_HZ), 7)[:48_000])[0] == 7


def test_correlation_of_silence_is_zero_and_not_nan():
    assert found(np.zeros(1000), noise(1000))[1] == 0.0
    assert found(noise(1000), np.zeros(1000))[1] == 0.0


def test_no_lag_leaves_one_entry():
    same = cross_correlation(reference=mono(noise()), degraded=mono(noise()), max_lag=0)
    assert same == pytest.approx([1.0], abs=1e-4)


def test_channels_of_opposite_phase_do_not_cancel():
    x = np.stack([noise(), -noise()])
    y = np.stack([delayed(row, 5) for row in x])
    reference, degraded = (Audio(s.astype(np.float32), RATE_HZ) for s in (x, y))
    curve = cross_correlation(reference=reference, degraded=degraded, max_lag=MAX_LAG)
    assert strongest(curve).lag == 5


@pytest.mark.parametrize("d", [*DELAYS, 12_000, -12_000])
def test_long_delays_and_inverted_polarity_are_found(d):
    curve = cross_correlation(
        reference=mono(noise(24_000)), degraded=mono(-delayed(noise(24_000), d)), max_lag=12_000
    )
    match = strongest(curve)
    assert match.lag == d
    assert match.correlation < -0.6


def test_of_the_equal_peaks_of_a_tone_the_nearest_counts():
    tone = np.sin(2 * np.pi * 400 * np.arange(48_000) / RATE_HZ)  # a period of 60 samples
    curve = cross_correlation(
        reference=mono(tone), degraded=mono(np.roll(tone, 20)), max_lag=12_000
    )
    assert strongest(curve).lag == 20
    at_once = best_lag(reference=mono(tone), degraded=mono(tone), around=0, reach=100)
    assert (at_once.lag, round(at_once.correlation, 6)) == (0, 1.0)


@pytest.mark.parametrize(("d", "sign"), [(-6, 1), (0, -1), (4, 1), (6, -1)])
def test_the_lag_of_the_highest_si_sdr_is_found_close_to_a_delay(d, sign):
    x, rest = noise(48_000), noise(48_000, seed=7)
    y = sign * delayed(x, 500 + d) + 0.5 * rest
    match = best_lag(reference=mono(x), degraded=mono(y), around=500, reach=6)
    assert match.lag == 500 + d
    assert match.correlation == pytest.approx(sign / np.sqrt(1.25), abs=0.01)


def test_the_mean_over_channels_decides():
    x = np.stack([noise(48_000, seed=1), noise(48_000, seed=2)])
    y = np.stack([delayed(x[0], 3), 0.1 * delayed(x[1], 3)])
    both = [Audio(s.astype(np.float32), RATE_HZ) for s in (x, y)]
    assert best_lag(reference=both[0], degraded=both[1], around=0, reach=6).lag == 3


@pytest.mark.parametrize("num_samples", [1, 2, 3, 5, 30, 300])
def test_clips_that_are_shorter_than_the_window(num_samples):
    x = mono(noise(num_samples))
    assert best_lag(reference=x, degraded=x, around=0, reach=12).lag == 0
    assert best_lag(reference=x, degraded=x, around=1000, reach=12) == Match(1000, 0.0)


@pytest.mark.parametrize("silent", ["reference", "degraded", "both"])
def test_what_does_not_vary_matches_at_no_lag(silent):
    constant, x = mono(np.full(2000, 0.1)), mono(noise(2000))
    reference = x if silent == "degraded" else constant
    degraded = x if silent == "reference" else constant
    assert best_lag(reference=reference, degraded=degraded, around=2, reach=6) == Match(2, 0.0)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_what_is_compared_does_not_depend_on_the_lag(rate_hz):
    n, longest = 3 * rate_hz, round(MAX_DELAY_S * rate_hz)
    part = common_part(n, rate_hz)
    assert part == (round(0.52 * rate_hz), n - round(0.52 * rate_hz))
    assert common_part(n, rate_hz, earliest=-longest, latest=longest) == part


def test_of_short_clips_the_middle_half_is_compared_or_what_a_long_delay_leaves():
    assert common_part(1000, 1000) == (250, 750)
    assert common_part(1000, 1000, latest=250) == (250, 750)
    assert common_part(1000, 1000, latest=400) == (250, 600)
    assert common_part(1000, 1000, earliest=-400) == (400, 750)
    assert common_part(1000, 1000, latest=900) == (250, 250)
    assert common_part(1, 1000) == (0, 1)


@pytest.mark.parametrize("d", [-99, -8, 0, 8, 99])
def test_advancing_undoes_a_delay_and_keeps_the_length(d):
    x = noise(100)
    out = advanced(mono(delayed(x, d)), d).samples[0]
    assert len(out) == 100
    kept = slice(max(0, -d), 100 - max(0, d))
    assert np.array_equal(out[kept], np.float32(x)[kept])


@pytest.mark.parametrize("d", [-200, -100, 100, 200])
def test_advancing_by_the_whole_length_leaves_silence(d):
    assert not advanced(mono(noise(100)), d).samples.any()
