"""Jobs on a Dask cluster: one that runs, or one that the queue of a computing centre starts.

Dask brings a job to a worker of its own, and there a process of `pool` does it: what crashes takes
that process down and nothing of Dask's, and the rules are those of one machine. A job whose worker
is lost, because a node went down or its time was over, has not crashed: it is done elsewhere.
"""

import multiprocessing.process
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from snacbench.errors import MissingPackage, UserError
from snacbench.runner.plan import CPU, CUDA
from snacbench.runner.pool import LOOK_AGAIN_S, Answer, Job, LocalWorkers, without
from snacbench.runner.schedule import CHECK
from snacbench.runner.versions import package_versions
from snacbench.store.run_folder import RunFolder

if TYPE_CHECKING:
    from distributed import Client

Cluster: TypeAlias = "Client | str | Path | None"  # None: this machine
CONNECT_S = 30.0
IDLE_S = 120.0  # after which a process that has nothing to do gives its memory back
MOST_WORKERS_LOST = 5  # by one job, after which it counts as one that crashes
GPU = "GPU"  # the resource that workers with one announce: dask worker --resources GPU=1
_QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster"}


def described(client: Cluster, jobs: int | None) -> tuple[str, Mapping[str, Any]] | None:
    """The queue that a YAML file describes, and its settings; None for a scheduler that answers.

    Raises UserError if the scheduler does not answer, or the file describes no queue that is known.
    Raises MissingPackage if ``distributed``, or for a file ``dask-jobqueue``, is not installed. All
    that can be told before anything is started, or changed, is.
    """
    if not isinstance(client, str | Path):
        return None
    cluster = str(client)
    by_file = cluster.endswith((".yaml", ".yml"))
    try:
        import dask
        import distributed  # noqa: F401

        if by_file:
            import dask_jobqueue  # noqa: F401
    except ImportError as error:
        text = "--cluster needs Dask; run pip install '.[cluster]' in snacbench's checkout"
        raise MissingPackage(text) from error
    if not by_file:
        _client_of(cluster).close()
        return None
    if not Path(cluster).is_file():
        text = f"there is no file {cluster}; --cluster takes tcp://HOST:PORT or a YAML file"
        raise UserError(text)
    try:
        (settings,) = dask.config.collect_yaml([cluster])
        queues = [name for name in settings["jobqueue"] if name in _QUEUES]
    except (ValueError, KeyError, TypeError):  # no YAML, or another one
        queues = []
    if len(queues) != 1:
        raise UserError(
            f"{cluster} does not describe a queue: expected one of {', '.join(_QUEUES)} below "
            "jobqueue, as in dask-jobqueue's documentation"
        )
    if jobs is None:
        raise UserError(f"say how many workers are to be asked of the queue in {cluster}: --jobs N")
    return queues[0], settings


def _client_of(address: str) -> "Client":
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"no scheduler answers at {address} ({error}); start one with 'dask scheduler', "
            "and name the address that it prints"
        ) from error


@contextmanager
def workers_on(
    client: "Client | str | Path", folder: RunFolder, jobs: int | None
) -> "Iterator[LocalWorkers | DaskWorkers]":
    """Workers of a scheduler (``tcp://host:8786``, or a client of it), or of a queue.

    A YAML file, which is dask-jobqueue's own configuration, describes a queue; `jobs` workers are
    asked of it, and given back at the end. Raises as `described`.
    """
    if not isinstance(client, str | Path):
        yield DaskWorkers(client, folder)
    elif found := described(client, jobs):
        import dask
        import dask_jobqueue
        from distributed import Client

        name, settings = found
        merged = dask.config.merge(dask.config.config, settings)  # beside what it presumes
        with dask.config.set(merged), getattr(dask_jobqueue, _QUEUES[name])() as queue:
            queue.scale(jobs)
            with Client(queue, set_as_default=False) as of_queue:
                yield DaskWorkers(of_queue, folder)
    else:
        with _client_of(str(client)) as of_scheduler:
            yield DaskWorkers(of_scheduler, folder)


