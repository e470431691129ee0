from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request

from snacbench.listening.answers.refusal import Refused
from snacbench.listening.server import bodies
from snacbench.listening.server.bodies import Empty, read_body


def read(receive: Any) -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/",
        "headers": [(b"content-type", b"application/json; charset=utf-8")],
    }  # fmt: skip
    # In a thread of its own: the browser that other tests of this process drive has a loop here.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, read_body(Request(scope, receive), Empty)).result()


def test_a_body_that_never_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.05)

    async def never() -> Any:
        await asyncio.sleep(10)

    with pytest.raises(Refused, match="The request took too long to arrive"):
        read(never)


def test_a_body_that_ends_early() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(Refused, match="The request ended early"):
        read(gone)


def test_a_body_in_parts() -> None:
    parts = iter([b"{", b"}"])

    async def receive() -> Any:
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": part == b"{"}

    read(receive)
