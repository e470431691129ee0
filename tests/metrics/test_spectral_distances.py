from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import Undefined
from snacbench.metrics import _spectra, mel_dac, stft_dac
from snacbench.types import Audio, Metric

DAC7, DAC7_22K, DEFAULT, DEFAULT_22K = mel_dac.METRICS
STFT, STFT_22K, STFT_16K = stft_dac.METRICS
METRICS = {metric.spec.name: metric for metric in (*mel_dac.METRICS, *stft_dac.METRICS)}
every_distance = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)

short_signals = st.tuples(st.integers(0, 10_000), st.integers(1100, 3000), st.floats(1e-4, 1.0))


def noise(metric: Metric, seed: int, num_samples: int, level: float, *, channels: int = 1) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((channels, num_samples)) * level
    return Audio(samples.astype(np.float32), metric.spec.rate_hz)


def channel(audio: Audio, index: int) -> Audio:
    return Audio(audio.samples[index : index + 1], audio.rate_hz)


def scaled(audio: Audio, gain: float) -> Audio:
    return Audio(np.float32(gain) * audio.samples, audio.rate_hz)


def reference_loss(metric: Metric):
    """The published loss that the metric must equal."""
    from dac.nn.loss import MelSpectrogramLoss, MultiScaleSTFTLoss

    if metric in (STFT, STFT_22K, STFT_16K):
        return MultiScaleSTFTLoss()
    if metric in (DEFAULT, DEFAULT_22K):
        return MelSpectrogramLoss()
    return MelSpectrogramLoss(
        n_mels=[5, 10, 20, 40, 80, 160, 320],
        window_lengths=[32, 64, 128, 256, 512, 1024, 2048],
        mel_fmin=[0] * 7,
        mel_fmax=[None] * 7,
        pow=1.0,
        clamp_eps=1e-5,
        mag_weight=0.0,
    )


def published(metric: Metric, reference: Audio, degraded: Audio) -> float:
    from audiotools import AudioSignal

    signals = (AudioSignal(a.samples[None].copy(), a.rate_hz) for a in (degraded, reference))
    return float(reference_loss(metric)(*signals))


@pytest.mark.filterwarnings("ignore::UserWarning")
@every_distance
def test_equals_descript_audiotools(metric, pairs):
    for name, (x, y) in pairs(metric.spec.rate_hz).items():
        expected = published(metric, x, y)
        assert metric(reference=x, degraded=y) == pytest.approx(expected, rel=1e-6), name


@pytest.mark.filterwarnings("ignore::UserWarning")
@every_distance
def test_stereo_equals_descript_audiotools(metric, pairs):
    found = list(pairs(metric.spec.rate_hz, clips=2).values())
    for (left, left_degraded), (right, right_degraded) in zip(found[:3], found[3:], strict=True):
        x = Audio(np.vstack([left.samples, right.samples]), left.rate_hz)
        y = Audio(np.vstack([left_degraded.samples, right_degraded.samples]), left.rate_hz)
        assert metric(reference=x, degraded=y) == pytest.approx(published(metric, x, y), rel=1e-6)


@every_distance
def test_channels_are_averaged(metric):
    x, y = (noise(metric, seed, 4000, 0.1, channels=2) for seed in (0, 1))
    y = Audio(y.samples * np.float32([[1], [0.1]]), y.rate_hz)
    left, right = (
        metric(reference=channel(x, index), degraded=channel(y, index)) for index in (0, 1)
    )
    assert metric(reference=x, degraded=y) == pytest.approx((left + right) / 2, rel=1e-6)
    assert right > 1.5 * left


def test_the_forms_differ(make_voice, add_noise):
    x = make_voice(44_100)
    y = add_noise(x, 20)
    paper, default = (m(reference=x, degraded=y) for m in (DAC7, DEFAULT))
    assert abs(paper - default) > 0.1 * paper


def test_metrics_with_equal_windows_share_their_spectra(make_voice, add_noise):
    x = make_voice(44_100)
    mel, stft = DAC7.prepare(x), STFT.prepare(x)
    y = add_noise(x, 20)
    mel(degraded=y)
    before = _spectra.magnitude.cache_info()
    stft(degraded=y)
    after = _spectra.magnitude.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (2, 0)


def test_shared_spectra_are_read_only(make_voice):
    with pytest.raises(ValueError, match="read-only"):
        _spectra.magnitude(make_voice(44_100), window=512)[0][0, 0] = 1.0


@pytest.mark.parametrize("window", [32, 512, 2048])
def test_spectra_are_the_same_in_pieces_of_any_size(monkeypatch, make_voice, window):
    x = make_voice(44_100, 1.0)
    whole = np.hstack(_spectra.magnitude(x, window=window))
    monkeypatch.setattr(_spectra, "_BLOCK_SAMPLES", 8192)
    again = Audio(x.samples, x.rate_hz)
    assert np.array_equal(np.hstack(_spectra.magnitude(again, window=window)), whole)
    assert whole.shape == (window // 2 + 1, 1 + x.num_samples // (window // 4))


@every_distance
def test_digital_silence_is_far(metric, make_voice):
    x = make_voice(metric.spec.rate_hz)
    value = metric(reference=x, degraded=Audio(np.zeros_like(x.samples), x.rate_hz))
    assert 1 < value < 100


@every_distance
def test_half_the_largest_window_must_be_filled(metric):
    enough, short = noise(metric, 0, 1025, 0.1), noise(metric, 0, 1024, 0.1)
    assert metric(reference=enough, degraded=noise(metric, 1, 1025, 0.1)) > 0
    with pytest.raises(Undefined, match="reference has 1024 samples, 1025 are needed"):
        metric(reference=short, degraded=noise(metric, 1, 1024, 0.1))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), gain=st.floats(0.2, 5))
def test_a_gain_on_both_signals_leaves_logarithms_alone(seed, gain):
    # So loud that the clamp takes no part.
    x, y = (noise(DAC7, s, 4000, 1e4) for s in (seed, seed + 1))
    both = DAC7(reference=scaled(x, gain), degraded=scaled(y, gain))
    assert both == pytest.approx(DAC7(reference=x, degraded=y), rel=1e-4)


@pytest.mark.parametrize("metric", [DEFAULT, STFT], ids=["mel_dac_default", "stft_dac"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), gain=st.floats(0.2, 5))
def test_a_gain_on_both_signals_scales_magnitudes(metric, seed, gain):
    # So that twice the gain adds twice as much as the gain.
    x, y = (noise(metric, s, 4000, 0.2) for s in (seed, seed + 1))
    values = [
        metric(reference=scaled(x, factor), degraded=scaled(y, factor))
        for factor in (gain, 2 * gain, 3 * gain)
    ]
    assert values[2] - values[1] == pytest.approx(values[1] - values[0], rel=1e-2)


@every_distance
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_polarity_is_not_heard(metric, seed):
    x, y = noise(metric, seed, 2000, 0.1), noise(metric, seed + 1, 2000, 0.1)
    assert metric(reference=x, degraded=scaled(y, -1)) == metric(reference=x, degraded=y)
