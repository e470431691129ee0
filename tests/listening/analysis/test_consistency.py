"""Agreement between listeners: Shrout and Fleiss' own table, and cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.listening.analysis.cells import ratings_of
from snacbench.listening.analysis.consistency import (
    agreements,
    intraclass_correlation,
    shrout_fleiss_2,
)
from tests.listening.studies import study_of

# Table 2 of Shrout and Fleiss (1979): six targets, four judges.
TABLE = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)


def study_of_table(table: np.ndarray) -> dict[tuple[str, str], dict[str, float]]:
    """Judges are listeners, targets are items with one system."""
    return {
        (f"judge {j}", f"target {i}"): {"a": float(table[i, j])}
        for j in range(table.shape[1])
        for i in range(table.shape[0])
        if np.isfinite(table[i, j])
    }


def test_shrout_and_fleiss_published_values() -> None:
    """Their table 4: ICC(2,1) = .29 and ICC(2,4) = .62."""
    assert shrout_fleiss_2(TABLE) == pytest.approx((0.29, 0.62), abs=0.005)


def test_the_same_from_a_study() -> None:
    found = intraclass_correlation(ratings_of(study_of(study_of_table(TABLE))))
    assert (found.single, found.average) == pytest.approx((0.29, 0.62), abs=0.005)
    assert (found.targets, found.listeners) == (6, 4)


def test_listeners_who_did_not_rate_everything_are_left_out_of_it() -> None:
    table = np.column_stack([TABLE, [1, 2, 3, 4, 5, np.nan]])
    found = intraclass_correlation(ratings_of(study_of(study_of_table(table))))
    assert found.listeners == 4
    assert found.single == pytest.approx(0.29, abs=0.005)


def test_subsets_of_items_have_no_intraclass_correlation() -> None:
    table = TABLE.copy()
    table[0, :2] = table[1, 2:] = np.nan
    found = intraclass_correlation(ratings_of(study_of(study_of_table(table))))
    assert found.single is None
    assert "two listeners who rated all items" in found.reason


def test_ratings_without_spread_have_none_either() -> None:
    found = intraclass_correlation(ratings_of(study_of(study_of_table(np.full((3, 3), 5.0)))))
    assert (found.single, found.reason) == (None, "the ratings do not vary")


def test_each_listener_against_the_mean_of_the_others() -> None:
    """The first rates 10 higher than two who agree; correlation 1, offset 10."""
    table = np.array([[20.0, 10, 10], [40, 30, 30], [60, 50, 50], [90, 80, 80]])
    first, second, _ = agreements(ratings_of(study_of(study_of_table(table))))
    assert (first.correlation, first.offset, first.cells) == (
        pytest.approx(1),
        pytest.approx(10),
        4,
    )
    assert second.offset == pytest.approx(-5)


def test_a_listener_who_does_not_listen_has_no_correlation() -> None:
    table = np.array([[50.0, 10, 20], [50, 30, 30], [50, 50, 40]])
    first, *_ = agreements(ratings_of(study_of(study_of_table(table))))
    assert first.correlation is None


def test_nobody_to_compare_with() -> None:
    (only,) = agreements(ratings_of(study_of(study_of_table(TABLE[:, :1]))))
    assert (only.correlation, only.offset, only.cells) == (None, None, 0)


def test_the_reference_does_not_make_anybody_agree() -> None:
    scores = {(n, f"i{k}"): {"a": float(k), "reference": 100.0} for n in "xy" for k in range(3)}
    assert agreements(ratings_of(study_of(scores)))[0].cells == 3