@dataclass(eq=False)
class DaskWorkers:
    """The workers of a cluster, as many as there are from time to time."""

    client: "Client"
    folder: RunFolder
    one_machine: bool = False
    _sent: dict[Future[Answer], Any] = field(default_factory=dict)
    _lanes: Mapping[str, int] = field(default_factory=dict)
    _looked: float = -LOOK_AGAIN_S

    def __post_init__(self) -> None:
        self._place = _Place(self.folder.path.resolve(), self.folder.run.id, package_versions())

    @property
    def lanes(self) -> Mapping[str, int]:
        """How many jobs to have sent: one more for each worker than it is at, so that none waits.

        A job is sent where there is no worker yet: it waits for the first one.
        """
        if time.monotonic() - self._looked > LOOK_AGAIN_S:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
            threads = sum(worker["nthreads"] for worker in workers)
            gpus = sum(int(worker["resources"].get(GPU, 0)) for worker in workers)
            most = {CPU: 2 * threads, CUDA: 2 * gpus, CHECK: threads // 4}
            self._lanes = {lane: max(1, jobs) for lane, jobs in most.items()}
            self._looked = time.monotonic()
        return self._lanes

    def submit(self, lane: str, job: Job) -> Future[Answer]:
        """Have a job done; the future raises BrokenExecutor if its process died."""
        future: Future[Answer] = Future()
        resources = {GPU: 1} if lane == CUDA else None

        def send(losses_left: int) -> None:
            sent = self.client.submit(_do, job, lane, self._place, pure=False, resources=resources)
            self._sent[future] = sent
            sent.add_done_callback(partial(done, losses_left))

        def done(losses_left: int, sent: Any) -> None:
            from distributed import KilledWorker

            if self._sent.pop(future, None) is None:  # taken back
                return
            try:
                if (answer := sent.result()) is None:
                    raise BrokenExecutor("its process died")
                future.set_result(answer)
            except KilledWorker:
                if losses_left:
                    send(losses_left - 1)
                else:
                    future.set_exception(BrokenExecutor("worker after worker was lost"))
            except (CancelledError, OSError) as error:
                gone = f"the cluster's scheduler is gone ({type(error).__name__}); go on with "
                future.set_exception(UserError(f"{gone}--resume {self.folder.path}"))
            except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
                future.set_exception(error)

        send(MOST_WORKERS_LOST)
        return future

    def close(self) -> None:
        """Take back what is not done, and end the processes that did jobs."""
        sent, self._sent = self._sent, {}
        for future in sent.values():
            future.cancel()
        if self.client.status == "running":
            self.client.run(_end_children, self._place, on_error="ignore")


# ---------------------------------------------------------------------------- in a Dask worker
@dataclass(frozen=True)
class _Place:
    """What a worker must have in common with whoever sends jobs."""

    folder: Path
    run_id: str
    packages: Mapping[str, str] = field(hash=False)

    def check(self) -> None:
        """Raise UserError if this worker sees another disk, or has other packages."""
        host = socket.gethostname()
        try:
            seen = RunFolder.open(self.folder).run.id
        except UserError as error:
            raise UserError(
                f"the worker on {host} does not see the run: {error}; a cluster needs the run "
                "folder, the clips and the weights under the same paths on all nodes "
                "(docs/cluster.md), and without that there is --shard"
            ) from error
        if seen != self.run_id:
            raise UserError(f"{self.folder} is another run on {host}; give the cluster one disk")
        here = package_versions()
        for name, version in self.packages.items():
            if here.get(name) != version:
                raise UserError(
                    f"the worker on {host} has {name} {here.get(name, 'not at all')}, and the run "
                    f"was begun with {version}; start the workers in the run's environment"
                )


_turn = threading.Lock()
_runs: dict[_Place, LocalWorkers] = {}  # the processes that do jobs for a Dask worker


def _do(job: Job, lane: str, place: _Place) -> Answer | None:
    """Have a process of this Dask worker do a job; None if that died."""
    with _turn:
        if place not in _runs:
            try:
                place.check()
            except UserError as error:
                return error
            log = place.folder / f"workers.{socket.gethostname()}.log"
            _runs[place] = LocalWorkers({}, log)
            threading.Thread(target=_end_those_idle, args=[place], daemon=True).start()
        # Workers below a nanny are daemons by default, which may not start processes: these would
        # outlive them. Ours end with the process that they are forked from, and that ends with the
        # worker. The nanny also has the C library give freed memory back at once, which takes
        # networks, whose every layer asks for it again, twice their time.
        settings: dict[str, Any] = vars(multiprocessing.process.current_process())["_config"]
        with without(settings, "daemon"), without(os.environ, "MALLOC_TRIM_THRESHOLD_"):
            future = _runs[place].submit(lane, job)
    try:
        return future.result()
    except BrokenExecutor:
        return None


def _end_those_idle(run: _Place) -> None:
    """Give the memory of a run's processes back that have had nothing to do for a while."""
    while run in _runs:
        time.sleep(IDLE_S / 4)
        with _turn:
            if run in _runs:
                _runs[run].close_idle(IDLE_S)


def _end_children(run: _Place) -> None:
    with _turn:
        if run in _runs:
            _runs.pop(run).close()
