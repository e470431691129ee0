"""Several hosts and a real queue on one machine: rows are those of one process.

Needs root, and Debian's iproute2, slurmctld, slurmd, slurm-client and munge; run with -m machines.
"""

import os
import shutil
import signal
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
ARGUMENTS = ["--codecs", ASKED["codecs"], "--metrics", ASKED["metrics"], "--speed-budget-s", "0"]
ARGUMENTS += ["--condition", ASKED["conditions"]]
SNACBENCH = (sys.executable, "-m", "snacbench")
PARTS = ("ip", "munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo")
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
        how = {"stdout": stream, "stderr": stream, "cwd": log.parent}
        process = subprocess.Popen([str(word) for word in command], **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# ------------------------------------------------------------------------- two hosts and a network
@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """Network namespaces that reach each other at 10.77.0.1 and .2, and nobody else."""
    names = [f"snacbench{os.getpid()}{end}" for end in "ab"]
    try:
        for name in names:
            done("ip", "netns", "add", name)
        link = ["ip", "link", "add", "name", "va", "netns", names[0]]
        done(*link, "type", "veth", "peer", "name", "vb", "netns", names[1])
        for name, end, address in zip(names, "ab", (1, 2), strict=True):
            inside = ("ip", "-n", name)
            done(*inside, "address", "add", f"10.77.0.{address}/24", "dev", f"v{end}")
            for device in (f"v{end}", "lo"):
                done(*inside, "link", "set", device, "up")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


@needed
def test_four_workers_on_two_hosts_of_which_one_is_lost_and_one_is_added(alone, tmp_path):
    dask = (sys.executable, "-m", "distributed.cli.dask_scheduler")
    work = (sys.executable, "-m", "distributed.cli.dask_worker", "tcp://10.77.0.1:8786")
    work += ("--nthreads", "1", "--no-dashboard")
    log = tmp_path / "log"
    with two_hosts() as hosts, ExitStack() as stack:
        there = [("ip", "netns", "exec", host) for host in hosts]

        def start(host: int, *command: object) -> subprocess.Popen[bytes]:
            return stack.enter_context(running(*there[host], *command, log=log))

        start(0, *dask, "--host", "10.77.0.1", "--port", "8786", "--no-dashboard")
        workers = [start(host, *work) for host in (0, 0, 1, 1)]
        run = tmp_path / "run"
        words = ("run", *ARGUMENTS, "--cluster", "tcp://10.77.0.1:8786", "-o", run)
        client = start(0, *SNACBENCH, *words)
        rows = run / "coded.jsonl"
        half = len(alone["Coded"]) // 2
        until(lambda: rows.exists() and rows.read_text().count("\n") >= half, "half of the run")
        workers[3].send_signal(signal.SIGKILL)
        start(0, *work)
        assert client.poll() is None, "over before a worker was lost"
        assert client.wait(600) == 0, log.read_text()
    assert rows_of(sb.load(run).folder) == alone


# ---------------------------------------------------------------------------------- a real queue
@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm of one node with two cores on loopback; the environment names its configuration."""
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    key, socket, conf = folder / "munge.key", folder / "munge.socket", folder / "slurm.conf"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    text = Path(__file__).with_name("slurm.conf").read_text()
    conf.write_text(text.format(folder=folder, socket=socket, host=os.uname().nodename))
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
    done(*SNACBENCH, "run", *ARGUMENTS, "--cluster", described, "--jobs", 2, "-o", run)
    assert rows_of(sb.load(run).folder) == alone


@needed
def test_a_job_array_that_is_sent_twice(alone, slurm, tmp_path):
    script = tmp_path / "shards.sh"
    words = ("cluster", "template", "slurm", "--shards", 3, "--jobs", 1, "--", *ARGUMENTS)
    text = done(*SNACBENCH, *words, cwd=tmp_path)
    script.write_text(text.replace("--mem-per-cpu=2G", "--mem-per-cpu=1G"))
    sent = done("sbatch", "--parsable", script, cwd=tmp_path).strip()
    first = tmp_path / "shards" / "1" / "coded.jsonl"
    until(lambda: first.exists() and first.stat().st_size > 0, "the first shard's first row")
    done("scancel", sent)
    until(lambda: not done("squeue", "-h"), "the end of what was cancelled")
    done("sbatch", script, cwd=tmp_path)
    until(lambda: not done("squeue", "-h"), "the end of all shards")
    done(*SNACBENCH, "merge", *sorted((tmp_path / "shards").iterdir()), "-o", tmp_path / "whole")
    assert rows_of(sb.load(tmp_path / "whole").folder) == alone
