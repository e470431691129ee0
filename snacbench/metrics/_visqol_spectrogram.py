"""ViSQOL's spectrogram: the amplitude of every gammatone band in frames of 80 ms every 20 ms.

Google's program multiplies a frame by a Hann window, runs it through the filters from rest, and
takes the root mean square of the W samples that come out while the frame lasts. Nothing but that
mean is ever used, so no filter needs to be run. By Parseval, a filter that may ring until it is
quiet puts out the energy

    sum over frequencies of |X|^2 |H|^2 / M

with X the transform of the frame, padded with zeros to M samples, and H the filter's response.
What it puts out *after* the frame is its ringing: a combination of eight known waves (see
`Gammatone.ringing`), whose weights are inner products of the frame with eight known vectors. The
energy of the ringing is the sum of the squares of these products. Hence

    energy in the frame = |X|^2 @ |H|^2 / M  -  sum of (frame @ ringing)^2

for all frames and bands at once: one transform and a few products of matrices. ``docs/metrics.md``
has the derivation and the errors, which are those of single precision.

The filters are gammatones of fourth order, spaced evenly on the scale of hearing: Slaney, "An
Efficient Implementation of the Patterson-Holdsworth Auditory Filter Bank", Apple Technical Report
35, 1993. A filter is a cascade of four sections with the same pair of poles; each section has one
zero of its own; together they have a gain of one at the centre frequency.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FRAME_S, HOPS_PER_FRAME = 0.08, 4
LOWEST_HZ = 50.0
AUDIO_BANDS, SPEECH_BANDS, SPEECH_HIGHEST_HZ = 32, 21, 8000.0

# Ringing below this energy, for white noise of unit power, is left out; the floor below which
# ViSQOL does not look is at 1e-9.
LEAST_RINGING = 1e-16
# Bands of which the ringing is computed together, from as much of the frame as the lowest needs.
BANDS_PER_GROUP = 8
# Frames transformed at once: all intermediate results then stay in a core's second-level cache.
FRAMES_AT_ONCE = 32

Single = NDArray[np.float32]
# Glasberg and Moore 1990: bandwidth (Hz) = frequency / EAR_Q + MIN_BANDWIDTH_HZ.
EAR_Q, MIN_BANDWIDTH_HZ = 9.26449, 24.7
# A gammatone filter decays 1.019 times as fast as its equivalent rectangular bandwidth says.
DECAY_PER_BANDWIDTH = 1.019
ORDER = 4
# Where the four zeros lie, as multiples of the sine beside the cosine of the centre frequency.
ZEROS = tuple(sign * np.sqrt(3 + inner * 2**1.5) for inner in (1, -1) for sign in (1, -1))


@dataclass(frozen=True)
class Gammatone:
    """One filter of the bank: where it lies and how fast its ringing fades."""

    centre_hz: float
    decay_per_s: float
    rate_hz: int

    @property
    def radians(self) -> float:
        """Centre frequency in radians per sample."""
        return 2 * np.pi * self.centre_hz / self.rate_hz

    @property
    def decay(self) -> float:
        """Decay per sample, as a natural logarithm."""
        return self.decay_per_s / self.rate_hz

    def response(self, radians: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Complex response at frequencies given in radians per sample, same shape."""
        return self._cascade(radians) / abs(self._cascade(np.array(self.radians)))

    def ringing(self, num_samples: int) -> NDArray[np.float64]:
        """Orthonormal basis of all that the filter can do once its input has ended.

        Poles at exp(-decay ± i radians), each fourfold, leave it eight ways to ring: a sine and a
        cosine that decay, each times time to the power of 0, 1, 2 and 3.

        Returns
        -------
        array, shape (num_samples, 8)
        """
        time = np.arange(num_samples)
        wave = np.exp((-self.decay + 1j * self.radians) * time)
        powers = (self.decay * time[:, np.newaxis]) ** np.arange(ORDER)
        rising = powers * wave[:, np.newaxis]
        basis, _ = np.linalg.qr(np.concatenate([rising.real, rising.imag], axis=1))
        return basis

    def _cascade(self, radians: NDArray[np.float64]) -> NDArray[np.complex128]:
        delay = np.exp(-1j * radians)
        poles = np.polynomial.polynomial.polyval(delay, self._denominator)
        response = np.ones_like(delay)
        for numerator in self._numerators:
            response *= np.polynomial.polynomial.polyval(delay, numerator) / poles
        return response

    @property
    def _denominator(self) -> NDArray[np.float64]:
        pole = np.exp(-self.decay)
        return np.array([1.0, -2 * pole * np.cos(self.radians), pole**2])

    @property
    def _numerators(self) -> list[NDArray[np.float64]]:
        pole, cosine, sine = np.exp(-self.decay), np.cos(self.radians), np.sin(self.radians)
        return [np.array([1.0, -pole * (cosine + zero * sine)]) for zero in ZEROS]


