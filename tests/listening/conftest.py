"""Servers of listening tests: in the process, as a program, and for a browser."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from snacbench.listening import responses, server
from snacbench.listening.server import application, new_admin_token, open_service
from tests.support import listening_server as served
from tests.support.listening_page import Begin, Stage, Visit


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[served.Serve]:
    """``serve(form="ab")`` serves a small test with these fields."""
    with ExitStack() as stack:

        def begin(*, hosts: tuple[str, ...] = ("*",), **fields: Any) -> served.Site:
            folder = served.make_folder(tmp_path / "test", served.small_test(**fields))
            service, log = open_service(folder), list[str]()
            app = application(service, hosts=hosts, log=log.append)
            client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
            stack.enter_context(client)
            admin = {"Authorization": f"Bearer {new_admin_token(service.responses)}"}
            return served.Site(folder, service, client, admin, log)

        yield begin


@pytest.fixture
def site(serve: served.Serve) -> served.Site:
    return serve()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Program]:
    """A running server of the small test; whoever kills it starts it again."""
    with served.program_for(
        served.make_folder(tmp_path_factory.mktemp("served"), served.small_test())
    ) as program:
        yield program.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Any:
    """What hangs shows why: what the pages of a test that failed show, and complained of."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections += [("pages", visit.described()) for visit in getattr(item, "visits", ())]
    return report


@pytest.fixture
def visit(chromium: Any, request: Any, monkeypatch: Any, tmp_path: Path) -> Iterator[Begin]:
    """Open the page of a test: ``visit(pages=..., systems=...)``; what is heard is enough early."""
    with ExitStack() as stack:
        visits = request.node.visits = list[Visit]()

        def begin(*, least_heard_s: float = 0.2, **fields: Any) -> Visit:
            for module in (server, responses):
                monkeypatch.setattr(module, "LEAST_HEARD_S", least_heard_s)
            stage = Stage(tmp_path / "test", **fields)
            stack.enter_context(stage.served())
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            stack.callback(context.close)
            visits.append(Visit(context, stage))
            return visits[-1]

        yield begin


@pytest.fixture(scope="module")
def modules(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tab in which the page's modules can be imported and tried."""
    stage = Stage(tmp_path_factory.mktemp("modules"))
    with stage.served():
        context = chromium.new_context()
        yield Visit(context, stage).open()
        context.close()
