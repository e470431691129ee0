"""What holds for every request, before and after the application sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from snacbench.listening.answers.refusal import Refused
from snacbench.listening.server.limits import Limiter, network_of

METHODS = ("GET", "POST", "DELETE")

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
_KEEP = "Cache-Control"
_KEYED = re.compile(r"^(/api/(?:stimuli|pages|admin/listeners)/).*")

Log = Callable[[str], None]


class Guard:
    """ASGI middleware around everything: methods, rate per address, headers, a line of log."""

    def __init__(self, app: ASGIApp, *, limiter: Limiter, log: Log) -> None:
        self._app = app
        self._limiter = limiter
        self._log = log

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
                headers.setdefault(_KEEP, "no-store")
            await send(message)

        try:
            refused = self._refusal(scope)
            answer = refused or self._app
            await answer(scope, receive, send_with_headers)
        finally:
            took_ms = 1000 * (time.perf_counter() - began_s)
            # Neither query, which may hold an invitation, nor headers, nor an address.
            self._log(f"{scope['method']} {printable(scope['path'])} {status} {took_ms:.0f} ms")

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if scope["method"] not in METHODS:
            refused = Refused(405, "method", "This method is not used here")
            response = refusal_response(refused)
            response.headers["Allow"] = ", ".join(METHODS)
            return response
        try:
            self._limiter.take(network_of(scope["client"][0]) if scope.get("client") else "local")
        except Refused as error:
            return refusal_response(error)
        return None


def refusal_response(error: Refused) -> JSONResponse:
    """A refusal as the page reads it."""
    wait = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return JSONResponse(
        {"error": str(error), "code": error.code}, status_code=error.status, headers=wait
    )


def printable(path: str) -> str:
    """A path for the log: without keys and names, and unable to forge a line of it."""
    shown = path.encode("ascii", "backslashreplace").decode().translate(_UNPRINTABLE)[:200]
    return _KEYED.sub(r"\1*", shown)


_UNPRINTABLE = dict.fromkeys((*range(32), 127), "?")
