"""Does the analysis find what is true? Measured on studies whose truth is known.

Run with ``pytest -m slow tests/listening/test_recovery.py -o junit_family=xunit1
--junitxml=figures.xml``; the figures are the properties in that file."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from benchmarks.listening_coverage import coverage
from snacbench.errors import UserError
from snacbench.forms import FormName
from snacbench.listening.analysis import analyse
from snacbench.listening.power import LEVEL, Question, Spread, listeners_needed, power_of
from tests.support.studies import NOTHING_DEVIATES, Deviations, numbered_test, simulate

NAMES = [f"codec-{i}" for i in range(5)]
# In mid-scale, with deviations that hardly a score is clipped by: means are those asked for.
MEANS = dict(zip(NAMES, (35.0, 40.0, 50.0, 60.0, 65.0), strict=True))
SMALL = Deviations(4.0, 6.0, 8.0, 5.0, 4.0)
ALIKE = dict.fromkeys(NAMES, 60.0)
INAUDIBLE = dict.fromkeys(NAMES, 100.0)


@dataclass(frozen=True)
class Design:
    """A test and who took part in it; without careless listeners, nobody is screened out."""

    listeners: int
    items: int = 8
    pages: int | None = None
    careless: int = 0
    form: FormName = "mushra"

    def studies(self, means, spread, count):
        """Each with items and listeners of its own."""
        for seed in range(count):
            wishes, fields = {"pages_per_listener": self.pages}, {"careless": self.careless}
            test = numbered_test(self.items, self.form, len(NAMES), seed=seed, **wishes)
            study = simulate(test, self.listeners, means, spread, seed=seed, **fields)
            yield analyse(study, rules=self.careless > 0)


def recover(design, count):
    """What many studies found: errors in points, shape (studies, systems); was it within, of means
    and of differences; and shares of careless and other listeners that were excluded."""
    errors, held, held_pairs, out = [], [], [], []
    for found in design.studies(MEANS, SMALL, count):
        of = [(m, MEANS[m.condition]) for m in found.overall if m.condition in MEANS]
        pairs = [one.row for one in found.comparisons]
        errors.append([mean.mean - true for mean, true in of])
        held.append([mean.low <= true <= mean.high for mean, true in of])
        held_pairs.append([p.low <= MEANS[p.first] - MEANS[p.second] <= p.high for p in pairs])
        gone = [name not in found.screening.kept for name in found.screening.before]
        out.append([np.mean(gone[: design.careless] or [1]), np.mean(gone[design.careless :])])
    return np.array(errors), np.array(held), np.array(held_pairs), np.mean(out, axis=0)


def family_wise_error(design, means, count):
    """Share of studies with any pair, or system, significant after Holm's correction."""
    # Items do not tell the systems apart: then equal means are equal after clipping, too.
    spread = NOTHING_DEVIATES if means is INAUDIBLE else Deviations(item_system=0)
    all_p = ([one.row.p_holm for one in found.comparisons]
             for found in design.studies(means, spread, count))  # fmt: skip
    alarms = [any(p is not None and p <= 0.05 for p in of_one) for of_one in all_p]
    return float(np.mean(alarms))


def test_a_few_studies_recover_means_order_and_who_is_careless():
    errors, held, held_pairs, (careless, careful) = recover(Design(20, careless=2), 12)
    assert np.abs(errors.mean(axis=0)).max() < 2
    assert min(held.mean(), held_pairs.mean()) > 0.85
    assert (careless > 0.9, careful < 0.2) == (True, True)
    (analysis,) = Design(30).studies(MEANS, SMALL, 1)
    order = sorted((m for m in analysis.overall if m.condition in MEANS), key=lambda m: m.mean)
    assert [mean.condition for mean in order] == NAMES
    for design in (Design(15), Design(12, form="ab")):
        assert family_wise_error(design, ALIKE, 20) <= 0.2
    # 10 points away, 63 % hear it, and half of the others guess right.
    near = {**INAUDIBLE, "codec-0": 90.0}
    (trials,) = Design(60, form="abx").studies(near, NOTHING_DEVIATES, 1)
    shares = [one.row.value for one in trials.comparisons][:2]
    assert shares == pytest.approx([1 - np.exp(-1) / 2, 0.5], abs=0.06)


