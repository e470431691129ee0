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


def wav_bytes(samples: np.ndarray) -> bytes:
    """16-bit WAV of samples, (num_samples,) or (num_samples, channels), in -1 to 1."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * hertz * time_s) * np.hanning(time_s.size)


@dataclass
class FakePage:
    key: str
    kind: str = "mushra"
    training: bool = False
    stimuli: list[str] = field(default_factory=list)
    reference: str | None = None


@dataclass
class Fake:
    """State of the server: change it between what the browser does."""

    pages: list[FakePage]
    sounds: dict[str, bytes]
    test: dict[str, Any] = field(default_factory=dict)
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


def questions() -> list[dict[str, Any]]:
    return [
        {"id": "age", "text": "Age group", "kind": "choice", "choices": ["< 30", "30 or more"],
         "required": True},
        {"id": "phones", "text": "Which headphones?", "kind": "text", "choices": [],
         "required": False},
    ]  # fmt: skip


def make_fake(
    kinds: tuple[str, ...] = ("mushra", "mushra"), conditions: int = 4, **changes: Any
) -> Fake:
    """A test with one page per kind; "mushra!" is a training page."""
    sounds, pages = {}, []
    for n, kind in enumerate(kinds):
        count = {"ab": 2, "abx": 3}.get(kind, conditions)
        keys = [f"s{n}x{i}" for i in range(count)]
        sounds |= {key: wav_bytes(tone(300.0 * (i + 1))) for i, key in enumerate(keys)}
        reference = f"s{n}ref" if kind.startswith("mushra") else None
        if reference:
            sounds[reference] = wav_bytes(tone(300.0))
        pages.append(FakePage(f"p{n}", kind.rstrip("!"), kind.endswith("!"), keys, reference))
    texts = json.loads((PAGE / "texts" / "en.json").read_text("utf-8"))
    test = {
        "id": "tiny", "title": "A tiny test", "form": "mushra", "language": "en", "texts": texts,
        "welcome": "", "consent": "", "questionnaire": questions(), "contact": "lab@example.org",
        "min_loop_s": 0.5, "fade_s": 0.005, "rate_hz": RATE_HZ, "invite_required": False,
    }  # fmt: skip
    return Fake(pages, sounds, test | changes)


def enrol(fake: Fake) -> tuple[str, dict[str, Any]]:
    """A new listener: its token, and what is known of it."""
    number = len(fake.listeners)
    listener = {
        "listener": f"k7m3-p2v{number}", "consented": False, "answered": False, "finished": False,
        "done": {},
    }  # fmt: skip
    fake.listeners[f"token{number}"] = listener
    return f"token{number}", listener


class Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code
        super().__init__(f"No: {code}.")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        fake = self.fake
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.partition("?")[0]
        if path.startswith("/api/stimuli/"):
            time.sleep(fake.sounds_wait_s)
        if fake.down:
            self.close_connection = True
            return
        fake.seen.append(f"{method} {path}")
        try:
            with fake.lock:
                status, content, kind = _respond(fake, method, path, body, self._token())
        except Refused as refused:
            answer = json.dumps({"error": str(refused), "code": refused.code}).encode()
            status, content, kind = refused.status, answer, "application/json"
        if path.startswith("/api/pages/") and fake.lose_replies and status < 400:
            fake.lose_replies -= 1
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")


Response = tuple[int, bytes, str]


def _json(value: object, status: int = 200) -> Response:
    return status, json.dumps(value).encode(), "application/json"


def _respond(fake: Fake, method: str, path: str, body: dict[str, Any], token: str) -> Response:
    if path == "/" or path.startswith("/page/"):
        file = PAGE / ("index.html" if path == "/" else path.removeprefix("/page/"))
        return 200, file.read_bytes(), TYPES[file.suffix]
    if path == "/blank":  # a page of the same origin, for what is stored before the first
        return 200, b'<link rel="icon" href="data:,">', "text/html"
    if path == "/api/test":
        return _json(fake.test)
    if path == "/api/start":
        if fake.invite is not None and body.get("invite") != fake.invite:
            raise Refused(403, "invite")
        token, listener = enrol(fake)
        return _json({"token": token, "listener": listener["listener"]}, 201)
    if token not in fake.listeners:
        raise Refused(401, "token")
    return _for_listener(fake, path, body, token)


def _for_listener(fake: Fake, path: str, body: dict[str, Any], token: str) -> Response:
    listener = fake.listeners[token]
    nothing = (204, b"", "application/json")
    if path == "/api/session":
        return _json(_session(fake, listener))
    if path.startswith("/api/stimuli/"):
        return 200, fake.sounds[path.removeprefix("/api/stimuli/")], "audio/wav"
    if path.startswith("/api/pages/"):
        return _submit(fake, listener, path.removeprefix("/api/pages/"), body)
    if path == "/api/consent":
        listener["consented"] = body == {"agreed": True}
    elif path == "/api/questionnaire":
        listener.update(answered=True, answers=body["answers"])
    elif path == "/api/finish":
        if len(listener["done"]) < len(fake.pages):
            raise Refused(409, "unfinished")
        listener["finished"] = True
    elif path == "/api/delete":
        del fake.listeners[token]
    return nothing


def _session(fake: Fake, listener: dict[str, Any]) -> dict[str, Any]:
    pages = [
        {"key": page.key, "number": n, "kind": page.kind, "training": page.training,
         "submitted": page.key in listener["done"], "duration_s": 2.0,
         "reference": page.reference, "stimuli": page.stimuli}
        for n, page in enumerate(fake.pages)
    ]  # fmt: skip
    known = {name: listener[name] for name in ("listener", "consented", "answered", "finished")}
    return known | {"pages": pages, "allow_tie": True}


def _submit(fake: Fake, listener: dict[str, Any], key: str, body: dict[str, Any]) -> Response:
    done = listener["done"]
    if fake.refuse:
        raise Refused(*fake.refuse.pop(0))
    if key in done:
        if done[key] == body:
            return _json({"next": None})
        raise Refused(409, "submitted")
    if key != fake.pages[len(done)].key:
        raise Refused(409, "order")
    page = fake.pages[len(done)]
    if page.kind == "mushra" and {r["stimulus"] for r in body["ratings"]} != set(page.stimuli):
        raise Refused(422, "ratings")
    done[key] = body
    return _json({"next": None}, 201)


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
