"""The server of a listening test: one process, the page, its stimuli, and one file of answers.

Whoever listens is known by a bearer token alone. No cookie exists, so that no other site can act
for a listener; nothing sent tells which condition a sound is, its bytes apart.
"""

import asyncio
import errno
import io
import ipaddress
import itertools
import math
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import uvicorn
from pydantic import Field, RootModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from snacbench.errors import UserError
from snacbench.files import sha256_of_file
from snacbench.forms import FORMS
from snacbench.listening import responses as sessions
from snacbench.listening.design import pages_of
from snacbench.listening.responses import Body, Refused, Responses
from snacbench.listening.screening import screen
from snacbench.listening.stimuli import read_facts, stimulus_file
from snacbench.listening.study import duplicates, write_tidy
from snacbench.listening.test import (
    DOCS,
    FADE_S,
    LEAST_HEARD_S,
    MIN_LOOP_S,
    PAGE,
    RATE_HZ,
    ListeningTest,
    read_test,
)
from snacbench.yamlfile import read_yaml

ADMIN_FACT = "admin_sha256"
MAX_BODY_BYTES = 64 * 1024
BODY_WAIT_S = 20.0
_MOST_BUCKETS = 20_000
_BLOCK_BYTES = 256 * 1024

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
_TOLD = {"id", "title", "form", "language", "welcome", "consent", "questionnaire", "contact"}
_TOLD |= {"shared_computer", "address_parameters", "record_device"}


# ------------------------------------------------------------- what holds for every request, first
class Limiter:
    """So many requests at once for each key, and so many per second from then on.

    A token bucket, in memory alone. Sizes are such that a class of 30 who begin at the same moment
    behind one address meets no limit; guessing a token of 256 bits is hopeless anyway.
    """

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
    """Where a request comes from, for limits in memory only; never written down."""
    host = client[0] if client else "local"
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    # Of IPv6 the network of 64 bits, which one customer has whole.
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


async def _refused(_: Request | None, error: Exception) -> Response:
    """What was refused, or went wrong, as the page reads it."""
    if isinstance(error, HTTPException):  # no such path, no such method, a body that is too long
        phrase, headers = HTTPStatus(error.status_code).phrase, error.headers or {}
        code = phrase.lower().replace(" ", "-")
        error = Refused(error.status_code, code, phrase, **headers)
    elif not isinstance(error, Refused):  # ours: its trace goes to the terminal alone
        sentence = "Something went wrong on the server; nothing was lost, try again"
        error = Refused(500, "server", sentence)
    told = {"error": str(error), "code": error.code}
    return JSONResponse(told, status_code=error.status, headers=error.headers)


