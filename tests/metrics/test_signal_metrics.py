"""Signal metrics by hand and by their laws."""

import numpy as np
import pytest

from snacbench.audio.resample import resample
from snacbench.errors import Undefined
from snacbench.metrics import bandwidth, log_spectra, loudness_diff, si_sdr, waveform_l1
from snacbench.types import Audio
from tests.conftest import broadband
from tests.metrics.conftest import audio, scaled, voice

SI_SDR, SI_SDR_ALIGNED, _ = si_sdr.METRICS
L1, _ = waveform_l1.METRICS
LSD, _ = log_spectra.METRICS
(BANDWIDTH,), (LOUDNESS,) = bandwidth.METRICS, loudness_diff.METRICS
RATE_HZ = 44_100


def noise(seed, channels=1, num_samples=2000):
    return audio(np.random.default_rng(seed).standard_normal((channels, num_samples)) * 0.1)


def by_db(signal, gain_db):
    return scaled(signal, 10 ** (gain_db / 20))


def test_si_sdr_by_hand():
    # y = x + n, n orthogonal to x and both without a mean: the ratio of the energies, 4 to 1.
    x, n = np.array([2, -2, 2, -2]), np.array([1, 1, -1, -1])
    for metric in (SI_SDR, SI_SDR_ALIGNED):  # the runner shifts; the function is the same
        value = metric(reference=audio(x), degraded=audio(x + n))
        assert value == pytest.approx(10 * np.log10(4), abs=1e-12)
    assert (SI_SDR.spec.aligned, SI_SDR_ALIGNED.spec.aligned) == (False, True)


def test_si_sdr_of_stereo_is_the_mean_of_its_channels_and_each_must_sound():
    x, n = noise(1, channels=2), noise(2, channels=2)
    y = audio(x.samples + np.array([[0.1], [0.7]]) * n.samples)
    pairs = zip(x.samples, y.samples, strict=True)
    left, right = (SI_SDR(reference=audio(a), degraded=audio(b)) for a, b in pairs)
    assert SI_SDR(reference=x, degraded=y) == pytest.approx((left + right) / 2, abs=1e-12)
    assert left - right > 10
    with pytest.raises(Undefined, match="degraded signal is silent in channel 1"):
        SI_SDR(reference=x, degraded=audio(y.samples * np.array([[1.0], [0.0]])))


def test_si_sdr_without_a_value():
    for gain in (1.0, -2.0, 0.5):
        with pytest.raises(Undefined, match="SI-SDR is infinite"):
            SI_SDR(reference=noise(1), degraded=audio(gain * noise(1).samples))
    with pytest.raises(Undefined, match="SI-SDR is minus infinity"):
        SI_SDR(reference=audio([1, -1, 1, -1]), degraded=audio([1, 1, -1, -1]))


def test_si_sdr_hears_noise_but_no_level_offset_or_polarity():
    x, n, before = noise(1), noise(2), np.inf
    score = SI_SDR.prepare(x)
    for noise_gain in (0.05, 0.5, 2.0):
        y = x.samples + noise_gain * n.samples
        value = score(degraded=audio(y))
        assert value < before
        before = value
        for gain in (0.01, -1.0, 100.0):
            assert score(degraded=audio(gain * (y + 0.5))) == pytest.approx(value, abs=2e-3)


def test_waveform_distance_by_hand():
    x, y = audio([0.5, -0.5, 0.25, 0]), audio([0.5, 0.5, 0, 0.25])
    assert L1(reference=x, degraded=y) == (0 + 1 + 0.25 + 0.25) / 4
    assert L1(reference=x, degraded=audio([0.0] * 4)) == 1.25 / 4  # as loud as the reference is


@pytest.mark.parametrize("gain_db", [-12.0, -0.5, 0.0, 6.0])
def test_a_gain_is_at_the_distance_of_its_decibels(gain_db):
    x = noise(0, num_samples=RATE_HZ)
    assert LSD(reference=x, degraded=by_db(x, gain_db)) == pytest.approx(abs(gain_db), abs=1e-4)
    x = voice(48_000)
    value = LOUDNESS(reference=x, degraded=by_db(x, gain_db))
    assert value == pytest.approx(abs(gain_db), abs=0.15)  # a block may cross a gate


def test_both_channels_are_loud_and_under_the_gate_nothing_is():
    x = voice(48_000)
    stereo = Audio(np.repeat(x.samples, 2, axis=0), 48_000)
    one_side = Audio(np.concatenate([x.samples, by_db(x, -60).samples]), 48_000)
    assert LOUDNESS(reference=stereo, degraded=one_side) == pytest.approx(3.01, abs=0.02)
    with pytest.raises(Undefined, match="the degraded signal has no loudness: none of its blocks"):
        LOUDNESS(reference=x, degraded=by_db(x, -80))
    with pytest.raises(Undefined, match="the reference has no loudness"):
        LOUDNESS.prepare(by_db(x, -80))


def test_bandwidth_is_that_which_the_decode_holds():
    source = broadband(2.0, 48_000, seed=3)
    whole = BANDWIDTH(reference=source, degraded=source)
    for kept_hz in (4_000, 8_000, 12_000):
        narrow = resample(resample(source, 2 * kept_hz), 48_000)
        found = BANDWIDTH(reference=source, degraded=narrow)
        assert found == pytest.approx(kept_hz / 1000, rel=0.1)
        assert found < whole
    short = Audio(np.ascontiguousarray(source.samples[:, :200]), 48_000)
    with pytest.raises(Undefined, match="200 samples, 256 are needed"):
        BANDWIDTH(reference=source, degraded=short)
