from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.listening.design import pages_of
from snacbench.listening.power import Spread
from snacbench.listening.simulate import (
    SIMULATED_AS,
    Model,
    default_mean,
    expected_means,
    simulate,
    true_quality,
)
from snacbench.listening.study import Study
from snacbench.listening.test import ANCHOR35, REFERENCE, Item, System
from tests.support.studies import numbered_test as a_test

MEANS = {"codec-0": 30.0, "codec-1": 60.0, "codec-2": 95.0}
NO_SPREAD = Spread(0, 0, 0, 0, 0, 0)


def means_of(study: Study) -> dict[str, float]:
    scores = defaultdict(list)
    for rating in study.ratings:
        scores[rating.condition].append(rating.score)
    return {condition: float(np.mean(values)) for condition, values in scores.items()}


def test_without_any_spread_listeners_rate_the_truth() -> None:
    model = Model(means=MEANS, spread=NO_SPREAD, scale_use=0, reference_missed=0, reference_exact=1)
    found = means_of(simulate(a_test(), model, 4))
    assert {c: found[c] for c in MEANS} == MEANS
    assert found[REFERENCE] == 100
    assert found == pytest.approx(expected_means(a_test(), model))


@pytest.mark.parametrize("scale_use", [0.0, 0.3])
def test_means_converge_to_the_expected_ones_also_at_the_ends_of_the_scale(scale_use) -> None:
    test, listeners = a_test(4), 1500
    model = Model(means={**MEANS, "codec-1": 3.0}, scale_use=scale_use, reference_missed=0.2)
    study = simulate(test, model, listeners)
    expected = expected_means(test, model)
    assert expected["codec-1"] > 5  # nobody can rate below 0
    assert expected["codec-2"] < 92
    for condition, mean in means_of(study).items():
        assert mean == pytest.approx(expected[condition], abs=4 * 22 / np.sqrt(listeners))
    scores = {r.score for r in study.ratings}  # those of real sliders
    assert scores == set(map(float, range(101)))


def test_items_differ_but_not_the_mean_over_them() -> None:
    test, model = a_test(6), Model(means=MEANS)
    quality = true_quality(test, model)
    for condition, mean in MEANS.items():
        values = [quality[item.id, condition] for item in test.items]
        assert np.mean(values) == pytest.approx(mean)
        assert np.std(values) > 2
    assert true_quality(test, model) == quality
    assert true_quality(test.model_copy(update={"seed": 1}), model) != quality
    assert true_quality(a_test(1), model)["item-0", "codec-0"] == 30


def test_everybody_rates_just_what_the_plan_deals_them() -> None:
    test = a_test(6, pages_per_listener=4, training=(Item(id="p", clip="s/p", duration_s=5),))
    study = simulate(test, Model(), 5)
    for number, listener in enumerate(study.listeners):
        own = [r for r in study.ratings if r.listener == listener.id]
        heard = [
            (i, page.item, place, condition)
            for i, page in enumerate(p for p in pages_of(test, number) if not p.training)
            for place, condition in enumerate(page.conditions)
        ]
        assert [(r.page, r.item, r.place, r.condition) for r in own] == heard
        assert listener.pages_planned == 4


def test_a_seed_is_a_study_and_says_that_it_is_simulated() -> None:
    test, model = a_test(), Model()
    study = simulate(test, model, 3, seed=1)
    assert simulate(test, model, 3, seed=1) == study
    assert simulate(test, model, 3, seed=2).ratings != study.ratings
    assert simulate(test, model, 5, seed=1).ratings[: len(study.ratings)] == study.ratings
    assert study.simulated
    assert all(listener.id.startswith("simulated-") for listener in study.listeners)


