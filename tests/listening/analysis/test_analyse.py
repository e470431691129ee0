"""The whole of it: known truths are found again, and forms get what they have."""

from __future__ import annotations

import pytest

from snacbench.listening.analysis.analyse import agreements, analyse
from snacbench.listening.analysis.ratings import ratings_of
from snacbench.listening.simulate import Model, expected_means, simulate
from snacbench.listening.study import Study
from tests.listening.studies import a_test, ab, abx, choice_study, items_of, listener_with, study_of


def test_means_by_hand_before_and_after_screening() -> None:
    study = study_of(
        {
            **listener_with("x", 2, a=40, b=60),
            **listener_with("y", 2, a=50, b=80),
            **listener_with("bad", 2, low_references=2, a=0, b=0),
        }
    )
    found = analyse(study)
    assert found.screening.kept == ("x", "y")
    after = {m.condition: m for m in found.overall}
    before = {m.condition: m.mean for m in found.means_before if m.domain == "all"}
    assert (after["a"].mean, after["b"].mean) == (45, 70)
    assert (before["a"], before["b"]) == pytest.approx((30, 140 / 3))
    assert (after["a"].n, after["a"].listeners, after["a"].items) == (4, 2, 2)


def test_median_and_quartiles_are_of_all_ratings() -> None:
    scores = {
        ("x", i): {"a": float(v), "b": 1.0}
        for i, v in zip(items_of(5), (1, 2, 3, 4, 10), strict=True)
    }
    (mean, _) = analyse(study_of(scores)).overall
    assert (mean.first_quartile, mean.median, mean.third_quartile) == (2, 3, 4)


def test_domains_apart_where_there_are_several() -> None:
    study = study_of(listener_with("x", 3), domains={"i0": "speech", "i1": "speech", "i2": "music"})
    domains = {m.domain: m.items for m in analyse(study).means}
    assert domains == {"all": 3, "speech": 2, "music": 1}


def test_items_come_hardest_first() -> None:
    scores = {("x", "easy"): {"a": 80.0, "b": 90.0}, ("x", "hard"): {"a": 10.0, "b": 30.0}}
    items = analyse(study_of(scores)).items
    assert [(one.item, one.mean) for one in items] == [("hard", 20), ("easy", 85)]
    assert items[0].by_condition == {"a": 10, "b": 30}


def test_items_may_have_different_systems() -> None:
    """A system counts on the items that it was on; a pair on those that both were on."""
    scores = {
        ("x", "i0"): {"a": 10.0, "b": 30.0},
        ("x", "i1"): {"a": 20.0},
        ("y", "i0"): {"a": 20.0, "b": 50.0},
        ("y", "i1"): {"a": 30.0},
    }
    found = analyse(study_of(scores))
    assert {m.condition: m.mean for m in found.overall} == {"a": 20, "b": 40}
    assert found.comparisons[0].value == pytest.approx(-25)


def test_nobody_left_is_no_error() -> None:
    found = analyse(study_of(listener_with("x", 4, low_references=4)))
    assert (found.screening.kept, found.means, found.comparisons) == ((), (), ())
    assert (found.items, found.agreements[0].offset) == ((), None)


def test_forms_get_what_they_have() -> None:
    pairs = analyse(choice_study(ab("x", "ab"), "ab"))
    assert (len(pairs.comparisons), pairs.means, pairs.agreements) == (1, (), ())
    trials = analyse(choice_study(abx("x", 3, 4), "abx", ("a",)))
    assert trials.comparisons[0].second == "reference"


def test_effects_and_careless_listeners_of_a_simulated_study_are_found() -> None:
    test = a_test()
    model = Model(means={"a@2kbps": 40, "a@4kbps": 60, "b": 75}, careless=3)
    study = simulate(test, model, 30, seed=4)
    found = analyse(study)
    careless = {one.id for one in study.listeners if one.answers["simulated_as"] != "honest"}
    assert careless <= {e.listener for e in found.screening.exclusions}
    truth = expected_means(test, model)
    for mean in found.overall:
        assert mean.mean == pytest.approx(truth[mean.condition], abs=6)
    assert all(p.p_holm is not None and p.p_holm < 0.05 for p in found.comparisons)


# ------------------------------------------------------------------------------------ agreement


def study_of_table(*listeners: list[float]) -> Study:
    """Items with one system."""
    return study_of(
        {(f"l{j}", f"i{i}"): {"a": v} for j, row in enumerate(listeners) for i, v in enumerate(row)}
    )


def test_each_listener_against_the_mean_of_the_others() -> None:
    """The first rates 10 higher than two who agree; correlation 1, offset 10."""
    study = study_of_table([20, 40, 60, 90], [10, 30, 50, 80], [10, 30, 50, 80])
    first, second, _ = agreements(ratings_of(study))
    assert (first.correlation, first.offset, first.cells) == (
        pytest.approx(1),
        pytest.approx(10),
        4,
    )
    assert second.offset == pytest.approx(-5)


def test_a_listener_who_does_not_listen_has_no_correlation() -> None:
    study = study_of_table([50, 50, 50], [10, 30, 50], [20, 30, 40])
    assert agreements(ratings_of(study))[0].correlation is None
    (only,) = agreements(ratings_of(study_of_table([1, 2, 3])))  # nobody to compare with
    assert (only.correlation, only.offset, only.cells) == (None, None, 0)


def test_the_reference_does_not_make_anybody_agree() -> None:
    scores = {(n, f"i{k}"): {"a": float(k), "reference": 100.0} for n in "xy" for k in range(3)}
    assert agreements(ratings_of(study_of(scores)))[0].cells == 3
