"""Scoring in processes of its own: the peak of its memory, and whether two hinder each other."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, Literal

from benchmarks._material import Item, renewed
from benchmarks._memory import peak_mib
from benchmarks._ours import default_metrics, score_together
from benchmarks._peers import score_all

Who = Literal["ours", "peers"]
_SPAWN = multiprocessing.get_context("spawn")
# Of the wall clock: with less, other programs took part of the core, and wall time says nothing.
_IDLE = 0.95


@dataclass(frozen=True)
class Pace:
    """How long so many processes took for the same items each."""

    processes: int
    wall_s: float
    cpu_s: float  # of one process, on average


def peak_of(who: Who, item: Item) -> float:
    """Peak memory in MiB of a process that scores one item by the default metrics."""
    with _SPAWN.Pool(1) as pool:
        return float(pool.apply(_peak, (who, item)))


def paces(items: Sequence[Item], rounds: int) -> list[Pace]:
    """One process and two, in turn; of each the round with the least CPU time."""
    best: dict[int, Pace] = {}
    for _ in range(rounds):
        for processes in (1, 2):
            pace = _pace(items, processes)
            if processes not in best or pace.cpu_s < best[processes].cpu_s:
                best[processes] = pace
    return [best[1], best[2]]


def throughput_ratio(one: Pace, two: Pace) -> tuple[float, str]:
    """Throughput of two processes over that of one, and by which clock.

    By the wall clock where the machine was idle. Where other programs took their share of the
    cores, by CPU time: how much two processes slow each other down.
    """
    if min(pace.cpu_s / pace.wall_s for pace in (one, two)) > _IDLE:
        return 2 * one.wall_s / two.wall_s, "wall time"
    return 2 * one.cpu_s / two.cpu_s, "CPU time, as the machine is busy"


def _pace(items: Sequence[Item], processes: int) -> Pace:
    barrier, used = _SPAWN.Barrier(processes + 1), _SPAWN.SimpleQueue()
    workers = [_SPAWN.Process(target=_score, args=(items, barrier, used)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    started = time.perf_counter()
    cpu_s = [used.get() for _ in workers]
    wall_s = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return Pace(processes, wall_s, sum(cpu_s) / processes)


def _score(items: Sequence[Item], barrier: Barrier, used: Any) -> None:
    _warm_up(items)
    barrier.wait()
    started = time.process_time()
    for item in items:
        _all_scores("ours", item)
    used.put(time.process_time() - started)


def _warm_up(items: Sequence[Item]) -> None:
    for item in {item.domain: item for item in items}.values():
        _all_scores("ours", Item(item.domain, item.reference, item.degraded[:1]))


def _all_scores(who: Who, item: Item) -> None:
    fresh = renewed(item)
    if who == "ours":
        for _ in score_together(default_metrics(item.domain), fresh, len(fresh.degraded)):
            pass
        return
    specs = [metric.spec for metric in default_metrics(item.domain)]
    for degraded in fresh.degraded:
        score_all(fresh.reference, degraded, specs)


def _peak(who: Who, item: Item) -> float:
    _all_scores(who, item)
    return peak_mib()
