"""Fetching one file: what is missing is asked for, what came is checked and placed."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from snacbench.download import http
from snacbench.download.http import Again, Patience
from snacbench.download.partial import Partial, claimed
from snacbench.download.progress import Progress, Silent
from snacbench.errors import CannotKeep, DigestMismatch

if TYPE_CHECKING:
    import requests

_BLOCK_BYTES = 1 << 16  # small enough that a slow stream is seen to move
_READ_BYTES = 1 << 20
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class _Wanted:
    """What a caller asked for."""

    url: str
    target: Path
    sha256: str
    md5: str
    size_bytes: int | None
    headers: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """What a progress bar calls it: with its folder, which tells the model, unless hidden."""
        folder = self.target.parent.name
        return self.target.name if folder.startswith(".") else f"{folder}/{self.target.name}"


def fetch_file(  # noqa: PLR0913 - what is known of a file, all of it by keyword
    url: str,
    target: Path,
    *,
    sha256: str = "",
    md5: str = "",
    size_bytes: int | None = None,
    headers: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> str:
    """Fetch a file unless it is there already, and return its sha256.

    Parameters
    ----------
    url : str
    target : Path
        Appears complete or not at all. A file that is there and agrees with what is known of it
        (digests, size) is left as it is; any other is replaced.
    sha256, md5 : str
        Digests that the file must have, or their leading digits; empty if unknown.
    size_bytes : int or None
        Size that the file must have.
    headers : mapping of str to str, optional
        Sent along; ``Authorization`` never to another host than the URL's.
    progress : Progress, optional
    patience : Patience, optional

    Returns
    -------
    str
        sha256 of the file, 64 hexadecimal digits.

    Raises
    ------
    DownloadError
        If the file cannot be fetched; what came is kept for another try.
    CannotKeep
        If there is no room for it, or no permission to write.
    DigestMismatch
        If a complete file has another digest or size than it must have; it is not kept.
    """
    wanted = _Wanted(url, target, sha256.lower(), md5.lower(), size_bytes, headers or {})
    shown = progress or Silent()
    if not target.is_file():
        http.refuse_offline(url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with claimed(target, shown) as partial:
            if there := _digest_if_ready(wanted):
                return there
            http.refuse_offline(url)
            return _fetch(wanted, partial, shown, patience or http.PATIENCE)
    except OSError as error:
        raise CannotKeep(_cannot_keep(target, error)) from error


def _digest_if_ready(wanted: _Wanted) -> str:
    """The sha256 of a target that is there and agrees with what is known of it; else empty."""
    if not wanted.target.is_file():
        return ""
    try:
        return _checked(wanted, wanted.target)
    except DigestMismatch:
        return ""


def _fetch(wanted: _Wanted, partial: Partial, shown: Progress, patience: Patience) -> str:
    """Fetch until the partial file is complete, check it, and make it the target."""
    went_on = partial.size > 0
    while True:
        _receive(wanted, partial, shown, patience)
        try:
            digest = _checked(wanted, partial.path)
        except DigestMismatch:
            partial.begin()
            if not went_on:
                raise
            shown.note(f"{wanted.name}: what was left of an earlier try is of no use; anew")
            went_on = False
        else:
            partial.place(wanted.target)
            return digest


def _receive(wanted: _Wanted, partial: Partial, shown: Progress, patience: Patience) -> None:
    import requests

    with requests.Session() as session:
        http.persist(
            lambda: _try_once(session, wanted, partial, shown, patience),
            wanted.url,
            patience,
            shown,
            lambda: partial.size,
        )


def _try_once(
    session: requests.Session,
    wanted: _Wanted,
    partial: Partial,
    shown: Progress,
    patience: Patience,
) -> None:
    """One request for what is missing; returns when the partial file is complete."""
    have, timeout = partial.size, (patience.connect_s, patience.stall_s)
    headers = http.all_headers(wanted.headers) | _range_headers(wanted, partial)
    with (
        http.network(wanted.url, patience),
        session.get(
            wanted.url, headers=headers, auth=http.as_given, timeout=timeout, stream=True
        ) as response,
    ):
        total = _total_bytes(response, have)
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if total == have:
                return  # an earlier try ended just before the last step
            _begin_anew(partial)
        http.refuse(response, wanted.url)
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            partial.begin(tag)
        elif total is None or (tag and partial.tag and tag != partial.tag):
            _begin_anew(partial)
        _check_room(wanted, total, partial.size)
        shown.begin(wanted.name, total, partial.size)
        for block in response.raw.stream(_BLOCK_BYTES, decode_content=False):
            partial.append(block)
            shown.reached(partial.size)
    if total is not None and partial.size != total:
        raise Again(f"broke off after {partial.size} of {total} bytes")


def _range_headers(wanted: _Wanted, partial: Partial) -> dict[str, str]:
    """Ask for the rest, if it can be told that it will be the rest of the same file."""
    tag = partial.tag
    if not partial.size or not (tag or wanted.sha256 or wanted.md5):
        return {}
    headers = {"Range": f"bytes={partial.size}-"}
    if tag and not tag.startswith("W/"):  # a weak tag may not stand here (RFC 9110, 13.1.5)
        headers["If-Range"] = tag
    return headers


def _begin_anew(partial: Partial) -> None:
    partial.begin()
    raise Again("the server cannot go on from an earlier try")


def _total_bytes(response: requests.Response, have: int) -> int | None:
    """Size of the whole file as the server states it; None if it does not, or makes no sense."""
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    goes_on = span == "*" or span.startswith(f"{have}-")
    return int(total) if goes_on and total.isdecimal() else None


def _check_room(wanted: _Wanted, total: int | None, have: int) -> None:
    """Refuse at once what cannot end well."""
    if total is None:
        return
    if wanted.size_bytes is not None and total != wanted.size_bytes:
        raise DigestMismatch(f"{wanted.url} has {total} bytes, expected {wanted.size_bytes}")
    folder = wanted.target.parent
    free_bytes = shutil.disk_usage(folder).free
    if total - have > free_bytes:
        raise CannotKeep(
            f"no room for {wanted.target.name} in {folder}: {(total - have) / 1e6:.1f} MB are to "
            f"come and {free_bytes / 1e6:.1f} MB are free"
        )


def _checked(wanted: _Wanted, path: Path) -> str:
    """The sha256 of a complete file, if it is what it must be."""
    size = path.stat().st_size
    if wanted.size_bytes is not None and size != wanted.size_bytes:
        raise DigestMismatch(f"{wanted.url} has {size} bytes, expected {wanted.size_bytes}")
    digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    expected = {"sha256": wanted.sha256, "md5": wanted.md5}
    needed = [digests[kind] for kind in digests if kind == "sha256" or expected[kind]]
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            for digest in needed:
                digest.update(block)
    for kind, digits in expected.items():
        found = digests[kind].hexdigest()
        if digits and not found.startswith(digits):
            raise DigestMismatch(
                f"{wanted.url} has {kind} {found}, expected {digits}; the file was not kept"
            )
    return digests["sha256"].hexdigest()


def _cannot_keep(target: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in _OUT_OF_SPACE:
        return (
            f"no room for {target.name} in {target.parent} ({reason}); free some space and fetch "
            "again: it goes on from what came"
        )
    return f"cannot keep {target.name} in {target.parent} ({reason}); check its permissions"
