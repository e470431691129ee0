"""What a listener's page asks for."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from snacbench.listening.answers import listeners, pages
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.server.bodies import (
    Consent,
    Empty,
    Page,
    Questionnaire,
    Start,
    read_body,
)
from snacbench.listening.server.service import Service, address_of, listener_of, service_of
from snacbench.listening.test import FADE_S, MIN_LOOP_S, RATE_HZ, REFERENCE


def _nothing() -> Response:
    return Response(status_code=204)


async def index(request: Request) -> Response:
    """The page itself."""
    return _page_file(service_of(request), "index.html")


async def admin_page(request: Request) -> Response:
    """The admin's page; what it shows needs the admin's token."""
    return _page_file(service_of(request), "admin.html")


async def page_file(request: Request) -> Response:
    """A style sheet or script of the page."""
    return _page_file(service_of(request), request.path_params["name"])


def _page_file(service: Service, name: str) -> Response:
    found = service.files.get(name)
    if found is None:
        raise Refused(404, "file", "There is no such file")
    return Response(
        found.content, media_type=found.media_type, headers={"Cache-Control": "no-cache"}
    )


async def test_facts(request: Request) -> Response:
    """What the page needs to know of the test; nothing of its items or systems."""
    service = service_of(request)
    test = service.test
    return JSONResponse(
        {
            "id": test.id,
            "title": test.title,
            "form": test.form,
            "language": test.language,
            "texts": service.texts,
            "welcome": test.welcome,
            "consent": test.consent,
            "questionnaire": [question.model_dump(mode="json") for question in test.questionnaire],
            "contact": test.contact,
            "min_loop_s": MIN_LOOP_S,
            "fade_s": FADE_S,
            "rate_hz": RATE_HZ,
            "invite_required": await run_in_threadpool(listeners.by_invitation, service.answers),
        }
    )


async def start(request: Request) -> Response:
    """A new listener: token and name."""
    service = service_of(request)
    service.limits.starts.take(address_of(request))
    body = await read_body(request, Start)
    newcomer = await run_in_threadpool(
        listeners.begin,
        service.answers,
        service.test,
        invite=body.invite,
        max_unfinished=service.max_unfinished,
    )
    return JSONResponse({"token": newcomer.token, "listener": newcomer.name}, status_code=201)


async def session(request: Request) -> Response:
    """How far the listener came, and their pages."""
    known, service = await listener_of(request), service_of(request)
    views = await run_in_threadpool(pages.pages_for, service.answers, known)
    return JSONResponse(
        {
            "listener": known.name,
            "consented": known.consented,
            "answered": known.answered,
            "finished": known.finished,
            "allow_tie": service.test.allow_tie,
            "pages": [_page_json(service, view) for view in views],
        }
    )


def _page_json(service: Service, view: pages.PageView) -> dict[str, Any]:
    return {
        "key": view.key,
        "number": view.number,
        "kind": view.kind,
        "training": view.training,
        "submitted": view.submitted,
        "duration_s": service.stimuli[view.item, REFERENCE].duration_s,
        "reference": view.reference,
        "stimuli": list(view.stimuli),
    }


async def consent(request: Request) -> Response:
    """The listener agrees."""
    known = await listener_of(request)
    await read_body(request, Consent)
    await run_in_threadpool(listeners.consent, service_of(request).answers, known)
    return _nothing()


async def questionnaire(request: Request) -> Response:
    """The listener's answers to the questionnaire."""
    known, service = await listener_of(request), service_of(request)
    body = await read_body(request, Questionnaire)
    await run_in_threadpool(
        listeners.answer_questionnaire, service.answers, service.test, known, body.answers
    )
    return _nothing()


async def stimulus(request: Request) -> Response:
    """The sound behind a key: the same headers whatever it is."""
    known, service = await listener_of(request), service_of(request)
    heard = await run_in_threadpool(
        pages.heard_under, service.answers, known, request.path_params["key"]
    )
    served = service.stimuli[heard.item, heard.condition]
    return StreamingResponse(
        served.blocks(),
        media_type=served.media_type,
        headers={"Content-Length": str(served.num_bytes)},
    )


async def submit(request: Request) -> Response:
    """A page's answers: kept before this answers."""
    known, service = await listener_of(request), service_of(request)
    body = await read_body(request, Page)
    accepted = await run_in_threadpool(
        pages.submit,
        service.answers,
        known,
        request.path_params["key"],
        body.submission(),
        allow_tie=service.test.allow_tie,
    )
    return JSONResponse({"next": accepted.next_key}, status_code=200 if accepted.again else 201)


async def finish(request: Request) -> Response:
    """The listener is through."""
    known, service = await listener_of(request), service_of(request)
    await read_body(request, Empty)
    await run_in_threadpool(listeners.finish, service.answers, service.test, known)
    return _nothing()


async def delete(request: Request) -> Response:
    """The listener takes everything back."""
    known = await listener_of(request)
    await read_body(request, Empty)
    await run_in_threadpool(listeners.delete, service_of(request).answers, known.name)
    return _nothing()


ROUTES = (
    Route("/", index, methods=["GET"]),
    Route("/admin", admin_page, methods=["GET"]),
    Route("/page/{name:path}", page_file, methods=["GET"]),
    Route("/api/test", test_facts, methods=["GET"]),
    Route("/api/start", start, methods=["POST"]),
    Route("/api/session", session, methods=["GET"]),
    Route("/api/consent", consent, methods=["POST"]),
    Route("/api/questionnaire", questionnaire, methods=["POST"]),
    Route("/api/stimuli/{key}", stimulus, methods=["GET"]),
    Route("/api/pages/{key}", submit, methods=["POST"]),
    Route("/api/finish", finish, methods=["POST"]),
    Route("/api/delete", delete, methods=["POST"]),
)
