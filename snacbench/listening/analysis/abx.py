"""ABX tests: whether listeners can tell a system from the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import stats

from snacbench.listening.analysis.cells import Ends, estimate
from snacbench.listening.analysis.preference import share_table
from snacbench.listening.study import Choice, Study
from snacbench.stats.pairs import holm

CHANCE = 0.5

POOLED_CAVEAT = (
    "p over all trials tests that nobody hears any difference (every answer a coin flip); a small "
    "one says that somebody does, not that most listeners do: see the listeners one by one"
)


@dataclass(frozen=True)
class ListenerResult:
    """One listener on one system: right answers, and the exact one-sided binomial p value."""

    listener: str
    system: str
    correct: int
    trials: int
    p_value: float
    p_holm: float | None = None


@dataclass(frozen=True)
class Identification:
    """One system against the reference.

    Attributes
    ----------
    correct, trials : int
        Right answers, over all listeners.
    share : float
        Right answers, 0 to 1, every item counting the same; 0.5 is guessing.
    ends : Ends
        Its intervals.
    p_value, p_holm : float
        Exact binomial test of guessing over all trials, one-sided; by Holm's method over the
        systems. See `POOLED_CAVEAT`.
    by_listener : tuple of ListenerResult
        With Holm's correction over the listeners of this system.
    """

    system: str
    correct: int
    trials: int
    share: float
    ends: Ends
    p_value: float
    p_holm: float | None
    by_listener: tuple[ListenerResult, ...]

    @property
    def listeners(self) -> int:
        """Who was asked."""
        return len(self.by_listener)


def identifications(study: Study, *, level: float = 0.95) -> tuple[Identification, ...]:
    """Every system that was asked for, in the study's order."""
    by_system = {name: [c for c in study.choices if name in (c.a, c.b)] for name in study.systems}
    found = [_identify(name, asked, level) for name, asked in by_system.items() if asked]
    adjusted = holm([one.p_value for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True))


def is_right(choice: Choice) -> bool:
    """Whether the listener took X for what it was; "no idea" is wrong."""
    return {"a": choice.a, "b": choice.b}.get(choice.answer) == choice.x


def _identify(system: str, answers: Sequence[Choice], level: float) -> Identification:
    right = [is_right(choice) for choice in answers]
    e = estimate(share_table(answers, [float(value) for value in right]))
    return Identification(
        system=system,
        correct=sum(right),
        trials=len(right),
        share=float(e.mean[0]),
        ends=e.within(level, 0.0, 1.0)[0],
        p_value=guessing_p(sum(right), len(right)),
        p_holm=None,
        by_listener=_by_listener(system, answers, right),
    )


def guessing_p(correct: int, trials: int) -> float:
    """Probability of so many right answers or more by guessing."""
    return float(stats.binomtest(correct, trials, CHANCE, alternative="greater").pvalue)


def _by_listener(
    system: str, answers: Sequence[Choice], right: Sequence[bool]
) -> tuple[ListenerResult, ...]:
    results: dict[str, list[bool]] = {}
    for choice, value in zip(answers, right, strict=True):
        results.setdefault(choice.listener, []).append(value)
    found = [
        ListenerResult(name, system, sum(r), len(r), guessing_p(sum(r), len(r)))
        for name, r in results.items()
    ]
    adjusted = holm([one.p_value for one in found])
    return tuple(replace(one, p_holm=p) for one, p in zip(found, adjusted, strict=True))
