"""CPU seconds on a machine where others work too: in turn, and the least of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

Work = Callable[[], Iterable[object]]
# Makes a piece of work with fresh signals, outside of what is timed.
Setup = Callable[[], Work]


def cpu_s(work: Work) -> float:
    """CPU seconds of this process for all that the work yields."""
    started = time.process_time()
    for _ in work():
        pass
    return time.process_time() - started


def least_cpu_s(ways: Mapping[str, Setup], rounds: int) -> dict[str, float]:
    """CPU seconds of every way to do something.

    All ways are timed in every round, one after the other, so that other work on the machine hits
    all of them; of each, the round that it hit least counts.
    """
    found = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, setup in ways.items():
            found[name] = min(found[name], cpu_s(setup()))
    return found
