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
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from snacbench.packages import missing_package
from snacbench.settings import let_libraries_cache

Job = TypeVar("Job")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

# Numerical libraries read these when a worker starts; more threads than one would make results
# depend on the machine and workers compete for cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_DIED_TWICE = "the worker process died twice (out of memory, or a crash)"


class Source(Protocol[Job, Result_co]):
    """Where jobs come from: each result that was taken may make others ready."""

    def next(self, lane: str) -> Job | None:
        """A job for a worker of this lane; None if none is ready now.

        When no job is running and none is ready in any lane, the work is done.
        """

    def apart(self, job: Job) -> Sequence[Job]:
        """The parts in which a job is tried again after its worker has died."""

    def lost(self, job: Job, reason: str) -> Result_co:
        """The result of a part during which a worker died again."""


def default_jobs() -> int:
    """Number of workers: one per core that this process may use."""
    return len(os.sched_getaffinity(0))


def run_jobs(
    work: Callable[[Job], Result],
    source: Source[Job, Result],
    *,
    lanes: Mapping[str, int],
    log: Path,
) -> Iterator[tuple[Job, Result]]:
    """Run jobs in worker processes and yield each with its result, in no fixed order.

    `lanes` names the kinds of workers and how many there are of each; a worker starts when there
    is a first job for it. A job whose worker dies (out of memory, a crash in native code) is
    tried again, in its parts and when nothing else runs. An exception from `work` is raised here
    and ends everything. What libraries print in the workers goes to `log`.
    """
    crew: _Crew[Job, Result] = _Crew(work, lanes, log)
    suspects: deque[_Given[Job]] = deque()
    trial: _Given[Job] | None = None
    try:
        while True:
            if suspects and not crew.busy:
                trial = suspects.popleft()
                crew.give(trial)
            elif not suspects:
                crew.occupy(source)
            if not crew.busy:
                return
            for given, answer in crew.finished():
                if answer is not None:
                    if not suspects and given is not trial:
                        crew.occupy(source)  # first: nobody waits while the result is written
                    yield given.job, answer.result()
                elif given is trial:
                    yield given.job, source.lost(given.job, _DIED_TWICE)
                else:
                    suspects.extend(_Given(given.lane, part) for part in source.apart(given.job))
    finally:
        crew.stop()


@dataclass(frozen=True, eq=False)
class _Given(Generic[Job]):
    """A job on its way through a lane."""

    lane: str
    job: Job


@dataclass(frozen=True)
class _Answer(Generic[Result]):
    """What came of a job: its result, or the exception that it ended with."""

    value: Result | None
    error: Exception | None = None
    trace: str = ""

    def result(self) -> Result:
        """The result; raises what the job raised, with the worker's traceback as a note."""
        if self.error is not None:
            self.error.add_note(f"in a worker process:\n{self.trace}")
            raise self.error
        return self.value  # type: ignore[return-value]


@dataclass(eq=False)
class _Worker(Generic[Job]):
    process: ForkServerProcess
    pipe: Connection
    lane: str
    given: _Given[Job] | None = None


class _Crew(Generic[Job, Result]):
    """The workers of all lanes, what each is at, and how to end them."""

    def __init__(self, work: Callable[[Job], Result], lanes: Mapping[str, int], log: Path) -> None:
        self._work, self._lanes, self._log = work, lanes, log
        self._workers: list[_Worker[Job]] = []

    @property
    def busy(self) -> bool:
        """Whether any worker has a job."""
        return any(worker.given for worker in self._workers)

    def occupy(self, source: Source[Job, Result]) -> None:
        """Give every worker that is free, or could be started, a job that is ready."""
        for lane, most in self._lanes.items():
            while sum(w.lane == lane and w.given is not None for w in self._workers) < most:
                job = source.next(lane)
                if job is None:
                    break
                self.give(_Given(lane, job))

    def give(self, given: _Given[Job]) -> None:
        """Hand a job to a free worker of its lane, started if there is none."""
        free = (w for w in self._workers if w.lane == given.lane and w.given is None)
        worker = next(free, None) or self._start(given.lane)
        worker.given = given
        with suppress(BrokenPipeError):  # it has died meanwhile, which `finished` will see
            worker.pipe.send(given.job)

    def finished(self) -> Iterator[tuple[_Given[Job], _Answer[Result] | None]]:
        """Wait for workers that are done with their jobs; without an answer if they have died."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe)):
            worker = by_pipe[pipe]  # type: ignore[index]
            given, worker.given = worker.given, None
            try:
                answer: _Answer[Result] | None = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                answer = None
                self._workers.remove(worker)
                worker.process.join()
                worker.pipe.close()
            if given is not None:
                yield given, answer

    def stop(self) -> None:
        """End the workers now: on Ctrl-C or an error nobody waits for the clip they are at."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _start(self, lane: str) -> _Worker[Job]:
        for name in _ONE_THREAD:
            os.environ[name] = "1"
        let_libraries_cache()
        # Not forked from here: threads and CUDA do not survive it. The process that workers are
        # forked from imports, and computes nothing.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["snacbench.runner.preload"])
        ours, theirs = context.Pipe()
        # That process may have begun under another environment.
        arguments = (self._work, theirs, self._log, dict(os.environ))
        process = context.Process(target=_serve, args=arguments, daemon=True)
        # Blocked here, the signal is blocked there until the worker has said that it ignores it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that the worker's death is the end of the pipe
        worker: _Worker[Job] = _Worker(process, ours, lane)
        self._workers.append(worker)
        return worker


def _serve(
    work: Callable[[Any], Any], pipe: Connection, log: Path, environment: Mapping[str, str]
) -> None:
    """A worker's life: one job after another until the parent ends it."""
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
            answer = _Answer(work(job))
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            told = missing_package(error) or error  # now: a traceback is not sent
            answer = _Answer(None, _sendable(told), traceback.format_exc())
        pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    """The exception itself, or what it says where it does not survive being sent."""
    try:
        sent: Exception = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - a class from outside may raise anything here
        return RuntimeError(f"{type(error).__name__}: {error}")
    return sent
