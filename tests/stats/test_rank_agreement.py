"""Rank correlations with listeners: values by scipy, intervals by simulation."""

import numpy as np
import pytest
from scipy import stats

from snacbench.stats.rank_agreement import Rated, agreements, correlations


def rated(ratings, units=None, **scores):
    """Of arrays (listeners, items, conditions) and (items, conditions)."""
    _, items, conditions = ratings.shape
    item, condition = np.indices((items, conditions)).reshape(2, -1)
    of = {name: values.ravel() for name, values in scores.items()}
    unit = item if units is None else np.asarray(units)[item]
    return Rated(ratings.reshape(len(ratings), -1), of, item, condition, unit)


def world(rng, conditions=8, agree=0.8):
    """Quality of conditions, and what a metric thinks of them; standard deviations of 20 points."""
    quality, other = rng.normal(0, 20, (2, conditions))
    return quality, agree * quality + np.sqrt(1 - agree**2) * other


def cells_of(rng, items, quality, thought):
    """How good cells are, and their scores: items differ in both, and cells on top of that."""
    easy, own = rng.normal(0, 8, (items, 1)), rng.normal(0, 10, (items, len(quality)))
    score = thought + rng.normal(0, 10, (items, 1)) + 0.5 * own
    return quality + easy + own, score + rng.normal(0, 8, own.shape)


def heard(rng, good, listeners):
    """Ratings of 0 to 100, with the spread of listeners, tastes, pages and repeats of MUSHRA."""
    items, conditions = good.shape
    spread = {(1, 1): 12, (1, conditions): 6, (items, 1): 7.5, (items, conditions): 16}
    noise = sum(rng.normal(0, sd, (listeners, *of)) for of, sd in spread.items())
    return np.clip(np.rint(50 + good + noise), 0, 100)


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    good, score = cells_of(rng, 6, *world(rng, 7))
    ratings = np.round(heard(rng, good, 5), -1)  # with ties
    ratings[0, 2] = np.nan
    return ratings, {"m": np.round(score, -1), "worse": score + rng.normal(0, 40, score.shape)}


@pytest.mark.parametrize(
    ("coefficient", "theirs"), [("spearman", stats.spearmanr), ("kendall", stats.kendalltau)]
)
def test_values_are_scipys(coefficient, theirs, example):
    ratings, scores = example
    means, m = np.nanmean(ratings, axis=0), scores["m"]
    expected = {
        "cells": theirs(means.ravel(), m.ravel()).statistic,
        "within items": np.mean([theirs(a, b).statistic for a, b in zip(means, m, strict=True)]),
        "conditions": theirs(means.mean(axis=0), m.mean(axis=0)).statistic,
    }
    for scope, value in expected.items():
        one = next(a for a in agreements(rated(ratings, **scores), scope, coefficient)
                   if a.metric == "m")  # fmt: skip
        assert one.value == pytest.approx(value), scope
        assert (one.cells, one.items, one.conditions, one.listeners) == (42, 6, 7, 5)
        assert one.low < value < one.high
    nothing, tied = correlations(np.arange(4.0), [np.ones(4), [0.3, 0.1 + 0.2, 1, 2]], coefficient)
    assert np.isnan(nothing)
    assert tied == pytest.approx(theirs([0, 1, 2, 3], [0, 0, 1, 2]).statistic)


