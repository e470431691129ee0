from __future__ import annotations

import numpy as np
import pytest

from snacbench.stats.clusters import cluster_clips
from snacbench.stats.moments import (
    degrees_of_freedom,
    moments_of,
    plug_in_error,
    robust_error,
    within_error,
)

NAN = np.nan
SIZES = (1, 4, 2, 9, 3, 3, 1, 6)


def moments(values, labels):
    column = np.asarray(values, float)
    table = column[:, None] if column.ndim == 1 else column
    return moments_of(table, cluster_clips(labels, clips=len(table)))


def unequal(seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = [f"s{g}" for g, size in enumerate(SIZES) for _ in range(size)]
    effects = np.repeat(rng.standard_normal(len(SIZES)), SIZES)
    return effects + rng.standard_normal(len(labels)), labels


def by_matrices(values, labels, variance: float, effect: float):
    """CR2 error and Satterthwaite's degrees of freedom the long way, from n x n matrices."""
    n = len(values)
    groups = [np.flatnonzero(np.array(labels) == name) for name in dict.fromkeys(labels)]
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    omega = variance * np.eye(n)
    for rows in groups:
        omega[np.ix_(rows, rows)] += effect
    columns = []
    for rows in groups:
        size, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = vectors @ np.diag(size**-0.5) @ vectors.T
        columns.append(residual_maker[:, rows] @ root @ np.ones(len(rows)) / n)
    g = np.stack(columns, axis=1)
    b = g.T @ omega @ g
    error = np.sqrt(((g.T @ np.asarray(values)) ** 2).sum())
    return error, np.trace(b) ** 2 / np.trace(b @ b)


def test_sums_per_cluster_by_hand():
    m = moments([[1, 1], [2, NAN], [6, 5]], ["a", "b", "a"])
    assert m.mean.tolist() == [3, 3]
    assert m.counts.tolist() == [[2, 2], [1, 0]]
    assert m.residual_sums.tolist() == [[1, 0], [-1, 0]]
    assert m.sums.tolist() == [[7, 6], [2, 0]]
    assert m.within.tolist() == [12.5, 8]
    assert m.n.tolist() == [3, 2]
    assert m.clusters.tolist() == [2, 1]
    np.testing.assert_equal(m.cluster_means, [[3.5, 3], [2, NAN]])


def test_errors_by_hand():
    m = moments([1, 3, 4, 6], ["a", "a", "b", "b"])
    assert plug_in_error(m)[0] == pytest.approx(np.sqrt(2 * 3**2) / 4)
    assert robust_error(m)[0] == pytest.approx(1.5)  # cluster means 2 and 5: sd 2.12 over root 2
    assert within_error(m)[0] == pytest.approx(np.sqrt(4 / 2 / 4))


def test_with_one_clip_per_cluster_the_error_is_the_textbook_one():
    values = np.array([1.0, 2, 4, 8, 16])
    m = moments(values, None)
    assert robust_error(m)[0] == pytest.approx(values.std(ddof=1) / np.sqrt(5))
    assert degrees_of_freedom(m)[0] == pytest.approx(4)


def test_clusters_of_one_size_have_one_degree_of_freedom_less_than_clusters():
    rng = np.random.default_rng(0)
    m = moments(rng.standard_normal(60), [str(i % 12) for i in range(60)])
    assert degrees_of_freedom(m)[0] == pytest.approx(11)


@pytest.mark.parametrize("seed", range(4))
def test_error_and_degrees_of_freedom_agree_with_the_matrix_formulas(seed):
    values, labels = unequal(seed)
    m = moments(values, labels)
    within = m.within[0] / (m.n[0] - m.clusters[0])
    sizes, n = np.array(SIZES), m.n[0]
    spread = (sizes * (m.cluster_means[:, 0] - m.mean[0]) ** 2).sum() / (len(sizes) - 1)
    effect = max(0.0, (spread - within) / ((n - (sizes**2).sum() / n) / (len(sizes) - 1)))
    error, freedom = by_matrices(values, labels, within, effect)
    assert robust_error(m)[0] == pytest.approx(error)
    assert degrees_of_freedom(m)[0] == pytest.approx(freedom)
    assert freedom < len(SIZES) - 1


def test_a_column_with_gaps_equals_the_column_without_these_clips():
    values, labels = unequal()
    gaps = values.copy()
    gaps[[0, 3, 7]] = NAN  # the first is its cluster's only clip
    kept = np.isfinite(gaps)
    m = moments(np.stack([gaps, values], axis=1), labels)
    alone = moments(values[kept], [label for label, k in zip(labels, kept, strict=True) if k])
    for measure in (robust_error, plug_in_error, within_error, degrees_of_freedom):
        assert measure(m)[0] == pytest.approx(measure(alone)[0])


def test_values_without_spread_still_have_degrees_of_freedom():
    m = moments([2.0] * 6, list("aabbcc"))
    assert m.constant[0]
    assert robust_error(m)[0] == 0
    assert degrees_of_freedom(m)[0] == pytest.approx(2)


def test_no_clips_at_all():
    m = moments_of(np.zeros((0, 2)), cluster_clips([], clips=0))
    assert m.n.tolist() == [0, 0]
    assert np.isnan(m.mean).all()
