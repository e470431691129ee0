"""Workers, of this machine or a Dask cluster: results, errors, the death of a worker."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, CancelledError
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from distributed import Client, KilledWorker

from snacbench.errors import MissingPackage, StoreError, UserError
from snacbench.runner import cluster as clusters
from snacbench.runner.cluster import DaskWorkers, described, workers_on
from snacbench.runner.pool import LocalWorkers, default_jobs, run_all, run_jobs
from snacbench.runner.versions import package_versions
from snacbench.store.run_folder import RunFolder
from tests.support.cases import cases
from tests.support.clusters import fake_slurm, local_cluster
from tests.support.jobs import Do, parent_of
from tests.support.synthetic_runs import RUN
from tests.support.waiting import PATIENCE_S, until


def run(what, values, log, workers=1):
    jobs = [Do(what, value if isinstance(value, tuple) else (value,)) for value in values]
    return [row for rows in run_all(jobs, log=log, workers=workers) for row in rows]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "workers.log"


def test_every_job_has_one_result_and_what_libraries_print_goes_to_the_log(log, capfd):
    assert run("", [], log) == []
    assert not log.exists()  # without jobs there are no workers
    assert sorted(run("talk", range(20), log, workers=2)) == list(range(20))
    assert "a library talks" in log.read_text()
    assert "a library talks" not in capfd.readouterr().err
    assert default_jobs() == len(os.sched_getaffinity(0))


def test_workers_have_one_thread_and_know_where_numba_may_write(log, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "cache"))
    found = run("environment", ["OMP_NUM_THREADS", "NUMBA_CACHE_DIR"], log)
    assert found == ["1", str(tmp_path / "cache" / "numba")]


def test_an_exception_ends_everything_and_brings_the_workers_traceback(log):
    with pytest.raises(StoreError, match="the disk is full") as caught:
        run("full disk", range(5), log, workers=2)
    assert "in done" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Odd: of a strange kind"):
        run("raise what cannot be sent", [1], log)


def test_a_job_that_kills_its_worker_fails_alone(log, tmp_path):
    results = run("crash on 7", range(12), log, workers=2)
    assert sorted(results, key=str) == sorted(["lost", *(n for n in range(12) if n != 7)], key=str)
    assert set(run("crash on 7", [(6, 7, 8), 9], log, workers=2)) == {"lost", 6, 8, 9}
    mark = str(tmp_path / "mark")
    assert run("crash once", [mark], log) == [mark]  # by chance


def test_workers_end_with_the_process_that_began_them(tmp_path):
    script = tmp_path / "begin.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\n"
        "from snacbench.runner.pool import Child\n"
        "if __name__ == '__main__':\n"
        "    child = Child(Path(sys.argv[1]))\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = Path(f"/proc/{int(parent.stdout.readline())}")
        forked_from = Path(f"/proc/{parent_of(int(child.name))}")
        assert forked_from.exists()
        parent.kill()
    until(lambda: not (child.exists() or forked_from.exists()), "the end of what it had begun")


def test_processes_with_nothing_to_do_end_after_a_while(log):
    workers = LocalWorkers({}, log)
    (before,) = workers.submit("a", Do("pid")).result(PATIENCE_S)
    workers.close_idle(600)
    assert workers.submit("a", Do("pid")).result(PATIENCE_S) == [before]
    workers.close_idle(-1)
    until(lambda: not Path(f"/proc/{before}").exists(), "the end of a process")
    assert workers.submit("a", Do("pid")).result(PATIENCE_S) != [before]
    workers.close()


def test_abandoning_the_results_stops_the_workers(log):
    started = time.monotonic()
    results = run_all([Do("wait", (0,)), Do("wait", (600,))], log=log)
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < PATIENCE_S


def test_jobs_become_ready_by_results_and_lanes_have_workers_of_their_own(log):
    left = [Do("pid", lane="a")]

    def ready(lane):
        return left.pop(0) if left and left[0].lane == lane else None

    seen = []
    for job, (pid,) in run_jobs(ready, LocalWorkers({"a": 1, "b": 2}, log)):
        seen.append((job.lane, pid))
        if len(seen) < 6:
            left.append(Do("pid", lane="ab"[len(seen) % 2]))
    assert [lane for lane, _ in seen] == list("ababab")
    assert len({pid for lane, pid in seen if lane == "a"}) == 1
    assert not {pid for lane, pid in seen if lane == "a"} & {p for lane, p in seen if lane == "b"}


@pytest.fixture(scope="module")
def cluster():
    with local_cluster(1) as made:
        yield made


@pytest.fixture(scope="module")
def client(cluster):
    with Client(cluster, set_as_default=False) as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", replace(RUN, packages=package_versions()), [])


def done(client, folder, *jobs):
    left = list(jobs)
    found = run_jobs(
        lambda lane: left.pop(0) if lane == "cpu" and left else None, DaskWorkers(client, folder)
    )
    return [row for _, rows in found for row in rows]


def test_processes_below_a_worker_do_jobs_with_one_thread_and_are_gone_at_the_end(client, folder):
    pids = done(client, folder, *[Do("pid")] * 3)
    assert len(set(pids)) == 1
    assert done(client, folder, Do("environment", ("OMP_NUM_THREADS",))) == ["1"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert (folder.path / f"workers.{socket.gethostname()}.log").exists()


def test_a_run_that_ends_leaves_the_processes_of_another(client, folder, tmp_path):
    other = RunFolder.create(tmp_path / "other", replace(folder.run, id="another"), [])
    workers = DaskWorkers(client, folder)
    before = workers.submit("cpu", Do("pid")).result(PATIENCE_S)
    done(client, other, Do("pid"))
    assert workers.submit("cpu", Do("pid")).result(PATIENCE_S) == before
    workers.close()


def test_a_crash_costs_its_job_and_no_worker_and_is_tried_once_more(client, folder, tmp_path):
    before = client.run(os.getpid)
    jobs = Do("crash on 7", (7,)), Do("crash once", (str(tmp_path / "mark"),)), Do("", (3,))
    expected = sorted(["lost", str(tmp_path / "mark"), "3"])
    assert sorted(map(str, done(client, folder, *jobs))) == expected
    assert client.run(os.getpid) == before


def test_a_lost_worker_is_no_crash_of_its_job(client, folder, tmp_path):
    lose = Do("lose the worker once", (str(tmp_path / "mark"),))
    assert set(done(client, folder, lose, Do("", (1,)))) == {*lose.values, 1}


@pytest.mark.parametrize(("error", "times", "raised", "told"), [
    (KilledWorker("job", "worker", 3), clusters.MOST_WORKERS_LOST, BrokenExecutor, "was lost"),
    (CancelledError(), 0, UserError, "scheduler is gone (CancelledError); go on with --resume"),
    (ValueError("odd"), 0, ValueError, "odd"),
])  # fmt: skip
def test_a_job_that_loses_every_worker_or_the_scheduler_is_given_up(
        client, folder, monkeypatch, error, times, raised, told):  # fmt: skip
    sent = Mock(result=Mock(side_effect=error), add_done_callback=lambda done: done(sent))
    workers = DaskWorkers(client, folder)
    submit = Mock(return_value=sent)
    monkeypatch.setattr(client, "submit", submit)
    found = workers.submit("cpu", Do("")).exception()
    assert isinstance(found, raised)
    assert told in str(found)
    assert submit.call_count == 1 + times


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
    assert "docs/cluster.md" in str(workers.submit("cpu", Do("")).result(PATIENCE_S))


@pytest.mark.parametrize(("text", "jobs", "told"), cases(__file__)["clusters"])
def test_where_no_cluster_is(tmp_path, monkeypatch, text, jobs, told):
    file = tmp_path / "queue.yaml"
    if text:
        file.write_text(text)
    with pytest.raises(UserError, match=told):
        described(file, jobs)
    monkeypatch.setattr(clusters, "CONNECT_S", 1)
    with pytest.raises(UserError, match="no scheduler answers"):
        described("tcp://127.0.0.1:9", 1)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackage, match=r"\[cluster\]"):
        described("tcp://h:1", None)


def test_a_queue_is_asked_for_as_many_workers_as_jobs(folder, tmp_path, monkeypatch):
    """By one process, which imports nothing for pages about itself."""
    file = tmp_path / "queue.yaml"
    file.write_text(
        "jobqueue:\n  slurm:\n    cores: 1\n    processes: 1\n    memory: 1GB\n    queue: short\n"
        "    interface: lo\n    death-timeout: 600\n"
        "    worker-extra-args: [--no-nanny, --no-dashboard]\n"
    )
    monkeypatch.setenv("PATH", str(fake_slurm(tmp_path)), prepend=":")
    with workers_on(file, folder, 1) as workers:
        try:
            workers.client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError:
            pytest.fail((tmp_path / "printed").read_text())
        assert sum(workers.client.nthreads().values()) == 1
    assert "#SBATCH -p short" in (tmp_path / "script").read_text()
