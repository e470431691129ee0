"""Serving a test until somebody stops it."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from snacbench.errors import UserError
from snacbench.listening.answers.listeners import MAX_UNFINISHED
from snacbench.listening.answers.open import open_answers
from snacbench.listening.server.files import page_files, texts
from snacbench.listening.server.service import Service
from snacbench.listening.server.stimuli import served_stimuli
from snacbench.listening.test import read_test

_MAX_CONNECTIONS = 1_000
_MAX_HEADER_BYTES = 16 * 1024
_KEEP_ALIVE_S = 30
_LAST_REQUESTS_S = 5


@dataclass(frozen=True)
class Transport:
    """How connections come in.

    Attributes
    ----------
    certificate, key : path or None
        For HTTPS.
    proxy : str or None
        Address of a reverse proxy whose word on the listener's address is believed.
    """

    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None


def open_service(folder: Path, *, max_unfinished: int = MAX_UNFINISHED) -> Service:
    """Read and check all that a test needs to be served.

    Raises
    ------
    UserError
        If the test, its stimuli, its answers or the page's texts are missing or wrong.
    """
    test = read_test(folder)
    stimuli = served_stimuli(folder, test)
    words = texts(test.language)
    return Service(test, open_answers(folder, test), stimuli, page_files(), words, max_unfinished)


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises
    ------
    UserError
        If the port is in use or not allowed, or the host is none of this machine's addresses.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"port {port} is in use; stop what listens there, or choose another with --port"
        elif error.errno == errno.EACCES:
            text = f"port {port} needs more rights; choose one above 1023 with --port"
        else:
            text = f"cannot listen at {host} port {port} ({error}); check --host"
        raise UserError(text) from error


def serve(app: ASGIApp, listening: socket.socket, transport: Transport) -> None:
    """Answer requests until interrupted; requests under way are finished first.

    Raises
    ------
    UserError
        If certificate and key cannot be used.
    """
    config = uvicorn.Config(
        app,
        http="h11",  # the same parser everywhere, whatever else is installed
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # ours has no addresses and no queries
        server_header=False,
        proxy_headers=transport.proxy is not None,
        forwarded_allow_ips=transport.proxy or "",
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LAST_REQUESTS_S,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        ssl_certfile=transport.certificate,
        ssl_keyfile=transport.key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise UserError(f"cannot use certificate and key ({error})") from error
    uvicorn.Server(config).run(sockets=[listening])
