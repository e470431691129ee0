"""ViSQOL's spectrograms: how they are made, how alike two pieces are, and where a patch fits best.

Spectrogram: the amplitude of every gammatone band in frames of 80 ms every 20 ms: the root mean
square of the W samples that come out of a filter while a windowed frame goes through it from rest.
Nothing but that mean is used, so no filter is run::

    energy in the frame = |X|^2 @ |H|^2 / M  -  sum of (frame @ ringing)^2

with X the transform of the frame, padded with zeros to M samples, H the filter's response, and
ringing what it puts out after the frame, a combination of eight known waves. ``docs/metrics.md``
has the derivation and the errors. Filters: Slaney, "An Efficient Implementation of the
Patterson-Holdsworth Auditory Filter Bank", Apple Technical Report 35, 1993.

Neurogram similarity index (NSIM), at most 1: Hines, Harte: "Speech intelligibility prediction using
a neurogram similarity index measure", Speech Communication 54(2), 2012, equation 2. With means m,
variances v and covariance c under a Gaussian window of 3 x 3 cells, which repeat at the border::

    NSIM = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)  *  (c + C3) / (sqrt(v_x v_y) + C3)

Each of its four parts is an inner product of a few numbers of one frame with a few of the other: so
for one band, all frames of both signals are four products of thin matrices in single precision.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from snacbench.later import NDArray, fft, np
from snacbench.types import Floats

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

C1, C3 = 0.01**2, 0.03**2 / 2

# The window, as Google's program has it: cells at a corner, at an edge, and in the middle.
CORNER, EDGE, MIDDLE = 0.0113033910173052, 0.0838251475442633, 0.619485845753726
# Weights of a cell and its neighbours: previous frame, this frame, next frame; three bands each.
WEIGHTS = (CORNER, EDGE, CORNER, EDGE, MIDDLE, EDGE, CORNER, EDGE, CORNER)
# Which of the sixteen numbers of a frame enter the four inner products: covariance, means, energy,
# spread.
PARTS = slice(0, 10), slice(10, 12), slice(12, 14), slice(14, 16)

# Frames of the reference compared at once. Intermediate results then stay in a core's cache.
COMPARED_AT_ONCE = 128

Single: TypeAlias = "NDArray[np.float32]"


# ----------------------------------------------------------------------------------- spectrograms
class Gammatone(NamedTuple):
    """One filter: its centre in radians per sample, and the decay per sample of its ringing.

    The decay is a natural logarithm.
    """

    radians: float
    decay: float

    def response(self, radians: Floats) -> NDArray[np.complex128]:
        """Complex response at frequencies given in radians per sample, same shape."""
        pole, cosine, sine = np.exp(-self.decay), np.cos(self.radians), np.sin(self.radians)
        polynomial = np.polynomial.polynomial.polyval

        def cascade(radians: Floats) -> NDArray[np.complex128]:
            delay = np.exp(-1j * radians)
            poles = polynomial(delay, np.array([1.0, -2 * pole * cosine, pole**2]))
            response = np.ones_like(delay)
            for zero in ZEROS:
                zeros = np.array([1.0, -pole * (cosine + zero * sine)])
                response *= polynomial(delay, zeros) / poles
            return response

        return cascade(radians) / abs(cascade(np.array(self.radians)))

    def ringing(self, window: Floats) -> Floats:
        """Vectors, shape (frame, up to 8); products with a frame, squared, add up to mean ringing.

        Poles at exp(-decay ± i radians), each fourfold, leave it eight ways to ring once its input
        has ended: a sine and a cosine that decay, each times time to the power of 0, 1, 2 and 3.
        """
        # Sample j of the frame adds h[n - j] to output sample n. So its share in wave q of the
        # ringing, of an orthonormal basis, where q begins with the frame's end, is the correlation
        # of q with the impulse response h.
        frame = len(window)
        # After 40 time constants 1e-13 of a wave is left, the power of three included.
        lasting = min(3 * frame, round(40 / self.decay))
        time = np.arange(lasting)
        wave = np.exp((-self.decay + 1j * self.radians) * time)
        rising = (self.decay * time[:, np.newaxis]) ** np.arange(ORDER) * wave[:, np.newaxis]
        size = fft.next_fast_len(2 * frame + lasting, real=True)
        waves = np.zeros((size, 2 * ORDER))
        waves[frame : frame + lasting], _ = np.linalg.qr(np.hstack([rising.real, rising.imag]))
        response = self.response(2 * np.pi * np.arange(size // 2 + 1) / size)
        spectra = fft.rfft(waves, axis=0) * response.conj()[:, np.newaxis]
        shares = fft.irfft(spectra, size, axis=0)[:frame] * window[:, np.newaxis] / np.sqrt(frame)
        vectors, strengths, _ = np.linalg.svd(shares, full_matrices=False)
        heard = strengths**2 > LEAST_RINGING
        return vectors[:, heard] * strengths[heard]


def gammatones(rate_hz: int, *, speech: bool) -> list[Gammatone]:
    """The filters of a mode, low to high; the highest lies one step below the end of the band."""
    count, highest_hz = AUDIO_BANDS, rate_hz / 2
    if speech:
        count, highest_hz = SPEECH_BANDS, min(SPEECH_HIGHEST_HZ, highest_hz)
    corner_hz = EAR_Q * MIN_BANDWIDTH_HZ
    # Evenly spaced in log(frequency + corner), from the highest down to the lowest inclusive.
    ends = np.log([highest_hz + corner_hz, LOWEST_HZ + corner_hz])
    steps = ends[0] + (ends[1] - ends[0]) * np.arange(count, 0, -1) / count
    bank = []
    for centre_hz in map(float, np.exp(steps) - corner_hz):
        bandwidth_hz = centre_hz / EAR_Q + MIN_BANDWIDTH_HZ
        decay = DECAY_PER_BANDWIDTH * 2 * np.pi * bandwidth_hz / rate_hz
        bank.append(Gammatone(2 * np.pi * centre_hz / rate_hz, decay))
    return bank


class Bands:
    """A bank of filters, made ready to be applied to frames of `frame` samples every `hop`."""

    def __init__(self, rate_hz: int, *, speech: bool) -> None:
        self.frame = frame = round(rate_hz * FRAME_S)
        self.hop = frame // HOPS_PER_FRAME
        self.hop_s = self.hop / rate_hz
        # The window is symmetric: its last sample is zero as well.
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / (frame - 1))
        filters = gammatones(rate_hz, speech=speech)
        radians = 2 * np.pi * np.arange(frame + 1) / (2 * frame)
        both_signs = np.full(frame + 1, 2.0)
        both_signs[[0, -1]] = 1.0
        # Squared responses, shape (frequencies, bands), such that energies come out as means.
        gains = np.stack([np.abs(f.response(radians)) ** 2 for f in filters], axis=1)
        gains *= both_signs[:, np.newaxis] / (2 * frame) / frame
        self._window, self._gains = window.astype(np.float32), gains.astype(np.float32)
        # The ringing's vectors are for frames before the window; products are taken after it.
        after_window = np.divide(1, window, out=np.zeros_like(window), where=window > 0)
        # Of neighbouring bands: which they are, vectors, shape (last samples of a frame, products),
        # and to which of the bands a squared product belongs, shape (products, bands).
        self._ringing: list[tuple[slice, Single, Single]] = []
        for first in range(0, len(filters), BANDS_PER_GROUP):
            each = [f.ringing(window) for f in filters[first : first + BANDS_PER_GROUP]]
            # Only the end of a frame still rings after it; all the shorter, the higher the band.
            heard_before = (np.cumsum(np.square(vectors).sum(axis=1)) for vectors in each)
            reach = max(len(h) - int(np.searchsorted(h, LEAST_RINGING / 10)) for h in heard_before)
            owners = np.repeat(np.eye(len(each)), [vectors.shape[1] for vectors in each], axis=0)
            vectors = np.concatenate(each, axis=1) * after_window[:, np.newaxis]
            last = np.ascontiguousarray(vectors[-reach:], dtype=np.float32)
            bands = slice(first, first + len(each))
            self._ringing.append((bands, last, owners.astype(np.float32)))

    def amplitudes(self, signal: Floats) -> Floats:
        """Root mean square of every band in every whole frame of a signal of at least one.

        The signal has the shape (time,), the result (frames, bands).
        """
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


bands_of = functools.lru_cache(maxsize=4)(Bands)


# ------------------------------------------------------------------------------------ similarity
class Similarity(NamedTuple):
    """How alike two patches are, band by band: arrays of shape (bands,).

    `means` and (unbiased) standard `deviations` are those of the NSIM over the frames; `energies`
    is the mean level of the degraded patch above the floor, in dB.
    """

    means: Floats
    deviations: Floats
    energies: Floats

    @property
    def overall(self) -> float:
        """Mean over bands."""
        return float(self.means.mean())


def compare(*, reference: Floats, degraded: Floats) -> Similarity:
    """Similarity of two patches of equal shape (frames, bands), in dB above the floor."""
    mean_x, mean_y = _blurred(reference), _blurred(degraded)
    both = mean_x * mean_y
    spread = (_blurred(reference * reference) - mean_x**2) * (
        _blurred(degraded * degraded) - mean_y**2
    )
    # Rounding can leave a variance of nearly zero negative.
    structure = (_blurred(reference * degraded) - both + C3) / (
        np.sqrt(np.maximum(spread, 0.0)) + C3
    )
    nsim = (2 * both + C1) / (mean_x**2 + mean_y**2 + C1) * structure
    return Similarity(
        means=nsim.mean(axis=0),
        deviations=nsim.std(axis=0, ddof=1) if len(nsim) > 1 else np.zeros(nsim.shape[1]),
        energies=degraded.mean(axis=0),
    )


def _blurred(cells: Floats) -> Floats:
    """Mean of every cell and its neighbours under the window; shape (frames, bands)."""
    padded = np.empty((cells.shape[0] + 2, cells.shape[1] + 2))
    padded[1:-1, 1:-1] = cells
    padded[0, 1:-1], padded[-1, 1:-1] = cells[0], cells[-1]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    across = padded[:, :-2] + padded[:, 2:]
    edges = across[1:-1] + padded[:-2, 1:-1] + padded[2:, 1:-1]
    return CORNER * (across[:-2] + across[2:]) + EDGE * edges + MIDDLE * cells


def similarities(
    *, reference: Floats, degraded: Floats, starts: NDArray[np.intp], frames: int, reach: int
) -> Floats:
    """Mean NSIM of patches of the reference with the degraded signal around the same time.

    `reference` and `degraded` are in dB above the floor, shape (frames, bands); patches begin at
    `starts` and have so many `frames`, which may reach beyond the degraded signal, into zeros.
    Returns shape (patches, frames of the degraded signal); zero beyond `reach` frames away.
    """
    found = np.zeros((len(starts), len(degraded)))
    ours = list(_numbers(reference, of_reference=True))
    theirs = list(_numbers(np.pad(degraded, [(0, frames), (0, 0)]), of_reference=False))
    at_once = max(1, COMPARED_AT_ONCE // frames)
    for first in range(0, len(starts), at_once):
        some = starts[first : first + at_once]
        earliest, latest = max(0, some[0] - reach), min(len(degraded), some[-1] + reach + 1)
        columns = slice(earliest, latest + frames)
        # Frames that begin the patches, lie inside, and end them.
        rows = (some, (some[:, None] + np.arange(1, frames - 1)).ravel(), some + frames - 1)
        pairs = [(a[..., r], b[..., columns]) for a, b, r in zip(ours, theirs, rows, strict=True)]
        # NSIM of all of them with all frames of the degraded signal, band by band.
        ends = np.cumsum([len(r) for r in rows]).tolist()
        sums = np.zeros((ends[-1], pairs[0][1].shape[2]), np.float32)
        products = covariance, means, energy, spread = np.empty((4, *sums.shape), np.float32)
        for band in range(reference.shape[1]):
            for (of_x, of_y), end in zip(pairs, ends, strict=True):
                x, y = of_x[band].T, of_y[band]
                for part, out in zip(PARTS, products, strict=True):
                    np.matmul(x[:, part], y[part], out=out[end - len(x) : end])
            covariance *= means
            energy *= spread
            covariance /= energy
            sums += covariance
        sums *= 2
        beginning, inside, ending = np.split(sums, [len(some), len(sums) - len(some)])
        inside = inside.reshape(len(some), frames - 2, -1)
        for patch, start in enumerate(some):
            low, high = max(0, start - reach), min(len(degraded), start + reach + 1)
            of_patch = [beginning[patch], *inside[patch], ending[patch]]
            for frame, row in enumerate(of_patch, start=low - earliest):
                found[first + patch, low:high] += row[frame : frame + high - low]
    return found / (frames * reference.shape[1])


def _numbers(cells: Floats, *, of_reference: bool) -> Iterator[Single]:
    """The sixteen numbers of every frame and band of a signal, shape (bands, 16, frames)."""
    # Three times: for frames that begin a patch, lie inside, and end one. Inside a patch a frame
    # has two neighbours; at the edge of a patch it is its own neighbour.
    bands, frames = cells.shape[::-1]
    padded = np.pad(cells.T, 1, mode="edge")
    earlier, same, later = slice(0, -2), slice(1, -1), slice(2, None)
    roots = np.sqrt(WEIGHTS)[:, np.newaxis]
    for three in ((same, same, later), (earlier, same, later), (earlier, same, same)):
        nine = np.empty((bands, 9, frames))
        for index, (frame, band) in enumerate(itertools.product(three, range(3))):
            nine[:, index] = padded[band : band + bands, frame]
        means = np.array(WEIGHTS) @ nine
        nine -= means[:, np.newaxis]
        nine *= roots
        spread = np.sqrt(np.einsum("bnf,bnf->bf", nine, nine))
        others = (
            (C3, means, C1 / 2, means**2 + C1, 1, spread, C3)
            if of_reference
            else (1, means, 1, 1, means**2, spread, 1)
        )
        numbers = np.empty((bands, 16, frames), np.float32)
        numbers[:, :9] = nine
        for index, values in enumerate(others, start=9):
            numbers[:, index] = values
        yield numbers


def best_positions(
    found: Floats, starts: NDArray[np.intp], reach: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Choose a position for every patch, later for later patches, of highest total similarity.

    `found` is that of `similarities`. A patch may also be given up as lost: it adds nothing, and
    has the position of the one before. Returns the position of each patch in the degraded signal,
    and which of them are lost.
    """
    patches, positions = found.shape
    total = np.zeros((patches, positions))
    came_from = np.full((patches, positions), -1)
    for patch, start in enumerate(starts):
        here = slice(max(0, start - reach), min(positions, start + reach + 1))
        if patch == 0:
            total[0, here] = found[0, here]
            continue
        # For every position the best one before it; of equal ones the latest.
        low, lost = max(0, starts[patch - 1] - reach), total[patch - 1]
        best, before = np.full(positions, -np.inf), np.full(positions, -1)
        best[low + 1 :] = so_far = np.maximum.accumulate(lost[low:-1])
        is_best = np.where(lost[low:-1] == so_far, np.arange(len(so_far)), 0)
        before[low + 1 :] = low + np.maximum.accumulate(is_best)
        matched = found[patch] + best
        is_lost = lost > matched
        total[patch, here] = np.where(is_lost, lost, matched)[here]
        came_from[patch, here] = np.where(is_lost, np.arange(positions), before)[here]
    low = max(0, starts[-1] - reach)
    chosen = np.empty(patches, np.intp)
    chosen[-1] = low + np.argmax(total[-1, low : starts[-1] + reach + 1])
    for patch in range(patches - 1, 0, -1):
        chosen[patch - 1] = came_from[patch, chosen[patch]]
    return chosen, came_from[np.arange(patches), chosen] == chosen
