"""Gammatone filters of ViSQOL: fourth order, spaced evenly on the scale of hearing.

Slaney: "An Efficient Implementation of the Patterson-Holdsworth Auditory Filter Bank", Apple
Technical Report 35, 1993. A filter is a cascade of four sections with the same pair of poles; each
section has one zero of its own; together they have a gain of one at the centre frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
