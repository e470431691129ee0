"""Workers, scheduler and client are killed at random: what a run ends with is what it ends with."""

import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import snacbench as sb
from snacbench.store.run_folder import RUN_FILE
from tests.laws.test_places import ASKED, rows_of
from tests.support.cases import cases
from tests.support.waiting import until

KILLS, WORKERS = 200, 2
CODECS = {"codecs": "opus@14,noise,lowpass", "limit": None}
CLIENT = cases(__file__)["client"]


class Storm:
    """A scheduler, workers and a client as processes, each begun again once it is gone."""

    def __init__(self, folder: Path, asked: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.folder, self.asked = f"tcp://127.0.0.1:{self.port}", folder, asked
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.script = folder.parent / "client.py"
        self.script.write_text(CLIENT)
        self.log = (folder.parent / "log").open("ab")

    def command(self, name: str) -> list[str]:
        dask, quiet = [sys.executable, "-m", "distributed.cli.dask_"], "--no-dashboard"
        if name == "scheduler":
            return [*dask[:2], dask[2] + name, "--port", str(self.port), quiet]
        if name == "client":
            state = "old" if (self.folder / RUN_FILE).exists() else "new"
            arguments = [str(self.folder), self.address, repr(self.asked), state]
            return [sys.executable, str(self.script), *arguments]
        worker = [*dask[:2], dask[2] + "worker", self.address, "--nthreads", "1", quiet]
        return [*worker, "--death-timeout", "20"]

    def keep_going(self) -> bool:
        """Begin what is gone again; whether the run is not done yet."""
        client = self.processes.get("client")
        if client is not None and client.poll() == 0:
            return False
        for name in ["scheduler", *(f"worker{n}" for n in range(WORKERS)), "client"]:
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                how = {"stdout": self.log, "stderr": self.log, "cwd": self.folder.parent}
                self.processes[name] = subprocess.Popen(self.command(name), **how)
        return True

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()


@contextmanager
def storm(folder: Path, asked: object) -> Iterator[Storm]:
    made = Storm(folder, asked)
    try:
        yield made
    finally:
        for name in made.processes:
            made.kill(name)
    until(lambda: not list(processes_in(folder.parent)), "the end of all processes", 30)


def processes_in(folder: Path) -> Iterator[int]:
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if cwd.readlink().is_relative_to(folder):
                yield int(cwd.parent.name)


@pytest.mark.slow
def test_a_storm_of_kills(tmp_path):
    asked, chance = {**ASKED, **CODECS}, random.Random(0)
    alone = rows_of(sb.run(**asked, out=tmp_path / "alone").folder)
    killed, runs = Counter[str](), 0
    while killed.total() < KILLS:
        (tmp_path / str(runs)).mkdir()
        with storm(tmp_path / str(runs) / "run", asked) as at:
            while at.keep_going():
                time.sleep(chance.uniform(1, 12))
                name = chance.choice(sorted(at.processes))
                if chance.random() < 0.75 and killed.total() < KILLS:
                    at.kill(name)
                    killed[name.rstrip("0123456789")] += 1
            made = sb.load(at.folder)
        assert rows_of(made.folder) == alone, (killed, runs)
        runs += 1
        print(f"{dict(killed)} in {runs} runs")  # noqa: T201 - figures for whoever runs it by hand
