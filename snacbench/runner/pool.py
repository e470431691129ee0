"""Jobs in processes of one thread each, as they become ready, on this machine or a cluster's.

Each process is an executor of its own and has one job at a time, so that it is known which job a
process was at when it died: that job is tried once more, alone, and no other is lost.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.packages import missing_package
from snacbench.settings import let_libraries_cache

if TYPE_CHECKING:
    from snacbench.runner.cluster import DaskWorkers

Rows = list[object]
Answer = Rows | Exception  # what a job came to, or ended with

# Numerical libraries read these when a worker starts; more threads than one would make results
# depend on the machine and workers compete for cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
LOG = "workers.log"
LOOK_AGAIN_S = 1.0  # how often to look whether a cluster has got more workers
DIED_TWICE = "the worker process died twice (out of memory, or a crash)"


class Job(ABC):
    """What a worker does at once; it is sent there by value."""

    @abstractmethod
    def run(self) -> Rows:
        """Do it, in the worker; a UserError ends the run."""

    def apart(self) -> "Sequence[Job]":
        """The parts in which it is tried again after its worker has died."""
        return [self]

    @abstractmethod
    def lost(self, reason: str) -> Rows:
        """What comes of it if a worker dies again."""


def default_jobs() -> int:
    """Number of workers: one per core that this process may use."""
    return len(os.sched_getaffinity(0))


def run_jobs(
    ready: Callable[[str], Job | None], workers: "LocalWorkers | DaskWorkers"
) -> Iterator[tuple[Job, Rows]]:
    """Have jobs done and yield each with its result, in no fixed order; then end the workers.

    `ready` gives a job for a lane, or None if there is none now; when none is running either, the
    work is done. A job whose process dies (out of memory, a crash in native code) is tried again
    in its parts, alone. An exception from a job is raised here and ends everything.
    """
    running: dict[Future[Answer], tuple[str, Job, bool]] = {}
    retry_queue: deque[tuple[str, Job]] = deque()

    def occupy() -> None:
        """Give every worker that is free, or could be started, a job that is ready."""
        for lane, most in workers.lanes.items():
            while sum(of == lane for of, _, _ in running.values()) < most:
                if (job := ready(lane)) is None:
                    break
                running[workers.submit(lane, job)] = lane, job, False

    try:
        while True:
            if not retry_queue:
                occupy()
            elif not (running and workers.one_machine):
                lane, job = retry_queue.popleft()
                running[workers.submit(lane, job)] = lane, job, True
            if not running:
                return
            look_again_s = None if workers.one_machine else LOOK_AGAIN_S
            done, _ = wait(running, look_again_s, FIRST_COMPLETED)
            for future in done:
                lane, job, again = running.pop(future)
                try:
                    answer = future.result()
                except BrokenExecutor:
                    if again:
                        yield job, job.lost(DIED_TWICE)
                    else:
                        retry_queue.extend((lane, part) for part in job.apart())
                    continue
                if not retry_queue and not again:
                    occupy()  # first: nobody waits while the result is written
                if isinstance(answer, Exception):
                    raise answer
                yield job, answer
    finally:
        workers.close()


def run_all(jobs: Iterable[Job], *, log: Path, workers: int = 1) -> Iterator[Rows]:
    """Have jobs done by processes of this machine, as `run_jobs`; yields what comes of each."""
    left = iter(jobs)
    done = run_jobs(lambda lane: next(left, None), LocalWorkers({"": workers}, log))
    yield from (rows for _, rows in done)


# ------------------------------------------------------------------- processes of this machine
@dataclass(eq=False)
class LocalWorkers:
    """Processes of this machine, so many at most in each lane, started when they are needed.

    What libraries print in them goes to `log`. Of `one_machine` they share a memory, so that a job
    is alone only if nothing else runs, and always are as many.
    """

    lanes: Mapping[str, int]
    log: Path
    one_machine: bool = True
    _children: "list[tuple[str, Child]]" = field(default_factory=list)

    def submit(self, lane: str, job: Job) -> Future[Answer]:
        """Have a job done by a process of the lane that is free, or by a new one.

        The future raises BrokenExecutor if its process died.
        """
        self._children = [(of, child) for of, child in self._children if child.alive]
        for of, child in self._children:
            if of == lane and child.free:
                with suppress(BrokenExecutor):  # it has died with nothing to do
                    return child.submit(job)
        self._children.append((lane, child := Child(self.log)))
        try:
            return child.submit(job)
        except BrokenExecutor as error:  # while it began
            failed: Future[Answer] = Future()
            failed.set_exception(error)
            return failed

    def pids(self) -> list[int]:
        """The processes that there are."""
        return [child.pid for _, child in self._children if child.alive]

    def close_idle(self, after_s: float) -> None:
        """End the processes that have had nothing to do for so long."""
        for lane, child in list(self._children):
            if child.free and time.monotonic() - child.free_since > after_s:
                self._children.remove((lane, child))
                child.kill()

    def close(self) -> None:
        """End all processes, whatever they are at."""
        for _, child in self._children:
            child.kill()
        for _, child in self._children:
            child.executor.shutdown()


class Child:
    """A process that does one job at a time, and what it prints goes to a file.

    Not forked from here: threads and CUDA do not survive it. The process that it is forked from
    imports, and computes nothing.
    """

    def __init__(self, log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["snacbench.runner.preload"])
        # Blocked here, the signal is blocked there until the process has said that it ignores it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with _environment_of_workers():
                ended, self._lifeline = context.Pipe(duplex=False)
                # The process that it is forked from may have begun under another environment.
                arguments = (log, dict(os.environ), ended)
                self.executor = ProcessPoolExecutor(1, context, _begin, arguments)
                self._pid = self.executor.submit(os.getpid)
                ended.close()  # here: its end over there says that this process has ended
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._at: Future[Any] = self._pid
        self.free_since = time.monotonic()

    @property
    def free(self) -> bool:
        """Whether it could begin a job now."""
        return self._at.done()

    @property
    def alive(self) -> bool:
        """Whether it is not known to have died."""
        return not (self._at.done() and isinstance(self._at.exception(), BrokenExecutor))

    def submit(self, job: Job) -> Future[Answer]:
        """Have it do a job; the future raises BrokenExecutor if it dies, as this does if it has."""
        self._at = self.executor.submit(_attempt, job)
        self._at.add_done_callback(self._rest)
        return self._at

    def _rest(self, _: Future[Any]) -> None:
        self.free_since = time.monotonic()

    @property
    def pid(self) -> int:
        """Its number, once it has begun."""
        return self._pid.result()

    def kill(self) -> None:
        """End it now."""
        with suppress(BrokenExecutor, ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def without(mapping: MutableMapping[str, Any], *names: str) -> Iterator[None]:
    """While it lasts, a mapping begins without some entries; then it has those of before."""
    before = {name: mapping.pop(name) for name in names if name in mapping}
    try:
        yield
    finally:
        for name in names:
            mapping.pop(name, None)
        mapping.update(before)


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    """One numerical thread in what is started, and the caller's script not run there again."""
    # Libraries read the number of threads and their cache's folder while they are imported. Python
    # would import the script that began the run in every worker, which needs nothing of it. Here
    # all stays as it was.
    script, before = sys.modules["__main__"].__dict__, dict(os.environ)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    let_libraries_cache()
    try:
        with without(script, "__file__", "__spec__"):
            script["__spec__"] = None
            yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _begin(log: Path, environment: Mapping[str, str], ended: Connection) -> None:
    """Make the process that runs this a worker's, which ends with the one that began it."""

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            ended.recv()
        os.kill(os.getpid(), signal.SIGKILL)

    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Else it would wait for its next job for ever, and the one that it is forked from for it.
    threading.Thread(target=end_with_parent, daemon=True).start()
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), sys.stderr.fileno())


def _attempt(job: Job) -> Answer:
    try:
        return job.run()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        told = missing_package(error) or error
        try:
            pickle.loads(pickle.dumps(told))
        except Exception:  # noqa: BLE001 - a class from outside may raise anything here
            told = RuntimeError(f"{type(error).__name__}: {error}")
        told.add_note(f"in a worker process:\n{traceback.format_exc()}")  # which is not sent
        return told
