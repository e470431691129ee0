"""One file fetched over HTTP: resumed, checked, placed in one piece.

What comes is written to ``.NAME.partial`` beside the target, and fetchers of one file take turns
by holding it. A fetcher that is killed leaves nothing else. The next one goes on from there if it
knows a digest of the file, and begins anew if it does not.
"""

from __future__ import annotations

import email.utils
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from snacbench import __version__
from snacbench.errors import CannotKeep, DigestMismatch, DownloadError
from snacbench.files import lock
from snacbench.progress import Progress, Silent

if TYPE_CHECKING:
    import requests

OFFLINE_VARIABLES = ("SNACBENCH_OFFLINE", "HF_HUB_OFFLINE")
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
_BLOCK_BYTES = 1 << 16  # small enough that a slow stream is seen to move


@dataclass(frozen=True)
class RetryPolicy:
    """How long silence is borne, and how often a request is tried again.

    `stall_s` bounds the time between two arrivals, never the whole download: a slow stream that
    moves is left alone. `waits_s` are the pauses between tries that bring nothing new; a try that
    brings something starts them over. A server that asks for a longer pause than `longest_s` is
    not waited for.
    """

    connect_s: float = 5.0
    stall_s: float = 60.0
    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    longest_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep


RETRIES = RetryPolicy()


