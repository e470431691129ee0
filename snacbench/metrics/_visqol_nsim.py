"""Neurogram similarity index (NSIM): how alike two pieces of spectrogram are, at most 1.

Hines, Harte: "Speech intelligibility prediction using a neurogram similarity index measure",
Speech Communication 54(2), 2012, equation 2. With means m, variances v and covariance c under a
Gaussian window of 3 x 3 cells around each cell::

    NSIM = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)  *  (c + C3) / (sqrt(v_x v_y) + C3)

Cells beyond the border repeat those at the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

C1, C3 = 0.01**2, 0.03**2 / 2

# The window, as Google's program has it: cells at a corner, at an edge, and in the middle.
CORNER, EDGE, MIDDLE = 0.0113033910173052, 0.0838251475442633, 0.619485845753726

Cells = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Similarity:
    """How alike two patches are, band by band: arrays of shape (bands,).

    Attributes
    ----------
    means, deviations : array
        Mean and (unbiased) standard deviation of the NSIM over the frames.
    energies : array
        Mean level of the degraded patch above the floor, in dB.
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
    cells = nsim(reference, degraded)
    return Similarity(
        means=cells.mean(axis=0),
        deviations=cells.std(axis=0, ddof=1) if len(cells) > 1 else np.zeros(cells.shape[1]),
        energies=degraded.mean(axis=0),
    )


def nsim(x: Cells, y: Cells) -> Cells:
    """NSIM of every cell of two patches of equal shape (frames, bands)."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    both = mean_x * mean_y
    spread = (_blurred(x * x) - mean_x**2) * (_blurred(y * y) - mean_y**2)
    # Rounding can leave a variance of nearly zero negative.
    structure = (_blurred(x * y) - both + C3) / (np.sqrt(np.maximum(spread, 0.0)) + C3)
    return (2 * both + C1) / (mean_x**2 + mean_y**2 + C1) * structure


def _blurred(cells: Cells) -> Cells:
    """Mean of every cell and its neighbours under the window; shape (frames, bands)."""
    padded = np.empty((cells.shape[0] + 2, cells.shape[1] + 2))
    padded[1:-1, 1:-1] = cells
    padded[0, 1:-1], padded[-1, 1:-1] = cells[0], cells[-1]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    across = padded[:, :-2] + padded[:, 2:]
    edges = across[1:-1] + padded[:-2, 1:-1] + padded[2:, 1:-1]
    return CORNER * (across[:-2] + across[2:]) + EDGE * edges + MIDDLE * cells
