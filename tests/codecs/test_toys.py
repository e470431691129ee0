"""The toys do exactly what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import UnknownPoint
from snacbench.selectors import select
from snacbench.types import Audio
from tests.conftest import broadband


@pytest.mark.parametrize("cutoff_khz", [3.5, 7.0])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_lowpass_meets_the_anchor_mask(loaded, cutoff_khz, rate_hz):
    codec = loaded(f"lowpass@{cutoff_khz}kHz")
    impulse = np.zeros((1, rate_hz), np.float32)
    impulse[0, rate_hz // 2] = 1.0
    out = codec.decode(codec.encode(Audio(impulse, rate_hz)), seed=0).samples[0]
    assert int(np.argmax(out)) == rate_hz // 2, "the filter delays"
    frequency_hz = np.fft.rfftfreq(rate_hz, 1 / rate_hz)
    level_db = 20 * np.log10(np.abs(np.fft.rfft(out.astype(np.float64))) + 1e-12)
    cutoff_hz = cutoff_khz * 1000
    assert np.abs(level_db[frequency_hz <= cutoff_hz]).max() <= 0.1
    assert level_db[frequency_hz >= cutoff_hz + 500].max() <= -25
    assert level_db[frequency_hz >= cutoff_hz + 1000].max() <= -50
    narrow = broadband(0.3, 6_000)
    assert np.array_equal(codec.decode(codec.encode(narrow), seed=0).samples, narrow.samples)


@given(samples=st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=50))
@settings(max_examples=25, deadline=None)
def test_identity_is_exact(samples):
    ((model, spec),) = select("identity")
    codec = model.load(spec, None, "cpu")
    audio = Audio(np.array([samples], np.float32), 16_000)
    assert np.array_equal(codec.decode(codec.encode(audio), seed=0).samples, audio.samples)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0, 40.0])
def test_noise_has_the_stated_ratio(loaded, snr_db):
    codec = loaded(f"noise@{snr_db:g}dB")
    audio = broadband(2.0, 24_000)
    decoded = codec.decode(codec.encode(audio), seed=3)
    noise = decoded.samples.astype(np.float64) - audio.samples
    ratio = np.mean(audio.samples.astype(np.float64) ** 2) / np.mean(noise**2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.1)


def test_points_that_are_no_numbers_are_refused():
    for selector, message in {
        "lowpass@loud": "is no cut-off; write for example lowpass@3.5kHz",
        "lowpass@0": "is no cut-off",
        "noise@much": "is no signal-to-noise ratio; write for example noise@20dB",
    }.items():
        with pytest.raises(UnknownPoint, match=message):
            select(selector)
