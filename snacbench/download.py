"""One file fetched over HTTP: resumed, checked, placed in one piece.

What comes is written to ``.NAME.partial`` beside the target, and fetchers of one file take turns
by holding it. A fetcher that is killed leaves nothing else. The next one goes on from there if it
knows a digest of the file, and begins anew if it does not.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import BinaryIO

from snacbench import __version__
from snacbench.errors import CannotKeep, DigestMismatch, DownloadError
from snacbench.files import lock
from snacbench.later import requests
from snacbench.progress import Progress, Silent

OFFLINE_VARIABLES = ("SNACBENCH_OFFLINE", "HF_HUB_OFFLINE")
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
_BLOCK_BYTES = 1 << 16  # small enough that a slow stream is seen to move


# Silence that is borne between two arrivals: a slow stream that moves is left alone, however long.
CONNECT_S, STALL_S = 5.0, 60.0
# Pauses between tries that bring nothing new; a try that brings something starts them over.
WAITS_S: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
LONGEST_S = 300.0  # a server that asks for a longer pause is not waited for


class _Again(Exception):
    """Another try may succeed. `met` tells whether the server has answered at all."""

    def __init__(self, reason: str, *, met: bool = True, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.met, self.wait_s = met, wait_s


def offline(wanted: bool = False) -> bool:
    """Whether nothing may be asked of the network: as `wanted`, or by an environment variable."""
    values = (os.environ.get(name, "").lower() for name in OFFLINE_VARIABLES)
    return wanted or any(value in {"1", "true", "yes", "on"} for value in values)


def refuse_offline(url: str, wanted: bool = False) -> None:
    """Raise `DownloadError` if nothing may be asked of the network."""
    if offline(wanted):
        raise DownloadError(
            f"cannot fetch {url}: offline, so that nothing is asked of the network (--offline, "
            f"{' or '.join(OFFLINE_VARIABLES)})"
        )


def fetch_file(  # noqa: PLR0913 - what is known of a file, all of it by keyword
    url: str,
    target: Path,
    *,
    sha256: str = "",
    sha1: str = "",
    md5: str = "",
    size_bytes: int | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    offline: bool = False,
) -> str:
    """Fetch a file unless it is there already, and return its sha256.

    `target` appears complete or not at all. A file that is there and agrees with what is known of
    it (`sha256`, `sha1`, `md5`, or their leading digits; `size_bytes`) is left as it is, any other
    is replaced. `headers` are sent along, ``Authorization`` never to another host than the URL's.
    `offline`, or SNACBENCH_OFFLINE or HF_HUB_OFFLINE: nothing is asked of the network.

    Raises `DownloadError` if the file cannot be fetched (what came is kept for another try if a
    digest is known), `CannotKeep` if there is no room for it or no permission to write, and
    `DigestMismatch` if a complete file is not what it must be; it is not kept.
    """
    digests, shown = {"sha256": sha256, "sha1": sha1, "md5": md5}, progress or Silent()
    known = {kind: text.lower() for kind, text in digests.items() if text}
    path = target.with_name(f".{target.name}.partial")
    if not target.is_file():
        refuse_offline(url, offline)

    def waits() -> None:
        shown.note(f"waiting for another process that fetches {target.name}")

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock(path, on_wait=waits) as stream:
            part = _Part(url, target, path, known, size_bytes, headers or {}, shown, stream)
            try:
                with suppress(DigestMismatch, FileNotFoundError):
                    return part.checked(target)
                refuse_offline(url, offline)
                return part.completed()
            except BaseException:
                if not known:  # no later fetch could go on from this
                    part.empty()
                raise
            finally:  # a fetch that brought nothing leaves no trace
                with suppress(OSError):
                    if path.stat().st_size == 0:
                        path.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        where = f"{target.name} in {target.parent} ({reason})"
        if error.errno in _OUT_OF_SPACE:
            raise CannotKeep(f"no room for {where}; free some space and fetch again") from error
        raise CannotKeep(f"cannot keep {where}; check its permissions") from error


@dataclass
class _Part:
    """What has come so far of a wanted file.

    `path` is where, and this process's alone for as long as `stream` is open.
    """

    url: str
    target: Path
    path: Path
    known: Mapping[str, str]
    size_bytes: int | None
    headers: Mapping[str, str]
    shown: Progress
    stream: BinaryIO

    def __post_init__(self) -> None:
        # A progress bar has the folder's name, too, which tells the model, unless it is hidden.
        folder = self.target.parent.name
        self.name = self.target.name if folder.startswith(".") else f"{folder}/{self.target.name}"
        self.size = os.fstat(self.stream.fileno()).st_size

    def empty(self) -> None:
        """Forget what came."""
        self.stream.truncate(0)
        self.size = 0

    def checked(self, path: Path) -> str:
        """The sha256 of a complete file; raises `DigestMismatch` if it is not what is known."""
        if (size := path.stat().st_size) != self.size_bytes and self.size_bytes is not None:
            raise DigestMismatch(f"{self.url} has {size} bytes, expected {self.size_bytes}")
        found = {}
        for kind, expected in {"sha256": "", **self.known}.items():
            with path.open("rb") as stream:
                found[kind] = hashlib.file_digest(stream, kind).hexdigest()
            if not found[kind].startswith(expected):
                raise DigestMismatch(
                    f"{self.url} has {kind} {found[kind]}, expected {expected}; the file was not "
                    "kept"
                )
        return found["sha256"]

    def completed(self) -> str:
        """Fetch until all is here, check it, and make it the target, in one step."""
        went_on = self.size > 0
        while True:
            if not (self.size and self.known) or self.size != self.size_bytes:
                self._receive()
            try:
                digest = self.checked(self.path)
            except DigestMismatch:
                self.empty()
                if not went_on:
                    raise
                self.shown.note(f"{self.name}: what was left of an earlier try is of no use; anew")
                went_on = False
                continue
            os.fsync(self.stream.fileno())
            self.path.replace(self.target)
            return digest

    def _receive(self) -> None:
        """Repeat requests while another may succeed, with pauses that grow while nothing comes."""
        furthest, tries, met = self.size, 0, False
        while True:
            try:
                return self._try_once()
            except _Again as again:
                met = met or again.met
                if self.size > furthest:
                    furthest, tries = self.size, 0
                # A host that never answered is asked once more: most often one is offline.
                waits_s = WAITS_S if met else WAITS_S[:1]
                if tries >= len(waits_s) or again.wait_s > LONGEST_S:
                    text = f"cannot fetch {self.url}: {again}"
                    text += f", tried {tries + 1} times" if tries else ""
                    if again.wait_s:
                        text += f"; the server asks to wait {again.wait_s:.0f} s"
                    if self.size and self.known:
                        text += f"; {self.size / 1e6:.1f} MB are kept, and another fetch goes on"
                    raise DownloadError(text) from again
                wait_s = max(waits_s[tries], again.wait_s)
                tries += 1
                self.shown.note(f"{self.url}: {again}; again in {wait_s:g} s")
                sleep(wait_s)

    def _try_once(self) -> None:
        """One request for what is missing; returns when all has come."""
        from urllib3 import exceptions

        if not self.known:  # nothing would tell whether two pieces are of one file
            self.empty()
        headers = {"User-Agent": f"snacbench/{__version__}", "Accept-Encoding": "identity"}
        headers |= {**self.headers, **({"Range": f"bytes={self.size}-"} if self.size else {})}
        broken = (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        )
        unmet = exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyError
        try:
            with (
                _session() as session,
                session.get(
                    self.url, headers=headers, stream=True, timeout=(CONNECT_S, STALL_S)
                ) as response,
            ):
                total = self._begin(response)
                for block in response.iter_content(_BLOCK_BYTES):
                    self.stream.write(block)
                    self.stream.flush()  # it outlives this process
                    self.size += len(block)
                    self.shown.step(self.name, len(block))
        except requests.exceptions.SSLError as error:
            text = f"cannot fetch {self.url}: no trusted connection ({error})"
            raise DownloadError(text) from error
        except broken as error:
            cause = error.args[0] if error.args else error
            cause = getattr(cause, "reason", cause)
            met = not isinstance(cause, unmet)
            said = "the connection broke" if met else "no connection"
            raise _Again(f"{said} ({type(cause).__name__})", met=met) from error
        except requests.RequestException as error:  # a malformed address, redirects in a circle
            raise DownloadError(f"cannot fetch {self.url}: {error}") from error
        if total is not None and self.size != total:
            raise _Again(f"broke off after {self.size} of {total} bytes")

    def _begin(self, response: "requests.Response") -> int | None:
        """Look at the head of a response: is it the rest of the file, is there room; its size."""
        import urllib3

        status, reason = response.status_code, f"{response.status_code} {response.reason}"
        length = response.headers.get("Content-Length", "")
        if status == HTTPStatus.PARTIAL_CONTENT:
            span, _slash, length = response.headers.get("Content-Range", "").partition("/")
            if not span.startswith(f"bytes {self.size}-"):
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.empty()
            raise _Again("the server cannot go on from an earlier try")
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait_s = 0.0
            with suppress(urllib3.exceptions.InvalidHeader):
                wait_s = urllib3.Retry().get_retry_after(response.raw) or 0.0
            raise _Again(reason, wait_s=wait_s)
        if status >= HTTPStatus.BAD_REQUEST:
            raise DownloadError(f"cannot fetch {self.url}: {reason}", status=status)
        if status != HTTPStatus.PARTIAL_CONTENT:
            self.empty()
        total = int(length) if length.isdecimal() else None
        if total is not None:  # what cannot end well is refused at once
            if self.size_bytes is not None and total != self.size_bytes:
                raise DigestMismatch(f"{self.url} has {total} bytes, expected {self.size_bytes}")
            folder, missing = self.target.parent, total - self.size
            if missing > (free_bytes := shutil.disk_usage(folder).free):
                raise CannotKeep(
                    f"no room for {self.target.name} in {folder}: {missing / 1e6:.1f} MB are to "
                    f"come and {free_bytes / 1e6:.1f} MB are free"
                )
        # Bytes as they are: an archive that a server calls encoded would lose length and digest.
        response.raw.headers.pop("Content-Encoding", None)
        self.shown.begin(self.name, total, done=self.size, unit="bytes")
        return total


def _session() -> "requests.Session":
    """A session that asks ~/.netrc for nothing: what it names would replace a token."""

    class Session(requests.Session):
        def rebuild_auth(
            self, prepared_request: "requests.PreparedRequest", response: "requests.Response"
        ) -> None:
            """At a redirect: keep the token on its host, and there alone."""
            urls = response.request.url, prepared_request.url
            if self.should_strip_auth(*urls):  # type: ignore[no-untyped-call]
                prepared_request.headers.pop("Authorization", None)

    session = Session()
    session.auth = lambda request: request
    return session
