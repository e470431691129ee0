"""What holds for every request before the test looks at it: rates, headers, bodies, the log.

Rates are token buckets, kept in memory alone. Sizes are such that a class of 30 who begin at the
same moment behind one address meets no limit; guessing a token of 256 bits is hopeless anyway.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from snacbench.listening.responses.database import Refused
from snacbench.listening.responses.sessions import Body

MAX_BODY_BYTES = 64 * 1024
BODY_WAIT_S = 20.0
_MOST_BUCKETS = 20_000

# Nothing but the page's own files, no inline code, no frames, no address passed on.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_KEYED = re.compile(r"^(/api/(?:stimuli|pages|admin/listeners)/).*")
_UNPRINTABLE = dict.fromkeys((*range(32), 127), "?")

Log = Callable[[str], None]
Sent = TypeVar("Sent", bound=Body)


class Limiter:
    """So many requests at once for each key, and so many per second from then on."""

    def __init__(
        self, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one request, or refuse with the time after which it makes sense to ask again."""
        level = self._level(key)
        if level < 1:
            wait_s = math.ceil((1 - level) / self._per_s)
            sentence = f"Too many requests; try again in {wait_s} s"
            raise Refused(429, "limit", sentence, **{"Retry-After": str(wait_s)})
        if len(self._buckets) >= _MOST_BUCKETS:  # full ones are forgotten, then the oldest
            kept = [item for item in self._buckets.items() if self._level(item[0]) < self._burst]
            self._buckets = dict(kept[-_MOST_BUCKETS // 2 :])
        self._buckets[key] = (level - 1, self._clock())

    def _level(self, key: str) -> float:
        level, at = self._buckets.get(key, (self._burst, self._clock()))
        return min(self._burst, level + (self._clock() - at) * self._per_s)


def address_of(client: tuple[str, int] | None) -> str:
    """Where a request comes from: for limits in memory only, never written down.

    Of IPv6 the network of 64 bits, which one customer has whole.
    """
    host = client[0] if client else "local"
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


async def read_body(request: Request, kind: type[Sent]) -> Sent:
    """The JSON body of a request; `Refused` if it is anything else, or comes too slowly."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(415, "content-type", "Expected a body of type application/json")
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            content = await request.body()
        return kind.model_validate_json(content)
    except TimeoutError as error:
        raise Refused(408, "slow", "The request took too long to arrive") from error
    except ClientDisconnect as error:
        raise Refused(400, "incomplete", "The request ended early") from error
    except ValidationError as error:
        # Names the field only: what was sent is not sent back.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(422, "body", f"The request cannot be understood: {where:.60}") from error


def refusal(error: Refused) -> JSONResponse:
    """A refusal as the page reads it."""
    told = {"error": str(error), "code": error.code}
    return JSONResponse(told, status_code=error.status, headers=error.headers)


class Guard:
    """ASGI middleware around everything: rate per address, headers, a line of log."""

    def __init__(self, app: ASGIApp, limiter: Limiter, log: Log) -> None:
        self._app, self._limiter, self._log = app, limiter, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of the ASGI interface."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer: ASGIApp = self._app
        try:
            self._limiter.take(address_of(scope.get("client")))
        except Refused as error:
            answer = refusal(error)
        try:
            await answer(scope, receive, send_with_headers)
        finally:
            took_ms = 1000 * (time.perf_counter() - began_s)
            # Neither query, which may hold an invitation, nor headers, keys or an address; and
            # nothing by which a path could forge a line.
            shown = scope["path"].encode("ascii", "backslashreplace").decode()
            shown = _KEYED.sub(r"\1*", shown.translate(_UNPRINTABLE)[:200])
            self._log(f"{scope['method']} {shown} {status} {took_ms:.0f} ms")
