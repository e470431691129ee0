"""ViSQOL's spectrogram: the amplitude of every gammatone band in frames of 80 ms every 20 ms.

Google's program runs a windowed frame through the filters from rest, and takes the root mean square
of the W samples that come out while it lasts. Nothing but that mean is used, so no filter is run:

    energy in the frame = |X|^2 @ |H|^2 / M  -  sum of (frame @ ringing)^2

with X the transform of the frame, padded with zeros to M samples, H the filter's response, and
ringing what it puts out after the frame, a combination of eight known waves. ``docs/metrics.md``
has the derivation and the errors, which are those of single precision.

The filters are gammatones of fourth order, spaced evenly on the scale of hearing: Slaney, "An
Efficient Implementation of the Patterson-Holdsworth Auditory Filter Bank", Apple Technical Report
35, 1993: four sections with the same pair of poles and one zero each, a gain of one at the centre.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from snacbench.later import np

if TYPE_CHECKING:
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

# Glasberg and Moore 1990: bandwidth (Hz) = frequency / EAR_Q + MIN_BANDWIDTH_HZ.
EAR_Q, MIN_BANDWIDTH_HZ = 9.26449, 24.7
# A gammatone filter decays 1.019 times as fast as its equivalent rectangular bandwidth says.
DECAY_PER_BANDWIDTH = 1.019
ORDER = 4
# Where the four zeros lie, as multiples of the sine beside the cosine of the centre frequency.
ZEROS = tuple(sign * math.sqrt(3 + inner * 2**1.5) for inner in (1, -1) for sign in (1, -1))

Single: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True)
class Gammatone:
    """One filter: its centre, in radians per sample too, and the decay per sample of its ringing.

    The decay is a natural logarithm.
    """

    centre_hz: float
    radians: float
    decay: float

    def response(self, radians: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Complex response at frequencies given in radians per sample, same shape."""
        pole, cosine, sine = np.exp(-self.decay), np.cos(self.radians), np.sin(self.radians)
        polynomial = np.polynomial.polynomial.polyval

        def cascade(radians: NDArray[np.float64]) -> NDArray[np.complex128]:
            delay = np.exp(-1j * radians)
            poles = polynomial(delay, np.array([1.0, -2 * pole * cosine, pole**2]))
            response = np.ones_like(delay)
            for zero in ZEROS:
                zeros = np.array([1.0, -pole * (cosine + zero * sine)])
                response *= polynomial(delay, zeros) / poles
            return response

        return cascade(radians) / abs(cascade(np.array(self.radians)))

    def ringing(self, num_samples: int) -> NDArray[np.float64]:
        """Orthonormal basis, shape (num_samples, 8), of what it can do once its input has ended.

        Poles at exp(-decay ± i radians), each fourfold, leave it eight ways to ring: a sine and a
        cosine that decay, each times time to the power of 0, 1, 2 and 3.
        """
        time = np.arange(num_samples)
        wave = np.exp((-self.decay + 1j * self.radians) * time)
        powers = (self.decay * time[:, np.newaxis]) ** np.arange(ORDER)
        rising = powers * wave[:, np.newaxis]
        basis, _ = np.linalg.qr(np.concatenate([rising.real, rising.imag], axis=1))
        return basis


def gammatones(rate_hz: int, count: int, lowest_hz: float, highest_hz: float) -> list[Gammatone]:
    """Return a bank of filters, low to high; the highest lies one step below `highest_hz`."""
    corner_hz = EAR_Q * MIN_BANDWIDTH_HZ
    # Evenly spaced in log(frequency + corner), from the highest down to the lowest inclusive.
    ends = np.log([highest_hz + corner_hz, lowest_hz + corner_hz])
    steps = ends[0] + (ends[1] - ends[0]) * np.arange(count, 0, -1) / count
    bank = []
    for centre_hz in map(float, np.exp(steps) - corner_hz):
        bandwidth_hz = centre_hz / EAR_Q + MIN_BANDWIDTH_HZ
        decay = DECAY_PER_BANDWIDTH * 2 * np.pi * bandwidth_hz / rate_hz
        bank.append(Gammatone(centre_hz, 2 * np.pi * centre_hz / rate_hz, decay))
    return bank


