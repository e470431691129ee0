from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.entropy_estimators import PROMISES, errors_percent, sources
from snacbench.rate.estimators import (
    DEFAULT,
    ESTIMATORS,
    chao_shen_entropy_bits,
    chao_wang_jost_entropy_bits,
    corrected_entropy_bits,
    grassberger_entropy_bits,
    miller_madow_entropy_bits,
    plug_in_entropy_bits,
)

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=64).filter(any)


def uniform(tokens: int, size: int = 4096, seed: int = 0):
    codes = np.random.default_rng(seed).integers(0, size, tokens)
    return np.bincount(codes, minlength=size)


@pytest.mark.parametrize(("tokens", "bits"), [(180, 7.46), (2000, 10.51), (20_000, 11.85)])
def test_plug_in_reads_low_when_tokens_are_few(tokens, bits):
    readings = [plug_in_entropy_bits(uniform(tokens, seed=seed)) for seed in range(5)]
    assert np.mean(readings) == pytest.approx(bits, abs=0.02)


@pytest.mark.parametrize("tokens", [180, 2000, 20_000])
@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "plug-in"])
def test_every_correction_comes_closer_to_the_truth(tokens, name):
    counts = uniform(tokens)
    assert plug_in_entropy_bits(counts) < ESTIMATORS[name](counts) <= 12.0


@pytest.mark.parametrize("size", [1024, 4096])
@pytest.mark.parametrize(("per_entry", "percent"), PROMISES)
def test_the_default_keeps_what_it_promises(size, per_entry, percent):
    for source in sources(size):
        if source.name != "sticky":  # no estimator can, from counts alone
            errors = errors_percent(source, [per_entry * size], samples=8)[DEFAULT]
            assert abs(errors.mean()) < percent, source.name


def test_plug_in_and_miller_madow_by_hand():
    counts = np.array([4, 2, 2, 0])
    assert plug_in_entropy_bits(counts) == pytest.approx(1.5)
    assert miller_madow_entropy_bits(counts) == pytest.approx(1.5 + 2 / (2 * 8 * math.log(2)))


def test_grassberger_by_hand():
    # G(1) = -gamma - ln 2, G(2) = G(1) + 2: eqs. 28 to 30 of the paper.
    g = -float(np.euler_gamma) - math.log(2)
    expected = (math.log(4) - (2 * (g + 2) + g + g) / 4) / math.log(2)
    assert grassberger_entropy_bits(np.array([2, 1, 1, *[0] * 61])) == pytest.approx(expected)


def test_chao_shen_by_hand():
    coverage, n = 1 - 2 / 4, 4
    shares = [coverage * k / n for k in (2, 1, 1)]
    nats = -sum(c * math.log(c) / (1 - (1 - c) ** n) for c in shares)
    found = chao_shen_entropy_bits(np.array([2, 1, 1, *[0] * 61]))
    assert found == pytest.approx(nats / math.log(2))


@pytest.mark.parametrize("counts", [[2, 1, 1], [5, 3, 2, 2, 1, 1, 1], [9, 4, 1, 1, 1], [1] * 6])
def test_chao_wang_jost_is_the_papers_formula(counts):
    n, singles, doubles = sum(counts), counts.count(1), counts.count(2)
    if doubles:
        a = 2 * doubles / ((n - 1) * singles + 2 * doubles)
    else:
        a = 2 / ((n - 1) * (singles - 1) + 2)
    seen = sum(k / n * sum(1 / j for j in range(k, n)) for k in counts)
    series = sum((1 - a) ** r / r for r in range(1, n))
    unseen = singles / n * (1 - a) ** (1 - n) * (-math.log(a) - series)
    found = chao_wang_jost_entropy_bits(np.array([*counts, *[0] * 10_000]))
    assert found == pytest.approx((seen + unseen) / math.log(2))


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_large_counts_neither_overflow_nor_cancel(estimate):
    counts = np.zeros(4096, np.int64)
    counts[:1024] = 10**6
    counts[1024], counts[1025:1030] = 1, 2
    assert estimate(counts) == pytest.approx(10.0, abs=1e-3)


@given(COUNTS)
def test_entropy_lies_between_0_and_the_bits_of_the_codebook(counts):
    array, top = np.array(counts), math.log2(len(counts))
    for estimate in ESTIMATORS.values():
        assert 0 <= estimate(array) <= top + 1e-12
    plug_in = plug_in_entropy_bits(array)
    assert min(plug_in, top) <= corrected_entropy_bits(array) + 1e-12


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_entropy_needs_a_token(estimate):
    with pytest.raises(ValueError, match="needs at least one token, found none"):
        estimate(np.zeros(8, np.int64))
