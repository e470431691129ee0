"""Degradations in steps, each worse than the one before: see `MetricSpec.ladder`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import firwin, oaconvolve

from snacbench.types import Audio, Degradation

SNRS_DB = (40, 30, 20, 10, 0)
CUTOFFS = (0.7, 0.5, 0.35, 0.25)  # of half the rate
CLIP_LEVELS = (0.5, 0.35, 0.2, 0.1, 0.05)  # of the peak
# Samples. Up to one, every frequency that a signal can hold loses correlation with itself.
SHIFTS = (0.25, 0.5, 0.75, 1.0)
LOW_PASS_TAPS = 255


def ladder(kind: Degradation, reference: Audio) -> list[Audio]:
    """The reference, degraded step by step, the mildest first."""
    step, values = LADDERS[kind]
    return [step(reference, value) for value in values]


def noisy(audio: Audio, snr_db: float) -> Audio:
    """White noise added, the same at every level but for its gain."""
    noise = np.random.default_rng(1).standard_normal(audio.samples.shape)
    power = np.mean(audio.samples.astype(np.float64) ** 2)
    return _audio(audio, audio.samples + np.sqrt(power) * 10 ** (-snr_db / 20) * noise)


def low_passed(audio: Audio, cutoff: float) -> Audio:
    """A linear-phase low-pass without delay, so that nothing but the band is lost."""
    taps = firwin(LOW_PASS_TAPS, cutoff)
    return _audio(audio, oaconvolve(audio.samples, taps[np.newaxis], mode="same", axes=1))


def clipped(audio: Audio, level: float) -> Audio:
    """Everything above a share of the peak cut off."""
    bound = level * np.abs(audio.samples).max()
    return _audio(audio, np.clip(audio.samples, -bound, bound))


def shifted(audio: Audio, num_samples: float) -> Audio:
    """Later by a fraction of a sample, the end carried to the beginning."""
    spectrum = np.fft.rfft(audio.samples, axis=1)
    turns = np.fft.rfftfreq(audio.num_samples) * num_samples
    late = np.fft.irfft(spectrum * np.exp(-2j * np.pi * turns), audio.num_samples, axis=1)
    return _audio(audio, late)


def _audio(like: Audio, samples: np.ndarray) -> Audio:
    return Audio(np.ascontiguousarray(samples, np.float32), like.rate_hz)


LADDERS: dict[Degradation, tuple[Callable[[Audio, float], Audio], tuple[float, ...]]] = {
    "noise": (noisy, SNRS_DB),
    "low-pass": (low_passed, CUTOFFS),
    "clipping": (clipped, CLIP_LEVELS),
    "shift": (shifted, SHIFTS),
}
