from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from snacbench.errors import UserError
from snacbench.listening.power import Question, Spread, listeners_needed, power_of


def closed_form_power(question: Question, listeners: int) -> float:
    """Power of the paired t test at level / pairs; everybody rates everything."""
    s = question.spread
    variance = 2 * s.listener_system**2 + 2 * s.residual**2 / question.items
    at = stats.t.isf(question.level / question.pairs / 2, listeners - 1)
    shift = question.difference * np.sqrt(listeners / variance)
    return float(stats.nct.sf(at, listeners - 1, shift) + stats.nct.cdf(-at, listeners - 1, shift))


@pytest.mark.parametrize(("systems", "difference"), [(2, 3.0), (2, 9.0), (8, 5.0)])
def test_listeners_and_power_agree_with_the_closed_form_of_the_t_test(systems, difference) -> None:
    question = Question(difference, 10, systems, Spread())
    need = listeners_needed(question, studies=4000)
    t_test = next(n for n in range(3, 1000) if closed_form_power(question, n) >= 0.8)
    # On normal differences Wilcoxon's test takes up to pi / 3 times as many listeners as t
    # (Hodges and Lehmann, Annals of Mathematical Statistics 27, 1956); 2 for whole numbers.
    assert 0.97 * t_test - 2 <= need.listeners <= 1.08 * t_test + 2
    assert 0.8 <= need.power <= closed_form_power(question, need.listeners) + 0.02
    assert need.power_error == pytest.approx(0.006, abs=0.001)


def test_false_alarms_stay_below_the_level_and_too_few_listeners_find_nothing() -> None:
    for pages in (None, 3):
        question = Question(1e-9, 8, 2, Spread(), pages)
        assert power_of(question, 25, studies=8000) <= 0.05 + 3 * 0.0025
    question = Question(50, 10, 8, Spread())
    assert question.least_listeners == 11
    assert power_of(question, 10, studies=200) == 0
    assert power_of(question, 11, studies=200) > 0.9


def test_what_takes_fewer_listeners() -> None:
    def need(difference: float, items: int, pages: int | None = None) -> int:
        question = Question(difference, items, 4, Spread(), pages)
        return listeners_needed(question, studies=2000).listeners

    assert need(5, 20) < need(5, 10) < need(5, 10, 5)
    assert need(8, 10) < need(5, 10)


def test_senseless_and_hopeless_questions_are_refused() -> None:
    for wrong, message in (
        ((5, 10, 4, Spread(), 11), "11 pages per listener; there must be 1 to 10"),
        ((5, 10, 1, Spread()), "1 system; a comparison takes 2 or more"),
        ((float("nan"), 10, 4, Spread()), "a difference of nan points"),
        ((5, 10, 4, Spread(), 10, float("nan")), "a power of nan"),
    ):
        with pytest.raises(UserError, match=f"cannot plan for {message}"):
            Question(*wrong)
    with pytest.raises(UserError, match=r"0\.1 points takes more than 2000 listeners who rate 2"):
        listeners_needed(Question(0.1, 2, 8, Spread()), studies=20)
