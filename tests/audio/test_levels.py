"""Loudness by EBU Tech 3341, peaks, clipping, bandwidth, missing sound; channels, rates."""

from dataclasses import asdict
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import signal
from scipy.signal import csd, welch

from snacbench.audio.channels import downmix, join, split, upmix
from snacbench.audio.filters import energy_above_db, low_pass
from snacbench.audio.io import read
from snacbench.audio.levels import clipped_samples, loudness_lufs, peak_dbfs
from snacbench.audio.measures import effective_bandwidth, measure
from snacbench.audio.resample import fit_length, num_samples_at, resample
from snacbench.audio.silence import missing_sound
from snacbench.errors import AudioError
from snacbench.types import Audio, Measures
from tests.conftest import broadband

RATE_HZ = 48_000
TOLERANCE_LU = 0.1


def audio(samples, rate_hz=RATE_HZ):
    return Audio(np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32), rate_hz)


def tones(parts, rate_hz=RATE_HZ, *, channels=2):
    """A tone of 1 kHz in all channels: peak levels in dBFS and durations in s."""
    steps = [np.full(round(seconds * rate_hz), 10 ** (dbfs / 20)) for dbfs, seconds in parts]
    amplitude = np.concatenate(steps)
    tone = amplitude * np.sin(2 * np.pi * 1_000 * np.arange(len(amplitude)) / rate_hz)
    return audio(np.tile(tone, (channels, 1)), rate_hz)


@pytest.mark.parametrize(("rate_hz", "expected", "parts"), [
    (8_000, -23, [(-23, 20)]),
    (16_000, -33, [(-33, 20)]),
    (44_100, -23, [(-36, 10), (-23, 60), (-36, 10)]),
    (48_000, -23, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]),
    (48_000, -23, [(-26, 20), (-20, 20.1), (-26, 20)]),
])  # fmt: skip
def test_ebu_tech_3341(rate_hz, expected, parts):
    assert loudness_lufs(tones(parts, rate_hz)) == pytest.approx(expected, abs=TOLERANCE_LU)


def test_how_channels_count():
    levels_dbfs = (-28, -28, -24, -30, -30)  # EBU Tech 3341, case 6
    channels = [tones([(dbfs, 20)], channels=1).samples[0] for dbfs in levels_dbfs]
    assert loudness_lufs(audio(channels)) == pytest.approx(-23, abs=TOLERANCE_LU)
    mono, stereo = (loudness_lufs(tones([(-23, 5)], channels=n)) for n in (1, 2))
    assert mono is not None
    assert stereo == pytest.approx(mono + 3.01, abs=0.01)
    samples = np.zeros((2, 9), np.float32)
    assert peak_dbfs(Audio(samples, 8_000)) is None
    samples[1, 3] = -0.5  # in any channel, of any polarity
    assert peak_dbfs(Audio(samples, 8_000)) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 48_000])
