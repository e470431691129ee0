"""Servers to test against: in the process, and as a program of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from snacbench.listening.server.app import application, new_admin_token
from snacbench.listening.server.limits import Limiter, Limits
from snacbench.listening.server.serve import Service, open_service
from tests.support.listening_server import (
    Program,
    ScriptedListener,
    make_folder,
    program_for,
    small_test,
)


@dataclass
class Site:
    """A test that is served in this process."""

    folder: Path
    service: Service
    client: TestClient
    admin: dict[str, str]
    log: list[str]

    def listener(self) -> ScriptedListener:
        return ScriptedListener(self.client)

    def call(self, method: str, path: str, **headers: str) -> Any:
        body = {"json": {}} if method == "POST" else {}
        return self.client.request(method, path, headers=headers, **body)

    def as_admin(self, path: str, method: str = "GET") -> Any:
        return self.client.request(method, f"/api/admin/{path}", headers=self.admin)


Serve = Callable[..., Site]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(form="ab")`` serves a small test with these fields."""
    with ExitStack() as stack:

        def begin(
            *,
            limits: dict[str, Limiter] | None = None,
            hosts: tuple[str, ...] = ("*",),
            most: int = 500,
            **fields: Any,
        ) -> Site:
            folder = make_folder(tmp_path / "test", small_test(**fields))
            opened = open_service(folder, max_unfinished=most)
            service = replace(opened, limits=Limits(**(limits or {})))
            log: list[str] = []
            app = application(service, hosts=hosts, log=log.append)
            client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
            stack.enter_context(client)
            admin = {"Authorization": f"Bearer {new_admin_token(service.responses)}"}
            return Site(folder, service, client, admin, log)

        yield begin


@pytest.fixture
def site(serve: Serve) -> Site:
    return serve()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A running server of the small test, to do with as one likes."""
    with program_for(make_folder(tmp_path / "test", small_test())) as program:
        yield program.start()


@pytest.fixture(scope="module")
def shared_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One for all tests of a file that only talk to it."""
    with program_for(make_folder(tmp_path_factory.mktemp("served"), small_test())) as program:
        yield program.start()
