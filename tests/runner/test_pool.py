"""Worker processes: results, errors, and the death of a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snacbench.errors import StoreError
from snacbench.runner.pool import Job, Rows, default_jobs, run_jobs


@dataclass(frozen=True)
class Do(Job):
    """A function of a number, or of several that are tried one by one."""

    work: Callable[[Any], object]
    values: tuple[Any, ...]
    lane: str = "cpu"

    def run(self) -> Rows:
        return [self.work(value) for value in self.values]

    def apart(self) -> Sequence[Job]:
        return [Do(self.work, (value,)) for value in self.values]

    def lost(self, reason: str) -> Rows:
        assert "died twice" in reason
        return [-1]


def run(work: Any, jobs: Sequence[Any], log: Path, workers: int = 1) -> list[Any]:
    left = [Do(work, job if isinstance(job, tuple) else (job,)) for job in jobs]
    done = run_jobs(lambda lane: left.pop(0) if left else None, lanes={"cpu": workers}, log=log)
    return [row for _, rows in done for row in rows]


def double(job: int) -> int:
    os.write(2, b"a library talks\n")
    return 2 * job


def environment(job: str) -> str:
    return os.environ[job]


def full_disk(job: int) -> int:
    raise StoreError("the disk is full")


def die_on_seven(job: int) -> int:
    if job == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def die_once(job: str) -> str:
    mark = Path(job)
    if not mark.exists():
        mark.write_text("was here")
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def wait_long_on_one(job: int) -> int:
    time.sleep(60 * job)
    return job


class Odd(Exception):
    def __init__(self, number: int, kind: str) -> None:
        super().__init__(f"of a {kind} kind")


def raise_odd(job: int) -> int:
    raise Odd(job, "strange")


def pid_of(job: int) -> int:
    return os.getpid()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "workers.log"


def test_every_job_has_one_result_and_what_libraries_print_goes_to_the_log(log, capfd):
    assert run(double, [], log) == []
    assert not log.exists()  # without jobs there are no workers
    assert sorted(run(double, range(20), log, workers=2)) == [2 * n for n in range(20)]
    assert "a library talks" in log.read_text()
    assert "a library talks" not in capfd.readouterr().err
    assert default_jobs() == len(os.sched_getaffinity(0))


def test_workers_have_one_thread_and_know_where_numba_may_write(log, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "cache"))
    found = run(environment, ["OMP_NUM_THREADS", "NUMBA_CACHE_DIR"], log)
    assert found == ["1", str(tmp_path / "cache" / "numba")]


def test_an_exception_ends_everything_and_brings_the_workers_traceback(log):
    with pytest.raises(StoreError, match="the disk is full") as caught:
        run(full_disk, range(5), log, workers=2)
    assert "in full_disk" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Odd: of a strange kind"):  # which cannot be sent
        run(raise_odd, [1], log)


def test_a_job_that_kills_its_worker_fails_alone(log, tmp_path):
    results = sorted(run(die_on_seven, range(12), log, workers=2))
    assert results == [-1, *(n for n in range(12) if n != 7)]
    assert sorted(run(die_on_seven, [(6, 7, 8), 9], log, workers=2)) == [-1, 6, 8, 9]
    assert run(die_once, [str(tmp_path / "mark")], log) == ["done"]  # by chance


def test_workers_end_with_the_process_that_began_them(tmp_path):
    script = tmp_path / "begin.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\n"
        "from snacbench.runner.pool import Child\n"
        "if __name__ == '__main__':\n"
        "    child = Child(Path(sys.argv[1]))\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = Path(f"/proc/{int(parent.stdout.readline())}")
        status = (child / "status").read_text()
        forked_from = Path(f"/proc/{int(status.partition('PPid:')[2].split()[0])}")
        assert forked_from.exists()
        parent.kill()
    for _ in range(100):
        time.sleep(0.1)
        if not (child.exists() or forked_from.exists()):
            return
    pytest.fail("a worker outlives the process that began it")


def test_abandoning_the_results_stops_the_workers(log):
    started, left = time.monotonic(), [Do(wait_long_on_one, (0,)), Do(wait_long_on_one, (1,))]
    results = run_jobs(lambda lane: left.pop(0) if left else None, lanes={"cpu": 1}, log=log)
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 30


def test_jobs_become_ready_by_results_and_lanes_have_workers_of_their_own(log):
    left = [Do(pid_of, (1,), "a")]

    def ready(lane: str) -> Do | None:
        return left.pop(0) if left and left[0].lane == lane else None

    seen = []
    for job, (pid,) in run_jobs(ready, lanes={"a": 1, "b": 2}, log=log):
        assert isinstance(job, Do)
        seen.append((job.lane, pid))
        if len(seen) < 6:
            left.append(Do(pid_of, (1,), "ab"[len(seen) % 2]))
    assert [lane for lane, _ in seen] == list("ababab")
    assert len({pid for lane, pid in seen if lane == "a"}) == 1
    assert not {pid for lane, pid in seen if lane == "a"} & {p for lane, p in seen if lane == "b"}