DESIGNS = (Design(30, careless=3), Design(20), Design(24, 12, 4), Design(30, 9, 5, careless=3))
STUDIES, NULL_STUDIES = 600, 1000


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_means_are_unbiased_and_their_intervals_cover(design, record_property):
    errors, held, held_pairs, out = recover(design, STUDIES)
    bias, bias_error = errors.mean(axis=0), errors.std(axis=0) / np.sqrt(STUDIES)
    record_property("bias", np.round(bias, 2).tolist())
    record_property("coverage of means", np.round(held.mean(axis=0), 3).tolist())
    record_property("coverage of differences", round(float(held_pairs.mean()), 3))
    record_property("careless and careful excluded", np.round(out, 3).tolist())
    # Screening by the 7 kHz anchor may take out generous listeners, which lowers means.
    assert (np.abs(bias) < (1 if design.careless else 4 * bias_error)).all()
    assert held.mean(axis=0).min() > 0.92
    assert 0.93 < held_pairs.mean() < 0.97
    assert (out[0] > 0.95, out[1] < 0.5) == (True, True)


PAIRS = [Design(24, 4, form="ab"), Design(24, 12, 20, form="ab"), Design(40, 8, 3)]
NULLS = [(design, ALIKE) for design in (*DESIGNS, *PAIRS)]


@pytest.mark.slow
@pytest.mark.parametrize(("design", "means"), [*NULLS, (Design(15, 4, form="abx"), INAUDIBLE)])
def test_equal_systems_are_seldom_told_apart(design, means, record_property):
    found = family_wise_error(design, means, NULL_STUDIES)
    record_property("family-wise error", float(found))
    assert found <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / NULL_STUDIES)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [None, 6])
def test_power_is_what_was_promised(pages, record_property):
    needed, _ = listeners_needed(Question(8, 12, len(NAMES), Spread(), pages))
    # In mid-scale, where hardly a score is clipped; the others are equal, which is the worst case.
    means = {**dict.fromkeys(NAMES, 50.0), "codec-1": 58.0}
    studies = Design(needed, 12, pages).studies(means, Deviations(listener=0), STUDIES)
    found = np.mean([analysis.comparisons[0].row.p_holm <= 0.05 for analysis in studies])
    record_property("power found", float(found))
    assert found == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("form", ["acr", "ccr"])
