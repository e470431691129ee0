"""Worker processes: results, errors, and the death of a worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from snacbench.errors import StoreError
from snacbench.runner.pool import default_jobs, run_jobs


def double(job: int) -> int:
    return 2 * job


def threads(job: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


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


def wait_long(job: int) -> int:
    time.sleep(60)
    return job


def noisy(job: int) -> int:
    os.write(2, b"a library talks\n")
    return job


def lost(job: object, reason: str) -> int:
    assert "died twice" in reason
    return -1


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "workers.log"


def test_what_libraries_print_goes_to_the_log(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(run_jobs(noisy, [3], workers=1, died=lost, log=log)) == [3]
    assert "a library talks" in log.read_text()
    assert "a library talks" not in capfd.readouterr().err


def test_every_job_has_one_result(log: Path) -> None:
    assert sorted(run_jobs(double, range(20), workers=2, died=lost, log=log)) == list(
        range(0, 40, 2)
    )


def test_no_jobs_no_workers(log: Path) -> None:
    assert list(run_jobs(double, [], workers=2, died=lost, log=log)) == []


def test_workers_have_one_thread(log: Path) -> None:
    assert list(run_jobs(threads, [1], workers=1, died=lambda job, reason: "", log=log)) == ["1"]


def test_an_exception_ends_everything(log: Path) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        list(run_jobs(full_disk, range(5), workers=2, died=lost, log=log))


def test_a_job_that_kills_its_worker_fails_alone(log: Path) -> None:
    results = sorted(run_jobs(die_on_seven, range(12), workers=2, died=lost, log=log))
    assert results == [-1, *(n for n in range(12) if n != 7)]


def test_a_worker_that_dies_by_chance_costs_nothing(tmp_path: Path, log: Path) -> None:
    mark = str(tmp_path / "mark")
    assert list(
        run_jobs(die_once, [mark], workers=1, died=lambda job, reason: "lost", log=log)
    ) == ["done"]


def test_abandoning_the_results_stops_the_workers(log: Path) -> None:
    started = time.monotonic()
    results = run_jobs(die_on_seven, [0, 1], workers=1, died=lost, log=log)
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 30


def test_one_worker_per_usable_core() -> None:
    assert default_jobs() == len(os.sched_getaffinity(0))
