"""A linear mixed model of ratings: what listeners and items like these would say of the systems.

A score is its system's mean and independent deviations by listener, item, their interactions with
each other and with the system, and a residual. Variances are those of REML, never below none, which
iterated MINQUE comes to (Searle, Casella and McCulloch, "Variance Components", 1992, ch. 11);
degrees of freedom are Satterthwaite's, by the expected information (Giesbrecht and Burns,
Biometrics 41, 1985). For balanced data all this is the analysis of variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, sparse, stats

from snacbench.errors import UserError
from snacbench.listening.study import Record
from snacbench.stats.pairs import holm

Floats = NDArray[np.float64]
_EFFECTS = {"listener": [0], "item": [1], "listener_item": [0, 1], "listener_system": [0, 2],
            "item_system": [1, 2]}  # fmt: skip


def mixed_model(
    systems: Sequence[str], ratings: Floats, *, level: float = 0.95
) -> tuple[Record, list[Record]]:
    """Standard deviations of all random effects, and every pair of systems, all in points.

    Pairs have intervals over listeners and items, degrees of freedom, and the p value of a
    two-sided t test, also after Holm's correction. `ratings`, shape (listeners, items, conditions),
    begin with the systems and are NaN where not rated. `UserError` for fewer than two of any of
    these, and where all ratings of each system are alike.
    """
    at = np.array(np.nonzero(np.isfinite(ratings[:, :, : len(systems)])))
    y, counts, p = ratings[tuple(at)], [len(np.unique(of)) for of in at], len(systems)
    if min(counts) < 2 or all(np.ptp(y[at[2] == k]) == 0 for k in range(p)):
        raise UserError(
            "a mixed model takes ratings that vary, of 2 listeners, 2 items and 2 systems at least;"
            f" found {len(y)} of {counts[0]}, {counts[1]} and {counts[2]}; leave out --mixed-model"
        )
    levels = [np.unique(at[of], axis=1, return_inverse=True)[1] for of in (*_EFFECTS.values(), [2])]
    blocks = [sparse.csr_array((np.ones(len(y)), (np.arange(len(y)), k.ravel()))) for k in levels]
    columns = sparse.hstack([*blocks, (y - y.mean())[:, None]])
    gram, ends = (columns.T @ columns).toarray(), np.cumsum([block.shape[1] for block in blocks])
    spread, before = np.full(len(ends), y.var() / 6), np.zeros(len(ends))
    for _ in range(200):
        information, target, *fixed = _moments(gram, ends[:-1], spread, len(y))
        if np.abs(spread - before).max() < 1e-7 * spread.sum():
            break
        # The ridge is for effects that are the same ones, such as an item's and its listener's.
        root = np.linalg.cholesky(information + 1e-12 * information.max() * np.eye(len(ends)))
        before, target = spread, linalg.solve_triangular(root, target, lower=True)
        spread = optimize.nnls(root.T, target)[0]
        spread[-1] = max(spread[-1], 1e-9 * spread.sum())
    (cov, beta, across), there = fixed, spread > 0
    pairs = list[Record]()
    for i, j in combinations(range(p), 2):
        contrast, gap = cov[i] - cov[j], float(beta[i] - beta[j])
        variance = float(contrast[i] - contrast[j])
        slopes = [((of @ contrast) ** 2).sum() for of in np.split(across, ends[:-2])]
        slopes.append((variance - spread[:-1] @ slopes) / spread[-1])
        gradient = np.array(slopes)[there]
        weights = np.linalg.lstsq(information[np.ix_(there, there)], gradient)[0]
        error, freedom = variance**0.5, variance**2 / float(gradient @ weights)
        half = float(stats.t.isf((1 - level) / 2, freedom)) * error
        told = {"first": systems[i], "second": systems[j], "difference": gap, "low": gap - half}
        p_value = 2 * float(stats.t.sf(abs(gap) / error, freedom))
        pairs.append(told | {"high": gap + half, "freedom": freedom, "p_value": p_value})
    for pair, p_holm in zip(pairs, holm([pair["p_value"] for pair in pairs]), strict=True):
        pair["p_holm"] = p_holm
    return dict(zip((*_EFFECTS, "residual"), map(float, spread**0.5), strict=True)), pairs


def _moments(gram: Floats, ends: NDArray[np.intp], spread: Floats, n: int) -> tuple[Floats, ...]:
    """Twice the information on the variances, and what it times them should come to.

    Besides, the fixed effects' covariance and estimates, and the products of the columns of random
    and fixed effects by the inverse covariance V of n ratings. `gram` has those of all columns,
    the ratings last. With P for that inverse less the fixed effects, what has the residual in it
    follows from P V P = P.
    """
    q, of, rest = ends[-1], spread[:-1], spread[-1]
    scale = np.repeat(np.sqrt(of / rest), np.diff(ends, prepend=0))
    root = linalg.cholesky(scale[:, None] * gram[:q, :q] * scale + np.eye(q), lower=True)
    half = linalg.solve_triangular(root, scale[:, None] * gram[:q], lower=True)
    products = (gram - half.T @ half) / rest
    cov, across = np.linalg.inv(products[q:-1, q:-1]), products[:q, q:-1]
    beta, projected = cov @ products[q:-1, -1], products[:q, :q] - across @ cov @ across.T
    split = [np.split(rows, ends[:-1], axis=1) for rows in np.split(projected, ends[:-1])]
    inner = np.array([[(block**2).sum() for block in rows] for rows in split])
    traces = np.array([np.trace(rows[k]) for k, rows in enumerate(split)])
    border = (traces - inner @ of) / rest
    corner = ((n - len(cov) - of @ traces) / rest - of @ border) / rest
    squares = [(k**2).sum() for k in np.split(products[:q, -1] - across @ beta, ends[:-1])]
    squares.append((products[-1, -1] - products[-1, q:-1] @ beta - of @ squares) / rest)
    information = np.block([[inner, border[:, None]], [border, np.array([corner])]])
    return information, np.array(squares), cov, beta, across