def test_votes_on_one_condition_at_a_time_are_recovered(form):
    """40 studies; intervals of one study share its listeners, so their shares vary like 20."""
    for design in ((12, 6, 3, None), (12, 6, 3, 12)):
        found = coverage(form, design, 40)
        for kind in ("mean", "pair", "mean, items too", "pair, items too", "mixed model"):
            assert found[kind] > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 20), kind
        assert max(abs(found["bias of mean"]), abs(found["bias of pair"])) < 0.06
        alike = coverage(form, design, 40, alike=True)
        assert max(alike["any pair"], alike["Friedman"]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def closed_form_power(question, listeners):
    """Power of the paired t test at level / pairs; everybody rates everything."""
    s = question.spread
    variance = 2 * s.listener_system**2 + 2 * s.residual**2 / question.items
    at = stats.t.isf(LEVEL / question.pairs / 2, listeners - 1)
    shift = question.difference * np.sqrt(listeners / variance)
    return float(stats.nct.sf(at, listeners - 1, shift) + stats.nct.cdf(-at, listeners - 1, shift))


@pytest.mark.parametrize(("systems", "difference"), [(2, 3.0), (2, 9.0), (8, 5.0)])
def test_listeners_and_power_agree_with_the_closed_form_of_the_t_test(systems, difference):
    question = Question(difference, 10, systems, Spread())
    needed, found = listeners_needed(question, studies=2000)
    t_test = next(n for n in range(3, 1000) if closed_form_power(question, n) >= 0.8)
    # On normal differences Wilcoxon's test takes up to pi / 3 times as many listeners as t
    # (Hodges and Lehmann, Annals of Mathematical Statistics 27, 1956); 2 for whole numbers.
    assert 0.97 * t_test - 2 <= needed <= 1.08 * t_test + 2
    assert 0.8 <= found <= closed_form_power(question, needed) + 0.02


def test_power_of_votes_and_of_answers_to_pairs():
    """ACR: as on MUSHRA's scale, 25 points to one, but for what rounding adds, 1 / 12 of a square.

    AB: 6 listeners must all agree: 0.8^6 + 0.2^6; 5 can show nothing. ABX: 5 of 5 right, 0.9^5."""
    acr = Question(0.4, 8, 2, Spread.of("acr"), form="acr")
    alike = Question(10, 8, 2, Spread(residual=float(np.hypot(16, 25 / 12**0.5))))
    powers = [power_of(question, 16, studies=4000) for question in (acr, alike)]
    assert powers[0] == pytest.approx(powers[1], abs=0.03)
    some = replace(acr, pages_per_listener=12)
    assert power_of(some, 16, studies=2000) < powers[0] - 0.1
    nothing = replace(some, difference=1e-9)
    assert power_of(nothing, 16, studies=4000) <= LEVEL + 3 * np.sqrt(0.05 * 0.95 / 4000)
    ccr = Question(0.5, 8, 2, Spread.of("ccr"), form="ccr")
    assert (acr.trials, acr.votes, acr.pairs, ccr.pairs, alike.votes) == (24, 24, 1, 3, 40)
    ab, abx = Question(80, 1, 2, Spread(), form="ab"), Question(90, 1, 1, Spread(), form="abx")
    assert power_of(ab, 6) == pytest.approx(0.8**6 + 0.2**6)
    assert (power_of(ab, 5), power_of(abx, 5)) == (0, pytest.approx(0.9**5))
    for question in (ab, abx):
        needed, found = listeners_needed(question)
        assert found >= 0.8 > power_of(question, needed - 1)
    with pytest.raises(UserError, match=r"50\.1 % takes more than 2000 listeners with 1 pages"):
        listeners_needed(replace(ab, difference=50.1))


def test_false_alarms_stay_below_the_level_and_too_few_listeners_find_nothing():
    for pages in (None, 3):
        question = Question(1e-9, 8, 2, Spread(), pages)
        assert power_of(question, 25, studies=8000) <= LEVEL + 3 * 0.0025
    question = Question(50, 10, 8, Spread())
    assert listeners_needed(question, studies=200)[0] == 11
    assert power_of(question, 10, studies=200) == 0
    assert power_of(question, 11, studies=200) > 0.9


def test_senseless_and_hopeless_questions_are_refused():
    for wrong, message in (
        ((5, 10, 4, Spread(), 11), "11 pages per listener; there must be 1 to 10"),
        ((5, 10, 1, Spread()), "1 system; a comparison takes 2 or more"),
        ((float("nan"), 10, 4, Spread()), "a difference of nan points"),
        ((4, 10, 4, Spread(), None, 0.8, "acr"), "a difference of 4 points; take one of 0 to 4"),
        ((50, 10, 4, Spread(), None, 0.8, "ab"), "a difference of 50 %; take one of 50 to 100"),
        ((5, 10, 4, Spread(), 10, float("nan")), "a power of nan"),
    ):
        with pytest.raises(UserError, match=f"cannot plan for {message}"):
            Question(*wrong)
    with pytest.raises(UserError, match=r"0\.1 points takes more than 2000 listeners with 2"):
        listeners_needed(Question(0.1, 2, 8, Spread()), studies=20)
