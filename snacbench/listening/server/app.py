"""The application: what the page of a listener, and that of the admin, ask for."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from snacbench.listening.responses import sessions
from snacbench.listening.responses.database import Refused, Responses, token_digest
from snacbench.listening.responses.overview import progress, read_study
from snacbench.listening.responses.sessions import Body, Key, Known, Typed
from snacbench.listening.server.limits import (
    MAX_BODY_BYTES,
    Guard,
    Log,
    address_of,
    read_body,
    refusal,
)
from snacbench.listening.server.serve import Service
from snacbench.listening.test import FADE_S, MIN_LOOP_S, RATE_HZ, REFERENCE
from snacbench.listening.tidy import write_tidy

ADMIN_FACT = "admin_sha256"
_TOLD = {"id", "title", "form", "language", "welcome", "consent", "questionnaire", "contact"}
Value = TypeVar("Value")


class _Start(Body):
    invite: Annotated[str, Field(max_length=100)] | None = None


class _Consent(Body):
    agreed: Literal[True]


class _Questionnaire(Body):
    answers: Annotated[dict[Key, Typed], Field(max_length=100)]


def new_admin_token(responses: Responses) -> str:
    """A new token for the admin, in place of any older one; only its digest is kept."""
    token = sessions.new_token()
    responses.set_fact(ADMIN_FACT, token_digest(token))
    return token


def application(
    service: Service, *, hosts: Sequence[str] = ("*",), log: Log = lambda _: None
) -> ASGIApp:
    """The ASGI application of a test that is being served.

    `hosts` are the names that the Host header may have, ``*`` for any; `log` gets one line per
    request, without addresses, queries or tokens.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.responses.close()

    ask = _Endpoints(service)
    app = Starlette(
        routes=[
            Route("/", ask.page_file, methods=["GET"]),
            Route("/admin", ask.page_file, methods=["GET"]),
            Route("/page/{name:path}", ask.page_file, methods=["GET"]),
            Route("/api/test", ask.facts, methods=["GET"]),
            Route("/api/start", ask.start, methods=["POST"]),
            Route("/api/session", ask.session, methods=["GET"]),
            Route("/api/consent", ask.consent, methods=["POST"]),
            Route("/api/questionnaire", ask.questionnaire, methods=["POST"]),
            Route("/api/stimuli/{key}", ask.stimulus, methods=["GET"]),
            Route("/api/pages/{key}", ask.submit, methods=["POST"]),
            Route("/api/finish", ask.finish, methods=["POST"]),
            Route("/api/delete", ask.delete, methods=["POST"]),
            Route("/api/admin/progress", ask.admin_progress, methods=["GET"]),
            Route("/api/admin/export/tidy.csv", ask.admin_export, methods=["GET"]),
            Route("/api/admin/listeners/{name}", ask.admin_delete, methods=["DELETE"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        exception_handlers={Refused: _refused, HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
    )
    app.router.redirect_slashes = False
    return Guard(app, service.requests, log)


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # no such path, no such method, a body that is too long
        phrase, headers = HTTPStatus(error.status_code).phrase, error.headers or {}
        code = phrase.lower().replace(" ", "-")
        error = Refused(error.status_code, code, phrase, **headers)
    elif not isinstance(error, Refused):  # ours: its trace goes to the terminal alone
        sentence = "Something went wrong on the server; nothing was lost, try again"
        error = Refused(500, "server", sentence)
    return refusal(error)


class _Endpoints:
    """Requests as questions to the responses: everything that touches a file runs in a thread."""

    def __init__(self, service: Service) -> None:
        self._of, self._test = service, service.test

    async def _do(self, what: Callable[..., Value], *given: Any) -> Value:
        return await run_in_threadpool(what, self._of.responses, *given)

    async def _done(self, what: Callable[..., None], *given: Any) -> Response:
        await self._do(what, *given)
        return Response(status_code=204)

    async def _listener(self, request: Request) -> Known:
        """Whoever the request's token belongs to."""
        token = _bearer_of(request)
        if token is None:
            raise Refused(401, "token", "This request needs a token")
        return await self._do(sessions.known_by, token)

    async def _check_admin(self, request: Request) -> None:
        token, expected = _bearer_of(request), await self._do(Responses.fact, ADMIN_FACT)
        if token is None or expected is None or not compare_digest(token_digest(token), expected):
            raise Refused(401, "admin", "This is not the admin's token")

    async def page_file(self, request: Request) -> Response:
        usual = {"/": "index.html", "/admin": "admin.html"}.get(request.url.path, "")
        found = self._of.files.get(request.path_params.get("name", usual))
        if found is None:
            raise Refused(404, "file", "There is no such file")
        content, media_type = found
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    async def facts(self, request: Request) -> Response:
        """What the page needs to know of the test; nothing of its items or systems."""
        told = self._test.model_dump(mode="json", include=_TOLD)
        invite_required = await self._do(sessions.by_invitation)
        constants = {"min_loop_s": MIN_LOOP_S, "fade_s": FADE_S, "rate_hz": RATE_HZ}
        texts = {"texts": self._of.texts, "invite_required": invite_required}
        return JSONResponse(told | constants | texts)

    async def start(self, request: Request) -> Response:
        self._of.starts.take(address_of(request.client))
        body = await read_body(request, _Start)
        name, token = await self._do(sessions.begin, self._test, body.invite)
        return JSONResponse({"token": token, "listener": name}, status_code=201)

    async def session(self, request: Request) -> Response:
        known = await self._listener(request)
        pages = [
            page.model_dump(include={"key", "number", "kind", "training", "reference"})
            | {
                "submitted": page.submitted_utc is not None,
                "duration_s": self._of.stimuli[page.item, REFERENCE].duration_s,
                "stimuli": list(page.stimuli),
            }
            for page in await self._do(sessions.pages_for, known)
        ]
        told = {name: getattr(known, name) for name in ("consented", "answered", "finished")}
        told |= {"listener": known.name, "allow_tie": self._test.allow_tie, "pages": pages}
        return JSONResponse(told)

    async def _told(self, request: Request, kind: type[Body]) -> tuple[Known, Any]:
        """Who sent the request, and its body."""
        return await self._listener(request), await read_body(request, kind)

    async def consent(self, request: Request) -> Response:
        known, _ = await self._told(request, _Consent)
        return await self._done(sessions.consent, known)

    async def questionnaire(self, request: Request) -> Response:
        known, body = await self._told(request, _Questionnaire)
        return await self._done(sessions.answer_questionnaire, self._test, known, body.answers)

    async def stimulus(self, request: Request) -> Response:
        """The sound behind a key: the same headers whatever it is."""
        known = await self._listener(request)
        of = await self._do(sessions.stimulus_under, known, request.path_params["key"])
        served = self._of.stimuli[of]
        length = {"Content-Length": str(served.num_bytes)}
        return StreamingResponse(served.blocks(), media_type=served.media_type, headers=length)

    async def submit(self, request: Request) -> Response:
        known, body = await self._told(request, sessions.Submission)
        key = request.path_params["key"]
        following, again = await self._do(sessions.submit, self._test, known, key, body)
        return JSONResponse({"next": following}, status_code=200 if again else 201)

    async def finish(self, request: Request) -> Response:
        known, _ = await self._told(request, Body)
        return await self._done(sessions.finish, self._test, known)

    async def delete(self, request: Request) -> Response:
        known, _ = await self._told(request, Body)
        return await self._done(sessions.delete_listener, known.name)

    async def admin_progress(self, request: Request) -> Response:
        await self._check_admin(request)
        return JSONResponse(await self._do(progress, self._test))

    async def admin_export(self, request: Request) -> Response:
        await self._check_admin(request)

        def exported(responses: Responses) -> str:
            stream = io.StringIO()
            write_tidy(read_study(self._test, responses.path), stream)
            return stream.getvalue()

        text = await self._do(exported)
        headers = {"Content-Disposition": f'attachment; filename="{self._test.id}-tidy.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    async def admin_delete(self, request: Request) -> Response:
        await self._check_admin(request)
        return await self._done(sessions.delete_listener, request.path_params["name"])


def _bearer_of(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
