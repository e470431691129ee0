"""Worker processes with one thread each, that take jobs as they become ready.

Every worker has a pipe of its own and one job at a time, so that it is known which job a worker
was at when it died: that job is tried once more, alone, and no other is lost.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from snacbench.packages import missing_package
from snacbench.settings import let_libraries_cache

Rows = list[object]

# Numerical libraries read these when a worker starts; more threads than one would make results
# depend on the machine and workers compete for cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
DIED_TWICE = "the worker process died twice (out of memory, or a crash)"


class Job(ABC):
    """What a worker does at once; it is sent there by value."""

    @abstractmethod
    def run(self) -> Rows:
        """Do it, in the worker; a UserError ends the run."""

    def apart(self) -> Sequence[Job]:
        """The parts in which it is tried again after its worker has died."""
        return [self]

    @abstractmethod
    def lost(self, reason: str) -> Rows:
        """What comes of it if a worker dies again."""


def default_jobs() -> int:
    """Number of workers: one per core that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(eq=False)
class _Worker:
    """A process of a lane, and the job that it is at."""

    process: ForkServerProcess
    pipe: Connection
    lane: str
    job: Job | None = None


def run_jobs(  # noqa: PLR0912 - one loop that reads from top to bottom
    ready: Callable[[str], Job | None], *, lanes: Mapping[str, int], log: Path
) -> Iterator[tuple[Job, Rows]]:
    """Run jobs in worker processes and yield each with its result, in no fixed order.

    `lanes` names the kinds of workers and how many there are of each. `ready` gives a job for a
    lane, or None if there is none now; when none is running either, the work is done. A job whose
    worker dies (out of memory, a crash in native code) is tried again in its parts, when nothing
    else runs. An exception from a job is raised here and ends everything. What libraries print in
    the workers goes to `log`.
    """
    workers: list[_Worker] = []
    retry_queue: deque[tuple[str, Job]] = deque()
    retried: Job | None = None

    def give(lane: str, job: Job) -> None:
        free = (w for w in workers if w.lane == lane and w.job is None)
        worker = next(free, None)
        if worker is None:
            workers.append(worker := _started(lane, log))
        worker.job = job
        with suppress(BrokenPipeError):  # it has died meanwhile, which is seen below
            worker.pipe.send(job)

    def occupy() -> None:
        """Give every worker that is free, or could be started, a job that is ready."""
        for lane, most in lanes.items():
            while sum(w.lane == lane and w.job is not None for w in workers) < most:
                if (job := ready(lane)) is None:
                    break
                give(lane, job)

    try:
        while True:
            if not retry_queue:
                occupy()
            elif not any(worker.job is not None for worker in workers):
                lane, retried = retry_queue.popleft()
                give(lane, retried)
            if not any(worker.job is not None for worker in workers):
                return
            for worker in _done(workers):
                job, worker.job = worker.job, None
                try:
                    result, error, trace = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    workers.remove(worker)
                    worker.process.join()
                    worker.pipe.close()
                    if job is retried and job is not None:
                        yield job, job.lost(DIED_TWICE)
                    elif job is not None:
                        retry_queue.extend((worker.lane, part) for part in job.apart())
                    continue
                assert job is not None
                if not retry_queue and job is not retried:
                    occupy()  # first: nobody waits while the result is written
                if error is not None:
                    error.add_note(f"in a worker process:\n{trace}")
                    raise error
                yield job, result
    finally:
        # On Ctrl-C or an error nobody waits for the clip that a worker is at.
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()


def _done(workers: Sequence[_Worker]) -> list[_Worker]:
    """Workers that are done with their jobs, or have died, once there is one."""
    found = wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in found]


def _started(lane: str, log: Path) -> _Worker:
    # Not forked from here: threads and CUDA do not survive it. The process that workers are
    # forked from imports, and computes nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["snacbench.runner.preload"])
    ours, theirs = context.Pipe()
    # Blocked here, the signal is blocked there until the worker has said that it ignores it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _environment_of_workers():
            # The process that it is forked from may have begun under another environment.
            arguments = (theirs, log, dict(os.environ))
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()  # so that the worker's death is the end of the pipe
    return _Worker(process, ours, lane)


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    """One numerical thread in what is started, and the caller's script not run there again.

    Libraries read the number of threads and their cache's folder while they are imported. Python
    would import the script that began the run in every worker, which needs nothing of it. Here all
    stays as it was.
    """
    script, before = sys.modules["__main__"].__dict__, dict(os.environ)
    hidden: dict[str, Any] = {n: script[n] for n in ("__file__", "__spec__") if n in script}
    script["__spec__"] = None
    script.pop("__file__", None)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    let_libraries_cache()
    try:
        yield
    finally:
        script.update(hidden)
        os.environ.clear()
        os.environ.update(before)


def _serve(pipe: Connection, log: Path, environment: Mapping[str, str]) -> None:
    """A worker's life: one job after another, until the parent ends it.

    It answers with the result, the exception that the job ended with, and its traceback.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), sys.stderr.fileno())
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[Rows | None, Exception | None, str] = (job.run(), None, "")
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            told = missing_package(error) or error  # now: a traceback is not sent
            try:
                pickle.loads(pickle.dumps(told))
            except Exception:  # noqa: BLE001 - a class from outside may raise anything here
                told = RuntimeError(f"{type(error).__name__}: {error}")
            answer = (None, told, traceback.format_exc())
        pipe.send(answer)
