"""Studies that nobody took part in: to test an analysis against a known truth, and to rehearse.

How hard an item is follows from the test alone, so that all studies of one test share it. The
deviations of items are centred: a system's mean over the test's items is the one asked for.
Listeners follow from the seed and their number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from snacbench.errors import UserError, did_you_mean
from snacbench.listening.design import Page, pages_of
from snacbench.listening.simulated_listener import (
    CARELESS,
    Manner,
    Model,
    SimulatedListener,
    seeded,
    total_deviation,
)
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR35, ANCHOR70, REFERENCE, ListeningTest, System
from snacbench.stats.moments import Floats

SIMULATED_AS = "simulated_as"
"""Answer of every simulated listener's questionnaire: their manner."""

_ANCHOR_MEANS = {ANCHOR35: 20.0, ANCHOR70: 40.0}
_CLASSIC = ("opus", "mp3", "aac")
_SCALE_NODES = 15


def default_mean(system: System) -> float:
    """A plausible mean score, in points, higher is better, from a system's name and rate.

    A stand-in for a rehearsal, not a prediction: saturating curves through the scores that papers
    report for Opus and for neural codecs; 60 where the rate is not known.
    """
    if system.kbps is None:
        return 60.0
    if system.name.startswith(_CLASSIC):
        return float(95 - 75 * np.exp(-system.kbps / 16))
    return float(92 - 50 * np.exp(-system.kbps / 4))