def test_careless_listeners_and_drop_outs_are_each_so_in_their_way() -> None:
    study = simulate(a_test(8), Model(careless=3, dropouts=2), 14, seed=4)
    manners = {one.id: one.answers[SIMULATED_AS] for one in study.listeners}
    assert Counter(manners.values()) == {
        "honest": 11, "random": 1, "all-equal": 1, "ignores-reference": 1,
    }  # fmt: skip
    pages: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for r in study.ratings:
        pages[r.listener][r.item][r.condition] = r.score
    of = defaultdict(list)
    for listener, heard in pages.items():
        of[manners[listener]] += heard.values()
    assert all(len(set(page.values())) == 1 for page in of["all-equal"])
    assert np.mean([page[REFERENCE] for page in of["honest"]]) > 95
    for manner in ("random", "ignores-reference"):
        assert np.mean([page[REFERENCE] < 90 for page in of[manner]]) > 0.5
    assert np.std([page[ANCHOR35] for page in of["random"]]) > 15
    left = {one.id for one in study.listeners if not one.finished}
    assert len(left) == 2
    assert all(len(heard) == (4 if one in left else 8) for one, heard in pages.items())


def test_references_are_missed_as_often_as_asked() -> None:
    model = Model(reference_missed=0.3, missed_score=50, reference_exact=0.5)
    ratings = simulate(a_test(8), model, 200).ratings
    scores = np.array([r.score for r in ratings if r.condition == REFERENCE])
    assert np.mean(scores < 90) == pytest.approx(0.3, abs=0.04)
    assert np.mean(scores == 100) == pytest.approx(0.35, abs=0.04)


def test_preferences_follow_the_scale() -> None:
    study = simulate(a_test(8, "ab", allow_tie=True), Model(means=MEANS), 40)
    wins: Counter[tuple[tuple[str, str], str]] = Counter()
    for choice in study.choices:
        winner = {"a": choice.a, "b": choice.b, "tie": "tie"}[choice.answer]
        wins[tuple(sorted((choice.a, choice.b))), winner] += 1
    asked = 8 * 40
    clear, close = ("codec-0", "codec-2"), ("codec-1", "codec-2")
    assert wins[clear, "codec-2"] / asked > 0.95
    assert 0.7 < wins[close, "codec-2"] / asked < wins[clear, "codec-2"] / asked
    assert 0.02 < wins[close, "tie"] / asked < 0.3
    never = simulate(a_test(8, "ab", allow_tie=False), Model(means=MEANS), 4)
    assert "tie" not in {choice.answer for choice in never.choices}


def test_abx_is_a_guess_where_nothing_is_heard() -> None:
    means = {"codec-0": 30, "codec-1": 90, "codec-2": 100}
    model = Model(means=means, spread=NO_SPREAD, scale_use=0)
    study = simulate(a_test(8, "abx"), model, 60)
    # 10 points away with 10 points of detection: 63 % hear it, half of the others guess right.
    for system, share in {"codec-0": 1, "codec-1": 1 - np.exp(-1) / 2, "codec-2": 0.5}.items():
        asked = [c for c in study.choices if system in (c.a, c.b)]
        right = [{"a": c.a, "b": c.b}[c.answer] == c.x for c in asked]
        assert np.mean(right) == pytest.approx(share, abs=0.01 if share == 1 else 0.06)


@pytest.mark.parametrize("form", ["ab", "abx"])
def test_careless_listeners_do_not_listen_to_pairs_either(form) -> None:
    study = simulate(a_test(8, form), Model(means=MEANS, careless=2), 2, seed=3)
    kinds = {one.id: one.answers[SIMULATED_AS] for one in study.listeners}
    answers = {(kinds[choice.listener], choice.answer) for choice in study.choices}
    assert answers == {("all-equal", "a"), ("random", "a"), ("random", "b")}


def test_default_means_rise_with_the_rate() -> None:
    def mean(name: str, kbps: float | None) -> float:
        return default_mean(System(name=name, kbps=kbps))

    assert 0 < mean("opus@6kbps", 6) < mean("opus@14kbps", 14) < mean("opus@64kbps", 64) < 100
    assert mean("dac-44khz@2.67kbps", 2.67) > mean("opus@6kbps", 6)
    assert mean("mystery", None) == 60


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Model(means={"codec-8": 5}), "no condition 'codec-8' to give a mean; did you mean"),
        (Model(means={"reference": 5}), "no condition 'reference'"),
        (Model(means={"codec-0": 101}), "mean of codec-0 is 101; it must lie on the scale"),
        (Model(careless=3, dropouts=2), "more than 4 listeners; ask for 5 or more"),
    ],
)
def test_impossible_models_are_refused(model, says) -> None:
    with pytest.raises(UserError, match=says):
        simulate(a_test(), model, 4)
