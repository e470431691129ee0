"""The application: routes, errors, limits, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from snacbench.listening.answers.refusal import Refused
from snacbench.listening.server import admin, api
from snacbench.listening.server.bodies import MAX_BODY_BYTES
from snacbench.listening.server.guard import Guard, Log, refusal_response
from snacbench.listening.server.service import Service


def application(
    service: Service, *, hosts: Sequence[str] = ("*",), log: Log = lambda _: None
) -> ASGIApp:
    """The ASGI application of a test that is being served.

    Parameters
    ----------
    hosts : sequence of str
        Names that the Host header may have; ``*`` for any.
    log : callable
        Gets one line per request, without addresses, queries or tokens.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.answers.close()

    app = Starlette(
        routes=[*api.ROUTES, *admin.ROUTES],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
        ],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _our_error},
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return Guard(app, limiter=service.limits.address, log=log)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal_response(error)


async def _http_error(_: Request, error: Exception) -> Response:
    """Errors of the router: no such path, no such method there, a body that is too long."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    response = refusal_response(
        Refused(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    )
    response.headers.update(error.headers or {})
    return response


async def _our_error(_: Request, error: Exception) -> Response:
    """Anything else is ours; the trace goes to the server's terminal, not to the listener."""
    return refusal_response(
        Refused(500, "server", "Something went wrong on the server; nothing was lost, try again")
    )
