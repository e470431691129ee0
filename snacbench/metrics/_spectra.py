"""Magnitude and mel spectra as descript-audiotools defines them, in single precision.

Centred frames, reflected at both ends, under a periodic Hann window, a quarter window apart.
Transform, window and logarithm are the very same as there: where a signal holds next to nothing
(above a low-pass), the rounding of single precision decides, and others round differently. What is
different is the way through memory: a few frames are transformed at a time, as many as stay in the
processor's cache; mel filters are sparse; and distances that use the same windows share spectra.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.types import Audio

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

CLAMP = 1e-5

# Windowed samples that are transformed at a time: half a megabyte, and as much of their spectrum.
_BLOCK_SAMPLES = 2**17
# Spectra kept for the next metric. The longest windows of the 7-scale mel distance come last in
# it, and the STFT and the 2-scale mel distance need two of these. 8 bytes a sample each.
_SPECTRA_KEPT = 4

# A spectrum in pieces of some frames each, in order of channel and time; every piece an array of
# shape (bins or bands, frames), float32.
Pieces: TypeAlias = "tuple[NDArray[np.float32], ...]"


def distance(
    spectra: Sequence[Callable[[Audio], Pieces]],
    *,
    largest_window: int,
    power: float,
    magnitude_weight: float,
) -> Callable[[Audio], Callable[[Audio], float]]:
    """The sum over several spectra of ``power`` x the mean distance of their logarithms to base 10.

    The mean distance of the spectra themselves is added with `magnitude_weight`. What is returned
    takes a reference, and then one degraded signal after another.
    """

    def features(audio: Audio) -> Iterator[tuple[Pieces, Pieces]]:
        import torch

        for spectrum in spectra:
            plain = spectrum(audio)
            # numpy's logarithm to base 10 takes one number at a time in single precision.
            clamped = (torch.from_numpy(np.maximum(x, np.float32(CLAMP))) for x in plain)
            logs = tuple(np.asarray(x.log10_().numpy()) for x in clamped)
            yield logs, plain if magnitude_weight else ()

    def prepare(reference: Audio) -> Callable[[Audio], float]:
        needed = largest_window // 2 + 1
        if reference.num_samples < needed:
            raise Undefined(
                f"too short: the reference has {reference.num_samples} samples, {needed} are "
                f"needed to fill half a window of {largest_window}"
            )
        of_reference = list(features(reference))

        def compare(degraded: Audio) -> float:
            total = 0.0
            for (log_x, x), (log_y, y) in zip(of_reference, features(degraded), strict=True):
                total += power * _mean_distance(log_x, log_y)
                if magnitude_weight:
                    total += magnitude_weight * _mean_distance(x, y)
            return total

        return compare

    return prepare


def _mean_distance(a: Pieces, b: Pieces) -> float:
    total = sum(float(np.abs(x - y).sum()) for x, y in zip(a, b, strict=True))
    return total / sum(piece.size for piece in a)


@functools.lru_cache(maxsize=_SPECTRA_KEPT)
def magnitude(audio: Audio, *, window: int) -> Pieces:
    """Magnitude of the short-time Fourier transform at ``window / 2 + 1`` frequencies.

    Kept by the identity of the signal, which is read-only; so are the pieces.
    """
    import torch

    edge = window // 2
    padded = torch.from_numpy(np.pad(audio.samples, [(0, 0), (edge, edge)], mode="reflect"))
    frames_at_a_time = _BLOCK_SAMPLES // window
    pieces = []
    for of_channel in padded:
        for frames in of_channel.unfold(0, window, window // 4).split(frames_at_a_time):
            spectrum = torch.fft.rfft(frames * _hann(window))
            pieces.append(np.ascontiguousarray(np.abs(spectrum.numpy()).T))
    for piece in pieces:
        piece.flags.writeable = False
    return tuple(pieces)


@functools.cache
def _hann(window: int) -> Tensor:
    """Periodic window, computed in double precision; torch's own differs in the last digit."""
    import torch
    from scipy.signal import get_window

    return torch.from_numpy(get_window("hann", window)).float()


def mel(audio: Audio, window: int, bands: int) -> Pieces:
    """Mel magnitudes."""
    filters = _mel_filters(audio.rate_hz, window, bands)
    return tuple(filters @ piece for piece in magnitude(audio, window=window))


@functools.cache
def _mel_filters(rate_hz: int, window: int, bands: int) -> Any:
    """Slaney's mel filters of unit area up to half the rate, sparse, shape (bands, bins)."""
    from librosa import filters
    from scipy.sparse import csr_array

    with warnings.catch_warnings():
        # Short windows leave some bands without a bin. They stay empty in both signals, and in
        # the published figures.
        warnings.filterwarnings("ignore", message="Empty filters")
        return csr_array(filters.mel(sr=rate_hz, n_fft=window, n_mels=bands))
