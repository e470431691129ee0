"""Serving a test: all that it takes, checked before the first listener comes, until it is stopped.

Stimuli and the page's own files stand in tables, so that no request names a path.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from snacbench.errors import UserError
from snacbench.files import sha256_of_file
from snacbench.listening.responses.database import Responses, open_responses
from snacbench.listening.server.limits import Limiter
from snacbench.listening.stimuli import read_facts, stimulus_file
from snacbench.listening.test import RATE_HZ, ListeningTest, read_test

_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Served:
    """A stimulus as it is sent; `duration_s` is that of its item, in seconds."""

    path: Path
    num_bytes: int
    media_type: str
    duration_s: float

    def blocks(self) -> Iterator[bytes]:
        """The file's bytes, a little at a time: 30 listeners who load at once fill no memory."""
        with self.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size != self.num_bytes:
                raise UserError(f"{self.path} was changed while it is served; restart the server")
            while block := stream.read(_BLOCK_BYTES):
                yield block


@dataclass(frozen=True)
class Service:
    """A test that is being served.

    `stimuli` are by item and condition; `files` of the page by their name under it, with their
    media types; `texts` are the page's, in the test's language. `requests` and `starts` limit both
    per address.
    """

    test: ListeningTest
    responses: Responses
    stimuli: Mapping[tuple[str, str], Served]
    files: Mapping[str, tuple[bytes, str]]
    texts: Mapping[str, Any]
    requests: Limiter = field(default_factory=lambda: Limiter(4_000, 400.0))
    starts: Limiter = field(default_factory=lambda: Limiter(90, 0.5))


def open_service(folder: Path) -> Service:
    """Read and check all that a test needs to be served, else `UserError`."""
    test = read_test(folder)
    stimuli = served_stimuli(folder, test)
    with_page = Path(str(files("snacbench.listening") / "page"))
    found = {
        path.relative_to(with_page).as_posix(): (path.read_bytes(), _MEDIA_TYPES[path.suffix[1:]])
        for path in sorted(with_page.rglob("*"))
        if path.suffix[1:] in _MEDIA_TYPES
    }
    texts = found.get(f"texts/{test.language}.json")
    if texts is None:
        known = [name[6:-5] for name in found if name.startswith("texts/")]
        raise UserError(
            f"the page has no texts in {test.language!r}; there are: {', '.join(known)}; "
            "change the field language of test.yaml"
        )
    words = json.loads(texts[0])
    return Service(test, open_responses(folder, test), stimuli, found, words)


def served_stimuli(folder: Path, test: ListeningTest) -> dict[tuple[str, str], Served]:
    """Every stimulus of a test by item and condition.

    `UserError` if there are none, they are of another design, or one is missing or was changed:
    then they are as they were made, all of an item alike in length and size.
    """
    facts = read_facts(folder, test)
    again = f"make them with 'snacbench mushra stimuli {folder}'"
    table: dict[tuple[str, str], Served] = {}
    for item, condition in itertools.product((*test.items, *test.training), test.conditions):
        # The path follows from the names, not from what stimuli.json says it is.
        path = folder / stimulus_file(item.id, condition, facts.format)
        known = facts.items.get(item.id)
        told = known.conditions.get(condition) if known else None
        try:
            if known is None or told is None or sha256_of_file(path) != told.sha256:
                raise UserError(
                    f"{path} is not the stimulus that was made: its sha256 has changed; {again}"
                )
        except OSError as error:
            raise UserError(f"cannot read the stimulus {path} ({error})") from error
        table[item.id, condition] = Served(
            path, told.num_bytes, f"audio/{facts.format}", known.num_samples / RATE_HZ
        )
    return table


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections; `UserError` if address or port cannot be had."""
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


def serve(app: ASGIApp, listening: socket.socket, *, proxy: str | None = None) -> None:
    """Answer requests until interrupted; requests under way are finished first.

    `proxy` is the address of a reverse proxy whose word on the listener's address is believed.
    """
    config = uvicorn.Config(
        app,
        http="h11",  # the same parser everywhere, whatever else is installed
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # ours has no addresses and no queries
        server_header=False,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        limit_concurrency=1_000,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16 * 1024,
    )
    uvicorn.Server(config).run(sockets=[listening])
