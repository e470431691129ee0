"""The low-pass: flat, steep, in time, whatever the rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import freqz

from snacbench.audio.filters import low_pass, low_pass_taps
from snacbench.types import Audio
from tests.conftest import broadband


@pytest.mark.parametrize("cutoff_hz", [3_500, 7_000])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_its_response_is_that_of_anchors(cutoff_hz: int, rate_hz: int) -> None:
    hertz, response = freqz(low_pass_taps(cutoff_hz, rate_hz), worN=1 << 15, fs=rate_hz)
    level_db = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(level_db[hertz <= cutoff_hz]).max() < 0.1
    assert level_db[hertz >= cutoff_hz + 500].max() < -25
    assert level_db[hertz >= cutoff_hz + 600].max() < -60


def test_a_tone_that_passes_stays_where_it_is() -> None:
    at = np.arange(24_000) / 24_000
    low, high = np.sin(2 * np.pi * 1_000 * at), np.sin(2 * np.pi * 6_000 * at)
    cut = low_pass(Audio(np.stack([low, low + high]).astype(np.float32), 24_000), 3_500)
    for channel in cut.samples:
        np.testing.assert_allclose(channel[2_000:-2_000], low[2_000:-2_000], atol=2e-3)


def test_a_band_that_ends_below_passes_unchanged() -> None:
    audio = broadband(0.1, 8_000)
    assert low_pass(audio, 3_500) is audio
