"""Delay: how late one signal is against another, and taking it away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from snacbench.types import Audio

_WHITENING = 0.5


def cross_correlation(*, reference: Audio, degraded: Audio, max_lag: int) -> NDArray[np.float64]:
    """Correlation of two mono signals at every lag from ``-max_lag`` to ``max_lag``.

    Both are half whitened, by the square root of the reference's smoothed magnitude spectrum:
    without, the pitch of voices and instruments decides where the peak lies; wholly whitened,
    bands that a codec fills with noise count as much as those it codes.

    Returns
    -------
    array, shape (2 * max_lag + 1,)
        Entry ``max_lag + d`` is for the degraded signal coming `d` samples late. Normalised:
        1 for equal signals at their true lag.
    """
    x = reference.samples.mean(axis=0, dtype=np.float64)
    y = degraded.samples.mean(axis=0, dtype=np.float64)
    if not x.any() or not y.any():
        return np.zeros(2 * max_lag + 1)
    size = next_fast_len(len(x) + len(y) + max_lag, real=True)
    spectrum_x, spectrum_y = rfft(x, size), rfft(y, size)
    weight = 1.0 / np.maximum(_smooth(np.abs(spectrum_x)), np.finfo(float).tiny) ** _WHITENING
    spectrum_x, spectrum_y = spectrum_x * weight, spectrum_y * weight
    energy = np.sqrt(_energy(spectrum_x) * _energy(spectrum_y))
    # Mean over rfft bins stands for the time-domain sum up to a factor shared with `energy`.
    full = irfft(spectrum_y * np.conj(spectrum_x), size) * size / 2
    around_zero = np.concatenate([full[-max_lag:], full[: max_lag + 1]]) if max_lag else full[:1]
    return np.asarray(around_zero / energy)


def remove_delay(*, reference: Audio, degraded: Audio, delay_samples: int) -> tuple[Audio, Audio]:
    """Shift `degraded` earlier by `delay_samples` and keep what both signals cover.

    A negative delay shifts it later. Lengths become equal.
    """
    d = delay_samples
    if d == 0:
        return reference, degraded
    ref, deg = reference.samples, degraded.samples
    ref, deg = (ref[:, :-d], deg[:, d:]) if d > 0 else (ref[:, -d:], deg[:, :d])
    length = min(ref.shape[1], deg.shape[1])
    return (
        Audio(np.ascontiguousarray(ref[:, :length]), reference.rate_hz),
        Audio(np.ascontiguousarray(deg[:, :length]), degraded.rate_hz),
    )


def _energy(half_spectrum: NDArray[np.complex128]) -> float:
    return float(np.sum(half_spectrum.real**2 + half_spectrum.imag**2))


def _smooth(magnitude: NDArray[np.float64], bins: int = 255) -> NDArray[np.float64]:
    window = np.ones(bins) / bins
    return np.convolve(np.pad(magnitude, bins // 2, mode="reflect"), window, mode="valid")