def simulate(test: ListeningTest, model: Model, listeners: int, seed: int = 0) -> Study:
    """Answers of simulated listeners to a test; the study is marked as simulated.

    Listener n hears what `design.pages_of` deals to number n. How they were made to behave is in
    their answers under `SIMULATED_AS`.

    Raises
    ------
    UserError
        If `model` has a mean for a condition that the test does not have, or beyond the scale, or
        there are fewer listeners than careless ones and drop-outs.
    """
    quality = true_quality(test, model)
    manners, dropouts = manners_of(model, listeners, seed)
    ratings: list[Rating] = []
    choices: list[Choice] = []
    people = []
    for number, manner in enumerate(manners):
        name = f"simulated-{number + 1:03d}"
        person = SimulatedListener.of(model, quality, manner, seed, "listener", number)
        pages = [page for page in pages_of(test, number) if not page.training]
        answered = pages[: len(pages) // 2] if number in dropouts else pages
        for i, page in enumerate(answered):
            if page.kind == "mushra":
                ratings += _ratings(person, name, page, i)
            else:
                choices.append(_choice(person, name, page, i, allow_tie=test.allow_tie))
        finished = number not in dropouts
        people.append(Listener(name, {SIMULATED_AS: manner}, len(pages), finished))
    return Study(
        name=test.id,
        form=test.form,
        listeners=tuple(people),
        systems=tuple(system.name for system in test.systems),
        ratings=tuple(ratings),
        choices=tuple(choices),
        domains={item.id: item.domain for item in test.items},
        clips={item.id: item.clip for item in test.items},
        kbps={system.name: system.kbps for system in test.systems},
        simulated=True,
    )


def expected_means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Mean score of each condition over all honest listeners there could be, in points.

    Over the items of the test. It differs from the model's mean where scores meet the ends of the
    scale; it is exact but for the scale use, which is integrated numerically.
    """
    quality = true_quality(test, model)
    rated = [c for c in test.conditions if c != REFERENCE]
    means = np.array([[quality[item.id, c] for c in rated] for item in test.items])
    # Gauss-Hermite nodes of a standard normal, over which the scale use is integrated.
    nodes, weights = np.polynomial.hermite_e.hermegauss(_SCALE_NODES)
    centres = 100 - np.exp(model.scale_use * nodes) * (100 - means[..., None])
    scores = _on_slider(centres, total_deviation(model)) @ weights / weights.sum()
    found = 100 * model.reference_exact + 94.5 * (1 - model.reference_exact)
    missed = float(_on_slider(np.array(model.missed_score), total_deviation(model)))
    reference = (1 - model.reference_missed) * found + model.reference_missed * missed
    return {REFERENCE: reference, **dict(zip(rated, scores.mean(axis=0).tolist(), strict=True))}


def _on_slider(means: Floats, deviation: float) -> Floats:
    """Mean of normal values once they are clipped and rounded: the sum of the steps passed."""
    steps = np.arange(100) + 0.5
    return np.asarray(ndtr((means[..., None] - steps) / max(deviation, 1e-9)).sum(axis=-1))


def true_quality(test: ListeningTest, model: Model) -> dict[tuple[str, str], float]:
    """Mean quality of every (item, condition) but the reference over listeners, in points.

    Before clipping. Training items have the conditions' means.

    Raises
    ------
    UserError
        As `simulate`.
    """
    means = _means(test, model)
    shape = len(test.items), len(means)
    rng = seeded(test.seed, "items", test.id)
    items = _centred(rng.normal(0, model.spread.item, (shape[0], 1)))
    both = items + _centred(rng.normal(0, model.spread.item_system, shape))
    rated = {
        (item.id, condition): mean + float(both[i, c])
        for i, item in enumerate(test.items)
        for c, (condition, mean) in enumerate(means.items())
    }
    practice = {(item.id, c): mean for item in test.training for c, mean in means.items()}
    return {**practice, **rated}


def _centred(deviations: Floats) -> Floats:
    """With mean zero over the items; a single item does not deviate."""
    return np.asarray(deviations - deviations.mean(axis=0))


def _means(test: ListeningTest, model: Model) -> dict[str, float]:
    """Every condition but the reference, with its true mean."""
    usual = {
        **{c: m for c, m in _ANCHOR_MEANS.items() if c in test.conditions},
        **{system.name: default_mean(system) for system in test.systems},
    }
    for condition, mean in model.means.items():
        if condition not in usual:
            raise UserError(
                f"the test has no condition {condition!r} to give a mean; "
                f"{did_you_mean(condition, usual)}"
            )
        if not 0 <= mean <= 100:
            raise UserError(
                f"the mean of {condition} is {mean:g}; it must lie on the scale from 0 to 100"
            )
    return {**usual, **model.means}


def manners_of(model: Model, listeners: int, seed: int) -> tuple[list[Manner], frozenset[int]]:
    """Every listener's manner, and the numbers of those who stop half-way.

    Raises
    ------
    UserError
        If there are fewer listeners than careless ones and drop-outs.
    """
    odd = model.careless + model.dropouts
    if odd > listeners:
        raise UserError(
            f"{model.careless} careless listeners and {model.dropouts} who stop half-way are more "
            f"than {listeners} listeners; ask for {odd} or more"
        )
    order = seeded(seed, "manners").permutation(listeners)
    manners: list[Manner] = ["honest"] * listeners
    for k, number in enumerate(order[: model.careless]):
        manners[number] = CARELESS[k % len(CARELESS)]
    return manners, frozenset(int(number) for number in order[model.careless : odd])


def _ratings(person: SimulatedListener, name: str, page: Page, number: int) -> Sequence[Rating]:
    scores = person.rate(page.item, page.conditions)
    time_s = person.page_time_s(len(page.conditions))
    return [
        Rating(name, page.item, condition, float(score), number, place, time_s)
        for place, (condition, score) in enumerate(zip(page.conditions, scores, strict=True))
    ]


def _choice(
    person: SimulatedListener, name: str, page: Page, number: int, *, allow_tie: bool
) -> Choice:
    a, b = page.conditions[:2]
    time_s = person.page_time_s(2)
    if page.kind == "ab":
        answer = person.prefer(page.item, a, b, allow_tie=allow_tie)
        return Choice(name, page.item, a, b, answer, page=number, time_s=time_s)
    x = page.conditions[2]
    answer = person.identify(page.item, a, b, x)
    return Choice(name, page.item, a, b, answer, x=x, page=number, time_s=time_s)
