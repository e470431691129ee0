"""What the admin's page asks for."""

from __future__ import annotations

import io

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snacbench.errors import UserError
from snacbench.listening.answers import listeners
from snacbench.listening.answers.progress import progress
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.study import read_study
from snacbench.listening.answers.webmushra import write_webmushra
from snacbench.listening.server.service import Service, check_admin, service_of
from snacbench.listening.tidy import write_tidy


async def show_progress(request: Request) -> Response:
    """Listeners with signs of their care, and how often items were heard."""
    await check_admin(request)
    service = service_of(request)
    return JSONResponse(await run_in_threadpool(progress, service.answers, service.test))


async def export(request: Request) -> Response:
    """All answers so far as CSV."""
    await check_admin(request)
    service, form = service_of(request), request.path_params["form"]
    if form not in ("tidy", "webmushra"):
        raise Refused(404, "form", "There are the forms tidy and webmushra")
    try:
        text = await run_in_threadpool(_csv, service, form)
    except UserError as error:
        raise Refused(409, "form", str(error)) from error
    name = f'attachment; filename="{service.test.id}-{form}.csv"'
    return Response(
        text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
    )


def _csv(service: Service, form: str) -> str:
    stream = io.StringIO()
    study = read_study(service.test, service.answers.path)
    if form == "tidy":
        write_tidy(study, stream)
    else:
        write_webmushra(service.test, study, stream)
    return stream.getvalue()


async def delete(request: Request) -> Response:
    """Delete a listener and all they said."""
    await check_admin(request)
    await run_in_threadpool(
        listeners.delete, service_of(request).answers, request.path_params["listener"]
    )
    return Response(status_code=204)


ROUTES = (
    Route("/api/admin/progress", show_progress, methods=["GET"]),
    Route("/api/admin/export/{form}.csv", export, methods=["GET"]),
    Route("/api/admin/listeners/{listener}", delete, methods=["DELETE"]),
)
