"""PESQ, STOI, pitch, mel-cepstral distortion, DNSMOS: as the packages, and where there is none."""

from functools import partial

import numpy as np
import pytest

from benchmarks._peers import PEERS
from snacbench.errors import Undefined
from snacbench.metrics import dnsmos, f0, log_spectra, stoi
from snacbench.metrics.pesq import MAX_DURATION_S
from snacbench.metrics.pesq import METRICS as PESQ
from snacbench.types import Audio
from tests.metrics.conftest import at_snr, audio, voice

STOI, ESTOI = stoi.METRICS
F0_RMSE, VOICING = f0.METRICS
_, MCD = log_spectra.METRICS


@pytest.mark.parametrize("metric", PESQ, ids=["wb", "nb"])
def test_pesq_equals_the_package_and_has_no_value_where_that_has_none(metric, pairs):
    rate_hz = metric.spec.rate_hz
    for name, (x, y) in pairs(rate_hz, speech_only=True).items():
        assert metric(reference=x, degraded=y) == PEERS[metric.spec.name](x, y), name
    with pytest.raises(Undefined, match=r"too short: .* lasts 0\.240 s, 0\.250 s are needed"):
        metric.prepare(voice(rate_hz, 0.24))
    with pytest.raises(Undefined, match=r"too long: .* at most 20\.000 s"):
        metric.prepare(voice(rate_hz, MAX_DURATION_S + 0.01))
    word = np.zeros(rate_hz)
    word[: rate_hz // 10] = np.random.default_rng(0).standard_normal(rate_hz // 10) * 0.1
    with pytest.raises(Undefined, match="PESQ finds no utterance"):
        metric(reference=audio(word, rate_hz), degraded=audio(word[::-1], rate_hz))
    with pytest.raises(Undefined, match="no score for this pair: cannot convert float NaN"):
        metric(reference=x, degraded=audio(x.samples * np.float32(1e-38), rate_hz))


@pytest.mark.parametrize("metric", PESQ, ids=["wb", "nb"])
def test_the_densest_utterances_of_the_longest_clip_do_not_end_the_process(metric):
    rate_hz = metric.spec.rate_hz
    rng = np.random.default_rng(0)
    time_s = np.arange(round(MAX_DURATION_S * rate_hz)) / rate_hz
    bursts = rng.standard_normal(len(time_s)) * 0.1 * (time_s % 0.42 < 0.21)
    noisy = bursts + rng.standard_normal(len(time_s)) * 0.01
    assert 1 <= metric(reference=audio(bursts, rate_hz), degraded=audio(noisy, rate_hz)) <= 5


def by_pystoi(x, y, *, extended):
    """What pystoi says, its random fill of silent bands the same at every call."""
    np.random.seed(0)
    return PEERS["estoi" if extended else "stoi"](x, y)


def test_stoi_equals_the_package(pairs):
    for name, (x, y) in pairs(stoi.RATE_HZ, speech_only=True).items():
        expected = by_pystoi(x, y, extended=False)
        assert STOI(reference=x, degraded=y) == pytest.approx(expected, abs=1e-9), name
        if name.endswith("noise"):  # no band is silent, so the package fills nothing
            for noisy in (at_snr(x, snr_db) for snr_db in (30, 10, 0)):
                expected = by_pystoi(x, noisy, extended=True)
                assert ESTOI(reference=x, degraded=noisy) == pytest.approx(expected, abs=1e-9), name


def test_estoi_is_the_package_on_average_where_bands_are_silent():
    x = voice(stoi.RATE_HZ)
    gated = Audio(x.samples * (np.abs(x.samples) > 0.2), x.rate_hz)
    found = ESTOI(reference=x, degraded=gated)
    assert found == pytest.approx(by_pystoi(x, gated, extended=True), abs=2e-2)
    assert ESTOI(reference=x, degraded=gated) == found  # nothing is drawn


def test_the_shortest_clips_of_stoi():
    num_samples = round(stoi.MIN_DURATION_S * stoi.RATE_HZ)
    x, noise = np.random.default_rng(0).standard_normal((2, num_samples)) * 0.1
    pair = audio(x, stoi.RATE_HZ), audio(x + 0.2 * noise, stoi.RATE_HZ)
    burst = voice(stoi.RATE_HZ).samples.copy()
    burst[:, 2500:] = 0
    for metric in stoi.METRICS:
        value = metric(reference=pair[0], degraded=pair[1])
        assert value == pytest.approx(by_pystoi(*pair, extended=metric is ESTOI), abs=1e-9)
        with pytest.raises(Undefined, match="too short: the reference lasts"):
            metric.prepare(audio(x[1:], stoi.RATE_HZ))
        with pytest.raises(Undefined, match="less than 30 frames"):  # the package says 1e-5
            metric.prepare(audio(burst, stoi.RATE_HZ))


def vowel(pitch, voiced_s=1.0):
    """Harmonics of one pitch, then breath, 1.5 s together."""
    time_s = np.arange(24_000) / 16_000
    harmonics = sum(np.sin(2 * np.pi * k * pitch * time_s) / k for k in range(1, 12))
    breath = np.random.default_rng(0).standard_normal(len(time_s))
    return audio(0.1 * harmonics * (time_s < voiced_s) + 0.003 * breath, 16_000)


def test_a_pitch_that_is_known_is_found_and_moved_is_off_by_these_cents():
    for pitch in (80.0, 150.0, 320.0):
        found = f0.pitch_hz(vowel(pitch))
        assert np.median(found[found > 0]) == pytest.approx(pitch, rel=2e-3)
        assert np.mean(found > 0) == pytest.approx(2 / 3, abs=0.04)
    for cents in (-100, 20, 300):
        x, y = vowel(150.0), vowel(150.0 * 2 ** (cents / 1200))
        assert F0_RMSE(reference=x, degraded=y) == pytest.approx(abs(cents), abs=2)


def test_errors_of_pitch_and_voicing_by_hand():
    x = np.array([0.0, 100.0, 100.0, 100.0, 0.0])
    y = np.array([90.0, 200.0, 100.0, 0.0, 0.0])
    assert f0.rmse_cents(x, y) == pytest.approx(1200 / np.sqrt(2))
    assert f0.voicing_error(x, y) == pytest.approx(2 / 5)


def test_a_voice_that_ends_early_is_lost_or_was_never_there():
    x, short, whispered = vowel(150.0), vowel(150.0, voiced_s=0.7), vowel(150.0, voiced_s=0.0)
    assert VOICING(reference=x, degraded=short) == pytest.approx(0.2, abs=0.03)
    assert VOICING(reference=x, degraded=whispered) == pytest.approx(2 / 3, abs=0.04)
    with pytest.raises(Undefined, match="no frame is voiced in both signals"):
        F0_RMSE(reference=x, degraded=whispered)
    for metric in f0.METRICS:
        with pytest.raises(Undefined, match="no frame of the reference is voiced"):
            metric.prepare(whispered)


def test_mcd_hears_no_level_but_for_one_under_the_floor():
    x = voice(MCD.spec.rate_hz)
    assert MCD(reference=x, degraded=Audio(3 * x.samples, x.rate_hz)) < 1e-4
    with pytest.raises(Undefined, match="all its mel bands are at the floor"):
        MCD.prepare(Audio(x.samples * np.float32(1e-12), x.rate_hz))


def test_dnsmos_equals_the_package_whatever_the_reference(pairs, monkeypatch):
    package = pytest.importorskip("speechmos.dnsmos")
    onnxruntime = pytest.importorskip("onnxruntime")
    # By itself the package takes a thread per core, which wait for each other by spinning.
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = one_thread.inter_op_num_threads = 1
    session = partial(onnxruntime.InferenceSession, sess_options=one_thread)
    _, y = next(iter(pairs(16_000, speech_only=True, clips=1).values()))
    loud = Audio(y.samples * np.float32(1.5 / np.abs(y.samples).max()), y.rate_hz)
    clipped = np.clip(loud.samples[0], -1, 1)  # what overshoots is clipped
    with monkeypatch.context() as patched:
        patched.setattr(onnxruntime, "InferenceSession", session)
        expected = package.run(clipped, y.rate_hz)
    keys = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
    for metric, key in zip(dnsmos.METRICS, keys, strict=True):
        found = metric(reference=voice(16_000, 1.0), degraded=loud)
        assert found == pytest.approx(expected[key], abs=1e-5), key
    with pytest.raises(Undefined, match="too short: the degraded signal lasts"):
        metric(reference=y, degraded=audio(clipped[:15_999], y.rate_hz))
