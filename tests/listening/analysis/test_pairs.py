"""Friedman, Wilcoxon, Holm: published and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.listening.analysis.cells import ratings_of
from snacbench.listening.analysis.pairs import friedman, pairs_of
from tests.listening.studies import random_study, study_of


def one_item(**columns: list[float]) -> dict[tuple[str, str], dict[str, float]]:
    count = len(next(iter(columns.values())))
    return {(f"l{k}", "i0"): {n: v[k] for n, v in columns.items()} for k in range(count)}


def test_friedman_agrees_with_the_example_of_scipys_documentation() -> None:
    """Pulse before, after and five minutes after exercise (halved, to fit on the scale)."""
    study = study_of(
        one_item(
            before=[36, 48, 44, 46, 37, 38, 41],
            after=[60, 60, 66, 60, 50.5, 48, 56],
            later=[38, 47.5, 52, 48, 42, 36, 38],
        )
    )
    found = friedman(ratings_of(study))
    assert found.statistic == pytest.approx(10.57142857142857)
    assert found.p_value == pytest.approx(0.005063414171757498)
    assert found.w == pytest.approx(10.57142857142857 / (7 * 2))
    assert (found.listeners, found.systems) == (7, 3)


def test_friedman_by_hand() -> None:
    """Two listeners, rank sums 2, 4, 6: 12 / (2 x 3 x 4) (4 + 16 + 36) - 3 x 2 x 4 = 4."""
    found = friedman(ratings_of(study_of(one_item(a=[1, 2], b=[5, 6], c=[8, 9]))))
    assert found.statistic == pytest.approx(4)
    assert found.w == pytest.approx(1)


def test_friedman_takes_pages_that_have_all_systems() -> None:
    """An item without c, on which a is good, does not help a."""
    scores = one_item(a=[1, 2], b=[5, 6], c=[8, 9])
    scores |= {(f"l{k}", "i1"): {"a": 100.0, "b": 5.0} for k in (0, 1)}
    assert friedman(ratings_of(study_of(scores))).statistic == pytest.approx(4)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": [1.0, 2.0], "b": [2.0, 3.0]}, "it needs three systems"),
        ({"a": [1.0], "b": [2.0], "c": [3.0]}, "it needs two complete listeners"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [1.0, 2.0]}, "all systems were rated alike"),
    ],
)
def test_friedman_says_why_it_has_no_value(columns: dict[str, list[float]], reason: str) -> None:
    found = friedman(ratings_of(study_of(one_item(**columns))))
    assert (found.statistic, found.reason) == (None, reason)


def test_wilcoxon_by_hand() -> None:
    """Six listeners, all for the first: 2 of the 64 sign patterns are so extreme."""
    study = study_of(one_item(a=[51, 52, 53, 54, 55, 56], b=[50, 50, 50, 50, 50, 50]))
    (pair,) = pairs_of(ratings_of(study))
    assert pair.p_value == pytest.approx(2 / 64)
    assert pair.difference == pytest.approx(3.5)
    assert pair.effect
    assert pair.effect.d_z == pytest.approx(3.5 / np.std([1, 2, 3, 4, 5, 6], ddof=1))
    assert pair.effect.superiority == 1


def test_holm_by_hand() -> None:
    """p values .031, .031, .156: times 3, times 2 but not below the first, times 1."""
    a, b = [60.0] * 6, [51.0, 52, 53, 54, 55, 56]
    c = [50.0, 53.5, 53.4, 51.5, 50.5, 54.5]
    pairs = pairs_of(ratings_of(study_of(one_item(a=a, b=b, c=c))))
    p = [pair.p_value or 0 for pair in pairs]
    assert p[:2] == pytest.approx([2 / 64, 2 / 64])
    assert [pair.p_holm for pair in pairs] == pytest.approx([3 * p[0], 3 * p[0], p[2]])
    assert p[2] == pytest.approx(stats.wilcoxon(np.subtract(b, c)).pvalue)


def test_the_listener_is_the_unit_not_the_page() -> None:
    """Twenty pages of each of two listeners are two differences: nothing can be shown by them."""
    scores = {
        (f"l{n}", f"i{k}"): {"a": 60.0 + n, "b": 50.0 + k / 9} for n in (0, 1) for k in range(20)
    }
    (pair,) = pairs_of(ratings_of(study_of(scores)))
    assert pair.p_value == pytest.approx(0.5)
    assert pair.listeners == 2


def test_equal_systems_do_not_differ() -> None:
    (pair,) = pairs_of(ratings_of(study_of(one_item(a=[3, 4, 5], b=[3, 4, 5]))))
    assert (pair.p_value, pair.p_holm, pair.difference) == (1.0, 1.0, 0.0)


def test_a_single_listener_cannot_be_tested() -> None:
    (pair,) = pairs_of(ratings_of(study_of(one_item(a=[3], b=[5]))))
    assert (pair.p_value, pair.p_holm, pair.ends.low) == (None, None, None)


def test_reference_and_anchors_are_not_compared() -> None:
    columns = {"a": [3.0, 4], "reference": [99.0, 100], "anchor35": [1.0, 2]}
    assert pairs_of(ratings_of(study_of(one_item(**columns)))) == ()


@pytest.mark.slow
@pytest.mark.parametrize(("listeners", "pages"), [(12, None), (16, 2), (24, 4)])
def test_false_alarms_are_as_rare_as_they_claim(listeners: int, pages: int | None) -> None:
    """Three equal systems whose items differ: any pair significant in at most 5 % of studies."""
    rng = np.random.default_rng(3)
    studies = 600
    alarms = 0
    for _ in range(studies):
        study = random_study(
            rng,
            means={"a": 60, "b": 60, "c": 60},
            listeners=listeners,
            item_effects=rng.normal(0, 9, 12),
            pages=pages,
        )
        pairs = pairs_of(ratings_of(study))
        alarms += any(pair.p_holm is not None and pair.p_holm <= 0.05 for pair in pairs)
    assert alarms / studies <= 0.07, alarms / studies