def test_one_block_is_enough_and_less_is_not(rate_hz):
    block = -(-4 * rate_hz // 10)
    samples = broadband(0.5, rate_hz).samples
    assert loudness_lufs(audio(samples[:, :block], rate_hz)) is not None
    assert loudness_lufs(audio(samples[:, : block - 1], rate_hz)) is None
    assert loudness_lufs(tones([(-75, 2)])) is None  # under the gate
    whole, longer = tones([(-23, 2.0)]), tones([(-23, 2.08)])  # an incomplete last block
    assert loudness_lufs(longer) == pytest.approx(loudness_lufs(whole), abs=1e-9)


def count(samples):
    return int(clipped_samples(audio(samples)).sum())


def tone(frequency_hz, seconds=1.0):
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(np.sin(2 * np.pi * frequency_hz * at))


def in_16_bit(samples):
    return np.asarray(np.clip(np.rint(samples * 32_768), -32_768, 32_767) / 32_768)


@pytest.mark.parametrize("frequency_hz", [10, 50, 997, 8_000, 12_000, 16_000])
def test_tones_and_what_is_loud_coarse_or_constant_are_not_clipped(frequency_hz):
    for level in (1.0, 0.3):
        assert count(level * tone(frequency_hz)) == 0
        assert count(in_16_bit(level * tone(frequency_hz))) == 0
    assert [count(np.full(n, v)) for n, v in ((100, 0.0), (100, 0.7), (1, 1.0))] == [0, 0, 0]


@pytest.mark.parametrize("level", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("finish", [np.asarray, in_16_bit], ids=["float", "16 bit"])
def test_what_was_cut_off_is_counted(level, finish):
    loud = 2 * broadband(2.0, RATE_HZ).samples[0].astype(np.float64)
    cut = np.abs(loud) > 0.5
    runs = np.convolve(cut, np.ones(3), mode="valid") == 3
    in_runs = np.convolve(runs, np.ones(3)) > 0
    found = count(finish(level * np.clip(loud, -0.5, 0.5) / 0.5))
    assert in_runs.sum() > 100
    # Runs of opposite sign that touch are two runs, and rounding can lengthen one.
    assert found == pytest.approx(int(in_runs.sum()), rel=0.05)


def test_neither_dither_nor_gain_nor_polarity_hides_it_and_runs_of_two_do_not_count():
    rng = np.random.default_rng(0)
    flat = np.clip(1.5 * tone(300), -1, 1)
    noise = (rng.random(flat.size) - rng.random(flat.size)) / 32_768
    assert count(in_16_bit(0.7 * flat + noise)) > 0.4 * flat.size
    assert {count(factor * flat) for factor in (-0.25, 0.7, -1.0)} == {count(flat)}
    for length, expected in ((2, 0), (3, 3)):
        samples = 0.1 * tone(440)
        samples[1_000 : 1_000 + length] = 1.0
        assert count(samples) == expected


RATES_HZ = st.sampled_from([8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])
SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 2000))
FILLS = st.sampled_from([np.float32(0), np.float32(0.5), np.float32(4e37)])
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
MASK_DB = {500: 25.0, 1_000: 50.0}  # Hz above the cut-off: least attenuation in dB


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged_copied_split_and_joined(channels):
    source = audio(np.arange(channels)[:, None] * np.ones((1, 5)))
    assert np.all(downmix(source).samples == np.full((1, 5), (channels - 1) / 2))
    parts = split(source)
    assert [p.samples.shape for p in parts] == [(1, 5)] * channels
    assert np.array_equal(join(parts).samples, source.samples)
    assert np.array_equal(upmix(parts[-1], 3).samples, np.repeat(source.samples[-1:], 3, axis=0))
    if channels == 1:
        assert downmix(source) is upmix(source, 1) is source
    else:
        with pytest.raises(AudioError, match=f"mono can be copied to 9 channels, found {channels}"):
            upmix(source, 9)


