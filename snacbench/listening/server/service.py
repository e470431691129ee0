"""What all requests share, and who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from snacbench.listening.answers.listeners import Known, known_by
from snacbench.listening.answers.open import Answers
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.tokens import digest, new_token, same_digest
from snacbench.listening.server.files import PageFile
from snacbench.listening.server.limits import Limiter, Rates, network_of
from snacbench.listening.server.stimuli import Table
from snacbench.listening.test import ListeningTest

_ADMIN = "admin_sha256"
_BEARER = "bearer "


class Limits:
    """The limits of `Rates`, counting."""

    def __init__(self, rates: Rates | None = None) -> None:
        rates = rates or Rates()
        self.address = Limiter(rates.address)
        self.starts = Limiter(rates.starts)
        self.failures = Limiter(rates.failures)
        self.admin_failures = Limiter(rates.admin_failures)
        self.listener = Limiter(rates.listener)


@dataclass(frozen=True)
class Service:
    """A test that is being served."""

    test: ListeningTest
    answers: Answers
    stimuli: Table
    files: Mapping[str, PageFile]
    texts: Mapping[str, Any]
    max_unfinished: int
    limits: Limits = field(default_factory=Limits)


def service_of(request: Request) -> Service:
    """The service behind the application that got the request."""
    service: Service = request.app.state.service
    return service


def address_of(request: Request) -> str:
    """Where a request comes from: for limits in memory only, never written down."""
    return network_of(request.client.host) if request.client else "local"


def bearer_of(request: Request) -> str | None:
    """The token of the Authorization header."""
    header = request.headers.get("authorization", "")
    return header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else None


async def listener_of(request: Request) -> Known:
    """Whoever the request's token belongs to.

    A right token is let in however many wrong ones came from its address: guessing 256 bits is
    hopeless, and one guest must not be able to lock out a whole class.

    Raises
    ------
    Refused
        If there is no token or it is nobody's; or the listener asks too often.
    """
    service, token = service_of(request), bearer_of(request)
    try:
        if token is None:
            raise Refused(401, "token", "This request needs a token")
        known = await run_in_threadpool(known_by, service.answers, token)
    except Refused:
        service.limits.failures.take(address_of(request))
        raise
    service.limits.listener.take(str(known.id))
    return known


async def check_admin(request: Request) -> None:
    """Let only the admin's token pass.

    Raises
    ------
    Refused
        If the token is another; more slowly the more often it is.
    """
    service, token = service_of(request), bearer_of(request)
    expected = await run_in_threadpool(service.answers.fact, _ADMIN)
    if token is None or expected is None or not same_digest(digest(token), expected):
        service.limits.admin_failures.take(address_of(request))
        raise Refused(401, "admin", "This is not the admin's token")


def has_admin(answers: Answers) -> bool:
    """Whether an admin's token has been given out."""
    return answers.fact(_ADMIN) is not None


def new_admin_token(answers: Answers) -> str:
    """A new token for the admin, in place of any older one; only its digest is kept."""
    token = new_token()
    answers.set_fact(_ADMIN, digest(token))
    return token
