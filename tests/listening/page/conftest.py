"""A browser and a fake server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.fake_listening_server import make_fake, serve
from tests.support.listening_page import Begin, Visit


@pytest.fixture
def visit(chromium: Any) -> Iterator[Begin]:
    """Open the page of a fake test: ``visit(kinds=..., conditions=...)``."""
    with ExitStack() as stack:

        def begin(**fake: Any) -> Visit:
            given = make_fake(**fake)
            stack.enter_context(serve(given))
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            stack.callback(context.close)
            return Visit(context, given)

        yield begin


@pytest.fixture(scope="module")
def modules(chromium: Any) -> Iterator[Any]:
    """A tab in which the page's modules can be imported and tried."""
    fake = make_fake()
    with serve(fake):
        context = chromium.new_context()
        yield Visit(context, fake).open()
        context.close()
