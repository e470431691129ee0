"""Does the analysis find what is true? Measured on studies whose truth is known.

Run with ``pytest -m slow tests/listening/test_recovery.py -o junit_family=xunit1
--junitxml=figures.xml``; the figures are the properties in that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from snacbench.listening.analysis.analyse import Analysis, analyse
from snacbench.listening.power import Question, Spread, listeners_needed
from snacbench.listening.test import Form, ListeningTest
from snacbench.rows import ComparisonSummary
from tests.support.simulated_listeners import (
    NOTHING_DEVIATES,
    Deviations,
    Model,
    expected_means,
    simulate,
)
from tests.support.studies import numbered_test

MEANS = {"codec-0": 30.0, "codec-1": 45.0, "codec-2": 60.0, "codec-3": 75.0, "codec-4": 92.0}
SYSTEMS = len(MEANS)
# Items do not tell the systems apart: then equal means are equal after clipping, too.
ALIKE = Model(means=dict.fromkeys(MEANS, 60.0), spread=Deviations(item_system=0))
INAUDIBLE = Model(means=dict.fromkeys(MEANS, 100.0), spread=NOTHING_DEVIATES, scale_use=0)


@dataclass(frozen=True)
class Design:
    """A test and who took part in it; without careless listeners, nobody is screened out."""

    listeners: int
    items: int = 8
    pages: int | None = None
    careless: int = 0
    form: Form = "mushra"

    def studies(self, model: Model, count: int) -> Iterator[tuple[ListeningTest, Analysis]]:
        """Each with items and listeners of its own."""
        for seed in range(count):
            fields = {"pages_per_listener": self.pages, "seed": seed, "allow_tie": True}
            test = numbered_test(self.items, self.form, SYSTEMS, **fields)
            study = simulate(test, replace(model, careless=self.careless), self.listeners, seed)
            yield test, analyse(study, rules=self.careless > 0)

    def __str__(self) -> str:
        return "-".join(map(str, (self.form, self.listeners, self.items, self.pages)))


def rows_of(found: Analysis) -> list[ComparisonSummary]:
    return [one.row for one in found.comparisons]


def recover(design: Design, model: Model, count: int) -> tuple[np.ndarray, ...]:
    """What many studies found: errors in points, shape (studies, systems); was it within, of means
    and of differences; and shares of careless and other listeners that were excluded.
    """
    errors, held, held_pairs, out = [], [], [], []
    for test, found in design.studies(model, count):
        true = expected_means(test, model)
        of_systems = [mean for mean in found.overall if mean.condition in MEANS]
        errors.append([mean.mean - true[mean.condition] for mean in of_systems])
        held.append([mean.low <= true[mean.condition] <= mean.high for mean in of_systems])
        held_pairs.append(
            [p.low <= true[p.first] - true[p.second] <= p.high for p in rows_of(found)]
        )
        gone = [name not in found.screening.kept for name in found.screening.before]
        out.append([np.mean(gone[: design.careless] or [0]), np.mean(gone[design.careless :])])
    return np.array(errors), np.array(held), np.array(held_pairs), np.mean(out, axis=0)


def family_wise_error(design: Design, model: Model, count: int) -> float:
    """Share of studies with any pair, or system, significant after Holm's correction."""
    alarms = 0
    for _, found in design.studies(model, count):
        assert found.comparisons
        alarms += any(one.p_holm is not None and one.p_holm <= 0.05 for one in rows_of(found))
    return alarms / count


