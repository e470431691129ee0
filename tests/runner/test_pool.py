"""Worker processes: results, errors, and the death of a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from snacbench.errors import StoreError
from snacbench.runner.pool import default_jobs, run_jobs


class Listed:
    """Jobs that are all ready from the start."""

    def __init__(self, jobs: Sequence[Any]) -> None:
        self.left = list(jobs)

    def next(self, lane: str) -> Any:
        return self.left.pop(0) if self.left else None

    def apart(self, job: Any) -> Sequence[Any]:
        return job if isinstance(job, tuple) else [job]

    def lost(self, job: Any, reason: str) -> Any:
        assert "died twice" in reason
        return -1


def run(work: Any, jobs: Sequence[Any], log: Path, workers: int = 1) -> list[Any]:
    return [result for _, result in run_jobs(work, Listed(jobs), lanes={"cpu": workers}, log=log)]


def double(job: int) -> int:
    return 2 * job


def threads(job: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def numba_folder(job: int) -> str:
    return os.environ["NUMBA_CACHE_DIR"]


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


def die_with_seven(job: Any) -> int:
    if job == 7 or (isinstance(job, tuple) and 7 in job):
        os.kill(os.getpid(), signal.SIGKILL)
    return int(job)


def wait_long_on_one(job: int) -> int:
    time.sleep(60 * job)
    return job


class Odd(Exception):
    def __init__(self, number: int, kind: str) -> None:
        super().__init__(f"of a {kind} kind")


def raise_odd(job: int) -> int:
    raise Odd(job, "strange")


def pid_and(job: tuple[str, int]) -> tuple[int, int]:
    return os.getpid(), job[1]


def noisy(job: int) -> int:
    os.write(2, b"a library talks\n")
    return job


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "workers.log"


def test_what_libraries_print_goes_to_the_log(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(noisy, [3], log) == [3]
    assert "a library talks" in log.read_text()
    assert "a library talks" not in capfd.readouterr().err


def test_every_job_has_one_result(log: Path) -> None:
    pairs = list(run_jobs(double, Listed(range(20)), lanes={"cpu": 2}, log=log))
    assert sorted(pairs) == [(n, 2 * n) for n in range(20)]


def test_no_jobs_no_workers(log: Path) -> None:
    assert run(double, [], log) == []
    assert not log.exists()


def test_workers_have_one_thread(log: Path) -> None:
    assert run(threads, [1], log) == ["1"]


def test_an_exception_ends_everything_and_brings_the_workers_traceback(log: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full") as caught:
        run(full_disk, range(5), log, workers=2)
    assert "in full_disk" in caught.value.__notes__[0]


def test_an_exception_that_cannot_be_sent_arrives_as_its_text(log: Path) -> None:
    with pytest.raises(RuntimeError, match="Odd: of a strange kind"):
        run(raise_odd, [1], log)


def test_a_job_that_kills_its_worker_fails_alone(log: Path) -> None:
    results = sorted(run(die_on_seven, range(12), log, workers=2))
    assert results == [-1, *(n for n in range(12) if n != 7)]


def test_a_job_of_many_parts_loses_only_the_part_that_kills(log: Path) -> None:
    assert sorted(run(die_with_seven, [(6, 7, 8), 9], log, workers=2)) == [-1, 6, 8, 9]


def test_a_worker_that_dies_by_chance_costs_nothing(tmp_path: Path, log: Path) -> None:
    assert run(die_once, [str(tmp_path / "mark")], log) == ["done"]


def test_abandoning_the_results_stops_the_workers(log: Path) -> None:
    started = time.monotonic()
    results = run_jobs(wait_long_on_one, Listed([0, 1]), lanes={"cpu": 1}, log=log)
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 30


class Chain(Listed):
    """Each result makes the next job ready, in the other lane."""

    def next(self, lane: str) -> Any:
        return super().next(lane) if self.left and self.left[0][0] == lane else None


def test_jobs_become_ready_by_results_and_lanes_have_workers_of_their_own(log: Path) -> None:
    source = Chain([("a", 1)])
    seen = []
    for job, (pid, result) in run_jobs(pid_and, source, lanes={"a": 1, "b": 2}, log=log):
        seen.append((job[0], pid))
        if result < 6:
            source.left.append(("ba"[result % 2 == 0], result + 1))
    assert [lane for lane, _ in seen] == list("abababa"[:6])
    assert len({pid for lane, pid in seen if lane == "a"}) == 1
    assert not {pid for lane, pid in seen if lane == "a"} & {p for lane, p in seen if lane == "b"}


def test_one_worker_per_usable_core() -> None:
    assert default_jobs() == len(os.sched_getaffinity(0))


def test_workers_know_where_numba_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "cache"))
    assert run(numba_folder, [0], tmp_path / "log") == [str(tmp_path / "cache" / "numba")]
