"""A server that keeps to the page's contract, in memory: page tests need no other.

It can be told to be gone (`down`), to refuse the next pages (`refuse`), to be slow with sounds
(`sounds_wait_s`), and it records what came.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import snacbench.listening

PAGE = Path(snacbench.listening.__file__).parent / "page"
RATE_HZ = 48_000
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def tone(hertz: float, seconds: float = 2.0) -> bytes:
    """A tone as a file: 16-bit WAV."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    samples = 0.3 * np.sin(2 * np.pi * hertz * time_s) * np.hanning(time_s.size)
    stream = io.BytesIO()
    soundfile.write(stream, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def page_texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((PAGE / "texts" / f"{language}.json").read_text("utf-8"))
    return found


@dataclass
class Fake:
    """State of the server: change it between what the browser does."""

    pages: list[dict[str, Any]]
    sounds: dict[str, bytes]
    test: dict[str, Any]
    invite: str | None = None
    listeners: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    lose_replies: int = 0
    sounds_wait_s: float = 0.0
    refuse: list[tuple[int, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    origin: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def only(self) -> dict[str, Any]:
        """The one listener."""
        (listener,) = self.listeners.values()
        return listener

    @property
    def done(self) -> dict[str, Any]:
        """What the one listener submitted, by page."""
        found: dict[str, Any] = self.only["done"]
        return found

    def enrol(self) -> str:
        """A new listener's token."""
        number, states = len(self.listeners), ("consented", "answered", "finished")
        listener = {"listener": f"k7m3-p2v{number}", "done": {}} | dict.fromkeys(states, False)
        self.listeners[f"token{number}"] = listener
        return f"token{number}"


def make_fake(
    kinds: tuple[str, ...] = ("mushra", "mushra"),
    conditions: int = 4,
    invite: str | None = None,
    **changes: Any,
) -> Fake:
    """A test with one page per kind; "mushra!" is a training page."""
    sounds, pages = {}, []
    for n, kind in enumerate(kinds):
        count = {"ab": 2, "abx": 3}.get(kind, conditions)
        keys = [f"s{n}x{i}" for i in range(count)]
        sounds |= {key: tone(300.0 * (i + 1)) for i, key in enumerate(keys)}
        reference = f"s{n}ref" if kind.startswith("mushra") else None
        if reference:
            sounds[reference] = tone(300.0)
        page = {"key": f"p{n}", "number": n, "kind": kind.rstrip("!"), "duration_s": 2.0}
        page |= {"training": kind.endswith("!"), "reference": reference, "stimuli": keys}
        pages.append(page)
    age = {"id": "age", "text": "Age group", "kind": "choice", "required": True}
    phones = {"id": "phones", "text": "Which headphones?", "kind": "text", "required": False}
    test = {
        "id": "tiny",
        "title": "A tiny test",
        "form": "mushra",
        "language": "en",
        "texts": page_texts(changes.get("language", "en")),
        "welcome": "",
        "consent": "",
        "questionnaire": [age | {"choices": ["< 30", "30 or more"]}, phones | {"choices": []}],
        "contact": "lab@example.org",
        "min_loop_s": 0.5,
        "fade_s": 0.005,
        "rate_hz": RATE_HZ,
        "invite_required": invite is not None,
    }
    return Fake(pages, sounds, test | changes, invite)


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code
        super().__init__(f"No: {code}.")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        fake, path = self.fake, self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if path.startswith("/api/stimuli/"):
            time.sleep(fake.sounds_wait_s)
        if fake.down:
            self.close_connection = True
            return
        fake.seen.append(f"{self.command} {path}")
        kind = "application/json"
        try:
            with fake.lock:
                status, told = _respond(fake, path, body, token)
        except _Refused as refused:
            status, told = refused.status, {"error": str(refused), "code": refused.code}
        if path.startswith("/api/pages/") and fake.lose_replies and status < 400:
            fake.lose_replies -= 1
            self.close_connection = True
            return
        if isinstance(told, tuple):
            content, kind = told
        else:
            content = json.dumps(told).encode() if told is not None else b""
        self.send_response(status)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()


def _respond(fake: Fake, path: str, body: dict[str, Any], token: str) -> tuple[int, Any]:
    """Status, and what becomes JSON, or bytes with their media type."""
    if path == "/" or path.startswith("/page/"):
        file = PAGE / ("index.html" if path == "/" else path.removeprefix("/page/"))
        return 200, (file.read_bytes(), TYPES[file.suffix])
    if path == "/blank":  # a page of the same origin, for what is stored before the first
        return 200, (b'<link rel="icon" href="data:,">', "text/html")
    if path == "/api/test":
        return 200, fake.test
    if path == "/api/start":
        if fake.invite is not None and body.get("invite") != fake.invite:
            raise _Refused(403, "invite")
        token = fake.enrol()
        return 201, {"token": token, "listener": fake.listeners[token]["listener"]}
    if token not in fake.listeners:
        raise _Refused(401, "token")
    return _for_listener(fake, path, body, token)


def _for_listener(fake: Fake, path: str, body: dict[str, Any], token: str) -> tuple[int, Any]:
    listener = fake.listeners[token]
    done, key = listener["done"], path.rpartition("/")[2]
    if path == "/api/session":
        pages = [page | {"submitted": page["key"] in done} for page in fake.pages]
        return 200, listener | {"done": None, "pages": pages, "allow_tie": True}
    if path.startswith("/api/stimuli/"):
        return 200, (fake.sounds[key], "audio/wav")
    if path.startswith("/api/pages/"):
        return _submit(fake, done, key, body)
    if path == "/api/consent":
        listener["consented"] = body == {"agreed": True}
    elif path == "/api/questionnaire":
        listener.update(answered=True, answers=body["answers"])
    elif path == "/api/finish":
        if len(done) < len(fake.pages):
            raise _Refused(409, "unfinished")
        listener["finished"] = True
    elif path == "/api/delete":
        del fake.listeners[token]
    return 204, None


def _submit(fake: Fake, done: dict[str, Any], key: str, body: dict[str, Any]) -> tuple[int, Any]:
    if fake.refuse:
        raise _Refused(*fake.refuse.pop(0))
    if key in done:
        if done[key] == body:
            return 200, {"next": None}
        raise _Refused(409, "submitted")
    page = fake.pages[len(done)]
    if key != page["key"]:
        raise _Refused(409, "order")
    if page["kind"] == "mushra" and {r["stimulus"] for r in body["ratings"]} != {*page["stimuli"]}:
        raise _Refused(422, "ratings")
    done[key] = body
    return 201, {"next": None}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of five, a busy machine drops some, and they come a second later


@contextmanager
def serve(fake: Fake) -> Iterator[None]:
    """Serve on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        fake.origin = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield
        finally:
            server.shutdown()
