"""By how many samples one signal lags another: the peak of the correlation of their envelopes.

The correlation is computed in single precision, which finds the few lags that can be the peak;
double precision decides between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# Largest error of a correlation in single precision, as a share of the product of the norms; the
# largest measured is 2e-7.
SINGLE_PRECISION = 2e-6
# With more lags than these in question, a transform in double precision is cheaper.
MANY_LAGS = 64
# Degraded signals mostly have the length of their reference, so one size would nearly do.
SIZES_KEPT = 2

Signal = NDArray[np.float64]


def upper_envelope(signal: Signal) -> Signal:
    """Upper envelope by which signals are aligned, as Google's program has it in effect.

    The C++ code doubles the positive half of the spectrum and inverts it by a transform for
    real signals. This does not give the analytic signal, whose magnitude would be the envelope,
    but twice the signal itself. The published scores rest on it.

    Parameters
    ----------
    signal : array, shape (time,)

    Returns
    -------
    array, shape (time,)
    """
    mean = signal.mean()
    return 2 * np.abs(signal - mean) + mean


class Envelope:
    """The envelope of a reference, with its transforms, ready to be aligned with many signals."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        envelope = _single_envelope(signal)
        self.norm = _norm(envelope)
        self._transforms: dict[int, NDArray[np.complex64]] = {}

    def transform(self, size: int) -> NDArray[np.complex64]:
        """Spectrum of the envelope, padded with zeros to `size` samples; computed once."""
        from scipy import fft

        if size not in self._transforms:
            if len(self._transforms) == SIZES_KEPT:
                self._transforms.clear()
            self._transforms[size] = fft.rfft(_single_envelope(self.signal), size)
        return self._transforms[size]

    @property
    def nbytes(self) -> int:
        """Memory that the transforms take."""
        return sum(spectrum.nbytes for spectrum in self._transforms.values())


def lags_of(references: Sequence[Envelope], degraded: Sequence[Signal]) -> list[int]:
    """Lags in samples by which signals must be delayed to match their references.

    A lag of more than half a reference is taken for a mistake and given as 0.
    """
    lags = [0] * len(degraded)
    sizes = [max(len(x.signal), len(y)) for x, y in zip(references, degraded, strict=True)]
    for longest in sorted(set(sizes)):
        # Signals of one size go through the transform side by side, which is faster.
        rows = [row for row, size in enumerate(sizes) if size == longest and len(degraded[row])]
        found = _peaks([references[r] for r in rows], [degraded[r] for r in rows], longest)
        for row, lag in zip(rows, found, strict=True):
            lags[row] = lag if abs(lag) <= len(references[row].signal) / 2 else 0
    return lags


def _peaks(
    references: Sequence[Envelope], degraded: Sequence[Signal], longest: int
) -> Iterator[int]:
    """Lags of the highest correlation, for signals of which the longest is `longest`."""
    from scipy import fft

    size = fft.next_fast_len(2 * longest - 1, real=True)
    envelopes = np.zeros((len(degraded), longest), np.float32)
    for row, signal in zip(envelopes, degraded, strict=True):
        row[: len(signal)] = _single_envelope(signal)
    spectra = fft.rfft(envelopes, size, axis=1)
    np.conjugate(spectra, out=spectra)
    for index, reference in enumerate(references):
        spectra[index] *= reference.transform(size)
    correlations = fft.irfft(spectra, size, axis=1)
    for reference, signal, envelope, correlation in zip(
        references, degraded, envelopes, correlations, strict=True
    ):
        error = SINGLE_PRECISION * reference.norm * _norm(envelope)
        lags = _candidates(correlation, longest, error)
        yield int(lags[0]) if len(lags) == 1 else _best_of(lags, reference.signal, signal)


def _candidates(correlation: NDArray[np.float32], longest: int, error: float) -> NDArray[np.intp]:
    """Lags of which the correlation may be the highest, in rising order."""
    early, late = correlation[len(correlation) - longest + 1 :], correlation[:longest]
    least = max(late.max(), early.max(initial=-np.inf)) - 2 * error
    return np.concatenate(
        [np.flatnonzero(early >= least) - len(early), np.flatnonzero(late >= least)]
    )


def _best_of(lags: NDArray[np.intp], reference: Signal, degraded: Signal) -> int:
    """Lag of the highest correlation in double precision; of equal ones the lowest."""
    from scipy import fft

    x, y = upper_envelope(reference), upper_envelope(degraded)
    if len(lags) <= MANY_LAGS:
        return int(lags[np.argmax([_correlation(int(lag), x, y) for lag in lags])])
    size = fft.next_fast_len(2 * max(len(x), len(y)) - 1, real=True)
    # A negative lag is an index from the end.
    correlation = fft.irfft(fft.rfft(x, size) * fft.rfft(y, size).conj(), size)
    return int(lags[np.argmax(correlation[lags])])


def _correlation(lag: int, x: Signal, y: Signal) -> float:
    x, y = x[max(lag, 0) :], y[max(-lag, 0) :]
    overlap = min(len(x), len(y))
    return float(x[:overlap] @ y[:overlap])


def _single_envelope(signal: Signal) -> NDArray[np.float32]:
    """Upper envelope in single precision, scaled to at most 1: any level can be represented."""
    mean = signal.mean()
    centred = signal - mean
    largest = 2 * max(centred.max(), -centred.min()) + abs(mean)
    if largest == 0:
        return np.zeros(len(signal), np.float32)
    centred *= 2 / largest
    envelope = np.abs(centred.astype(np.float32))
    envelope += np.float32(mean / largest)
    return envelope


def _norm(envelope: NDArray[np.float32]) -> float:
    return float(np.sqrt(envelope @ envelope))
