from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visqol.signal_utils import find_best_lag

from snacbench.metrics import _visqol_compare
from snacbench.metrics._visqol_compare import Envelope, lags_of, upper_envelope

rng = np.random.default_rng(0)


def lag_of(reference: np.ndarray, degraded: np.ndarray) -> int:
    (lag,) = lags_of([Envelope(reference)], [degraded])
    return lag


def lag_of_package(reference: np.ndarray, degraded: np.ndarray) -> int:
    lag = find_best_lag(upper_envelope(reference), upper_envelope(degraded))
    return 0 if abs(lag) > len(reference) / 2 else lag


def test_envelope_is_twice_the_rectified_signal_around_its_mean():
    signal = np.array([1.0, 3.0, -1.0, 1.0])
    assert upper_envelope(signal).tolist() == [1.0, 5.0, 5.0, 1.0]


def test_envelope_is_what_the_inverse_transform_for_real_signals_gives():
    # The "Hilbert" of the C++ code: double the positive half, then a transform to real numbers.
    signal = rng.standard_normal(1_000) + 0.3
    spectrum = np.fft.rfft(signal - signal.mean())
    spectrum[1:-1] *= 2
    analytic = np.fft.irfft(spectrum)
    np.testing.assert_allclose(
        np.abs(analytic) + signal.mean(), upper_envelope(signal), atol=0.02 * np.abs(signal).max()
    )


@pytest.mark.parametrize("lag", [-700, -33, -1, 0, 1, 48, 900])
def test_a_shift_is_found(lag):
    x = rng.standard_normal(4_000) * np.hanning(4_000)
    shifted = np.roll(x, -lag)
    assert lag_of(x, shifted) == lag == lag_of_package(x, shifted)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    lengths=st.tuples(st.integers(2, 600), st.integers(2, 600)),
    smoothing=st.integers(1, 60),
)
def test_lags_are_those_of_the_package(seed, lengths, smoothing):
    noise = np.random.default_rng(seed)
    x, y = (np.convolve(noise.standard_normal(n), np.ones(smoothing), "same") for n in lengths)
    # Where an envelope is below zero throughout, the best lag is any without overlap, by rounding.
    x, y = x - x.mean(), y - y.mean()
    assert lag_of(x, y) == lag_of_package(x, y)


def test_flat_peaks_are_decided_in_double_precision(monkeypatch):
    time = np.arange(6_000)
    x = np.sin(2 * np.pi * time / 50_000) * (time < 5_000)
    y = x + 1e-6 * rng.standard_normal(6_000)
    expected = lag_of_package(x, y)
    assert lag_of(x, y) == expected
    monkeypatch.setattr(_visqol_compare, "MANY_LAGS", 0)
    assert lag_of(x, y) == expected
    monkeypatch.setattr(_visqol_compare, "SINGLE_PRECISION", 1.0)  # every lag is in question
    assert lag_of(x, y) == expected


def test_silence_has_no_lag():
    x = rng.standard_normal(1_000)
    assert lag_of(x, np.zeros(1_000)) == 0
    assert lag_of(np.zeros(1_000), np.zeros(900)) == 0
    assert lag_of(x, np.zeros(0)) == 0


@pytest.mark.parametrize("level", [1e-300, 1e-30, 1e20])
def test_level_does_not_matter(level):
    x = rng.standard_normal(2_000) * np.hanning(2_000)
    assert lag_of(x, level * np.roll(x, 7)) == lag_of(level * x, np.roll(x, 7)) == -7


def test_more_than_half_a_reference_is_no_lag():
    burst = rng.standard_normal(100)
    x, y = np.zeros(1_000), np.zeros(1_000)
    x[:100], y[800:900] = burst, burst
    assert lag_of(x, y) == 0


def test_many_at_once_as_one_by_one():
    lengths = [(500, 500), (500, 400), (300, 500), (500, 500), (10, 3)]
    xs = [rng.standard_normal(n) for n, _ in lengths]
    ys = [rng.standard_normal(m) for _, m in lengths]
    together = lags_of([Envelope(x) for x in xs], ys)
    assert together == [lag_of(x, y) for x, y in zip(xs, ys, strict=True)]


def test_single_precision_errs_less_than_assumed():
    for size in (57_600, 600_000):
        x, y = (np.abs(rng.standard_normal(size)) for _ in range(2))
        norms = np.linalg.norm(x) * np.linalg.norm(y)
        double = np.fft.irfft(np.fft.rfft(x, 2 * size) * np.fft.rfft(y, 2 * size).conj())
        envelope = Envelope(x)
        envelope._transforms[2 * size] = np.fft.rfft(x.astype(np.float32), 2 * size)
        single = np.fft.irfft(
            envelope.transform(2 * size) * np.fft.rfft(y.astype(np.float32), 2 * size).conj()
        )
        assert single.dtype == np.float32
        assert np.abs(single - double).max() < _visqol_compare.SINGLE_PRECISION * norms