class _Ringing(NamedTuple):
    """What some neighbouring bands still give off after a frame.

    `vectors`, shape (last samples of the frame, products), and `owners`, shape (products, bands),
    which says to which band a squared product belongs.
    """

    bands: slice
    vectors: Single
    owners: Single


class Bands:
    """A bank of filters, made ready to be applied to frames of `frame` samples every `hop`."""

    def __init__(self, rate_hz: int, *, speech: bool) -> None:
        self.frame = frame = round(rate_hz * FRAME_S)
        self.hop = frame // HOPS_PER_FRAME
        self.hop_s = self.hop / rate_hz
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
        # Squared responses, shape (frequencies, bands), such that energies come out as means.
        gains = np.stack([np.abs(f.response(radians)) ** 2 for f in filters], axis=1)
        gains *= both_signs[:, np.newaxis] / (2 * frame) / frame
        self._window, self._gains = window.astype(np.float32), gains.astype(np.float32)
        # The ringing's vectors are for frames before the window; products are taken after it.
        after_window = np.divide(1, window, out=np.zeros_like(window), where=window > 0)
        self._ringing = []
        for first in range(0, len(filters), BANDS_PER_GROUP):
            each = [_ringing_vectors(f, window) for f in filters[first : first + BANDS_PER_GROUP]]
            # Only the end of a frame still rings after it; all the shorter, the higher the band.
            heard_before = (np.cumsum(np.square(vectors).sum(axis=1)) for vectors in each)
            reach = max(len(h) - int(np.searchsorted(h, LEAST_RINGING / 10)) for h in heard_before)
            owners = np.repeat(np.eye(len(each)), [vectors.shape[1] for vectors in each], axis=0)
            vectors = np.concatenate(each, axis=1) * after_window[:, np.newaxis]
            ringing = _Ringing(
                slice(first, first + len(each)),
                np.ascontiguousarray(vectors[-reach:], dtype=np.float32),
                owners.astype(np.float32),
            )
            self._ringing.append(ringing)

    def amplitudes(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Root mean square of every band in every whole frame of a signal of at least one.

        The signal has the shape (time,), the result (frames, bands).
        """
        from scipy import fft

        # A power of two loses nothing, and keeps very loud and very faint signals representable.
        scale = 2.0 ** -np.frexp(np.abs(signal).max())[1] if signal.any() else 1.0
        frames = np.lib.stride_tricks.sliding_window_view(
            (signal * scale).astype(np.float32), self.frame
        )[:: self.hop]
        padded = np.zeros((min(FRAMES_AT_ONCE, len(frames)), 2 * self.frame), np.float32)
        energies = []
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            some = frames[start : start + FRAMES_AT_ONCE]
            windowed = padded[: len(some), : self.frame]
            np.multiply(some, self._window, out=windowed)
            spectrum = fft.rfft(padded[: len(some)], axis=1)
            energy = (np.square(spectrum.real) + np.square(spectrum.imag)) @ self._gains
            for bands, vectors, owners in self._ringing:
                products = windowed[:, -len(vectors) :] @ vectors
                energy[:, bands] -= np.square(products) @ owners
            energies.append(energy)
        return np.sqrt(np.maximum(np.concatenate(energies), 0.0, dtype=np.float64)) / scale


@functools.lru_cache(maxsize=4)
def bands_of(rate_hz: int, *, speech: bool) -> Bands:
    """Return the bank that ViSQOL uses in one of its modes; built once per process."""
    return Bands(rate_hz, speech=speech)


def _ringing_vectors(filter_: Gammatone, window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors, shape (frame, up to 8); products with a frame, squared, add up to mean ringing.

    Sample j of the frame adds h[n - j] to output sample n. So its share in wave q of the ringing,
    where q begins with the frame's end, is the correlation of q with the impulse response h.
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
