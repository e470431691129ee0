"""How far two sets of embeddings are from each other: Frechet's distance, and a kernel's.

`frechet`: the squared distance of two normal distributions, ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1
S2)^(1/2))``, with the sets' means and covariances (divided by n - 1). Kilgour, Zuluaga, Roblek and
Sharifi, "Frechet Audio Distance", Interspeech 2019; as fadtk computes it (Gui, Gamper, Braun
and Emmanouilidou, ICASSP 2024). It reads high for few embeddings.

`kernel`: 100 times the unbiased squared maximum mean discrepancy, by a Gaussian kernel whose
bandwidth is the median distance between embeddings of the reference. Gretton et al., "A Kernel
Two-Sample Test", Journal of Machine Learning Research 13, 2012, lemma 6; Chung, Eu, Lee, Choi, Nam
and Chon, "KAD: No More FAD!", arXiv:2502.15602, 2025. kadtk 1.1.0 takes the bandwidth from the
second of its two sets, which in its command line is the set that is judged: a set that spreads
would soften its own judge, and codecs beside each other would be measured by different kernels.

Both also give the distance with one unit of clips left out at a time, for the jackknife. The
bootstrap would not do: clips that are drawn twice make a set poorer, and every draw further away.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Distance, Floats

FEWEST = 2  # embeddings of a set: one has no spread
_MOST = 5_000  # embeddings whose distances are taken, 12 million pairs in a set
_CHUNK = 2**22  # kernel values at once


class EmbeddingSet(NamedTuple):
    """Embeddings, shape (n, dimensions), and the number of the unit that each belongs to."""

    values: Floats
    unit: NDArray[np.intp]

    def sizes(self, units: int) -> Floats:
        """Embeddings of each unit, shape (units,)."""
        return np.bincount(self.unit, minlength=units).astype(float)


class SetDistance(NamedTuple):
    """A distance, and what it is without each unit, shape (units,); NaN where too little is left.

    Lower is closer.
    """

    value: float
    left_out: Floats


def frechet(reference: EmbeddingSet, degraded: EmbeddingSet, units: int) -> SetDistance:
    """Squared Frechet distance of the normal distributions of two sets; 0 for equal sets."""
    centre = reference.values.mean(axis=0)
    # With a 1 before each embedding, products hold its number, its sum and its outer products.
    x, y = (np.insert(s.values - centre, 0, 1.0, axis=1) for s in (reference, degraded))
    of_x, of_y = x.T @ x, y.T @ y
    left = np.empty(units)
    for unit in range(units):
        own_x, own_y = x[reference.unit == unit], y[degraded.unit == unit]
        left[unit] = _frechet(of_x - own_x.T @ own_x, of_y - own_y.T @ own_y)
    return SetDistance(_frechet(of_x, of_y), left)


def _frechet(one: Floats, other: Floats) -> float:
    if min(one[0, 0], other[0, 0]) < FEWEST:
        return np.nan
    (mean, root), (other_mean, other_root) = _normal(one), _normal(other)
    # tr (S1 S2)^(1/2), S = R R': the eigenvalues' square roots are the singular values of R1' R2,
    # which stay exact where a covariance is singular.
    shared = np.linalg.svd(root.T @ other_root, compute_uv=False).sum()
    apart = ((mean - other_mean) ** 2).sum() + (root**2).sum() + (other_root**2).sum()
    return max(0.0, float(apart - 2 * shared))


def _normal(products: Floats) -> tuple[Floats, Floats]:
    """Mean, and a matrix whose product with its own transpose is the covariance."""
    n = products[0, 0]
    mean = products[0, 1:] / n
    covariance = (products[1:, 1:] - n * np.outer(mean, mean)) / (n - 1)
    values, vectors = np.linalg.eigh(covariance)
    return mean, np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def kernel(reference: EmbeddingSet, degraded: EmbeddingSet, units: int) -> SetDistance:
    """Unbiased squared maximum mean discrepancy, times 100.

    Where each embedding of one set has its counterpart in the other, it is below 0 for equal sets,
    by ``200 (1 - k) / n`` with k the mean kernel value of two embeddings of the reference. Without
    a unit, the bandwidth is that of all. Of more than 5,000 embeddings, evenly spaced ones count.
    """
    reference, degraded = _thinned(reference), _thinned(degraded)
    gamma = 1 / (2 * median_distance(reference.values) ** 2 + 1e-8)  # kadtk's
    m, n = reference.sizes(units), degraded.sizes(units)
    xx = _kernel_sums(reference, reference, gamma, units) - np.diag(m)  # not with itself
    yy = _kernel_sums(degraded, degraded, gamma, units) - np.diag(n)
    xy = _kernel_sums(reference, degraded, gamma, units)

    def discrepancy(m: Floats, n: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * xy / (m * n)
        return np.where(np.minimum(m, n) < FEWEST, np.nan, 100.0 * found)

    def without_each(sums: Floats) -> Floats:
        return np.asarray(sums.sum() - sums.sum(axis=0) - sums.sum(axis=1) + np.diag(sums))

    whole = discrepancy(m.sum(), n.sum(), xx.sum(), yy.sum(), xy.sum())
    left = discrepancy(m.sum() - m, n.sum() - n, *map(without_each, (xx, yy, xy)))
    return SetDistance(float(whole), left)


def median_distance(values: Floats) -> float:
    """Median distance between any two embeddings; of an even number of distances, the lower one."""
    from scipy.spatial.distance import pdist

    distances = pdist(values)
    middle = (len(distances) - 1) // 2
    return float(np.partition(distances, middle)[middle])


def kernel_step(n: int) -> int:
    """Of how many embeddings one counts in a kernel's distance, where there are n."""
    return -(-n // _MOST)


def _thinned(of: EmbeddingSet) -> EmbeddingSet:
    step = kernel_step(len(of.values))
    return EmbeddingSet(of.values[::step], of.unit[::step])


def _kernel_sums(x: EmbeddingSet, y: EmbeddingSet, gamma: float, units: int) -> Floats:
    """Sums of the Gaussian kernel over all embeddings of two units, shape (units, units)."""
    of_x, of_y = (np.eye(units)[s.unit] for s in (x, y))
    found, squares = np.zeros((units, units)), (y.values**2).sum(axis=1)
    rows = max(1, _CHUNK // len(y.values))
    for start in range(0, len(x.values), rows):
        part = x.values[start : start + rows]
        squared = (part**2).sum(axis=1)[:, None] + squares - 2 * part @ y.values.T
        found += of_x[start : start + rows].T @ (np.exp(-gamma * np.maximum(squared, 0.0)) @ of_y)
    return found


DISTANCES: Mapping[Distance, Callable[[EmbeddingSet, EmbeddingSet, int], SetDistance]] = {
    "frechet": frechet,
    "kernel": kernel,
}
