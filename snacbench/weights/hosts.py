"""Where published weights lie: the hub, release assets behind a redirect, a plain file host."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from snacbench.download import ask_about, offline
from snacbench.errors import DownloadError
from snacbench.models import HostedFile, WeightsSource

# Each address can be pointed elsewhere (a mirror, a test server) by an environment variable.
_ADDRESSES = {
    "hub": ("HF_ENDPOINT", "https://huggingface.co"),
    "github": ("SNACBENCH_GITHUB_ENDPOINT", "https://github.com"),
    "cdn": ("SNACBENCH_ENCODEC_ENDPOINT", "https://dl.fbaipublicfiles.com"),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Published:
    """A file on its host, and what the host says of it before it is fetched.

    `revision` is the commit that a branch name stood for, where the host tells.
    """

    url: str
    revision: str
    sha256: str = ""
    size_bytes: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def is_published(source: WeightsSource) -> bool:
    """Whether the weights lie on a host, rather than here or wherever the user says."""
    return source.host in _ADDRESSES


def is_commit(revision: str) -> bool:
    """Whether a revision is a commit, which cannot change, rather than a branch or a tag."""
    return bool(_COMMIT.fullmatch(revision))


def host_address(source: WeightsSource) -> str:
    """Base address of the host that publishes these weights."""
    variable, default = _ADDRESSES[source.host]
    return (os.environ.get(variable) or default).rstrip("/")


def published(source: WeightsSource, file: HostedFile, revision: str) -> Published:
    """Where a file lies at a revision; the hub is asked what it knows about it.

    A mirror may not know a commit that an earlier fetch recorded; then the source's own revision
    is asked for, and the recorded digest decides.

    Raises
    ------
    DownloadError
        If the hub cannot be reached or does not have the file.
    """
    if source.host != "hub":
        return Published(f"{host_address(source)}/{file.url_path}", source.revision)
    try:
        return _on_the_hub(source, file, revision)
    except DownloadError as error:
        if error.status != HTTPStatus.NOT_FOUND or revision == source.revision:
            raise
        return _on_the_hub(source, file, source.revision)


def _on_the_hub(source: WeightsSource, file: HostedFile, revision: str) -> Published:
    base = f"{host_address(source)}/{source.repository}/resolve"
    headers = _hub_headers()
    told = ask_about(f"{base}/{revision}/{file.url_path}", headers=headers)
    commit = told.get("X-Repo-Commit", "")
    tag, size = told.get("X-Linked-Etag", "").strip('"'), told.get("X-Linked-Size", "")
    revision = commit if is_commit(commit) else revision
    return Published(
        f"{base}/{revision}/{file.url_path}",
        revision,
        tag if _SHA256.fullmatch(tag) else "",  # of small files, the tag is a git blob's SHA-1
        int(size) if size.isdecimal() else None,
        headers,
    )


def _hub_headers() -> dict[str, str]:
    """The user's token, if there is one: gated and private models need it."""
    from huggingface_hub import get_token

    token = None if offline() else get_token()  # which may ask the hub for a fresh one
    return {"Authorization": f"Bearer {token}"} if token else {}


def reachable(addresses: Sequence[str], timeout_s: float) -> dict[str, bool]:
    """Whether each address answers a request at all, all asked at once within `timeout_s`."""
    answers = dict.fromkeys(addresses, False)
    if offline():
        return answers
    # Daemon threads: a name lookup that hangs must delay neither the decision nor the exit.
    threads = [
        threading.Thread(target=_ask, args=(address, answers, timeout_s), daemon=True)
        for address in addresses
    ]
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def _ask(address: str, answers: dict[str, bool], timeout_s: float) -> None:
    import requests

    try:
        requests.head(address, timeout=timeout_s, allow_redirects=False)
    except (OSError, requests.RequestException):
        return
    answers[address] = True
