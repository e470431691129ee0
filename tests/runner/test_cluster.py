"""A Dask cluster as workers: what crashes, what is lost, what a worker must have in common."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from snacbench.errors import MissingPackage, StoreError, UserError
from snacbench.runner import cluster as clusters
from snacbench.runner.cluster import DaskWorkers, connected
from snacbench.runner.pool import Job, Rows, run_jobs
from snacbench.runner.versions import package_versions
from snacbench.store.run_folder import RunFolder
from tests.support.clusters import local_cluster
from tests.support.synthetic_runs import RUN


@dataclass(frozen=True)
class Do(Job):
    what: str
    value: Any = 0

    def run(self) -> Rows:
        match self.what:
            case "pid":
                return [os.getpid()]
            case "threads":
                return [os.environ["OMP_NUM_THREADS"]]
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crash once" if not Path(self.value).exists():
                Path(self.value).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "lose the worker once" if not Path(self.value).exists():
                Path(self.value).touch()
                os.kill(self.worker(), signal.SIGKILL)
                time.sleep(60)
            case "full disk":
                raise StoreError("the disk is full")
        return [self.value]

    def worker(self) -> int:
        """The Dask worker: the parent of the process that this one is forked from."""
        status = Path(f"/proc/{os.getppid()}/status").read_text()
        return int(status.partition("PPid:")[2].split()[0])

    def lost(self, reason: str) -> Rows:
        assert "died twice" in reason
        return ["lost"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(1) as made:
        yield made


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster, set_as_default=False) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", replace(RUN, packages=package_versions()), [])


def done(client: Client, folder: RunFolder, *jobs: Job) -> list[object]:
    left, workers = list(jobs), DaskWorkers(client, folder)
    found = run_jobs(
        lambda lane: left.pop(0) if lane == "cpu" and left else None,
        lanes={},
        log=Path(),
        workers=workers,
    )
    return [row for _, rows in found for row in rows]


def test_processes_below_a_worker_do_jobs_with_one_thread_and_are_gone_at_the_end(client, folder):
    pids = done(client, folder, *[Do("pid")] * 3)
    assert len(set(pids)) == 1
    assert done(client, folder, Do("threads")) == ["1"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert (folder.path / f"workers.{socket.gethostname()}.log").exists()


def test_a_crash_costs_its_job_and_no_worker_and_is_tried_once_more(client, folder, tmp_path):
    before = client.run(os.getpid)
    jobs = Do("crash"), Do("crash once", str(tmp_path / "mark")), Do("", 3)
    assert sorted(map(str, done(client, folder, *jobs))) == sorted(
        ["lost", str(tmp_path / "mark"), "3"]
    )
    assert client.run(os.getpid) == before


def test_a_lost_worker_is_no_crash_of_its_job(client, folder, tmp_path):
    lose = Do("lose the worker once", str(tmp_path / "mark"))
    assert done(client, folder, lose, Do("", 1)) in ([lose.value, 1], [1, lose.value])


def test_a_job_that_loses_every_worker_is_given_up(client, folder, monkeypatch):
    from distributed import KilledWorker

    class Sent:
        def result(self) -> None:
            raise KilledWorker("job", "worker", 3)

        def add_done_callback(self, callback: Any) -> None:
            callback(self)

    sent: list[Sent] = []

    def submit(*_: Any, **__: Any) -> Sent:
        sent.append(Sent())
        return sent[-1]

    workers = DaskWorkers(client, folder)
    monkeypatch.setattr(client, "submit", submit)
    future = workers.submit("cpu", Do(""))
    wait([future], timeout=10)
    assert isinstance(future.exception(), BrokenExecutor)
    assert len(sent) == 1 + clusters.MOST_WORKERS_LOST


def test_an_error_ends_the_run_and_the_processes(client, folder):
    with pytest.raises(StoreError, match="the disk is full"):
        done(client, folder, Do("full disk"), *[Do("pid")] * 4)


def test_a_worker_must_see_the_same_run_and_have_the_same_packages(client, folder, tmp_path):
    other = RunFolder.create(tmp_path / "other", replace(folder.run, id="another"), [])
    workers = DaskWorkers(client, folder)
    place = workers._place
    for changed, told in (
        ({"folder": tmp_path / "nowhere"}, "does not see the run"),
        ({"folder": other.path}, "is another run"),
        ({"packages": {"numpy": "0.1"}}, "has numpy .*begun with 0.1"),
    ):
        with pytest.raises(UserError, match=told):
            replace(place, **changed).check()
    place.check()
    workers._place = replace(place, folder=tmp_path / "nowhere", run_id="new")
    _, error, _ = workers.submit("cpu", Do("")).result(30)
    assert "docs/cluster.md" in str(error)


@pytest.mark.parametrize(
    ("text", "jobs", "told"),
    [
        ("jobqueue: {slurm: {cores: 1, memory: 1GB}}", None, "--jobs N"),
        ("jobqueue: {kubernetes: {}}", 2, "does not describe a queue"),
        ("just words", 2, "does not describe a queue"),
        ("{", 2, "does not describe a queue"),
    ],
)
def test_a_file_that_describes_no_queue(tmp_path, text, jobs, told):
    file = tmp_path / "queue.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=told), connected(str(file), jobs):
        pass


def test_where_no_cluster_is(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "CONNECT_S", 1)
    with pytest.raises(UserError, match="no scheduler answers"), connected("tcp://127.0.0.1:9", 1):
        pass
    with pytest.raises(UserError, match="there is no file"), connected("absent.yaml", 1):
        pass


def test_a_queue_is_asked_for_as_many_workers_as_jobs(tmp_path):
    """The queue's program is a script that runs what it is given, as `sbatch` does."""
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(
        f'#!/bin/sh\ncat "$1" >> {tmp_path}/script\n'
        'sh "$1" >/dev/null 2>&1 &\necho "Submitted $!"\n'
    )
    sbatch.chmod(0o755)
    (tmp_path / "bin" / "scancel").write_text("#!/bin/sh\nkill $1\n")
    (tmp_path / "bin" / "scancel").chmod(0o755)
    file = tmp_path / "queue.yaml"
    file.write_text(
        "jobqueue:\n  slurm:\n    cores: 1\n    processes: 1\n    memory: 1GB\n    queue: short\n"
        "    interface: lo\n    death-timeout: 30\n"
    )
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{sbatch.parent}:{before}"
    try:
        with connected(str(file), 1) as client:
            client.wait_for_workers(1, timeout=60)
            assert sum(client.nthreads().values()) == 1
    finally:
        os.environ["PATH"] = before
    assert "#SBATCH -p short" in (tmp_path / "script").read_text()


def test_without_dask_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackage, match=r"\[cluster\]"), connected("tcp://h:1", None):
        pass
