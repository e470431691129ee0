"""Distances of sets of embeddings: as fadtk and kadtk give them, without a unit, how sure."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from snacbench.stats import sets
from snacbench.stats.intervals import jackknife_interval
from snacbench.stats.sets import DISTANCES, EmbeddingSet, frechet, kernel, median_distance

# Seed, embeddings, dimensions; then what calc_frechet_distance of fadtk (at ec74b1f) gave, and
# calc_kernel_audio_distance of kadtk 1.1.0 in double precision, the decodes first, so that its
# bandwidth is the references'.
PEERS = (
    (0, 50, 4, 0.3127864217948364, -1.5199772582868087),
    (1, 200, 16, 1.1304126948604107, -0.315226550109049),
    (2, 400, 128, 11.02521496308691, -0.1876759736374689),
    (3, 150, 128, 19.392710795287712, -0.5179675518441895),
)


def example(seed, n, dimensions):
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((dimensions, dimensions))
    x = (rng.standard_normal((n, dimensions)) @ mixed).astype(np.float32)
    y = (x + 0.5 * rng.standard_normal((n, dimensions)) + 0.2).astype(np.float32)
    return x.astype(float), y.astype(float)


def of_units(values, units=1):
    return EmbeddingSet(values, np.arange(len(values)) % units)


@pytest.mark.parametrize(("seed", "n", "dimensions", "fad", "kad"), PEERS)
def test_distances_equal_fadtks_and_kadtks(seed, n, dimensions, fad, kad):
    reference, degraded = map(of_units, example(seed, n, dimensions))
    assert frechet(reference, degraded, 1).value == pytest.approx(fad, rel=1e-6)
    assert kernel(reference, degraded, 1).value == pytest.approx(kad, rel=1e-5)


def test_the_formula_and_sets_that_do_not_fill_their_space():
    x, y = example(4, 60, 5)
    covariances = [np.cov(of, rowvar=False) for of in (x, y)]
    shared = np.trace(sqrtm(covariances[0] @ covariances[1]).real)
    apart = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    expected = apart + sum(map(np.trace, covariances)) - 2 * shared
    found = frechet(of_units(x), of_units(y), 1).value
    assert found == pytest.approx(expected, rel=1e-9)
    wide = [np.hstack([of, np.zeros((60, 70)), of[:, :1]]) for of in (x, y)]  # covariances singular
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((76, 76)))[0]
    in_wide = frechet(*(of_units(of @ turned) for of in wide), 1).value
    assert in_wide == pytest.approx(frechet(*map(of_units, wide), 1).value, rel=1e-9)


def test_equal_sets_and_the_middle_of_an_even_number_of_distances():
    x, _ = example(0, 40, 3)
    one = of_units(x)
    assert frechet(one, one, 1).value == pytest.approx(0.0, abs=1e-9)
    gamma = 1 / (2 * median_distance(x) ** 2 + 1e-8)
    squared = ((x[:, None] - x) ** 2).sum(axis=-1)
    mean = np.exp(-gamma * squared)[~np.eye(40, dtype=bool)].mean()
    assert kernel(one, one, 1).value == pytest.approx(-200 * (1 - mean) / 40)
    assert median_distance(np.array([[0.0], [1.0], [3.0], [7.0]])) == 3.0  # of 1 2 3 4 6 7


def test_large_sets_are_taken_in_parts(monkeypatch):
    x, y = map(of_units, example(0, 50, 4))
    whole = kernel(x, y, 1).value
    monkeypatch.setattr(sets, "_CHUNK", 70)
    assert kernel(x, y, 1).value == pytest.approx(whole, rel=1e-12)
    thin = kernel(of_units(x.values[::3]), of_units(y.values[::3]), 1).value
    monkeypatch.setattr(sets, "_MOST", 20)
    assert kernel(x, y, 1).value == thin


@pytest.mark.parametrize("distance", DISTANCES)
def test_without_a_unit_is_the_distance_of_the_others(monkeypatch, distance):
    monkeypatch.setattr(sets, "median_distance", lambda values: 4.0)
    x, y = example(5, 46, 4)
    reference, degraded = of_units(x, 5), of_units(y, 5)
    found = DISTANCES[distance](reference, degraded, 5)
    for unit in range(5):
        others = reference.unit != unit
        rest = DISTANCES[distance](of_units(x[others]), of_units(y[others]), 1)
        assert found.left_out[unit] == pytest.approx(rest.value, rel=1e-9)
    alone = DISTANCES[distance](of_units(x[:3], 2), of_units(y[:3], 2), 2)
    assert np.isnan(alone.left_out[0])  # one embedding is left
    assert np.isfinite(alone.value)


def test_the_jackknife_covers():
    rng = np.random.default_rng(8)
    clusters, each, dimensions = 24, 6, 8
    mixed = rng.standard_normal((dimensions, dimensions)) / 3
    unit = np.repeat(np.arange(clusters), each)
    found = []
    for _ in range(40):
        speakers = 0.5 * rng.standard_normal((clusters, dimensions))[unit]
        x = (speakers + rng.standard_normal((len(unit), dimensions))) @ mixed
        y = x * 0.95 + 0.1 * rng.standard_normal(x.shape) + 0.03
        one = frechet(EmbeddingSet(x, unit), EmbeddingSet(y, unit), clusters)
        sizes = {"n": len(unit), "clusters": clusters}
        told = jackknife_interval(one.value, one.left_out, np.full(clusters, each), **sizes)
        found.append(told)
    centre = np.mean([one.mean for one in found])
    assert np.mean([one.low <= centre <= one.high for one in found]) >= 0.88