def guarded(app: ASGIApp, limiter: Limiter, log: Log) -> ASGIApp:
    """What holds for every request: a rate per address, headers, a line of log."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began_s, status, answer = time.perf_counter(), 0, app

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            limiter.take(address_of(scope.get("client")))
        except Refused as error:
            answer = await _refused(None, error)
        try:
            await answer(scope, receive, send_with_headers)
        finally:
            took_ms = 1000 * (time.perf_counter() - began_s)
            # Neither query, which may hold an invitation, nor headers, keys or an address; and
            # nothing by which a path could forge a line.
            shown = scope["path"].encode("ascii", "backslashreplace").decode()
            shown = _KEYED.sub(r"\1*", shown.translate(_UNPRINTABLE)[:200])
            log(f"{scope['method']} {shown} {status} {took_ms:.0f} ms")

    return handle


# ------------------------------------------------------------------------------ what is served
@dataclass(frozen=True)
class Service:
    """A test that is being served.

    `stimuli`, files and their sizes in bytes, are by item and condition, so that no request names a
    path; `texts` are the page's, in the test's language. `requests` and `starts` limit both per
    address; `max_listeners` finish the test or are under way.
    """

    test: ListeningTest
    responses: Responses
    stimuli: Mapping[tuple[str, str], tuple[Path, int]]
    texts: Mapping[str, Any]
    max_listeners: int | None = None
    requests: Limiter = field(default_factory=lambda: Limiter(4_000, 400.0))
    starts: Limiter = field(default_factory=lambda: Limiter(90, 0.5))


def open_service(folder: Path, *, max_listeners: int | None = None) -> Service:
    """Read and check all that a test needs to be served, else `UserError`.

    Stimuli must be as they were made: then all of an item are alike in length and size.
    """
    test = read_test(folder)
    facts, words = read_facts(folder, test), page_texts(folder, test.language)
    table: dict[tuple[str, str], tuple[Path, int]] = {}
    for item, condition in itertools.product((*test.items, *test.training), test.conditions):
        # The path follows from the names, not from what stimuli.json says it is.
        path = folder / stimulus_file(item.id, condition, facts.format)
        try:
            told = facts.items[item.id].conditions[condition]
            if sha256_of_file(path) != told.sha256:
                raise ValueError("its sha256 has changed")
        except (KeyError, OSError, ValueError) as error:
            raise UserError(
                f"{path} is not the stimulus that was made ({error}); make it with 'snacbench "
                f"mushra stimuli {folder}'"
            ) from error
        table[item.id, condition] = path, told.num_bytes
    return Service(test, sessions.open_responses(folder, test), table, words, max_listeners)


def page_texts(folder: Path, language: str) -> dict[str, str]:
    """The page's texts by their keys, from ``LANGUAGE.json`` in the test's folder or the package.

    `UserError` if neither has it, or its keys and {names} are not those of the English one.
    """
    ours, name = PAGE / "texts", f"{language}.json"
    path = folder / name if (folder / name).is_file() else ours / name
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in ours.glob("*.json")))
        raise UserError(
            f"the page has no texts in {language!r}; there are: {known}; change the field language "
            f"of test.yaml, or put {name} beside it ({DOCS}, 'Another language')"
        )
    words, english = (
        read_yaml(file, RootModel[dict[str, str]], noun="texts", docs=DOCS).root
        for file in (path, ours / "en.json")
    )
    has, needs = (
        {key + name for key, text in of.items() for name in ("", *re.findall(r"\{\w+\}", text))}
        for of in (words, english)
    )
    if has != needs:
        lacks, more = (", ".join(sorted(keys)) or "nothing" for keys in (needs - has, has - needs))
        raise UserError(f"{path}, held against en.json, lacks {lacks}, and has besides {more}")
    return words


class _Consent(Body):
    agreed: Literal[True]


class _Questionnaire(Body):
    answers: Annotated[dict[sessions.Key, sessions.Answer], Field(max_length=100)]


def new_admin_token(responses: Responses) -> str:
    """A new token for the admin, in place of any older one; only its digest is kept."""
    token = secrets.token_urlsafe(32)
    responses.set_fact(ADMIN_FACT, sessions.token_digest(token))
    return token


def application(
    service: Service, *, hosts: Sequence[str] = ("*",), log: Log = lambda _: None
) -> ASGIApp:
    """The ASGI application of a test that is being served.

    `hosts` are the names that the Host header may have, ``*`` for any; `log` gets one line per
    request, without addresses, queries or tokens.
    """
    test, responses, ask = service.test, service.responses, _Endpoints(service)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        responses.close()

    def posted(path: str, kind: type[Sent], what: Callable[..., Response | None]) -> Route:
        """What a listener may send: nothing of it is read without a token."""

        async def answer(request: Request) -> Response:
            given = _token_of(request), await read_body(request, kind)
            told = await run_in_threadpool(what, *given, **request.path_params)
            return told or Response(status_code=204)

        return Route(path, answer, methods=["POST"])

    app = Starlette(
        routes=[
            Route("/", lambda _: FileResponse(PAGE / "index.html")),
            Route("/admin", lambda _: FileResponse(PAGE / "admin.html")),
            Mount("/page", StaticFiles(directory=PAGE)),
            Route("/api/test", ask.facts),
            Route("/api/start", ask.start, methods=["POST"]),
            Route("/api/session", ask.session),
            posted("/api/consent", _Consent, lambda token, _: sessions.consent(responses, token)),
            posted("/api/questionnaire", _Questionnaire, ask.questionnaire),
            Route("/api/stimuli/{key}", ask.stimulus),
            posted("/api/pages/{key}", sessions.Submission, ask.submit),
            posted("/api/finish", Body, lambda token, _: sessions.finish(responses, test, token)),
            posted("/api/delete", Body, ask.delete),
            Route("/api/admin/progress", ask.admin_progress),
            Route("/api/admin/export/tidy.csv", ask.admin_export),
            Route("/api/admin/listeners/{name}", ask.admin_delete, methods=["DELETE"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        exception_handlers={Refused: _refused, HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
    )
    app.router.redirect_slashes = False
    return guarded(app, service.requests, log)


class _Endpoints:
    """Requests as questions to the responses: what is no coroutine, runs in a thread."""

    def __init__(self, service: Service) -> None:
        self._of, self._test, self._responses = service, service.test, service.responses

    def facts(self, _: Request) -> Response:
        """What the page needs to know of the test; nothing of its items or systems."""
        told = self._test.model_dump(mode="json", include=_TOLD)
        told |= {"min_loop_s": MIN_LOOP_S, "fade_s": FADE_S, "rate_hz": RATE_HZ}
        told |= sessions.entrance(self._responses, self._of.max_listeners)
        told |= {"least_heard_s": LEAST_HEARD_S, "texts": self._of.texts}
        told["sounds"] = [len(page.conditions) for page in pages_of(self._test, 0)]
        told["longest_s"] = max(item.duration_s for item in self._test.items)
        return JSONResponse(told)

    async def start(self, request: Request) -> Response:
        self._of.starts.take(address_of(request.client))
        given = self._test, await read_body(request, sessions.Start), self._of.max_listeners
        name, token = await run_in_threadpool(sessions.begin, self._responses, *given)
        return JSONResponse({"token": token, "listener": name}, status_code=201)

    def session(self, request: Request) -> Response:
        listener = sessions.seen(self._responses, _token_of(request))
        pages = [
            page.model_dump(include={"key", "reference", "asked"})
            | {
                "training": page.training and page.asked is None,
                "kind": FORMS[self._test.form].kind,
                "submitted": page.response is not None,
                "stimuli": list(page.stimuli),
            }
            for page in listener.pages
        ]
        told = {
            "listener": listener.name,
            "consented": listener.consented_utc is not None,
            "answered": listener.answered_utc is not None,
            "finished": listener.finished_utc is not None,
            "allow_tie": self._test.allow_tie,
            "pages": pages,
        }
        if listener.finished_utc:
            told |= {"code": self._test.completion_code, "url": self._test.completion_url}
            told["came_with"] = listener.came_with
        return JSONResponse(told)

    def questionnaire(self, token: str, sent: _Questionnaire) -> None:
        sessions.answer_questionnaire(self._responses, self._test, token, sent.answers)

    def stimulus(self, request: Request) -> Response:
        """The sound behind a key: the same headers whatever it is."""
        asked = _token_of(request), request.path_params["key"]
        path, num_bytes = self._of.stimuli[sessions.stimulus_under(self._responses, *asked)]
        found, media_type = path.stat(), f"audio/{path.suffix[1:]}"
        if found.st_size != num_bytes:
            raise UserError(f"{path} was changed while it is served; restart the server")
        answer = FileResponse(path, media_type=media_type, stat_result=found)
        answer.chunk_size = _BLOCK_BYTES
        for telling in ("etag", "last-modified"):
            del answer.headers[telling]
        return answer

    def submit(self, token: str, sent: sessions.Submission, key: str) -> Response:
        following, again = sessions.submit(self._responses, self._test, token, key, sent)
        return JSONResponse({"next": following}, status_code=200 if again else 201)

    def delete(self, token: str, _: Body) -> None:
        sessions.delete_listener(self._responses, sessions.seen(self._responses, token).name)

    def _check_admin(self, request: Request) -> None:
        token, expected = _token_of(request), self._responses.fact(ADMIN_FACT)
        if expected is None or not compare_digest(sessions.token_digest(token), expected):
            raise Refused(401, "admin", "This is not the admin's token")

    def admin_progress(self, request: Request) -> Response:
        """How far a test has come: its listeners and its items."""
        self._check_admin(request)
        # Whose answers count is decided in the analysis, which can be run at any time.
        study = sessions.read_study(self._test, self._responses.path)
        known = {one.id: one.record for one in study.listeners}
        known |= {check["listener"]: check for check in screen(study)[1].checks}
        shown = "name, number, started_utc, last_utc, consented_utc, finished_utc, rated, planned"
        with self._responses.transaction() as sql:
            rows = sql.execute(f"SELECT {shown} FROM listeners ORDER BY id").fetchall()
            made, used = sql.execute("SELECT count(*), sum(used) FROM invitations").fetchone()
        pages = {(answer.listener, answer.page): answer.item for answer in study.answers}
        times = Counter(pages.values())
        told = {
            "title": self._test.title,
            "listeners": [known.get(row["name"], {}) | dict(row) for row in rows],
            "notes": duplicates(study.listeners),
            "items": {item.id: times[item.id] for item in self._test.items},
            "invitations": {"made": made, "used": used or 0},
        }
        return JSONResponse(told)

    def admin_export(self, request: Request) -> Response:
        self._check_admin(request)
        stream = io.StringIO()
        write_tidy(sessions.read_study(self._test, self._responses.path), stream)
        headers = {"Content-Disposition": f'attachment; filename="{self._test.id}-tidy.csv"'}
        return Response(stream.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    def admin_delete(self, request: Request) -> Response:
        self._check_admin(request)
        sessions.delete_listener(self._responses, request.path_params["name"])
        return Response(status_code=204)


def _token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused(401, "token", "This request needs a token")
    return token.strip()


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections; `UserError` if address or port cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"port {port} is in use; stop what listens there, or choose another with --port"
        elif error.errno == errno.EACCES:
            text = f"port {port} needs more rights; choose one above 1023 with --port"
        else:
            text = f"cannot listen at {host} port {port} ({error}); check --host"
        raise UserError(text) from error


def serve(app: ASGIApp, listening: socket.socket, *, proxy: str | None = None) -> None:
    """Answer requests until interrupted; requests under way are finished first.

    `proxy` is the address of a reverse proxy whose word on the listener's address is believed.
    """
    config = uvicorn.Config(
        app, ws="none", lifespan="on", log_config=None, server_header=False,
        http="h11",  # the same parser everywhere, whatever else is installed
        access_log=False,  # ours has no addresses and no queries
        proxy_headers=proxy is not None, forwarded_allow_ips=proxy or "", limit_concurrency=1_000,
        timeout_keep_alive=30, timeout_graceful_shutdown=5, h11_max_incomplete_event_size=16 * 1024,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])
