"""Effective bandwidth of signals whose bandwidth is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve, firwin

from snacbench.audio.bandwidth import effective_bandwidth
from snacbench.audio.io import read
from snacbench.audio.measures import measure
from snacbench.audio.resample import resample
from snacbench.selectors import select
from snacbench.types import Audio
from tests.conftest import clip_at

RATE_HZ = 48_000
SECONDS = 3.0


@cache
def syllables(seed: int = 0) -> Audio:
    """Bursts of noise with a spectrum that falls by 6 dB per octave, over a faint floor."""
    rng = np.random.default_rng(seed)
    n = round(SECONDS * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 200), n)
    envelope = np.abs(np.sin(2 * np.pi * 2 * np.arange(n) / RATE_HZ)) ** 4 + 1e-3
    burst = noise * envelope
    return Audio((0.5 * burst / np.abs(burst).max())[None].astype(np.float32), RATE_HZ)


def low_passed(audio: Audio, cutoff_hz: float) -> Audio:
    taps = firwin(1_201, cutoff_hz, window=("kaiser", 10), fs=audio.rate_hz)
    samples = fftconvolve(audio.samples, taps[None], mode="same", axes=1)
    return Audio(samples.astype(np.float32), audio.rate_hz)


def dithered(audio: Audio) -> Audio:
    """Rounded to 16 bits with triangular dither."""
    rng = np.random.default_rng(1)
    noise = rng.random(audio.samples.shape) - rng.random(audio.samples.shape)
    pcm = np.clip(np.rint(audio.samples * 32_768 + noise), -32_768, 32_767)
    return Audio((pcm / 32_768).astype(np.float32), audio.rate_hz)


def through(audio: Audio, rate_hz: int) -> Audio:
    return resample(resample(audio, rate_hz), audio.rate_hz)


def interpolated(audio: Audio, rate_hz: int) -> Audio:
    """Down by a good resampler, up by straight lines between samples."""
    low = resample(audio, rate_hz).samples
    at = np.arange(audio.num_samples) * rate_hz / audio.rate_hz
    lines = [np.interp(at, np.arange(low.shape[1]), channel) for channel in low]
    return Audio(np.stack(lines).astype(np.float32), audio.rate_hz)


CUTOFFS_HZ = (3_500, 4_000, 7_000, 8_000, 11_000, 16_000)


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
@pytest.mark.parametrize("finish", [lambda audio: audio, dithered], ids=["float", "16 bit"])
def test_a_low_pass_is_found(cutoff_hz: int, finish: Callable[[Audio], Audio]) -> None:
    found = effective_bandwidth(finish(low_passed(syllables(), cutoff_hz)))
    assert found.hz == pytest.approx(cutoff_hz, rel=0.05)
    assert found.brickwall


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000])
@pytest.mark.parametrize("upsampled", [through, interpolated], ids=["soxr", "linear"])
def test_upsampling_is_found(rate_hz: int, upsampled: Callable[[Audio, int], Audio]) -> None:
    found = effective_bandwidth(upsampled(syllables(), rate_hz))
    assert found.hz == pytest.approx(rate_hz / 2, rel=0.06)
    assert found.brickwall


@given(st.floats(-25, 5), st.sampled_from([None, 4_000, 11_000]))
@settings(max_examples=12, deadline=None)
def test_gain_does_not_change_it(gain_db: float, cutoff_hz: int | None) -> None:
    audio = syllables() if cutoff_hz is None else low_passed(syllables(), cutoff_hz)
    louder = Audio(audio.samples * np.float32(10 ** (gain_db / 20)), RATE_HZ)
    assert effective_bandwidth(louder) == effective_bandwidth(audio)


def test_dither_is_no_signal() -> None:
    assert effective_bandwidth(dithered(Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ))) == (
        effective_bandwidth(Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ))
    )


def test_steady_hiss_is_no_signal_but_rain_is() -> None:
    rng = np.random.default_rng(2)
    speech = low_passed(syllables(), 5_000)
    noise = rng.standard_normal(speech.samples.shape).astype(np.float32)
    hissing = Audio(speech.samples + np.float32(2e-4) * noise, RATE_HZ)
    assert effective_bandwidth(hissing).hz == pytest.approx(5_000, rel=0.05)
    raining = Audio(speech.samples + np.float32(2e-2) * noise, RATE_HZ)
    assert effective_bandwidth(raining).hz == pytest.approx(RATE_HZ / 2, rel=0.01)


def test_a_lone_click_is_passed_over_and_several_are_not() -> None:
    narrow = low_passed(syllables(), 4_000)
    samples = np.array(narrow.samples)
    samples[0, RATE_HZ] += 0.3
    assert effective_bandwidth(Audio(samples, RATE_HZ)).hz == pytest.approx(4_000, rel=0.05)
    clicks = np.zeros((1, 3 * RATE_HZ), np.float32)
    clicks[0, :: RATE_HZ // 2] = 0.5
    assert effective_bandwidth(Audio(clicks, RATE_HZ)).hz == pytest.approx(24_000, rel=0.01)


def test_pauses_do_not_matter() -> None:
    narrow = low_passed(syllables(), 8_000)
    padded = np.concatenate([narrow.samples, np.zeros((1, 5 * RATE_HZ), np.float32)], axis=1)
    for finish in (lambda audio: audio, dithered):
        found = effective_bandwidth(finish(Audio(padded, RATE_HZ)))
        assert found.hz == pytest.approx(8_000, rel=0.05)
        assert found.brickwall


def test_overshoots_cut_to_full_scale_do_not_hide_a_brickwall() -> None:
    loud = low_passed(syllables(), 8_000).samples * np.float32(3)
    found = measure(Audio(np.clip(loud, -1, 1), RATE_HZ))
    assert found.bandwidth_hz == pytest.approx(8_000, rel=0.05)
    assert found.brickwall


def test_a_whistle_over_hiss_is_no_brickwall() -> None:
    at = np.arange(RATE_HZ * 3) / RATE_HZ
    whistle = 0.5 * np.sin(2 * np.pi * 4_000 * at + 300 * np.sin(2 * np.pi * 3 * at))
    hiss = 1e-3 * np.random.default_rng(3).standard_normal(len(at))
    found = effective_bandwidth(Audio((whistle + hiss)[None].astype(np.float32), RATE_HZ))
    assert not found.brickwall


def test_a_clip_of_a_moment_has_no_brickwall() -> None:
    narrow = low_passed(syllables(), 8_000)
    moment = Audio(np.array(narrow.samples[:, 5_000:12_000]), RATE_HZ)
    assert effective_bandwidth(moment).hz == pytest.approx(8_000, rel=0.1)
    assert not effective_bandwidth(moment).brickwall


def test_a_tone_near_half_the_rate_is_a_leftover_only_if_faint() -> None:
    speech = low_passed(syllables(), 8_000)
    at = np.arange(speech.num_samples) / RATE_HZ
    tone = np.sin(2 * np.pi * 23_500 * at).astype(np.float32)
    faint = Audio(speech.samples + np.float32(3e-5) * tone, RATE_HZ)
    assert effective_bandwidth(faint).hz == pytest.approx(8_000, rel=0.05)


def test_the_band_of_one_channel_is_enough() -> None:
    wide, narrow = syllables(0), low_passed(syllables(1), 4_000)
    both = Audio(np.concatenate([narrow.samples, wide.samples]), RATE_HZ)
    assert effective_bandwidth(both) == effective_bandwidth(wide)


def test_a_long_clip_reads_as_its_part() -> None:
    narrow = low_passed(syllables(), 8_000)
    long = Audio(np.tile(narrow.samples, (1, 30)), RATE_HZ)
    assert effective_bandwidth(long).hz == pytest.approx(8_000, rel=0.05)


LOSSY = [
    ("opus@8", 4_250, True),
    ("opus@12", 8_500, True),
    ("opus@64", 20_000, True),
    ("mp3@64", 11_000, None),
    ("mp3@128", 16_500, None),
    ("aac@64", 12_700, None),
]


@pytest.mark.parametrize(("selector", "edge_hz", "mono"), LOSSY)
def test_lossy_codecs_leave_a_brickwall(selector: str, edge_hz: int, mono: bool | None) -> None:
    rng = np.random.default_rng(4)
    one = syllables(5).samples
    other = one if mono else 0.7 * one + 0.3 * syllables(6).samples
    hiss = 1e-4 * rng.standard_normal((2, one.shape[1]))
    stereo = (np.concatenate([one, other]) + hiss).astype(np.float32)
    ((model, spec),) = select(selector)
    codec = model.load(spec, None, "cpu")
    audio = Audio(stereo[:1] if mono else stereo, RATE_HZ)
    found = effective_bandwidth(codec.decode(codec.encode(audio), seed=0))
    assert found.hz == pytest.approx(edge_hz, rel=0.08)
    assert found.brickwall


@pytest.mark.parametrize("clip", ["speech/sms_speech_female", "music/strauss48_stereo"])
@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
def test_real_clips_low_passed(shared: Path, clip: str, cutoff_hz: int) -> None:
    audio = read(shared / f"audio/eval/{clip}.flac")
    found = effective_bandwidth(low_passed(audio, cutoff_hz))
    assert found.hz == pytest.approx(cutoff_hz, rel=0.05)
    assert found.brickwall


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_real_speech_upsampled(shared: Path, rate_hz: int) -> None:
    speech = shared / "audio/eval/speech/sms_speech_female.flac"
    found = effective_bandwidth(resample(clip_at(speech, rate_hz), 44_100))
    assert found.hz == pytest.approx(rate_hz / 2, rel=0.05)
    assert found.brickwall