def gammatones(rate_hz: int, count: int, lowest_hz: float, highest_hz: float) -> list[Gammatone]:
    """Return a bank of filters, low to high; the highest lies one step below `highest_hz`."""
    corner_hz = EAR_Q * MIN_BANDWIDTH_HZ
    # Evenly spaced in log(frequency + corner), from the highest down to the lowest inclusive.
    ends = np.log([highest_hz + corner_hz, lowest_hz + corner_hz])
    steps = ends[0] + (ends[1] - ends[0]) * np.arange(count, 0, -1) / count
    return [
        Gammatone(centre_hz, decay_per_s, rate_hz)
        for centre_hz in map(float, np.exp(steps) - corner_hz)
        for decay_per_s in [
            DECAY_PER_BANDWIDTH * 2 * np.pi * (centre_hz / EAR_Q + MIN_BANDWIDTH_HZ)
        ]
    ]


@dataclass(frozen=True, eq=False)
class _Ringing:
    """What some neighbouring bands still give off after a frame.

    `vectors`, shape (last samples of the frame, products), and `owners`, shape (products, bands),
    which says to which band a squared product belongs.
    """

    bands: slice
    vectors: Single
    owners: Single


@dataclass(frozen=True, eq=False)
class Bands:
    """A bank of filters, made ready to be applied to frames.

    Attributes
    ----------
    frame, hop : int
        In samples.
    count : int
        Number of bands.
    window : array, shape (frame,)
    gains : array, shape (frequencies, count)
        Squared response over frequency, scaled such that the energies come out as means.
    """

    rate_hz: int
    frame: int
    hop: int
    count: int
    window: Single
    gains: Single
    ringing: tuple[_Ringing, ...]

    @property
    def hop_s(self) -> float:
        """Time from frame to frame."""
        return self.hop / self.rate_hz

    def amplitudes(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Root mean square of every band in every whole frame of a signal.

        Parameters
        ----------
        signal : array, shape (time,)
            At least one frame long.

        Returns
        -------
        array, shape (frames, count)
        """
        # A power of two loses nothing, and keeps very loud and very faint signals representable.
        scale = 2.0 ** -np.frexp(np.abs(signal).max())[1] if signal.any() else 1.0
        frames = sliding_window_view((signal * scale).astype(np.float32), self.frame)[:: self.hop]
        energies = np.concatenate(list(self._energies(frames)))
        return np.sqrt(np.maximum(energies, 0.0, dtype=np.float64)) / scale

    def _energies(self, frames: Single) -> Iterator[Single]:
        from scipy import fft

        padded = np.zeros((min(FRAMES_AT_ONCE, len(frames)), 2 * self.frame), np.float32)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            some = frames[start : start + FRAMES_AT_ONCE]
            windowed = padded[: len(some), : self.frame]
            np.multiply(some, self.window, out=windowed)
            spectrum = fft.rfft(padded[: len(some)], axis=1)
            energy = (np.square(spectrum.real) + np.square(spectrum.imag)) @ self.gains
            for ringing in self.ringing:
                products = windowed[:, -len(ringing.vectors) :] @ ringing.vectors
                energy[:, ringing.bands] -= np.square(products) @ ringing.owners
            yield energy


@functools.lru_cache(maxsize=4)
def bands_of(rate_hz: int, *, speech: bool) -> Bands:
    """Return the bank that ViSQOL uses in one of its modes; built once per process."""
    frame = round(rate_hz * FRAME_S)
    # The window is symmetric: its last sample is zero as well.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / (frame - 1))
    filters = gammatones(
        rate_hz,
        SPEECH_BANDS if speech else AUDIO_BANDS,
        LOWEST_HZ,
        min(SPEECH_HIGHEST_HZ, rate_hz / 2) if speech else rate_hz / 2,
    )
    radians = 2 * np.pi * np.arange(frame + 1) / (2 * frame)
    both_signs = np.full(frame + 1, 2.0)
    both_signs[[0, -1]] = 1.0
    gains = np.stack([np.abs(f.response(radians)) ** 2 for f in filters], axis=1)
    gains *= both_signs[:, np.newaxis] / (2 * frame) / frame
    return Bands(
        rate_hz=rate_hz,
        frame=frame,
        hop=frame // HOPS_PER_FRAME,
        count=len(filters),
        window=window.astype(np.float32),
        gains=gains.astype(np.float32),
        ringing=tuple(
            _ringing_of(filters[first : first + BANDS_PER_GROUP], first, window)
            for first in range(0, len(filters), BANDS_PER_GROUP)
        ),
    )


def _ringing_of(filters: list[Gammatone], first: int, window: NDArray[np.float64]) -> _Ringing:
    each = [_ringing_vectors(f, window) for f in filters]
    # Only the end of a frame still rings after it; all the shorter, the higher the band.
    reach = max(len(window) - _first_that_matters(vectors) for vectors in each)
    # The vectors so far are for frames before the window; the products are taken after it.
    after_window = np.divide(1, window, out=np.zeros_like(window), where=window > 0)
    owners = np.repeat(np.eye(len(each)), [vectors.shape[1] for vectors in each], axis=0)
    vectors = np.concatenate(each, axis=1) * after_window[:, np.newaxis]
    return _Ringing(
        bands=slice(first, first + len(each)),
        vectors=np.ascontiguousarray(vectors[-reach:], dtype=np.float32),
        owners=owners.astype(np.float32),
    )


def _ringing_vectors(filter_: Gammatone, window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of which the products with a frame, squared and summed, are its mean ringing.

    Sample j of the frame adds h[n - j] to output sample n. So its share in wave q of the ringing,
    where q begins with the frame's end, is the correlation of q with the impulse response h.

    Returns
    -------
    array, shape (frame, up to 8)
    """
    from scipy import fft

    frame = len(window)
    # After 40 time constants 1e-13 of a wave is left, the power of three included.
    lasting = min(3 * frame, round(40 / filter_.decay))
    size = fft.next_fast_len(2 * frame + lasting, real=True)
    waves = np.zeros((size, 2 * ORDER))
    waves[frame : frame + lasting] = filter_.ringing(lasting)
    response = filter_.response(2 * np.pi * np.arange(size // 2 + 1) / size)
    spectra = fft.rfft(waves, axis=0) * response.conj()[:, np.newaxis]
    correlation = fft.irfft(spectra, size, axis=0)
    shares = correlation[:frame] * window[:, np.newaxis] / np.sqrt(frame)
    vectors, strengths, _ = np.linalg.svd(shares, full_matrices=False)
    heard = strengths**2 > LEAST_RINGING
    return vectors[:, heard] * strengths[heard]


def _first_that_matters(vectors: NDArray[np.float64]) -> int:
    """Index of the first sample of a frame that adds to the ringing."""
    heard_before = np.cumsum(np.square(vectors).sum(axis=1))
    return int(np.searchsorted(heard_before, LEAST_RINGING / 10))
