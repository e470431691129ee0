"""AB tests: which of two systems listeners prefer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from snacbench.listening.analysis.cells import Ends, estimate
from snacbench.listening.study import Choice, Study
from snacbench.stats.clusters import Floats
from snacbench.stats.pairs import holm

_ROUNDS = 10_000
_CONVERGED = 1e-10


@dataclass(frozen=True)
class Preference:
    """One pair of systems.

    Attributes
    ----------
    wins, losses, ties : int
        Answers for the first, for the second, for neither.
    share : float
        Preference for the first, 0 to 1, ties counting half; every item counts the same.
    ends : Ends
        Its intervals.
    for_first, for_second, undecided : int
        Listeners by what most of their answers say.
    p_value, p_holm : float or None
        Exact sign test over the listeners who are not undecided, two-sided; by Holm's method over
        all pairs. None where all are undecided.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    share: float
    ends: Ends
    for_first: int
    for_second: int
    undecided: int
    p_value: float | None
    p_holm: float | None

    @property
    def listeners(self) -> int:
        """Who compared the two."""
        return self.for_first + self.for_second + self.undecided


@dataclass(frozen=True)
class Strength:
    """A system's Bradley-Terry strength: the share of preferences over an average system, 0 to 1.

    ``s / (1 + s)``, the strengths s having a geometric mean of 1; P(i over j) = s_i / (s_i + s_j)
    (Bradley and Terry, "Rank analysis of incomplete block designs", Biometrika 39, 1952). None
    where a system won always or never, or systems were not compared with each other.
    """

    system: str
    share: float | None


def preferences(study: Study, *, level: float = 0.95) -> tuple[Preference, ...]:
    """Every pair of systems that was compared, with Holm's correction over these."""
    pairs = list(combinations(study.systems, 2))
    answers = {pair: [c for c in study.choices if {c.a, c.b} == set(pair)] for pair in pairs}
    asked = [pair for pair in pairs if answers[pair]]
    found = [_preference(*pair, answers[pair], level) for pair in asked]
    adjusted = holm([one.p_value for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True))


def gain(choice: Choice, system: str) -> float:
    """What an answer says of one of its two systems: 1 preferred, 0.5 tie, 0 not."""
    if choice.answer == "tie":
        return 0.5
    return float({"a": choice.a, "b": choice.b}[choice.answer] == system)


def _preference(first: str, second: str, answers: Sequence[Choice], level: float) -> Preference:
    gains = [gain(choice, first) for choice in answers]
    e = estimate(share_table(answers, gains))
    net: dict[str, float] = {}
    for choice, value in zip(answers, gains, strict=True):
        net[choice.listener] = net.get(choice.listener, 0.0) + value - 0.5
    signs = Counter(int(np.sign(value)) for value in net.values())
    decided = signs[1] + signs[-1]
    p = float(stats.binomtest(signs[1], decided).pvalue) if decided else None
    return Preference(
        first=first,
        second=second,
        wins=gains.count(1.0),
        losses=gains.count(0.0),
        ties=gains.count(0.5),
        share=float(e.mean[0]),
        ends=e.within(level, 0.0, 1.0)[0],
        for_first=signs[1],
        for_second=signs[-1],
        undecided=signs[0],
        p_value=p,
        p_holm=None,
    )


def share_table(answers: Sequence[Choice], values: Sequence[float]) -> Floats:
    """Mean value of each listener on each item, shape (listeners, items, 1); NaN: not asked."""
    listeners = {name: i for i, name in enumerate(dict.fromkeys(c.listener for c in answers))}
    items = {name: i for i, name in enumerate(dict.fromkeys(c.item for c in answers))}
    sums, counts = np.zeros((2, len(listeners), len(items)))
    for choice, value in zip(answers, values, strict=True):
        place = listeners[choice.listener], items[choice.item]
        sums[place] += value
        counts[place] += 1
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)[:, :, None]


def strengths(study: Study) -> tuple[Strength, ...]:
    """Bradley-Terry strengths of all systems, strongest first; ties count half to both.

    By the iteration of Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of
    Statistics 32(1), 2004.
    """
    names = study.systems
    wins = np.zeros((len(names), len(names)))
    for choice in study.choices:
        a, b = names.index(choice.a), names.index(choice.b)
        wins[a, b] += gain(choice, choice.a)
        wins[b, a] += gain(choice, choice.b)
    if len(names) < 3 or not _strongly_connected(wins > 0):
        return tuple(Strength(name, None) for name in names)
    total, games = wins.sum(axis=1), wins + wins.T
    s = np.ones(len(names))
    for _ in range(_ROUNDS):
        updated = total / (games / (s[:, None] + s)).sum(axis=1)
        updated /= np.exp(np.log(updated).mean())
        done = np.abs(updated - s).max() < _CONVERGED
        s = updated
        if done:
            break
    order = np.argsort(-s, kind="stable")
    return tuple(Strength(names[i], float(s[i] / (1 + s[i]))) for i in order)


def _strongly_connected(beats: np.ndarray) -> bool:
    """Whether each system beats each other one, be it through others: else there is no maximum."""
    reach = beats | np.eye(len(beats), dtype=bool)
    for _ in range(len(beats)):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return bool(reach.all())
