"""Worker processes with one thread each, that survive a worker's death."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# Numerical libraries read these when a worker starts; more threads than one would make results
# depend on the machine and workers compete for cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_AHEAD = 4  # jobs queued per worker: enough to keep it busy, few enough to stop quickly


def default_jobs() -> int:
    """Number of workers: one per core that this process may use."""
    return len(os.sched_getaffinity(0))


def run_jobs(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    died: Callable[[Job, str], Result],
    log: Path,
) -> Iterator[Result]:
    """Run jobs in worker processes and yield results as they come, in no fixed order.

    When a worker dies (out of memory, a crash in native code), the jobs that were with the
    workers are tried again one by one, and the one during which a worker dies again gets what
    `died` makes of it. An exception from `work` is raised here and ends everything. What
    libraries print in the workers goes to `log`.
    """
    suspects = yield from _run(work, list(jobs), workers, log)
    while suspects:
        first, *rest = suspects
        again = yield from _run(work, [first], 1, log)
        if again:
            yield died(first, "the worker process died twice (out of memory, or a crash)")
        suspects = rest
        if len(rest) > workers * _AHEAD:
            suspects = yield from _run(work, rest, workers, log)


def _run(
    work: Callable[[Job], Result], jobs: list[Job], workers: int, log: Path
) -> Generator[Result, None, list[Job]]:
    """Run jobs until all are done or a worker dies; returns the jobs that are left."""
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    waiting = list(reversed(jobs))
    running: dict[Future[Result], Job] = {}
    context = multiprocessing.get_context("spawn")  # threads and CUDA do not survive a fork
    executor = ProcessPoolExecutor(
        max(1, min(workers, len(jobs))),
        mp_context=context,
        initializer=_start_worker,
        initargs=(log,),
    )
    try:
        while waiting or running:
            while waiting and len(running) < workers * _AHEAD:
                running[executor.submit(work, waiting[-1])] = waiting[-1]
                waiting.pop()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        return [*running.values(), *reversed(waiting)]
    finally:
        _stop(executor)
    return []


def _start_worker(log: Path) -> None:
    """Leave Ctrl-C to the parent, end with it even when it is killed, and be quiet."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), sys.stderr.fileno())


def _stop(executor: ProcessPoolExecutor) -> None:
    """End the workers now: on Ctrl-C or an error nobody waits for the clip they are at."""
    processes = list((executor._processes or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
