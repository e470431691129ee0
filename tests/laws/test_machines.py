"""A real queue on one machine: rows are those of one process.

Needs root, and Debian's slurmctld, slurmd, slurm-client and munge; run with -m machines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import snacbench as sb
from tests.laws.test_places import ASKED, rows_of
from tests.support.waiting import until

pytestmark = pytest.mark.machines

PLAN: dict[str, Any] = {**ASKED, "limit": None}
ARGUMENTS = [
    "--codecs", ASKED["codecs"], "--metrics", ASKED["metrics"], "--speed-budget-s", "0",
]  # fmt: skip
PARTS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo")
needed = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(part) is None for part in PARTS),
    reason=f"needs root and {', '.join(PARTS)}",
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return rows_of(sb.run(**PLAN, jobs=1, out=tmp_path_factory.mktemp("alone") / "run").folder)


def done(*command: object, **how: Any) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True, **how).stdout


@contextmanager
def running(*command: object, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=stream, stderr=stream, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm of one node with two cores on loopback; the environment names its configuration."""
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    key, socket, conf = folder / "munge.key", folder / "munge.socket", folder / "slurm.conf"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = os.uname().nodename
    conf.write_text(
        f"ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\n"
        f"AuthType=auth/munge\nAuthInfo=socket={socket}\nCredType=cred/munge\n"
        f"SlurmctldPort=16817\nSlurmdPort=16818\nReturnToService=2\nMpiDefault=none\n"
        f"ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSwitchType=switch/none\n"
        f"SlurmctldPidFile={folder}/ctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n"
        f"SlurmdSpoolDir={folder}/spool\nStateSaveLocation={folder}/state\n"
        f"SlurmctldLogFile={folder}/ctld.log\nSlurmdLogFile={folder}/slurmd.log\n"
        f"SchedulerType=sched/backfill\nSelectType=select/cons_tres\n"
        f"SelectTypeParameters=CR_Core\n"
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN\n"
        f"PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
    places = {"log-file": "munge.log", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    munged = [f"--{name}={folder / file}" for name, file in places.items()]
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("SLURM_CONF", str(conf))
        patch.setenv("PYTHONPATH", str(Path.cwd()))
        for command in (
            ("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket}",
             *munged),
            ("slurmctld", "-D"),
            ("slurmd", "-D"),
        ):  # fmt: skip
            stack.enter_context(running(*command, log=folder / "log"))
            time.sleep(1)
        until(lambda: "idle" in done("sinfo", "-h", "-o", "%T"), "a node that is idle")
        yield folder
        subprocess.run(["scancel", "--user", "root"], check=False)
        until(lambda: not done("squeue", "-h"), "the end of all jobs")


@needed
def test_workers_that_slurm_starts(alone, slurm, tmp_path):
    described = tmp_path / "slurm.yaml"
    described.write_text(
        "jobqueue:\n  slurm:\n    cores: 1\n    processes: 1\n    memory: 1GB\n    queue: short\n"
        f"    walltime: '00:20:00'\n    interface: lo\n    log-directory: {tmp_path}\n"
    )
    run = tmp_path / "run"
    done(
        sys.executable, "-m", "snacbench", "run", *ARGUMENTS, "--cluster", described, "--jobs", 2,
        "-o", run,
    )  # fmt: skip
    assert rows_of(sb.load(run).folder) == alone


@needed
def test_a_job_array_that_is_sent_twice(alone, slurm, tmp_path):
    script = tmp_path / "shards.sh"
    snacbench = (sys.executable, "-m", "snacbench")
    words = ("cluster", "template", "slurm", "--shards", 3, "--jobs", 1, "--", *ARGUMENTS)
    script.write_text(
        done(*snacbench, *words, cwd=tmp_path).replace("--mem-per-cpu=2G", "--mem-per-cpu=1G")
    )
    sent = done("sbatch", "--parsable", script, cwd=tmp_path).strip()
    first = tmp_path / "shards" / "1" / "coded.jsonl"
    until(lambda: first.exists() and first.stat().st_size > 0, "the first shard's first row")
    done("scancel", sent)
    until(lambda: not done("squeue", "-h"), "the end of what was cancelled")
    done("sbatch", script, cwd=tmp_path)
    until(lambda: not done("squeue", "-h"), "the end of all shards")
    done(*snacbench, "merge", *sorted((tmp_path / "shards").iterdir()), "-o", tmp_path / "whole")
    assert rows_of(sb.load(tmp_path / "whole").folder) == alone
