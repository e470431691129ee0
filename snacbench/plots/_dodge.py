"""Marks of several models at about one place, moved apart until each can be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]
MARGIN = 1.35  # what a logarithmic axis leaves beside its outermost marks, as a factor
_SAME = 0.01  # logarithm of a factor: marks that are closer cover each other
_STEP_IN = 0.05  # from mark to mark: bars are apart, marks overlap a little
_MOST_STEPS = 4  # from the first to the last mark of a place
_SHARE_OF_GAP = 0.8  # of the way to the next place, by both together: places keep their order


def side_by_side(x: Sequence[float], models: Sequence[str], *, width_in: float) -> list[float]:
    """Where to draw marks on a logarithmic axis, in the order given.

    Where marks of several models cover each other, these and what lies within a step of them are
    moved, as little as leaves a step between any two models. All others stay.

    Parameters
    ----------
    x : sequence of float
        Where the marks belong, above 0.
    models : sequence of str
        Whose they are.
    width_in : float
        Of the panel, in inches.
    """
    if not x:
        return []
    belongs = np.log(x)
    drawn = belongs.copy()
    step = (np.ptp(belongs) + 2 * math.log(MARGIN)) * _STEP_IN / width_in
    places = _places(belongs, step)
    for place in places:
        if not any(
            models[i] != models[j] and belongs[j] - belongs[i] <= _SAME for i, j in pairwise(place)
        ):
            continue
        here = {m: [i for i in place if models[i] == m] for m in (models[i] for i in place)}
        steps = len(here) - 1
        gaps = (belongs[b[0]] - belongs[a[-1]] for a, b in pairwise(places) if place in (a, b))
        room = min([step * _MOST_STEPS, *(_SHARE_OF_GAP * gap for gap in gaps)])
        centres = [float(belongs[marks].mean()) for marks in here.values()]
        shifts = _shifts(centres, min(step, room / steps))
        for marks, shift in zip(here.values(), shifts, strict=True):
            drawn[marks] += shift
    return [float(at) for at in np.where(drawn == belongs, x, np.exp(drawn))]


def _places(belongs: _Floats, step: float) -> list[list[int]]:
    """Marks within a step of the leftmost of their place, as indices, from left to right."""
    places: list[list[int]] = []
    for i in np.argsort(belongs, kind="stable").tolist():
        if places and belongs[i] - belongs[places[-1][0]] <= step:
            places[-1].append(i)
        else:
            places.append([i])
    return places


def _shifts(centres: Sequence[float], step: float) -> _Floats:
    """The least moves, in squares, after which rising values are a step apart."""
    from scipy.optimize import isotonic_regression

    closed = np.asarray(centres) - step * np.arange(len(centres))
    return np.asarray(isotonic_regression(closed).x - closed)
