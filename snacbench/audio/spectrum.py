"""Power over time and frequency, as the judgement of a clip's bandwidth needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from snacbench.types import Audio, FloatSamples

_BIN_HZ = 23.0
_MOST_FRAMES = 2_000  # a longer clip is sampled evenly: bounded time and memory
_FRAMES_AT_ONCE = 128
_ACTIVE_RANGE = 1e-6  # frames more than 60 dB under the loudest are pauses
_FEWEST_CLEAN_SHARE, _FEWEST_CLEAN = 0.1, 8
_LEAST_SAMPLES = 256
_LEAST_RATE_HZ = 1_000


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Power of the frames of a clip that are not pauses, summed over channels.

    Attributes
    ----------
    power : array, shape (frames, bins)
        A frame's bins add up to its mean square, averaged over channels.
    bin_hz : float
        Distance of bins; the last one lies at half the rate.
    rate_hz : int
    """

    power: NDArray[np.float32]
    bin_hz: float
    rate_hz: int


def spectrogram(audio: Audio, *, spoilt: NDArray[np.bool_] | None = None) -> Spectrogram | None:
    """Spectrogram in Hann windows of about 45 ms, half overlapping.

    Parameters
    ----------
    audio : Audio
    spoilt : array, shape (time,), bool, optional
        Samples whose frames are left out, provided that enough others remain: a clipped sample
        sprays over the whole spectrum.

    Returns
    -------
    Spectrogram or None
        None for silence, less than 256 samples, and rates under 1 kHz.
    """
    if audio.num_samples < _LEAST_SAMPLES or audio.rate_hz < _LEAST_RATE_HZ:
        return None
    size = min(2 ** round(np.log2(audio.rate_hz / _BIN_HZ)), _power_of_two(audio.num_samples))
    starts = _starts(audio.num_samples, size, spoilt)
    # A constant offset is no sound, and its leakage must not be taken for some.
    samples = audio.samples - audio.samples.mean(axis=1, keepdims=True)
    blocks = (starts[i : i + _FRAMES_AT_ONCE] for i in range(0, len(starts), _FRAMES_AT_ONCE))
    power = np.concatenate([_power(samples, block, size) for block in blocks])
    total = power.sum(axis=1)
    if total.max() <= 0:
        return None
    return Spectrogram(
        power[total > total.max() * _ACTIVE_RANGE], audio.rate_hz / size, audio.rate_hz
    )


def _power_of_two(number: int) -> int:
    return 1 << (number.bit_length() - 1)


def _starts(num_samples: int, size: int, spoilt: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """First samples of the frames, half overlapping or farther apart in a long clip."""
    count = min((num_samples - size) // (size // 2) + 1, _MOST_FRAMES)
    starts = np.linspace(0, num_samples - size, count).astype(np.intp)
    if spoilt is None or not spoilt.any():
        return starts
    before = np.concatenate([[0], np.cumsum(spoilt)])
    clean = starts[before[starts + size] == before[starts]]
    enough = len(clean) >= max(_FEWEST_CLEAN, _FEWEST_CLEAN_SHARE * len(starts))
    return clean if enough else starts


def _power(samples: FloatSamples, starts: NDArray[np.intp], size: int) -> NDArray[np.float32]:
    """Power of some frames, shape (frames, bins)."""
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    scale = np.float32(2 / (len(samples) * size * float(window @ window)))
    power = np.zeros((len(starts), size // 2 + 1), dtype=np.float32)
    for channel in samples:
        frames = np.lib.stride_tricks.sliding_window_view(channel, size)[starts]
        spectrum = rfft(frames * window)
        power += spectrum.real**2 + spectrum.imag**2
    return power * scale
