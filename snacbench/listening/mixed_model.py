"""A linear mixed model of ratings: what listeners and items like these would say of the systems.

A score is its system's mean and independent deviations by listener, item, their interactions with
each other and with the system, and a residual. Variances are those of REML, never below none
(Searle, Casella and McCulloch, "Variance Components", 1992, ch. 6); degrees of freedom are
Satterthwaite's, by the expected information (Giesbrecht and Burns, Biometrics 41, 1985), and one at
least. For balanced data all this is the analysis of variance.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, sparse, stats

from snacbench.errors import UserError
from snacbench.listening.study import Record
from snacbench.stats.pairs import holm
from snacbench.types import Floats

_EFFECTS = {"listener": [0], "item": [1], "listener_item": [0, 1], "listener_system": [0, 2],
            "item_system": [1, 2]}  # fmt: skip


def mixed_model(
    systems: Sequence[str], ratings: Floats, *, level: float = 0.95
) -> tuple[Record, list[Record]]:
    """Standard deviations of all random effects, and every pair of systems, all in points.

    Pairs have intervals over listeners and items, degrees of freedom, and the p value of a
    two-sided t test, also after Holm's correction. `ratings`, shape (listeners, items, conditions),
    begin with the systems and are NaN where not rated. `UserError` for fewer than two of any of
    these, for few ratings, and where all of each system are alike.
    """
    at = np.array(np.nonzero(np.isfinite(ratings[:, :, : len(systems)])))
    y, counts, p = ratings[tuple(at)], [len(np.unique(of)) for of in at], len(systems)
    few = min(counts) < 2 or len(y) < 2 * (p + len(_EFFECTS))
    if few or all(np.ptp(y[at[2] == k]) == 0 for k in range(p)):
        raise UserError(
            "a mixed model takes many ratings that vary, of 2 listeners, items, systems or more; "
            f"found {len(y)} of {counts[0]}, {counts[1]} and {counts[2]}; leave out --mixed-model"
        )
    levels = [np.unique(at[of], axis=1, return_inverse=True)[1] for of in (*_EFFECTS.values(), [2])]
    blocks = [sparse.csr_array((np.ones(len(y)), (np.arange(len(y)), k.ravel()))) for k in levels]
    columns = sparse.hstack([*blocks, (y - y.mean())[:, None]])
    gram, ends = (columns.T @ columns).toarray(), np.cumsum([block.shape[1] for block in blocks])
    scale = y.var()

    def deviance(shares: Floats) -> tuple[float, Floats]:
        """Twice the negative restricted log likelihood of variances, as shares, and its slopes."""
        value, slopes, *_ = _moments(gram, ends[:-1], shares * scale, len(y))
        return value, slopes * scale

    bounds = [*[(0, None)] * len(_EFFECTS), (1e-6, None)]
    options = {"ftol": 1e-14, "gtol": 1e-7, "maxiter": 1000}
    start = np.full(len(ends), 1 / len(ends))
    best = optimize.minimize(deviance, start, jac=True, bounds=bounds, options=options)
    spread = best.x * scale
    _, _, information, cov, beta, across = _moments(gram, ends[:-1], spread, len(y))
    there = spread > 1e-9 * scale
    pairs = list[Record]()
    for i, j in combinations(range(p), 2):
        contrast, gap = cov[i] - cov[j], float(beta[i] - beta[j])
        variance = float(contrast[i] - contrast[j])
        slopes = [((of @ contrast) ** 2).sum() for of in np.split(across, ends[:-2])]
        slopes.append((variance - spread[:-1] @ slopes) / spread[-1])
        gradient = np.array(slopes)[there]
        weights = np.linalg.lstsq(information[np.ix_(there, there)], gradient)[0]
        error, freedom = variance**0.5, max(1.0, variance**2 / float(gradient @ weights))
        half = float(stats.t.isf((1 - level) / 2, freedom)) * error
        told = {"first": systems[i], "second": systems[j], "difference": gap, "low": gap - half}
        p_value = 2 * float(stats.t.sf(abs(gap) / error, freedom))
        pairs.append(told | {"high": gap + half, "freedom": freedom, "p_value": p_value})
    for pair, p_holm in zip(pairs, holm([pair["p_value"] for pair in pairs]), strict=True):
        pair["p_holm"] = p_holm
    return dict(zip((*_EFFECTS, "residual"), map(float, spread**0.5), strict=True)), pairs


def _moments(
    gram: Floats, ends: NDArray[np.intp], spread: Floats, n: int
) -> tuple[float, Floats, Floats, Floats, Floats, Floats]:
    """The restricted deviance of variances, its slopes, and twice the information on them."""
    # Besides, the fixed effects' covariance and estimates, and the products of the columns of
    # random and fixed effects by the inverse covariance V of n ratings. `gram` has those of all
    # columns, the ratings last. With P for that inverse less the fixed effects, what has the
    # residual in it follows from P V P = P.
    q, of, rest = ends[-1], spread[:-1], spread[-1]
    scale = np.repeat(np.sqrt(of / rest), np.diff(ends, prepend=0))
    root = linalg.cholesky(scale[:, None] * gram[:q, :q] * scale + np.eye(q), lower=True)
    half = linalg.solve_triangular(root, scale[:, None] * gram[:q], lower=True)
    products = (gram - half.T @ half) / rest
    cov, across = np.linalg.inv(products[q:-1, q:-1]), products[:q, q:-1]
    beta, projected = cov @ products[q:-1, -1], products[:q, :q] - across @ cov @ across.T
    left = float(products[-1, -1] - products[-1, q:-1] @ beta)
    split = [np.split(rows, ends[:-1], axis=1) for rows in np.split(projected, ends[:-1])]
    inner = np.array([[(block**2).sum() for block in rows] for rows in split])
    traces = np.array([np.trace(rows[k]) for k, rows in enumerate(split)])
    border, trace = (traces - inner @ of) / rest, (n - len(cov) - of @ traces) / rest
    corner = np.array([(trace - of @ border) / rest])
    squares = [(k**2).sum() for k in np.split(products[:q, -1] - across @ beta, ends[:-1])]
    slopes = np.append(traces - squares, trace - (left - of @ squares) / rest)
    value = n * np.log(rest) + 2 * np.log(np.diag(root)).sum() - np.linalg.slogdet(cov)[1] + left
    information = np.block([[inner, border[:, None]], [border, corner]])
    return float(value), slopes, information, cov, beta, across
