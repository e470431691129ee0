"""Signals for the tests of metrics: real clips where the material is at hand, else synthetic."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from snacbench.types import Audio
from tests.conftest import MATERIAL, clip_at

SPEECH = ("speech/ljspeech_0004", "speech/two_cities_a", "speech/kerstin_0322",
          "speech/arctic_aew_a0002", "speech/sms_speech_female", "speech/lyra_sample1")  # fmt: skip
OTHER = ("music/castanets48_stereo", "music/orchestra", "music/guitar48_stereo",
         "environment/street_scene", "environment/great_plains_toad",
         "environment/fire")  # fmt: skip
Pairs = dict[str, tuple[Audio, Audio]]


def voice(rate_hz: int, duration_s: float = 3.0, seed: int = 0) -> Audio:
    """Harmonics of a gliding pitch, in syllables, with a pause in every second."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.7 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 25) if k * 150 < rate_hz / 2)
    syllables = np.maximum(np.sin(2 * np.pi * 3 * time_s), 0) * (time_s % 1.0 < 0.75)
    breath = np.random.default_rng(seed).standard_normal(len(time_s))
    signal = 0.15 * syllables * harmonics + 1e-3 * breath
    return Audio(signal.astype(np.float32)[np.newaxis], rate_hz)


def at_snr(audio: Audio, snr_db: float, seed: int = 1) -> Audio:
    """Add white noise at a signal-to-noise ratio."""
    noise = np.random.default_rng(seed).standard_normal(audio.samples.shape)
    gain = np.sqrt(np.mean(audio.samples.astype(np.float64) ** 2)) * 10 ** (-snr_db / 20)
    return Audio((audio.samples + gain * noise).astype(np.float32), audio.rate_hz)


def audio(samples, rate_hz=44_100):
    return Audio(np.ascontiguousarray(np.atleast_2d(samples), np.float32), rate_hz)


def scaled(audio: Audio, gain: float) -> Audio:
    return Audio(np.float32(gain) * audio.samples, audio.rate_hz)


def low_passed(audio: Audio, cutoff_hz: float) -> Audio:
    sos = butter(8, cutoff_hz, fs=audio.rate_hz, output="sos")
    return Audio(sosfilt(sos, audio.samples).astype(np.float32), audio.rate_hz)


@pytest.fixture(scope="session")
def pairs():
    """``pairs(rate_hz, speech_only=...)``: mono pairs, three degradations of every clip."""

    def make(rate_hz, *, speech_only=False, clips=4, **kwargs):
        found = {}
        for name, reference in _references(rate_hz, speech_only=speech_only, clips=clips, **kwargs):
            found[f"{name} noise"] = reference, at_snr(reference, 20)
            found[f"{name} lowpass"] = reference, low_passed(reference, 3000)
            coarse = audio(np.round(reference.samples * 128) / 128, rate_hz)
            found[f"{name} 8 bit"] = reference, coarse
        return found

    return make


def _references(rate_hz, *, speech_only, clips, duration_s=3.0):
    folder = MATERIAL / "audio" / "eval"
    if not folder.is_dir():
        return [(f"synthetic {seed}", voice(rate_hz, seed=seed)) for seed in range(clips)]
    mixed = [name for both in zip(SPEECH, OTHER, strict=True) for name in both]
    names = (SPEECH if speech_only else mixed)[:clips]
    return [(name, clip_at(folder / f"{name}.flac", rate_hz, seconds=duration_s)) for name in names]