def test_the_oracle_answers_as_its_model_says() -> None:
    test = numbered_test(4, systems=SYSTEMS)
    exact = Model(means=MEANS, spread=NOTHING_DEVIATES, scale_use=0, reference_missed=0)
    study = simulate(test, exact, 3)
    assert {r.condition: r.score for r in study.ratings if r.condition in MEANS} == MEANS
    assert simulate(test, exact, 3) == study
    model = Model(means={**MEANS, "codec-1": 3.0}, scale_use=0.3, reference_missed=0.2)
    expected, study = expected_means(test, model), simulate(test, model, 900)
    for condition, mean in expected.items():
        scores = [r.score for r in study.ratings if r.condition == condition]
        assert np.mean(scores) == pytest.approx(mean, abs=4 * 22 / np.sqrt(900)), condition
    # 10 points away, 63 % hear it, and half of the others guess right.
    heard = replace(exact, means={"codec-0": 90, "codec-1": 100})
    choices = simulate(numbered_test(8, "abx", 2), heard, 60).choices
    for system, share in (("codec-0", 1 - np.exp(-1) / 2), ("codec-1", 0.5)):
        right = [c.taken == c.x for c in choices if system in (c.a, c.b)]
        assert np.mean(right) == pytest.approx(share, abs=0.06)


def test_a_few_studies_recover_means_order_and_who_is_careless() -> None:
    errors, held, _, (careless, careful) = recover(Design(20, careless=2), Model(means=MEANS), 12)
    assert np.abs(errors.mean(axis=0)).max() < 4
    assert held.mean() > 0.85
    assert (careless > 0.9, careful < 0.2) == (True, True)
    _, analysis = next(Design(30).studies(Model(means=MEANS), 1))
    order = sorted((m for m in analysis.overall if m.condition in MEANS), key=lambda m: m.mean)
    assert [mean.condition for mean in order] == list(MEANS)
    for design in (Design(15), Design(12, form="ab")):
        assert family_wise_error(design, ALIKE, 20) <= 0.2


# ----------------------------------------------------------------------------------- in earnest

DESIGNS = (Design(30, careless=3), Design(20), Design(24, 12, 4), Design(30, 9, 5, careless=3))
STUDIES = 600
NULL_STUDIES = 1000


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_means_are_unbiased_and_their_intervals_cover(design, record_property) -> None:
    errors, held, held_pairs, out = recover(design, Model(means=MEANS), STUDIES)
    bias, bias_error = errors.mean(axis=0), errors.std(axis=0) / np.sqrt(STUDIES)
    record_property("bias", np.round(bias, 2).tolist())
    record_property("coverage of means", np.round(held.mean(axis=0), 3).tolist())
    record_property("coverage of differences", round(float(held_pairs.mean()), 3))
    record_property("careless and careful excluded", np.round(out, 3).tolist())
    # Screening by the 7 kHz anchor takes out generous listeners, which lowers means by 0.3 to 1.3.
    assert (np.abs(bias) < (2 if design.careless else 4 * bias_error)).all()
    assert held.mean(axis=0).min() > (0.9 if design.careless else 0.92)
    assert 0.93 < held_pairs.mean() < 0.97
    assert out[0] >= 0.95 * (design.careless > 0)
    assert out[1] < 0.5


PAIRS = [Design(24, 4, form="ab"), Design(24, 12, 20, form="ab"), Design(40, 8, 3)]
NULLS = [(design, ALIKE) for design in (*DESIGNS, *PAIRS)]


@pytest.mark.slow
@pytest.mark.parametrize(("design", "model"), [*NULLS, (Design(15, 4, form="abx"), INAUDIBLE)])
def test_equal_systems_are_seldom_told_apart(design, model, record_property) -> None:
    found = family_wise_error(design, model, NULL_STUDIES)
    record_property("family-wise error", float(found))
    assert found <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / NULL_STUDIES)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [None, 6])
def test_power_is_what_was_promised(pages, record_property) -> None:
    need = listeners_needed(Question(8, 12, SYSTEMS, Spread(), pages))
    # In mid-scale, where hardly a score is clipped; the others are equal, which is the worst case.
    means = {**dict.fromkeys(MEANS, 50.0), "codec-1": 58.0}
    model = Model(means=means, scale_use=0, reference_missed=0, spread=Deviations(listener=0))
    design, found = Design(need.listeners, 12, pages), 0
    for _, analysis in design.studies(model, STUDIES):
        pair = next(p for p in rows_of(analysis) if (p.first, p.second) == ("codec-0", "codec-1"))
        found += pair.p_holm is not None and pair.p_holm <= 0.05
    record_property("power found", found / STUDIES)
    assert found / STUDIES == pytest.approx(0.8, abs=0.08)
