from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import Undefined
from snacbench.metrics import mel_dac, stft_dac
from snacbench.types import Audio

RATE_HZ = 44_100
DAC7, DEFAULT = mel_dac.METRICS
(STFT,) = stft_dac.METRICS
METRICS = {metric.spec.name: metric for metric in (DAC7, DEFAULT, STFT)}
every_distance = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)

short_signals = st.tuples(st.integers(0, 10_000), st.integers(1100, 3000), st.floats(1e-4, 1.0))


def noise(seed: int, num_samples: int, level: float) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((1, num_samples)) * level
    return Audio(samples.astype(np.float32), RATE_HZ)


def reference_losses():
    """The published losses, by the name of the metric that must equal them."""
    pytest.importorskip("torch")
    from dac.nn.loss import MelSpectrogramLoss, MultiScaleSTFTLoss

    return {
        "mel_dac7": MelSpectrogramLoss(
            n_mels=[5, 10, 20, 40, 80, 160, 320],
            window_lengths=[32, 64, 128, 256, 512, 1024, 2048],
            mel_fmin=[0] * 7,
            mel_fmax=[None] * 7,
            pow=1.0,
            clamp_eps=1e-5,
            mag_weight=0.0,
        ),
        "mel_dac_default": MelSpectrogramLoss(),
        "stft_dac": MultiScaleSTFTLoss(),
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
@every_distance
def test_equals_descript_audiotools(metric, pairs):
    loss = reference_losses()[metric.spec.name]
    from audiotools import AudioSignal

    for name, (x, y) in pairs(RATE_HZ).items():
        expected = float(
            loss(*(AudioSignal(audio.samples[None].copy(), RATE_HZ) for audio in (y, x)))
        )
        assert metric(reference=x, degraded=y) == pytest.approx(expected, rel=1e-6), name


def test_the_two_mel_forms_differ(make_voice, add_noise):
    x = make_voice(RATE_HZ)
    y = add_noise(x, 20)
    paper, default = (m(reference=x, degraded=y) for m in (DAC7, DEFAULT))
    assert abs(paper - default) > 0.1 * paper


@every_distance
def test_digital_silence_is_far(metric, make_voice):
    x = make_voice(RATE_HZ)
    value = metric(reference=x, degraded=Audio(np.zeros_like(x.samples), RATE_HZ))
    assert 1 < value < 100


@every_distance
def test_half_the_largest_window_must_be_filled(metric):
    enough, short = noise(0, 1025, 0.1), noise(0, 1024, 0.1)
    assert metric(reference=enough, degraded=noise(1, 1025, 0.1)) > 0
    with pytest.raises(Undefined, match="reference has 1024 samples, 1025 are needed"):
        metric(reference=short, degraded=noise(1, 1024, 0.1))


@every_distance
@settings(max_examples=20, deadline=None)
@given(signal=short_signals)
def test_equal_signals_are_at_distance_zero(metric, signal):
    x = noise(*signal)
    assert metric(reference=x, degraded=x) == 0.0


@every_distance
@settings(max_examples=20, deadline=None)
@given(signal=short_signals, other=st.tuples(st.integers(0, 10_000), st.floats(1e-4, 1.0)))
def test_distances_are_symmetric(metric, signal, other):
    x, y = noise(*signal), noise(other[0] + 20_000, signal[1], other[1])
    there, back = metric(reference=x, degraded=y), metric(reference=y, degraded=x)
    assert there == back > 0
