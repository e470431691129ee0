"""How much ratings vary, and with what: taken from a study, or from what others measured.

A score is taken as the sum of its condition's mean and six independent deviations: the crossed
random-effects model of generalizability theory (Brennan, "Generalizability Theory", 2001, ch. 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import UserError
from snacbench.listening.study import Study
from snacbench.stats.clusters import Floats


@dataclass(frozen=True)
class Spread:
    """Standard deviations of ratings, in points of the scale from 0 to 100; smaller is surer.

    The defaults are rounded from `spread_of` the published ratings of seven neural codecs on 16
    items of speech, by 19 listeners who passed the screening: 12.2, 6.2, 7.3, 2.7, 9.9, 15.9 points
    in the order below (Stahl, Windtner and Sontacchi, "A Bitrate-Scalable Variational Recurrent
    Mel-Spectrogram Coder for Real-Time Resynthesis-Based Speech Coding", IEEE Access 12, 2024).
    26 experts who rated low-pass filters on three items of music differed far less: 11.1, 5.2, 5.6,
    4.1, 1.6, 6.9 (Torcoli et al., "ODAQ: Open Dataset of Audio Quality", ICASSP 2024, method LP).

    Attributes
    ----------
    listener : float
        Of a listener on all scores: generous or strict. Cancels where systems are compared.
    listener_system : float
        Of a listener's opinion on one system. No number of items averages it out.
    listener_item : float
        Of a listener on one item, for all systems alike. Cancels.
    item : float
        Of an item on all scores: hard or easy to code. Cancels.
    item_system : float
        Of one system on one item. The same for all listeners, so that only further items, and
        not further listeners, tell more about it.
    residual : float
        What is left: a listener who rates the same page again.
    """

    listener: float = 12.0
    listener_system: float = 6.0
    listener_item: float = 7.5
    item: float = 3.0
    item_system: float = 10.0
    residual: float = 16.0


def spread_of(study: Study) -> Spread:
    """Spread of a study's ratings of its systems, in points; smaller is surer.

    Ratings are compared in pairs of pages that share the listener, the item, or neither; half the
    mean squared difference is the sum of the variances that the two do not share. Differences
    between two systems, treated alike, show the interactions. All are unbiased where listeners rate
    only some of the items, too; what comes out below zero is given as 0. Pages on which a system is
    missing are left out.

    Raises
    ------
    UserError
        If there are fewer than two systems, listeners or items, or no listener rated two items, or
        no item was rated by two listeners.
    """
    listeners, items, scores = _pages(study)
    left, right = np.array(list(combinations(range(scores.shape[1]), 2)), int).reshape(-1, 2).T
    single = _half_squares(scores, listeners, items)
    paired = _half_squares(scores[:, left] - scores[:, right], listeners, items)
    listener_system = (paired.neither - paired.same_listener) / 2
    item_system = (paired.neither - paired.same_item) / 2
    residual = paired.neither / 2 - listener_system - item_system
    listener = single.neither - single.same_listener - listener_system
    item = single.neither - single.same_item - item_system
    known = listener_system + item_system + residual + listener + item
    variances = (
        listener, listener_system, single.neither - known, item, item_system, residual,
    )  # fmt: skip
    deviations = (round(float(np.sqrt(max(v, 0.0))), 3) for v in variances)
    return Spread(**dict(zip((f.name for f in fields(Spread)), deviations, strict=True)))


def _pages(study: Study) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Listener, item and scores of each complete page: shapes (pages,), (pages,), and systems."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for rating in study.ratings:
        found.setdefault((rating.listener, rating.item), {})[rating.condition] = rating.score
    pages = {key: page for key, page in found.items() if page.keys() >= set(study.systems)}
    people, items = (_numbers([key[side] for key in pages]) for side in (0, 1))
    counts = len(study.systems), len(set(people)), len(set(items))
    if min(counts) < 2 or len(pages) in counts[1:]:
        raise UserError(
            f"{study.name}: the spread of ratings takes two systems, and two listeners who rated "
            f"two items each; found {counts[0]} systems, and {counts[1]} listeners who rated "
            f"{counts[2]} items on {len(pages)} complete pages"
        )
    scores = np.array([[page[s] for s in study.systems] for page in pages.values()], float)
    return people, items, scores


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    return np.unique(np.array(names, str), return_inverse=True)[1]


@dataclass(frozen=True)
class _HalfSquares:
    """Half the mean squared difference over pairs of pages, by what the pages share."""

    neither: float
    same_listener: float
    same_item: float


def _half_squares(
    values: Floats, listeners: NDArray[np.intp], items: NDArray[np.intp]
) -> _HalfSquares:
    """Of values of shape (pages, columns), over all columns."""
    everything = np.zeros(len(values), np.intp)
    total, of_listener, of_item = (_sum(values, by) for by in (everything, listeners, items))
    neither = total - of_listener - of_item
    means = (float(s / pairs / values.shape[1]) for s, pairs in (neither, of_listener, of_item))
    return _HalfSquares(*means)


def _sum(values: Floats, group: NDArray[np.intp]) -> NDArray[np.float64]:
    """Half the squared differences summed over pairs within groups; and the number of pairs."""
    size = np.bincount(group).astype(float)
    sums = np.zeros((len(size), values.shape[1]))
    squares = np.zeros_like(sums)
    np.add.at(sums, group, values)
    np.add.at(squares, group, values**2)
    halves = (size[:, None] * squares - sums**2).sum() / 2
    return np.array([halves, (size * (size - 1) / 2).sum()])