@settings(deadline=None, max_examples=60)
@given(RATES_HZ, RATES_HZ, st.integers(1, 3000), st.integers(1, 3))
def test_length_is_the_duration_rounded_to_samples(rate_hz, new_rate_hz, num_samples, channels):
    source = audio(np.full((channels, num_samples), 0.1), rate_hz)
    out = resample(source, new_rate_hz)
    exact = num_samples * new_rate_hz / rate_hz
    assert (out.channels, out.rate_hz) == (channels, new_rate_hz)
    assert out.num_samples == num_samples_at(num_samples, rate_hz, new_rate_hz)
    assert abs(out.num_samples - exact) <= 0.5 or out.num_samples == 1
    assert np.ptp(out.samples) == 0  # a constant stays constant
    assert rate_hz != new_rate_hz or out is source


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
def test_a_sine_keeps_frequency_amplitude_and_phase_or_is_gone(rate_hz):
    def sine(rate, hertz=1000):
        return 0.5 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)

    out = resample(audio(sine(48_000)), rate_hz)
    inner = slice(rate_hz // 10, -rate_hz // 10)
    np.testing.assert_allclose(out.samples[0, inner], sine(rate_hz)[inner], atol=2e-6)
    beyond = resample(audio(sine(48_000, rate_hz // 2 + 1500)), rate_hz)
    assert np.abs(beyond.samples[0, inner]).max() < 1e-6


@pytest.mark.parametrize("cutoff_hz", [3_500, 7_000])
def test_what_it_does_to_sound_meets_the_mask(cutoff_hz):
    reference = audio(np.random.default_rng(0).uniform(-0.5, 0.5, 240_000))
    options = {"fs": 48_000, "nperseg": 8192, "window": "blackmanharris"}
    x, y = (a.samples[0].astype(float) for a in (reference, low_pass(reference, cutoff_hz)))
    hertz, power = welch(x, **options)
    response = csd(x, y, **options)[1] / power  # its phase shows a delay, too
    level_db = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(level_db[hertz <= cutoff_hz]).max() <= 0.1  # ripple
    for above_hz, least_db in MASK_DB.items():
        assert level_db[hertz >= cutoff_hz + above_hz].max() <= -least_db
    assert np.abs(np.angle(response[hertz <= cutoff_hz])).max() < 0.01
    assert len(x) == len(y)


def test_energy_above_a_frequency_and_lengths_that_are_fitted():
    time_s = np.arange(48_000) / 48_000
    tones = np.sin(2 * np.pi * 1_000 * time_s) + 0.01 * np.sin(2 * np.pi * 9_000 * time_s)
    source = audio(0.3 * tones + 0.2)
    assert energy_above_db(source, 7_000) == pytest.approx(-40.0, abs=0.01)
    assert energy_above_db(source, 500) == pytest.approx(0.0, abs=0.01)
    assert energy_above_db(audio(np.zeros(100)), 7_000) == -np.inf
    assert [num_samples_at(n, 2, 1) for n in (1, 3, 5)] == [1, 2, 3]  # half up
    fitted = [fit_length(np.array([[1, 2, 3]]), n).tolist() for n in (2, 3, 5)]
    assert fitted == [[[1, 2]], [[1, 2, 3]], [[1, 2, 3, 0, 0]]]


ANY_HZ = (8_000, 11_025, 44_100, 192_000)
SECONDS = 3.0


@pytest.mark.parametrize("rate_hz", ANY_HZ)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_noise_of_any_rate_fills_its_band(rate_hz, channels):
    found = measure(broadband(1.0, rate_hz, channels=channels))
    assert found.bandwidth_hz == pytest.approx(rate_hz / 2, rel=0.02)
    assert (found.brickwall, found.clipped_samples) == (False, 0)
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert (found.loudness_lufs is None) == (channels > 5)


@given(st.integers(1, 3_000), st.sampled_from([1, 50, 999, 1_000, 3_999, 4_000, *ANY_HZ, 655_350]))
@settings(max_examples=60, deadline=None)
def test_clips_of_any_length_and_rate_have_measures_or_none(n, rate_hz):
    samples = np.random.default_rng(n).uniform(-0.5, 0.5, (2, n)).astype(np.float32)
    found = measure(Audio(samples, rate_hz))
    assert (found.bandwidth_hz is None) == (n < 256 or rate_hz < 1_000)
    assert (found.loudness_lufs is None) == (n < 0.4 * rate_hz or rate_hz < 4_000)
    silent, constant = (measure(audio(np.full(n, level), rate_hz)) for level in (0.0, 0.5))
    assert silent == Measures(None, None, None, 0)
    assert (constant.bandwidth_hz, constant.clipped_samples) == (None, 0)


@given(arrays(np.float32, SHAPES, elements=FINITE, fill=FILLS))
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
    return audio(0.5 * burst / np.abs(burst).max())


def low_passed(source, cutoff_hz):
    taps, beta = signal.kaiserord(100.0, 200.0 / (RATE_HZ / 2))
    impulse = signal.firwin(taps | 1, cutoff_hz, window=("kaiser", beta), fs=RATE_HZ)
    return audio(signal.oaconvolve(source.samples, impulse[None], mode="same", axes=1))


def dithered(samples):
    """Rounded to 16 bits with triangular dither."""
    rng = np.random.default_rng(1)
    noise = rng.random(np.shape(samples)) - rng.random(np.shape(samples))
    return audio(in_16_bit(samples + noise / 32_768))


def check(source, hz, *, rel=0.05, brickwall=True):
    """That a clip has a bandwidth, and ends there at once; None: whether or not it does."""
    found_hz, found_brickwall = effective_bandwidth(source)
    assert found_hz == pytest.approx(hz, rel=rel)
    assert brickwall is None or found_brickwall == brickwall


@pytest.mark.parametrize("cutoff_hz", [3_500, 7_000, 11_000, 16_000])
def test_a_low_pass_is_found(cutoff_hz):
    narrow = low_passed(syllables(), cutoff_hz)
    check(narrow, cutoff_hz)
    check(dithered(narrow.samples * np.float32(0.2)), cutoff_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000])
def test_upsampling_is_found(rate_hz):
    check(resample(resample(syllables(), rate_hz), RATE_HZ), rate_hz / 2, rel=0.06)


def test_what_is_no_signal_and_what_does_not_matter():
    assert measure(dithered(np.zeros(RATE_HZ))).bandwidth_hz is None
    speech = low_passed(syllables(), 5_000)
    noise = np.random.default_rng(2).standard_normal(speech.samples.shape).astype(np.float32)
    check(audio(speech.samples + np.float32(2e-4) * noise), 5_000, brickwall=None)
    clicking = np.array(speech.samples)
    clicking[0, RATE_HZ] += 0.3
    check(audio(clicking), 5_000, brickwall=None)  # a lone one; several are sound
    found = measure(audio(np.clip(speech.samples * np.float32(3), -1, 1)))
    assert (found.bandwidth_hz, found.brickwall) == (pytest.approx(5_000, rel=0.05), True)
    wide = syllables(1)
    both = audio(np.concatenate([speech.samples, wide.samples]))
    assert effective_bandwidth(both) == effective_bandwidth(wide)


def test_what_is_no_brickwall():
    at = np.arange(round(RATE_HZ * SECONDS)) / RATE_HZ
    whistle = 0.5 * np.sin(2 * np.pi * 4_000 * at + 300 * np.sin(2 * np.pi * 3 * at))
    hiss = 1e-3 * np.random.default_rng(3).standard_normal(len(at))
    assert not effective_bandwidth(audio(whistle + hiss))[1]
    speech = low_passed(syllables(), 8_000)
    check(audio(speech.samples[:, 5_000:12_000]), 8_000, rel=0.1, brickwall=False)
    check(audio(speech.samples + 3e-5 * np.sin(2 * np.pi * 23_500 * at)), 8_000, brickwall=None)


@pytest.mark.parametrize(("name", "bandwidth_hz", "brickwall"), [
    ("speech/two_cities_a", 8_000, True),  # upsampled, with noise-shaped dither above
    ("speech/arctic_aew_a0002", 7_700, True),  # its own filter, at its own rate
    ("music/loop_amen_full", 22_050, False),
])  # fmt: skip
def test_real_clips_as_read_from_their_spectra(shared, name, bandwidth_hz, brickwall):
    check(read(shared / f"audio/eval/{name}.flac"), bandwidth_hz, rel=0.1, brickwall=brickwall)


SLOW_HZ = 16_000
BAND_HZ = 3_400.0
X = broadband(3.0, SLOW_HZ, seed=1).samples
ZEROS = np.zeros_like(X)


def told(samples, source=X):
    sides = {"reference": audio(source, SLOW_HZ), "degraded": audio(samples, SLOW_HZ)}
    return missing_sound(**sides, band_hz=BAND_HZ)


def with_zeros(start_s, stop_s):
    samples = X.copy()
    samples[:, round(start_s * SLOW_HZ) : round(stop_s * SLOW_HZ)] = 0
    return samples


def test_a_decode_without_any_sound_or_with_a_hole():
    dither = np.random.default_rng(0).integers(-1, 2, X.shape) / 2**15
    for samples in (ZEROS, ZEROS - 1.0, dither, dither + 0.125):
        assert "the decode is silent: all samples" in told(samples)
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
    assert told(with_zeros(1.0, 2.0), pausing) == ""
    assert told(ZEROS, 1e-4 * X) == ""  # below -70 dBFS
    assert told(ZEROS, ZEROS + 0.3) == ""  # an offset is no sound
    # Only the band that the codec keeps counts.
    high = audio(0.5 * tone(6_000))
    narrow, wide = audio(np.zeros(8_000), 8_000), audio(np.zeros(48_000))
    assert missing_sound(reference=high, degraded=narrow, band_hz=BAND_HZ) == ""
    assert missing_sound(reference=high, degraded=wide, band_hz=10_000.0)
    # The channel is named.
    found = told(np.concatenate([X, ZEROS]), np.concatenate([X, X]))
    assert found.startswith("channel 1 of the decode is silent")
