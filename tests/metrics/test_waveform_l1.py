from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.metrics.waveform_l1 import METRICS
from snacbench.types import Audio

METRIC, METRIC_22K = METRICS
RATE_HZ = METRIC.spec.rate_hz


def audio(samples, rate_hz: int = RATE_HZ) -> Audio:
    return Audio(np.atleast_2d(np.asarray(samples, np.float32)), rate_hz)


def noise(seed: int, channels: int = 1) -> Audio:
    return audio(np.random.default_rng(seed).standard_normal((channels, 2000)) * 0.1)


def test_value_by_hand():
    x, y = audio([0.5, -0.5, 0.25, 0]), audio([0.5, 0.5, 0, 0.25])
    assert METRIC(reference=x, degraded=y) == (0 + 1 + 0.25 + 0.25) / 4


@pytest.mark.parametrize("metric", METRICS, ids=["44k", "22k"])
def test_equals_descript_audiotools(metric, pairs):
    pytest.importorskip("torch")
    from audiotools import AudioSignal
    from dac.nn.loss import L1Loss

    for name, (x, y) in pairs(metric.spec.rate_hz).items():
        signals = [AudioSignal(a.samples[None].copy(), a.rate_hz) for a in (y, x)]
        expected = float(L1Loss()(*signals))
        assert metric(reference=x, degraded=y) == pytest.approx(expected, rel=1e-6), name


def test_stereo_equals_descript_audiotools_and_is_the_mean_of_its_channels():
    from audiotools import AudioSignal
    from dac.nn.loss import L1Loss

    x, y = noise(1, channels=2), noise(2, channels=2)
    value = METRIC(reference=x, degraded=y)
    signals = [AudioSignal(a.samples[None].copy(), a.rate_hz) for a in (y, x)]
    assert value == pytest.approx(float(L1Loss()(*signals)), rel=1e-6)
    channels = [
        METRIC(reference=audio(x.samples[c]), degraded=audio(y.samples[c])) for c in range(2)
    ]
    assert value == pytest.approx(sum(channels) / 2, rel=1e-6)


def test_silence_is_as_far_as_the_reference_is_loud():
    x = noise(1)
    silence = audio(np.zeros_like(x.samples))
    expected = float(np.abs(x.samples).mean())
    assert METRIC(reference=x, degraded=silence) == pytest.approx(expected)


@given(seed=st.integers(0, 1000), gain=st.floats(-10, 10).filter(lambda g: abs(g) > 0.01))
def test_a_gain_on_both_signals_scales_the_distance(seed, gain):
    x, y = noise(seed), noise(seed + 1)
    both = METRIC(reference=audio(gain * x.samples), degraded=audio(gain * y.samples))
    assert both == pytest.approx(abs(gain) * METRIC(reference=x, degraded=y), rel=1e-5)
