"""The spectrogram without filters, against visqol-python's, which runs them sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from visqol.analysis_window import AnalysisWindow
from visqol.audio_utils import AudioSignal
from visqol.gammatone import GammatoneSpectrogramBuilder, make_erb_filters

from snacbench.metrics._visqol_spectrogram import (
    AUDIO_BANDS,
    LOWEST_HZ,
    SPEECH_BANDS,
    bands_of,
    gammatones,
)

MODES = pytest.mark.parametrize(("rate_hz", "speech"), [(48_000, False), (16_000, True)])


def filtered(signal: np.ndarray, rate_hz: int, *, speech: bool) -> np.ndarray:
    builder = GammatoneSpectrogramBuilder(
        SPEECH_BANDS if speech else AUDIO_BANDS, LOWEST_HZ, speech_mode=speech
    )
    return builder.build(AudioSignal(signal, rate_hz), AnalysisWindow(rate_hz)).data.T


def largest_difference_db(signal: np.ndarray, rate_hz: int, *, speech: bool) -> float:
    """Over all cells that ViSQOL looks at: within 45 dB of the loudest band of the frame."""
    expected = 10 * np.log10(filtered(signal, rate_hz, speech=speech) + 1e-30)
    found = 10 * np.log10(bands_of(rate_hz, speech=speech).amplitudes(signal) + 1e-30)
    heard = (expected > expected.max(axis=1, keepdims=True) - 45) & (expected > -45)
    assert found.shape == expected.shape
    return float(np.abs(found - expected)[heard].max())


def tone(rate_hz: int, frequency_hz: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(rate_hz) / rate_hz)


@MODES
def test_noise(rate_hz, speech):
    noise = np.random.default_rng(0).standard_normal(rate_hz) * 0.1
    assert largest_difference_db(noise, rate_hz, speech=speech) < 2e-5


@MODES
@pytest.mark.parametrize("frequency_hz", [30, 50, 440, 3000, 7800])
def test_tones_over_faint_noise(rate_hz, speech, frequency_hz):
    noise = np.random.default_rng(0).standard_normal(rate_hz) * 1e-5
    signal = tone(rate_hz, frequency_hz) + noise
    assert largest_difference_db(signal, rate_hz, speech=speech) < 5e-3


@MODES
def test_clicks_ring_beyond_their_frame(rate_hz, speech):
    signal = np.random.default_rng(0).standard_normal(rate_hz) * 1e-4
    signal[:: rate_hz // 7 + 3] += 1.0
    assert largest_difference_db(signal, rate_hz, speech=speech) < 1e-3


def test_clips(pairs):
    for _, degraded in pairs(16_000, clips=4, duration_s=2.0).values():
        signal = degraded.samples[0].astype(float)
        assert largest_difference_db(signal, 16_000, speech=True) < 1e-3


@pytest.mark.parametrize("level", [1e-30, 1e-6, 1e15])
def test_any_level(level):
    noise = np.random.default_rng(0).standard_normal(8_000)
    bands = bands_of(16_000, speech=True)
    np.testing.assert_allclose(
        bands.amplitudes(noise * level), bands.amplitudes(noise) * level, rtol=1e-5
    )


def test_silence_has_no_amplitude():
    assert not bands_of(16_000, speech=True).amplitudes(np.zeros(5_000)).any()


@MODES
def test_frames_start_from_rest(rate_hz, speech):
    bands = bands_of(rate_hz, speech=speech)
    signal = np.random.default_rng(0).standard_normal(rate_hz)
    whole, part = bands.amplitudes(signal), bands.amplitudes(signal[3 * bands.hop :])
    np.testing.assert_allclose(part, whole[3:], rtol=1e-5)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100])
def test_other_rates(rate_hz):
    noise = np.random.default_rng(0).standard_normal(rate_hz) * 0.1
    assert largest_difference_db(noise, rate_hz, speech=False) < 2e-5
    assert bands_of(rate_hz, speech=False).hop_s == pytest.approx(0.02, rel=1e-3)


def test_filters_have_the_coefficients_of_the_package():
    expected = make_erb_filters(48_000, 32, 50.0, 24_000.0)
    bank = gammatones(48_000, 32, 50.0, 24_000.0)
    np.testing.assert_allclose([f.centre_hz for f in bank], expected.center_freqs[::-1])
    for index, filter_ in enumerate(bank):
        *_, b1, b2, _gain = expected.filter_coeffs[:, ::-1][:, index]
        np.testing.assert_allclose(filter_._denominator[1:], [b1, b2])


def test_filters_have_a_gain_of_one_at_their_centre():
    for filter_ in gammatones(16_000, 21, 50.0, 8_000.0):
        assert abs(filter_.response(np.array([filter_.radians])))[0] == pytest.approx(1)


def test_ringing_is_spanned_by_eight_waves():
    (filter_,) = gammatones(16_000, 1, 100.0, 8_000.0)
    basis = filter_.ringing(3_000)
    assert basis.shape == (3_000, 8)
    size = 2**16
    impulse = np.fft.irfft(filter_.response(np.pi * np.arange(size // 2 + 1) / (size // 2)))
    for after in (1, 100, 777):
        tail = impulse[after : after + 3_000]
        assert np.linalg.norm(tail - basis @ (basis.T @ tail)) < 1e-9 * np.linalg.norm(tail)
