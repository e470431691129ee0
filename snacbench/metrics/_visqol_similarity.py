"""How alike two pieces of spectrogram are, and where every patch of the reference fits best.

Neurogram similarity index (NSIM), at most 1: Hines, Harte: "Speech intelligibility prediction using
a neurogram similarity index measure", Speech Communication 54(2), 2012, equation 2. With means m,
variances v and covariance c under a Gaussian window of 3 x 3 cells, which repeat at the border::

    NSIM = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)  *  (c + C3) / (sqrt(v_x v_y) + C3)

Each of its four parts is an inner product of a few numbers of one frame with a few of the other:
the covariance that of the nine deviations from the local mean, times the root of their weight. So
for one band, all frames of the reference against all frames of the degraded signal are four
products of thin matrices, for which single precision is enough.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from snacbench.later import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

C1, C3 = 0.01**2, 0.03**2 / 2

# The window, as Google's program has it: cells at a corner, at an edge, and in the middle.
CORNER, EDGE, MIDDLE = 0.0113033910173052, 0.0838251475442633, 0.619485845753726
# Weights of a cell and its neighbours: previous frame, this frame, next frame; three bands each.
WEIGHTS = (CORNER, EDGE, CORNER, EDGE, MIDDLE, EDGE, CORNER, EDGE, CORNER)
# Which of the sixteen numbers of a frame enter the four inner products: covariance, means, energy,
# spread.
PARTS = slice(0, 10), slice(10, 12), slice(12, 14), slice(14, 16)

# Frames of the reference compared at once. Intermediate results then stay in a core's cache.
FRAMES_AT_ONCE = 128

Cells: TypeAlias = "NDArray[np.float64]"
Single: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True, eq=False)
class Similarity:
    """How alike two patches are, band by band: arrays of shape (bands,).

    `means` and (unbiased) standard `deviations` are those of the NSIM over the frames; `energies`
    is the mean level of the degraded patch above the floor, in dB.
    """

    means: Cells
    deviations: Cells
    energies: Cells

    @property
    def overall(self) -> float:
        """Mean over bands."""
        return float(self.means.mean())


def compare(*, reference: Cells, degraded: Cells) -> Similarity:
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


def _blurred(cells: Cells) -> Cells:
    """Mean of every cell and its neighbours under the window; shape (frames, bands)."""
    padded = np.empty((cells.shape[0] + 2, cells.shape[1] + 2))
    padded[1:-1, 1:-1] = cells
    padded[0, 1:-1], padded[-1, 1:-1] = cells[0], cells[-1]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    across = padded[:, :-2] + padded[:, 2:]
    edges = across[1:-1] + padded[:-2, 1:-1] + padded[2:, 1:-1]
    return CORNER * (across[:-2] + across[2:]) + EDGE * edges + MIDDLE * cells


def similarities(
    *, reference: Cells, degraded: Cells, starts: NDArray[np.intp], frames: int, reach: int
) -> Cells:
    """Mean NSIM of patches of the reference with the degraded signal around the same time.

    `reference` and `degraded` are in dB above the floor, shape (frames, bands); patches begin at
    `starts` and have so many `frames`, which may reach beyond the degraded signal, into zeros.
    Returns shape (patches, frames of the degraded signal); zero beyond `reach` frames away.
    """
    found = np.zeros((len(starts), len(degraded)))
    ours = list(_numbers(reference, of_reference=True))
    theirs = list(_numbers(np.pad(degraded, [(0, frames), (0, 0)]), of_reference=False))
    at_once = max(1, FRAMES_AT_ONCE // frames)
    for first in range(0, len(starts), at_once):
        some = starts[first : first + at_once]
        earliest, latest = max(0, some[0] - reach), min(len(degraded), some[-1] + reach + 1)
        columns = slice(earliest, latest + frames)
        # Frames that begin the patches, lie inside, and end them.
        rows = (some, (some[:, None] + np.arange(1, frames - 1)).ravel(), some + frames - 1)
        sums = _sums_over_bands(
            [(a[..., r], b[..., columns]) for a, b, r in zip(ours, theirs, rows, strict=True)]
        )
        beginning, inside, ending = np.split(sums, [len(some), len(sums) - len(some)])
        inside = inside.reshape(len(some), frames - 2, -1)
        for patch, start in enumerate(some):
            low, high = max(0, start - reach), min(len(degraded), start + reach + 1)
            of_patch = [beginning[patch], *inside[patch], ending[patch]]
            for frame, row in enumerate(of_patch, start=low - earliest):
                found[first + patch, low:high] += row[frame : frame + high - low]
    return found / (frames * reference.shape[1])


def _sums_over_bands(pairs: Sequence[tuple[Single, Single]]) -> Single:
    """NSIM of frames of the reference with frames of the degraded signal, summed over bands.

    Every pair has `_numbers` of both, shapes (bands, 16, rows) and (bands, 16, columns), and adds
    its rows to the result, shape (rows, columns).
    """
    ends = np.cumsum([reference.shape[2] for reference, _ in pairs]).tolist()
    bands, _, columns = pairs[0][1].shape
    sums = np.zeros((ends[-1], columns), np.float32)
    products = covariance, means, energy, spread = np.empty((4, *sums.shape), np.float32)
    for band in range(bands):
        for (reference, degraded), end in zip(pairs, ends, strict=True):
            ours, theirs = reference[band].T, degraded[band]
            for part, out in zip(PARTS, products, strict=True):
                np.matmul(ours[:, part], theirs[part], out=out[end - len(ours) : end])
        covariance *= means
        energy *= spread
        covariance /= energy
        sums += covariance
    sums *= 2
    return sums


def _numbers(cells: Cells, *, of_reference: bool) -> Iterator[Single]:
    """The sixteen numbers of every frame and band of a signal, shape (bands, 16, frames).

    Three times: for frames that begin a patch, lie inside, and end one. Inside a patch a frame has
    two neighbours; at the edge of a patch it is its own neighbour.
    """
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
    found: Cells, starts: NDArray[np.intp], reach: int
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
