"""Servers to test against: in the process, and as a program of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from snacbench.listening.server.app import application
from snacbench.listening.server.limits import Rates
from snacbench.listening.server.run import open_service
from snacbench.listening.server.service import Limits, Service, new_admin_token
from snacbench.listening.test import ListeningTest
from tests.cli.conftest import snacbench_command
from tests.listening.server.client import ScriptedListener
from tests.listening.server.folders import make_folder, small_test


@dataclass
class Site:
    """A test that is served in this process."""

    folder: Path
    test: ListeningTest
    service: Service
    client: TestClient
    admin: dict[str, str]
    log: list[str]

    def listener(self) -> ScriptedListener:
        return ScriptedListener(self.client)


Serve = Callable[..., Site]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(form="ab")`` serves a small test with these fields."""
    with ExitStack() as stack:

        def begin(
            *, rates: Rates | None = None, hosts: tuple[str, ...] = ("*",), most: int = 500,
            **fields: Any,
        ) -> Site:  # fmt: skip
            test = small_test(**fields)
            folder = make_folder(tmp_path / "test", test)
            opened = open_service(folder, max_unfinished=most)
            service = Service(
                test, opened.answers, opened.stimuli, opened.files, opened.texts, most,
                Limits(rates),
            )  # fmt: skip
            log: list[str] = []
            app = application(service, hosts=hosts, log=log.append)
            client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
            stack.enter_context(client)
            admin = {"Authorization": f"Bearer {new_admin_token(service.answers)}"}
            return Site(folder, test, service, client, admin, log)

        yield begin


@pytest.fixture
def site(serve: Serve) -> Site:
    return serve()


# ----------------------------------------------------------------------- a program of its own


@dataclass
class Program:
    """``snacbench mushra serve`` as users start it."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    address: str = ""
    printed: list[str] = field(default_factory=list)

    def start(self) -> Program:
        port = self.address.rpartition(":")[2] or "0"
        self.process = subprocess.Popen(
            snacbench_command("mushra", "serve", self.folder, "--port", port, *self.arguments),
            stdout=subprocess.PIPE,
            stderr=(self.folder / "log.txt").open("a"),
            text=True,
        )
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line.rstrip())
            found = re.search(r"\): (http\S+)/$", line)
            if found:
                self.address = found.group(1)
                break
        assert self.address, (self.folder / "log.txt").read_text()
        self._wait()
        return self

    def _wait(self) -> None:
        for _ in range(200):
            try:
                httpx2.get(f"{self.address}/api/test")
                return
            except httpx2.TransportError:
                time.sleep(0.05)
        raise AssertionError((self.folder / "log.txt").read_text())

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        assert self.process
        self.process.send_signal(with_signal)
        code = self.process.wait(timeout=20)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, timeout=30)


def _running(folder: Path) -> Iterator[Program]:
    running = Program(make_folder(folder, small_test())).start()
    yield running
    if running.process and running.process.poll() is None:
        running.kill()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A running server of the small test, to do with as one likes."""
    yield from _running(tmp_path / "test")


@pytest.fixture(scope="module")
def shared_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One for all tests of a file that only talk to it."""
    yield from _running(tmp_path_factory.mktemp("served"))
