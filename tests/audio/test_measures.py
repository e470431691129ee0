"""Measures of clips, bandwidth, and sound that is missing."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal

from snacbench.audio.io import read
from snacbench.audio.measures import effective_bandwidth, measure
from snacbench.audio.resample import resample
from snacbench.audio.silence import missing_sound
from snacbench.selectors import select
from snacbench.types import Audio, Measures
from tests.conftest import broadband

RATES_HZ = (8_000, 11_025, 44_100, 192_000)
RATE_HZ = 48_000
SECONDS = 3.0


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_noise_of_any_rate_fills_its_band(rate_hz, channels):
    found = measure(broadband(1.0, rate_hz, channels=channels))
    assert found.bandwidth_hz == pytest.approx(rate_hz / 2, rel=0.02)
    assert (found.brickwall, found.clipped_samples) == (False, 0)
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert (found.loudness_lufs is None) == (channels > 5)
    kinds = [type(value) for value in vars(found).values()]  # plain numbers
    assert kinds == [float, float if channels < 6 else type(None), float, int, bool]


@given(
    st.integers(1, 3_000), st.sampled_from([1, 50, 999, 1_000, 3_999, 4_000, *RATES_HZ, 655_350])
)
@settings(max_examples=60, deadline=None)
def test_clips_of_any_length_and_rate_have_measures_or_none(n, rate_hz):
    samples = np.random.default_rng(n).uniform(-0.5, 0.5, (2, n)).astype(np.float32)
    found = measure(Audio(samples, rate_hz))
    assert (found.bandwidth_hz is None) == (n < 256 or rate_hz < 1_000)
    assert (found.loudness_lufs is None) == (n < 0.4 * rate_hz or rate_hz < 4_000)
    assert found.peak_dbfs is not None
    assert found.peak_dbfs <= 0


@pytest.mark.parametrize("num_samples", [1, 255, 256, 48_000])
def test_silence_and_constants_have_no_bandwidth(num_samples):
    silent = Audio(np.zeros((2, num_samples), np.float32), RATE_HZ)
    assert measure(silent) == Measures(None, None, None, 0, brickwall=False)
    found = measure(Audio(np.full((1, num_samples), 0.5, np.float32), RATE_HZ))
    assert (found.bandwidth_hz, found.clipped_samples) == (None, 0)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 2000)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        fill=st.sampled_from([np.float32(0), np.float32(0.5), np.float32(4e37)]),
    )
)
def test_measuring_takes_any_samples(samples):
    with np.errstate(all="raise", under="ignore"):
        found = measure(Audio(samples, 16_000))
    assert all(value is None or np.isfinite(value) for value in asdict(found).values())


@cache
def syllables(seed=0):
    """Bursts of noise with a spectrum that falls by 6 dB per octave, over a faint floor."""
    rng = np.random.default_rng(seed)
    n = round(SECONDS * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 200), n)
    envelope = np.abs(np.sin(2 * np.pi * 2 * np.arange(n) / RATE_HZ)) ** 4 + 1e-3
    burst = noise * envelope
    return Audio((0.5 * burst / np.abs(burst).max())[None].astype(np.float32), RATE_HZ)


def low_passed(audio, cutoff_hz):
    width_hz, stop_db = 200.0, 100.0
    taps, beta = signal.kaiserord(stop_db, width_hz / (audio.rate_hz / 2))
    impulse = signal.firwin(taps | 1, cutoff_hz, window=("kaiser", beta), fs=audio.rate_hz)
    samples = signal.oaconvolve(audio.samples, impulse[None], mode="same", axes=1)
    return Audio(samples.astype(np.float32), audio.rate_hz)


def dithered(audio):
    """Rounded to 16 bits with triangular dither."""
    rng = np.random.default_rng(1)
    noise = rng.random(audio.samples.shape) - rng.random(audio.samples.shape)
    pcm = np.clip(np.rint(audio.samples * 32_768 + noise), -32_768, 32_767)
    return Audio((pcm / 32_768).astype(np.float32), audio.rate_hz)


def check(audio, hz, *, rel=0.05, brickwall=True):
    """That a clip has a bandwidth, and ends there at once; None: whether or not it does."""
    found = effective_bandwidth(audio)
    assert found.hz == pytest.approx(hz, rel=rel)
    assert brickwall is None or found.brickwall == brickwall


@pytest.mark.parametrize("cutoff_hz", [3_500, 7_000, 11_000, 16_000])
def test_a_low_pass_is_found(cutoff_hz):
    narrow = low_passed(syllables(), cutoff_hz)
    check(narrow, cutoff_hz)
    check(dithered(Audio(narrow.samples * np.float32(0.2), RATE_HZ)), cutoff_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000])
def test_upsampling_is_found(rate_hz):
    check(resample(resample(syllables(), rate_hz), RATE_HZ), rate_hz / 2, rel=0.06)


def test_what_is_no_signal_and_what_does_not_matter():
    assert (
        measure(dithered(Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ))).bandwidth_hz is None
    )
    speech = low_passed(syllables(), 5_000)
    noise = np.random.default_rng(2).standard_normal(speech.samples.shape).astype(np.float32)
    check(Audio(speech.samples + np.float32(2e-4) * noise, RATE_HZ), 5_000, brickwall=None)
    raining = Audio(speech.samples + np.float32(2e-2) * noise, RATE_HZ)
    check(raining, RATE_HZ / 2, rel=0.01, brickwall=None)
    clicking = np.array(speech.samples)
    clicking[0, RATE_HZ] += 0.3
    check(Audio(clicking, RATE_HZ), 5_000, brickwall=None)  # a lone one; several are sound
    clicks = np.zeros((1, 3 * RATE_HZ), np.float32)
    clicks[0, :: RATE_HZ // 2] = 0.5
    check(Audio(clicks, RATE_HZ), 24_000, rel=0.01, brickwall=None)
    padded = np.concatenate([speech.samples, np.zeros((1, 5 * RATE_HZ), np.float32)], axis=1)
    check(dithered(Audio(padded, RATE_HZ)), 5_000)
    found = measure(Audio(np.clip(speech.samples * np.float32(3), -1, 1), RATE_HZ))
    assert (found.bandwidth_hz, found.brickwall) == (pytest.approx(5_000, rel=0.05), True)
    wide = syllables(1)
    both = Audio(np.concatenate([speech.samples, wide.samples]), RATE_HZ)
    assert effective_bandwidth(both) == effective_bandwidth(wide)


def test_what_is_no_brickwall():
    at = np.arange(round(RATE_HZ * SECONDS)) / RATE_HZ
    whistle = 0.5 * np.sin(2 * np.pi * 4_000 * at + 300 * np.sin(2 * np.pi * 3 * at))
    hiss = 1e-3 * np.random.default_rng(3).standard_normal(len(at))
    whistling = Audio((whistle + hiss)[None].astype(np.float32), RATE_HZ)
    assert not effective_bandwidth(whistling).brickwall
    speech = low_passed(syllables(), 8_000)
    moment = Audio(np.array(speech.samples[:, 5_000:12_000]), RATE_HZ)
    check(moment, 8_000, rel=0.1, brickwall=False)
    leftover = np.float32(3e-5) * np.sin(2 * np.pi * 23_500 * at).astype(np.float32)
    check(Audio(speech.samples + leftover, RATE_HZ), 8_000, brickwall=None)


@pytest.mark.parametrize(
    ("selector", "edge_hz", "mono"), [("opus@8", 4_250, True), ("mp3@64", 11_000, False)]
)
def test_lossy_codecs_leave_a_brickwall(selector, edge_hz, mono):
    one = syllables(5).samples
    other = one if mono else 0.7 * one + 0.3 * syllables(6).samples
    hiss = 1e-4 * np.random.default_rng(4).standard_normal((2, one.shape[1]))
    stereo = (np.concatenate([one, other]) + hiss).astype(np.float32)
    ((model, spec),) = select(selector)
    codec = model.load(spec, None, "cpu")
    audio = Audio(stereo[:1] if mono else stereo, RATE_HZ)
    check(codec.decode(codec.encode(audio), seed=0), edge_hz, rel=0.08)


@pytest.mark.parametrize(
    ("name", "bandwidth_hz", "brickwall"),
    [
        ("speech/two_cities_a", 8_000, True),  # upsampled, with noise-shaped dither above
        ("environment/rain_stereo", 15_600, True),  # Ogg Vorbis
        ("speech/sms_speech_female", 18_500, False),
        ("speech/arctic_aew_a0002", 7_700, True),  # its own filter, at its own rate
        ("music/loop_amen_full", 22_050, False),
    ],
)
def test_real_clips_as_read_from_their_spectra(shared, name, bandwidth_hz, brickwall):
    check(read(shared / f"audio/eval/{name}.flac"), bandwidth_hz, rel=0.1, brickwall=brickwall)


SLOW_HZ = 16_000
BAND_HZ = 3_400.0
SOURCE = broadband(3.0, SLOW_HZ, seed=1)
X = SOURCE.samples
ZEROS = np.zeros_like(X)


def audio(samples, rate_hz=SLOW_HZ):
    return Audio(np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32), rate_hz)


def told(samples, source=SOURCE):
    return missing_sound(reference=source, degraded=audio(samples), band_hz=BAND_HZ)


def with_zeros(start_s, stop_s):
    samples = X.copy()
    samples[:, round(start_s * SLOW_HZ) : round(stop_s * SLOW_HZ)] = 0
    return samples


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0])
def test_a_decode_without_any_sound(level):
    assert "the decode is silent: all samples" in told(ZEROS + level)
    dither = np.random.default_rng(0).integers(-1, 2, X.shape) / 2**15
    assert "the decode is silent" in told(ZEROS + level * 0.5 + dither)


def test_a_decode_with_a_hole():
    for hole in ((1.5, 3.0), (0.0, 1.5), (1.0, 1.4), (2.6, 3.0)):
        found = told(with_zeros(*hole))
        assert found.startswith("the decode is silent from ")
        assert "while the source sounds for" in found
    assert told(with_zeros(1.0, 1.08)) == ""  # short
    assert told(X) == ""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("delay_s", [0.025, 0.2, 0.5])
def test_a_delay_is_no_hole(delay_s, sign):
    d = round(delay_s * SLOW_HZ)
    assert told(sign * np.concatenate([ZEROS[:, :d], X[:, :-d]], axis=1)) == ""
    assert told(sign * np.concatenate([X[:, d:], ZEROS[:, :d]], axis=1)) == ""


def test_the_source_must_sound_where_the_decode_is_silent():
    pausing = X.copy()
    pausing[:, 16_000:32_000] *= 0.01  # 40 dB below what is beside it
    assert told(with_zeros(1.0, 2.0), audio(pausing)) == ""
    assert told(ZEROS, audio(1e-4 * X)) == ""  # below -70 dBFS
    assert told(ZEROS, audio(ZEROS + 0.3)) == ""  # an offset is no sound


def test_only_the_band_that_the_codec_keeps_counts():
    t = np.arange(48_000) / 48_000
    high = audio(0.5 * np.sin(2 * np.pi * 6_000 * t), 48_000)
    narrow = audio(np.zeros(8_000), 8_000)
    assert missing_sound(reference=high, degraded=narrow, band_hz=BAND_HZ) == ""
    wide = audio(np.zeros(48_000), 48_000)
    assert missing_sound(reference=high, degraded=wide, band_hz=10_000.0)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.05])
def test_clips_shorter_than_a_frame(seconds):
    short = broadband(seconds, SLOW_HZ, seed=2)
    assert told(np.zeros_like(short.samples), short)
    assert told(short.samples, short) == ""


def test_the_channel_is_named():
    both, one = audio(np.concatenate([X, X])), audio(np.concatenate([X, ZEROS]))
    found = missing_sound(reference=both, degraded=one, band_hz=BAND_HZ)
    assert found.startswith("channel 1 of the decode is silent")
