from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.errors import Undefined
from snacbench.metrics import _spectra, mel_dac, stft_dac
from snacbench.types import Audio, Metric
from tests.metrics.conftest import at_snr, voice

METRICS = {metric.spec.name: metric for metric in (*mel_dac.METRICS, *stft_dac.METRICS)}
DAC7, DEFAULT, STFT = (METRICS[name] for name in ("mel_dac7", "mel_dac_default", "stft_dac"))
every_distance = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
few = settings(max_examples=10, deadline=None)


def noise(metric: Metric, seed: int, num_samples: int, level: float, *, channels: int = 1) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((channels, num_samples)) * level
    return Audio(samples.astype(np.float32), metric.spec.rate_hz)


def scaled(audio: Audio, gain: float) -> Audio:
    return Audio(np.float32(gain) * audio.samples, audio.rate_hz)


def test_the_forms_differ_and_metrics_with_equal_windows_share_their_spectra():
    x = voice(44_100)
    mel, stft = DAC7.prepare(x), STFT.prepare(x)
    y = at_snr(x, 20)
    paper = mel(degraded=y)
    before = _spectra.magnitude.cache_info()
    stft(degraded=y)
    after = _spectra.magnitude.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (2, 0)
    assert abs(paper - DEFAULT(reference=x, degraded=y)) > 0.1 * paper


@pytest.mark.parametrize("window", [32, 512, 2048])
def test_spectra_are_read_only_and_the_same_in_pieces_of_any_size(monkeypatch, window):
    x = voice(44_100, 1.0)
    pieces = _spectra.magnitude(x, window=window)
    with pytest.raises(ValueError, match="read-only"):
        pieces[0][0, 0] = 1.0
    whole = np.hstack(pieces)
    monkeypatch.setattr(_spectra, "_BLOCK_SAMPLES", 8192)
    again = Audio(x.samples, x.rate_hz)
    assert np.array_equal(np.hstack(_spectra.magnitude(again, window=window)), whole)
    assert whole.shape == (window // 2 + 1, 1 + x.num_samples // (window // 4))


@every_distance
def test_digital_silence_is_far_and_half_the_largest_window_must_be_filled(metric):
    x = voice(metric.spec.rate_hz, 1.0)
    assert 1 < metric(reference=x, degraded=scaled(x, 0)) < 100
    assert metric(reference=x, degraded=scaled(x, -1)) == 0  # nor is polarity heard
    enough, short = (noise(metric, 0, num_samples, 0.1) for num_samples in (1025, 1024))
    assert metric(reference=enough, degraded=noise(metric, 1, 1025, 0.1)) > 0
    with pytest.raises(Undefined, match="reference has 1024 samples, 1025 are needed"):
        metric.prepare(short)


@few
@given(seed=st.integers(0, 10_000), gain=st.floats(0.2, 5))
def test_a_gain_on_both_signals_leaves_logarithms_alone_and_scales_magnitudes(seed, gain):
    # So loud that the clamp takes no part.
    x, y = (noise(DAC7, s, 4000, 1e4) for s in (seed, seed + 1))
    both = DAC7(reference=scaled(x, gain), degraded=scaled(y, gain))
    assert both == pytest.approx(DAC7(reference=x, degraded=y), rel=1e-4)
    # So that twice the gain adds twice as much as the gain.
    for metric in (DEFAULT, STFT):
        x, y = (noise(metric, s, 4000, 0.2) for s in (seed, seed + 1))
        first, second, third = (
            metric(reference=scaled(x, factor), degraded=scaled(y, factor))
            for factor in (gain, 2 * gain, 3 * gain)
        )
        assert third - second == pytest.approx(second - first, rel=1e-2)
