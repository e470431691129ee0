"""Spectral distances: against the code that defines each form, and by their laws."""

import librosa
import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics import spectral
from snacbench.types import Audio
from tests.conftest import broadband
from tests.metrics.conftest import at_snr, low_passed, scaled, voice
from tests.support.cases import cases

METRICS = {metric.spec.name: metric for metric in spectral.METRICS}
DAC7, DEFAULT, STFT = (METRICS[name] for name in ("mel_dac7", "mel_dac_default", "stft_dac"))
every_distance = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)

# What the code that defines a form gave on `ten_pairs`. For the forms of descript-audiotools that
# is computed anew, in test_peers.
GIVEN = cases(__file__)


def ten_pairs(rate_hz):
    """Pairs that come out the same everywhere, none so empty that rounding decides."""
    said, sung, rustled = voice(rate_hz, 1.5), voice(rate_hz, 1.5, 1), broadband(1.5, rate_hz)
    bound = np.abs(said.samples).max() / 5
    yield from ((said, at_snr(said, snr_db)) for snr_db in (40, 20, 0))
    yield from ((x, at_snr(low_passed(x, 3000), 70)) for x in (sung, rustled))
    yield said, Audio(np.clip(said.samples, -bound, bound), rate_hz)
    yield sung, scaled(sung, 0.5)
    yield rustled, Audio(np.roll(rustled.samples, 7, axis=1), rate_hz)
    yield rustled, at_snr(rustled, 10)
    yield said, scaled(said, 0)


@pytest.mark.parametrize("name", GIVEN)
def test_equals_the_code_that_defines_the_form(name):
    metric = METRICS[name]
    found = [metric(reference=x, degraded=y) for x, y in ten_pairs(metric.spec.rate_hz)]
    assert found == pytest.approx(GIVEN[name], rel=1e-5)


def test_options_that_no_form_of_these_has():
    """Power in bands between two frequencies, by librosa."""
    scale = spectral.Scale(512, 200, 512, 40)
    made = spectral.Form((scale,), log_weight=1.0, exponent=2.0, fmin_hz=60.0, fmax_hz=7000.0)
    x, y = next(ten_pairs(16_000))
    how = {"sr": 16_000, "n_fft": 512, "hop_length": 200, "pad_mode": "reflect"}
    how |= {"n_mels": 40, "fmin": 60.0, "fmax": 7000.0}
    mel = librosa.feature.melspectrogram
    of_x, of_y = (mel(y=signal.samples[0], **how) for signal in (x, y))
    expected = np.abs(np.log10(of_x.clip(1e-5)) - np.log10(of_y.clip(1e-5))).mean()
    assert spectral.distance(made)(x)(y) == pytest.approx(expected, rel=1e-5)


def noise_for(metric, seed, num_samples, level):
    samples = np.random.default_rng(seed).standard_normal((1, num_samples)) * level
    return Audio(samples.astype(np.float32), metric.spec.rate_hz)


def test_the_forms_differ_and_metrics_with_equal_windows_share_their_spectra():
    x = voice(44_100)
    mel, stft = DAC7.prepare(x), STFT.prepare(x)
    y = at_snr(x, 20)
    paper = mel(degraded=y)
    before = spectral.magnitude.cache_info()
    stft(degraded=y)
    after = spectral.magnitude.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (2, 0)
    assert abs(paper - DEFAULT(reference=x, degraded=y)) > 0.1 * paper


def test_spectra_are_read_only_and_the_same_in_pieces_of_any_size(monkeypatch):
    x = voice(44_100, 1.0)
    for window in (32, 512, 2048):
        options = spectral.Scale(window, window // 4, window), "hann", window // 2
        pieces = spectral.magnitude(x, *options)
        with pytest.raises(ValueError, match="read-only"):
            pieces[0][0, 0] = 1.0
        whole = np.hstack(pieces)
        with monkeypatch.context() as patched:
            patched.setattr(spectral, "_BLOCK_SAMPLES", 8192)
            again = spectral.magnitude(Audio(x.samples, x.rate_hz), *options)
        assert np.array_equal(np.hstack(again), whole)
        assert whole.shape == (window // 2 + 1, 1 + x.num_samples // (window // 4))


@every_distance
def test_digital_silence_is_far_and_half_the_largest_window_must_be_filled(metric):
    x = voice(metric.spec.rate_hz, 1.0)
    assert 0.9 < metric(reference=x, degraded=scaled(x, 0)) < 1000
    assert metric(reference=x, degraded=scaled(x, -1)) == 0  # nor is polarity heard
    needed = {"mel_hifigan": 385, "mel_bigvgan": 385, "mel_vocos": 513, "mel_focalcodec": 513}
    samples = needed.get(metric.spec.name, 1025)
    lengths = ((0, samples), (1, samples), (0, samples - 1))
    x, y, short = (noise_for(metric, *of, 0.1) for of in lengths)
    assert metric(reference=x, degraded=y) > 0
    with pytest.raises(Undefined, match=f"has {samples - 1} samples, {samples} are needed"):
        metric.prepare(short)


@pytest.mark.parametrize("gain", [0.2, 0.7, 5.0])
def test_a_gain_on_both_signals_leaves_logarithms_alone_and_scales_magnitudes(gain):
    # So loud that the clamp takes no part.
    x, y = (noise_for(DAC7, seed, 4000, 1e4) for seed in (0, 1))
    both = DAC7(reference=scaled(x, gain), degraded=scaled(y, gain))
    assert both == pytest.approx(DAC7(reference=x, degraded=y), rel=1e-4)
    # So that twice the gain adds twice as much as the gain.
    for metric in (DEFAULT, STFT):
        x, y = (noise_for(metric, seed, 4000, 0.2) for seed in (0, 1))
        louder = ((scaled(x, k * gain), scaled(y, k * gain)) for k in (1, 2, 3))
        first, second, third = (metric(reference=one, degraded=other) for one, other in louder)
        assert third - second == pytest.approx(second - first, rel=1e-2)