class _Again(Exception):
    """Another try may succeed. `met` tells whether the server has answered at all."""

    def __init__(
        self, reason: str, *, met: bool = True, status: int | None = None, wait_s: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.met, self.status, self.wait_s = met, status, wait_s


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


@dataclass
class _Part:
    """What has come so far of a wanted file; pooch writes the blocks of a response to it."""

    url: str
    target: Path
    digests: Mapping[str, str]
    size_bytes: int | None
    shown: Progress
    stream: BinaryIO
    size: int = 0
    total: int | None = None

    @property
    def name(self) -> str:
        """What a progress bar calls it: with its folder, which tells the model, unless hidden."""
        folder = self.target.parent.name
        return self.target.name if folder.startswith(".") else f"{folder}/{self.target.name}"

    def write(self, block: bytes) -> None:
        """Add what came."""
        self.stream.write(block)
        self.size += len(block)
        self.shown.step(self.name, len(block))

    def flush(self) -> None:
        """Let it outlive this process."""
        self.stream.flush()

    def empty(self) -> None:
        """Forget what came."""
        self.stream.flush()
        self.stream.truncate(0)
        self.size = 0

    def begin(self, response: requests.Response, **_: object) -> None:
        """Look at the head of a response: whether it is the rest of the file, and finds room.

        Raises `_Again` if the server is busy, or cannot go on from where we are.
        """
        status, reason = response.status_code, f"{response.status_code} {response.reason}"
        if response.is_redirect:
            return
        length = response.headers.get("Content-Length", "")
        if status == HTTPStatus.PARTIAL_CONTENT:
            span, _slash, length = response.headers.get("Content-Range", "").partition("/")
            if not span.startswith(f"bytes {self.size}-"):
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.empty()
            raise _Again("the server cannot go on from an earlier try")
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # Asked for in seconds or as a date (RFC 9110, 10.2.3), or not at all.
            asked, wait_s = response.headers.get("Retry-After", ""), 0.0
            if asked.isdecimal():
                wait_s = float(asked)
            elif asked:
                with suppress(ValueError):
                    date = email.utils.parsedate_to_datetime(asked)
                    wait_s = max(0.0, date.timestamp() - time.time())
            raise _Again(reason, status=status, wait_s=wait_s)
        if status >= HTTPStatus.BAD_REQUEST:
            raise DownloadError(f"cannot fetch {self.url}: {reason}", status=status)
        if status != HTTPStatus.PARTIAL_CONTENT:
            self.empty()
        self.total = int(length) if length.isdecimal() else None
        # What cannot end well is refused at once.
        if self.total is not None:
            if self.size_bytes is not None and self.total != self.size_bytes:
                text = f"{self.url} has {self.total} bytes, expected {self.size_bytes}"
                raise DigestMismatch(text)
            folder, missing = self.target.parent, self.total - self.size
            if missing > (free_bytes := shutil.disk_usage(folder).free):
                raise CannotKeep(
                    f"no room for {self.target.name} in {folder}: {missing / 1e6:.1f} MB are to "
                    f"come and {free_bytes / 1e6:.1f} MB are free"
                )
        # Bytes as they are: an archive that a server calls encoded would lose length and digest.
        response.raw.headers.pop("Content-Encoding", None)
        self.shown.begin(self.name, self.total, done=self.size, unit="bytes")

    def checked(self, path: Path) -> str:
        """The sha256 of a complete file; raises `DigestMismatch` if it is not what is known."""
        size = path.stat().st_size
        if self.size_bytes is not None and size != self.size_bytes:
            raise DigestMismatch(f"{self.url} has {size} bytes, expected {self.size_bytes}")
        found = {}
        for kind in ("sha256", *(kind for kind in self.digests if kind != "sha256")):
            with path.open("rb") as stream:
                found[kind] = hashlib.file_digest(stream, kind).hexdigest()
            if not found[kind].startswith(expected := self.digests.get(kind, "")):
                raise DigestMismatch(
                    f"{self.url} has {kind} {found[kind]}, expected {expected}; the file was not "
                    "kept"
                )
        return found["sha256"]


def fetch_file(  # noqa: PLR0913 - what is known of a file, all of it by keyword
    url: str,
    target: Path,
    *,
    sha256: str = "",
    md5: str = "",
    size_bytes: int | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    retries: RetryPolicy | None = None,
    offline: bool = False,
) -> str:
    """Fetch a file unless it is there already, and return its sha256.

    `target` appears complete or not at all. A file that is there and agrees with what is known of
    it (`sha256` and `md5`, or their leading digits; `size_bytes`) is left as it is, any other is
    replaced. `headers` are sent along, ``Authorization`` never to another host than the URL's.
    `offline`, or SNACBENCH_OFFLINE or HF_HUB_OFFLINE: nothing is asked of the network.

    Raises `DownloadError` if the file cannot be fetched (what came is kept for another try if a
    digest is known), `CannotKeep` if there is no room for it or no permission to write, and
    `DigestMismatch` if a complete file is not what it must be; it is not kept.
    """
    digests = {"sha256": sha256.lower(), "md5": md5.lower()}
    shown, known = progress or Silent(), {kind: text for kind, text in digests.items() if text}
    if not target.is_file():
        refuse_offline(url, offline)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _claimed(target, shown) as stream:
            part = _Part(url, target, known, size_bytes, shown, stream)
            with suppress(DigestMismatch, FileNotFoundError):
                return part.checked(target)
            refuse_offline(url, offline)
            part.size = os.fstat(stream.fileno()).st_size
            try:
                return _completed(part, headers or {}, retries or RETRIES)
            except BaseException:
                if not known:  # no later fetch could go on from this
                    part.empty()
                raise
    except OSError as error:
        reason = error.strerror or str(error)
        where = f"{target.name} in {target.parent} ({reason})"
        if error.errno in _OUT_OF_SPACE:
            raise CannotKeep(f"no room for {where}; free some space and fetch again") from error
        raise CannotKeep(f"cannot keep {where}; check its permissions") from error


@contextmanager
def _claimed(target: Path, shown: Progress) -> Iterator[BinaryIO]:
    """The partial file of a target, this process's alone for as long as it is open."""
    path = target.with_name(f".{target.name}.partial")

    def waits() -> None:
        shown.note(f"waiting for another process that fetches {target.name}")

    with lock(path, on_wait=waits) as stream:
        try:
            yield stream
        finally:  # a fetch that brought nothing leaves no trace
            with suppress(OSError):
                if path.stat().st_size == 0:
                    path.unlink()


def _completed(part: _Part, headers: Mapping[str, str], retries: RetryPolicy) -> str:
    """Fetch until the part is complete, check it, and make it the target, in one step."""
    path = part.target.with_name(f".{part.target.name}.partial")
    went_on = part.size > 0
    while True:
        if not (part.size and part.digests) or part.size != part.size_bytes:
            _receive(part, headers, retries)
        try:
            digest = part.checked(path)
        except DigestMismatch:
            part.empty()
            if not went_on:
                raise
            part.shown.note(f"{part.name}: what was left of an earlier try is of no use; anew")
            went_on = False
            continue
        os.fsync(part.stream.fileno())
        path.replace(part.target)
        return digest


def _receive(part: _Part, headers: Mapping[str, str], retries: RetryPolicy) -> None:
    """Repeat requests while another may succeed, with pauses that grow while nothing comes."""
    furthest, tries, met = part.size, 0, False
    while True:
        try:
            return _try_once(part, headers, retries)
        except _Again as again:
            met = met or again.met
            if part.size > furthest:
                furthest, tries = part.size, 0
            # A host that never answered is asked once more: most often one is offline.
            waits_s = retries.waits_s if met else retries.waits_s[:1]
            if tries >= len(waits_s) or again.wait_s > retries.longest_s:
                text = f"cannot fetch {part.url}: {again}"
                text += f", tried {tries + 1} times" if tries else ""
                if again.wait_s:
                    text += f"; the server asks to wait {again.wait_s:.0f} s"
                if part.size and part.digests:
                    text += (
                        f"; {part.size / 1e6:.1f} MB are kept, and another fetch goes on from there"
                    )
                raise DownloadError(text, status=again.status) from again
            wait_s = max(waits_s[tries], again.wait_s)
            tries += 1
            part.shown.note(f"{part.url}: {again}; again in {wait_s:g} s")
            retries.sleep(wait_s)


def _try_once(part: _Part, given: Mapping[str, str], retries: RetryPolicy) -> None:
    """One request for what is missing; returns when the part is complete."""
    import pooch
    import requests

    headers = {"User-Agent": f"snacbench/{__version__}", "Accept-Encoding": "identity", **given}
    if not part.digests:  # nothing would tell whether two pieces are of one file
        part.empty()
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    options: dict[str, Any] = {
        "headers": headers,
        "timeout": (retries.connect_s, retries.stall_s),
        "hooks": {"response": part.begin},
        "auth": lambda request: request,  # without it, ~/.netrc would replace a token
    }
    try:
        pooch.HTTPDownloader(chunk_size=_BLOCK_BYTES, **options)(part.url, part, None)
    except requests.ReadTimeout as error:
        raise _Again(f"nothing came for {retries.stall_s:g} s") from error
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"cannot fetch {part.url}: no trusted connection ({error})") from error
    except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
        raise _Again(f"no connection ({type(error).__name__})", met=False) from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        cause = error.args[0] if error.args else None
        kind = type(getattr(cause, "reason", cause)).__name__
        if kind == "ReadTimeoutError":
            raise _Again(f"nothing came for {retries.stall_s:g} s") from error
        if kind in ("NewConnectionError", "NameResolutionError"):
            raise _Again(f"no connection ({kind})", met=False) from error
        raise _Again("the connection broke") from error
    except requests.RequestException as error:  # a malformed address, redirects in a circle
        raise DownloadError(f"cannot fetch {part.url}: {error}") from error
    if part.total is not None and part.size != part.total:
        raise _Again(f"broke off after {part.size} of {part.total} bytes")
