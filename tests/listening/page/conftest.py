"""A browser, and a server with faults to switch on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.listening_page import Begin, Stage, Visit


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Begin]:
    """Open the page of a test: ``visit(pages=..., systems=...)``."""
    with ExitStack() as stack:

        def begin(**fields: Any) -> Visit:
            stage = Stage(tmp_path / "test", **fields)
            stack.enter_context(stage.served())
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            stack.callback(context.close)
            return Visit(context, stage)

        yield begin


@pytest.fixture(scope="module")
def modules(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tab in which the page's modules can be imported and tried."""
    stage = Stage(tmp_path_factory.mktemp("modules"))
    with stage.served():
        context = chromium.new_context()
        yield Visit(context, stage).open()
        context.close()
