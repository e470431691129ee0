"""Servers to test against: in the process, and as a program of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from snacbench.listening.server import Limiter, application, new_admin_token, open_service
from tests.support.listening_server import (
    Program,
    Serve,
    Site,
    make_folder,
    program_for,
    small_test,
)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(form="ab")`` serves a small test with these fields."""
    with ExitStack() as stack:

        def begin(
            *,
            limits: dict[str, Limiter] | None = None,
            hosts: tuple[str, ...] = ("*",),
            **fields: Any,
        ) -> Site:
            folder = make_folder(tmp_path / "test", small_test(**fields))
            service = replace(open_service(folder), **(limits or {}))
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


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A running server of the small test; whoever kills it starts it again."""
    with program_for(make_folder(tmp_path_factory.mktemp("served"), small_test())) as program:
        yield program.start()
