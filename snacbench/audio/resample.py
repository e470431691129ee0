"""The one resampler of a run: soxr at its very-high-quality setting."""

from snacbench.later import np, soxr
from snacbench.types import Audio


def num_samples_at(num_samples: int, rate_hz: int, new_rate_hz: int) -> int:
    """Length in samples of a signal after resampling: rounded half up, and at least 1."""
    return max(1, (2 * num_samples * new_rate_hz + rate_hz) // (2 * rate_hz))


def resample(audio: Audio, rate_hz: int) -> Audio:
    """Resample by a linear-phase filter with the delay removed, to `num_samples_at` samples.

    At the same rate, the very same object. A constant channel stays constant: the filter's ringing
    at its ends is no sound.
    """
    if audio.rate_hz == rate_hz:
        return audio
    out = soxr.resample(audio.samples.T, audio.rate_hz, rate_hz, quality="VHQ")
    expected = num_samples_at(audio.num_samples, audio.rate_hz, rate_hz)
    out = np.ascontiguousarray(fit_length(out.T, expected))
    constant = np.ptp(audio.samples, axis=1) == 0
    out[constant] = audio.samples[constant, :1]
    return Audio(out, rate_hz)


def fit_length(samples: "np.ndarray", num_samples: int) -> "np.ndarray":
    """Cut, or extend with zeros, along the last axis (time)."""
    missing = num_samples - samples.shape[-1]
    if missing <= 0:
        return samples[..., :num_samples]
    return np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(0, missing)])
