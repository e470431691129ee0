"""Magnitude and mel spectra as descript-audiotools defines them, in single precision.

Centred frames, reflected at both ends, under a periodic Hann window, a quarter window apart.
Transform, window and logarithm are the very same as there: where a signal holds next to nothing
(above a low-pass), the rounding of single precision decides, and others round differently.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING

from snacbench.errors import Undefined
from snacbench.types import Audio

if TYPE_CHECKING:
    from torch import Tensor

CLAMP = 1e-5


def magnitude(audio: Audio, window: int) -> Tensor:
    """Magnitude of the short-time Fourier transform of a mono signal.

    Returns
    -------
    tensor, shape (frames, window / 2 + 1), float32
    """
    import torch

    spectrum = torch.stft(
        torch.tensor(audio.samples[0]),
        n_fft=window,
        hop_length=window // 4,
        window=_hann(window),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    return spectrum.abs().T


def mel(audio: Audio, window: int, bands: int) -> Tensor:
    """Mel magnitudes of a mono signal.

    Returns
    -------
    tensor, shape (frames, bands), float32
    """
    return magnitude(audio, window) @ _mel_filters(audio.rate_hz, window, bands)


def log_clamped(spectrum: Tensor) -> Tensor:
    """Base-10 logarithm, nothing below 1e-5."""
    return spectrum.clamp(CLAMP).log10()


def mean_distance(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference."""
    return float((a - b).abs_().mean())


def longer_than_padding(reference: Audio, largest_window: int) -> None:
    """Check that a signal is long enough to be reflected by half the largest window.

    Raises
    ------
    Undefined
        If it is not.
    """
    needed = largest_window // 2 + 1
    if reference.num_samples < needed:
        raise Undefined(
            f"too short: the reference has {reference.num_samples} samples, {needed} are needed "
            f"to fill half a window of {largest_window}"
        )


@functools.cache
def _mel_filters(rate_hz: int, window: int, bands: int) -> Tensor:
    """Slaney's mel filters, each of unit area, over 0 Hz to half the rate.

    Returns
    -------
    tensor, shape (window / 2 + 1, bands), float32
    """
    import torch
    from librosa import filters

    with warnings.catch_warnings():
        # Short windows leave some bands without a bin. They stay empty in both signals, and in
        # the published figures.
        warnings.filterwarnings("ignore", message="Empty filters")
        return torch.from_numpy(filters.mel(sr=rate_hz, n_fft=window, n_mels=bands)).T


@functools.cache
def _hann(window: int) -> Tensor:
    """Periodic window, computed in double precision; torch's own differs in the last digit."""
    import torch
    from scipy.signal import get_window

    return torch.from_numpy(get_window("hann", window)).float()
