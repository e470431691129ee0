"""A file host on this machine: what it answers is a table from path to replies."""

import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from snacbench import download

_HOSTS = ("GITHUB", "ENCODEC", "PYTORCH", "PYPI")
ENDPOINTS = ("HF_ENDPOINT", *(f"SNACBENCH_{host}_ENDPOINT" for host in _HOSTS))
_UNSET = ("XDG_CACHE_HOME", "XDG_STATE_HOME", "HF_HUB_OFFLINE", "SNACBENCH_OFFLINE", "HF_TOKEN",
          "SNACBENCH_LYRA_DIR", "SNACBENCH_WEIGHTS_LOCK")  # fmt: skip
_BLOCK_BYTES = 1 << 16


def be_alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing of the user's: caches, settings, a token."""
    from huggingface_hub import constants

    for name in _UNSET:
        monkeypatch.delenv(name, raising=False)
    places = {"HOME": "home", "TORCH_HOME": "torch", "SNACBENCH_CACHE": "cache"}
    for name, place in (places | {"SNACBENCH_STATE": "state"}).items():
        monkeypatch.setenv(name, str(folder / place))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "home" / "token"))


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads give up, and try again, sooner."""
    for name, value in {"CONNECT_S": 2.0, "STALL_S": 0.4, "WAITS_S": (0.01,) * 3}.items():
        monkeypatch.setattr(download, name, value)


@dataclass
class Reply:
    """One answer, in good order or with a fault.

    `promised` is the Content-Length where it is not the body's, `cut_after` ends the connection
    after so many bytes, `stall_after` sends nothing more, `block_s` waits after each block. With
    `ranges`, a Range header is obeyed, and If-Range compared with the ETag."""

    body: bytes | Path = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    ranges: bool = False
    cut_after: int | None = None
    stall_after: int | None = None
    block_s: float = 0.0

    def content(self) -> bytes:
        return self.body.read_bytes() if isinstance(self.body, Path) else self.body


def redirect(address: str) -> Reply:
    return Reply(status=302, headers={"Location": address})


@dataclass
class Host:
    """A running server: set `replies` (a list: one after another, the last for ever)."""

    address: str
    replies: dict[str, Reply | list[Reply]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def next_reply(self, path: str) -> Reply:
        found = self.replies.get(path, Reply(status=404))
        if isinstance(found, Reply):
            return found
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def serve() -> Iterator[Host]:
    """Serve on a free port until the block ends."""

    class Handler(_Handler):
        host = Host("")

    with _Server(("127.0.0.1", 0), Handler) as server:
        Handler.host.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Handler.host
        server.shutdown()


class _Server(ThreadingHTTPServer):
    block_on_close = False  # a stalled answer may outlive its test

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    host: Host

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        self.host.asked.append(f"{self.command} {self.path}")
        self.host.headers.append({k.lower(): v for k, v in self.headers.items()})
        reply = self.host.next_reply(self.path.partition("?")[0])
        status, body, extra = self._ranged(reply)
        length = len(body) if reply.promised is None else reply.promised
        self.send_response(status)
        headers = {"Content-Length": str(length), **extra, **reply.headers}
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if with_body:
            self._send(reply, body)
        self.close_connection = True

    def _ranged(self, reply: Reply) -> tuple[int, bytes, dict[str, str]]:
        body, wanted = reply.content(), self.headers.get("Range")
        if_range = self.headers.get("If-Range")
        if not (reply.ranges and wanted and reply.status == 200):
            return reply.status, body, {}
        if if_range and if_range != reply.headers.get("ETag"):
            return 200, body, {}
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        if start >= len(body):
            return 416, b"", {"Content-Range": f"bytes */{len(body)}"}
        return 206, body[start:], {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}

    def _send(self, reply: Reply, body: bytes) -> None:
        body = body[: reply.cut_after if reply.stall_after is None else reply.stall_after]
        for start in range(0, len(body), _BLOCK_BYTES):
            self.wfile.write(body[start : start + _BLOCK_BYTES])
            self.wfile.flush()
            time.sleep(reply.block_s)
        if reply.stall_after is not None:
            time.sleep(1.5)

    def log_message(self, *args: object) -> None:
        pass


def silent_address() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def on_the_hub(host: Host, bodies: dict[str, bytes], commit: str, *,
               repository: str = "owner/name", branch: bool = True) -> None:  # fmt: skip
    """Files as the hub serves them: large ones by a redirect, of which it tells the digest."""
    # Under another name: the hub's client follows redirects within one host by itself.
    storage = f"{host.address.replace('127.0.0.1', 'localhost')}/storage"
    for name, body in bodies.items():
        reply = Reply(body, headers={"X-Repo-Commit": commit})
        if not name.endswith(".json"):
            reply = redirect(f"{storage}/{commit}/{name}")
            digest = hashlib.sha256(body).hexdigest()
            reply.headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(body))}
            reply.headers["X-Repo-Commit"] = commit
        for revision in (commit, "main") if branch else (commit,):
            host.replies[f"/{repository}/resolve/{revision}/{name}"] = reply
        host.replies[f"/storage/{commit}/{name}"] = Reply(body)