def test_of_means_alone_only_units_of_items_are_left_out(example):
    means, m = np.nanmean(example[0], axis=0), example[1]["m"]
    units, sizes = np.array([0, 0, 1, 2, 3, 4]), np.array([2, 1, 1, 1, 1])

    def rho(kept):
        return stats.spearmanr(means[kept].ravel(), m[kept].ravel()).statistic

    whole, left = rho(units >= 0), np.array([rho(units != u) for u in range(5)])
    h = 6 / sizes
    centre = 5 * whole - ((1 - 1 / h) * left).sum()
    error = np.sqrt(np.mean((h * whole - (h - 1) * left - centre) ** 2 / (h - 1)))
    half = stats.t.ppf(0.975, 4) * error / (1 - whole**2)
    (one,) = agreements(rated(means[None], units, m=m))
    expected = tuple(np.tanh(np.arctanh(whole) + side) for side in (-half, half))
    assert (one.low, one.high) == pytest.approx(expected)
    (fewer,) = agreements(rated(means[None], units // 2, m=m))  # of three speakers: items are units
    assert fewer == agreements(rated(means[None], m=m))[0]


def test_the_best_is_compared_with_each_on_the_cells_that_both_have():
    rng = np.random.default_rng(0)
    good, score = cells_of(rng, 12, *world(rng, 8, 0.95))
    some = np.where(np.arange(12)[:, None] < 8, score, np.nan)
    noise = rng.normal(0, 30, (3, *good.shape))
    data = rated(heard(rng, good, 12), a=score, b=some + noise[0], c=noise[1], d=noise[2])
    best, *others = agreements(data)
    assert (best.metric, best.behind, best.p_holm) == ("a", None, None)
    assert {one.metric: one.cells for one in others} == {"b": 64, "c": 96, "d": 96}
    by_name = {one.metric: one for one in others}
    assert by_name["c"].behind == pytest.approx(best.value - by_name["c"].value)
    assert by_name["b"].behind != pytest.approx(best.value - by_name["b"].value)
    assert by_name["c"].p_holm < 0.05
    same = agreements(rated(heard(rng, good, 12), a=score, b=score + 1e-9 * noise[0]))
    assert same[1].p_holm > 0.05
    assert [one.p_holm for one in agreements(data, "conditions")] == [None] * 4


def test_too_few_and_equal_scores_have_a_reason(example):
    ratings, scores = example
    told = agreements(rated(ratings[:, :4], m=scores["m"][:4]))
    assert told[0].reason == "too few: 4 of 5 items"
    told = agreements(rated(ratings[:, :, :2], m=scores["m"][:, :2]), "within items")
    assert told[0].reason == "too few: 0 of 15 cells, 0 of 5 items"
    told = agreements(rated(ratings[:, :, :5], m=scores["m"][:, :5]), "conditions")
    assert told[0].reason == "too few: 5 of 7 conditions"
    flat = np.repeat(np.arange(6.0)[:, None], 7, axis=1)  # equal within items, and their means
    for scope, of, tail in (("cells", flat * 0, ""), ("within items", flat, " within items"),
                            ("conditions", flat, "")):  # fmt: skip
        told = agreements(rated(ratings, flat=of, m=scores["m"]), scope)
        equal = f"all scores or mean ratings are equal{tail}"
        assert [(one.metric, one.reason) for one in told] == [("m", ""), ("flat", equal)]
        (told,) = agreements(rated(ratings * 0 + 33.3, m=scores["m"]), scope)
        assert told.value is None
        assert told.reason == ("too few: 0 of 15 cells, 0 of 5 items" if tail else equal)
    many = rated(np.arange(2400.0).reshape(1, 300, 8), m=np.arange(2400.0).reshape(300, 8))
    assert "take spearman" in agreements(many, coefficient="kendall")[0].reason
    perfect = agreements(many)[0]
    assert (perfect.value, perfect.low) == (pytest.approx(1), None)  # it cannot be moved
    one_rating = np.full((1, 6, 7), np.nan)
    one_rating[0, 0, 0] = 5.0
    (lopsided,) = agreements(rated(np.concatenate([ratings[1:2], one_rating]), m=scores["m"]))
    assert (lopsided.value > 0, lopsided.low) == (True, None)  # of one rating there is none
    more = np.concatenate([ratings, ratings], axis=1)  # of items that tell nothing
    of = {m: np.concatenate([v, np.where(np.arange(7) < 2, v, np.nan)]) for m, v in scores.items()}
    assert agreements(rated(more, **of), "within items") == agreements(
        rated(ratings, **scores), "within items")  # fmt: skip


@pytest.mark.parametrize("scope", ["cells", "within items"])
def test_intervals_cover(scope, record_property):
    """What the same statistic is of the same conditions, on any number of items and listeners.

    Rounding and clipping leave the order of what listeners would say on average as it is."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(20):
        quality, thought = world(rng, 7)
        good, score = cells_of(rng, 4000, quality, thought)
        if scope == "cells":
            truth = stats.spearmanr(good.ravel(), score.ravel()).statistic
        else:
            ranks = [stats.rankdata(of, axis=1) - 4 for of in (good, score)]
            truth = np.mean((ranks[0] * ranks[1]).sum(axis=1)) / 28
        for _ in range(25):
            good, score = cells_of(rng, 10, quality, thought)
            (one,) = agreements(rated(heard(rng, good, 10), m=score), scope)
            held += one.low <= truth <= one.high
    record_property("coverage", float(held / 500))
    assert 0.93 <= held / 500 <= 0.975  # its standard error is 0.8 %


def test_intervals_over_conditions_cover(record_property):
    rng, truth, held = np.random.default_rng(0), 6 / np.pi * np.arcsin(0.4), 0
    for _ in range(3000):
        good, score = cells_of(rng, 10, *world(rng, 8))
        (one,) = agreements(rated(heard(rng, good, 10), m=score), "conditions")
        held += one.low <= truth <= one.high
    record_property("coverage", float(held / 3000))
    assert 0.93 <= held / 3000 <= 0.97
