"""Asking a server: patience, refusals, and which failures are worth another try."""

from __future__ import annotations

import email.utils
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from snacbench import __version__
from snacbench.download.progress import Progress, Silent
from snacbench.errors import DownloadError

if TYPE_CHECKING:
    import requests

_OFFLINE_VARIABLES = ("SNACBENCH_OFFLINE", "HF_HUB_OFFLINE")
_BUSY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
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


PATIENCE = Patience()
_WAITS_FOR_A_STRANGER = (
    1  # a host that never answered is asked once more: most often one is offline
)


class Again(Exception):
    """Another try may succeed. `met` tells whether the server has answered at all."""

    def __init__(
        self,
        reason: str,
        *,
        met: bool = True,
        status: int | None = None,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.met, self.status, self.wait_s = met, status, wait_s


def offline() -> bool:
    """Whether nothing may be asked of the network: SNACBENCH_OFFLINE or HF_HUB_OFFLINE is set."""
    return any(
        os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}
        for name in _OFFLINE_VARIABLES
    )


def refuse_offline(url: str) -> None:
    """Raise if nothing may be asked of the network.

    Raises
    ------
    DownloadError
    """
    if offline():
        raise DownloadError(
            f"cannot fetch {url}: offline, so that nothing is asked of the network (--offline, "
            f"{' or '.join(_OFFLINE_VARIABLES)})"
        )


def ask_about(
    url: str, *, headers: Mapping[str, str] | None = None, patience: Patience | None = None
) -> Mapping[str, str]:
    """Headers with which a HEAD request is answered; a redirect is reported, not followed.

    Raises
    ------
    DownloadError
        If the server cannot be reached or refuses.
    """
    import requests

    refuse_offline(url)
    patience = patience or PATIENCE
    timeout = (patience.connect_s, patience.stall_s)

    def ask() -> Mapping[str, str]:
        with (
            network(url, patience),
            requests.head(
                url, headers=all_headers(headers), auth=as_given, timeout=timeout
            ) as response,
        ):
            refuse(response, url)
            return response.headers

    return persist(ask, url, patience, Silent())


def all_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """A caller's headers, with those that every request carries."""
    # Bytes as they are: a server that compresses would change length and digest.
    return {
        "User-Agent": f"snacbench/{__version__}",
        "Accept-Encoding": "identity",
        **(headers or {}),
    }


def as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that leaves the headers alone; without one, ~/.netrc would replace a token."""
    return request


def refuse(response: requests.Response, url: str) -> None:
    """Raise what a status other than success means.

    Raises
    ------
    Again
        If the server is busy or broken for the moment.
    DownloadError
        If it will not give the file.
    """
    status = response.status_code
    reason = f"{status} {response.reason}"
    if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Again(reason, status=status, wait_s=_asked_wait_s(response))
    if status >= HTTPStatus.BAD_REQUEST:
        raise DownloadError(f"cannot fetch {url}: {reason}", status=status)


def _asked_wait_s(response: requests.Response) -> float | None:
    """Retry-After in seconds, whether given as such or as a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    with suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return None


@contextmanager
def network(url: str, patience: Patience) -> Iterator[None]:
    """Turn what the client raises into `Again`, or `DownloadError` where trying again is vain.

    Raises
    ------
    Again, DownloadError
    """
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    try:
        yield
    except (requests.ReadTimeout, ReadTimeoutError) as error:
        raise Again(f"nothing came for {patience.stall_s:g} s") from error
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"cannot fetch {url}: no trusted connection ({error})") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise Again("the connection broke") from error
    except requests.ConnectionError as error:
        raise _no_connection(error) from error
    except requests.RequestException as error:  # a malformed address, redirects in a circle
        raise DownloadError(f"cannot fetch {url}: {error}") from error
    except HTTPError as error:
        raise Again("the connection broke") from error


def _no_connection(error: requests.ConnectionError) -> Again:
    """Whether there was a server at all: one that hangs up has at least been met."""
    import requests
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return Again(f"no connection ({type(error).__name__})", met=False)
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NewConnectionError):
        return Again(f"no connection ({type(cause).__name__})", met=False)
    return Again("the connection broke")


def persist(
    step: Callable[[], Result],
    url: str,
    patience: Patience,
    shown: Progress,
    position: Callable[[], int] = lambda: 0,
) -> Result:
    """Repeat a step while another try may succeed, with pauses that grow while nothing comes.

    Raises
    ------
    DownloadError
        If patience is at its end; `position` tells how many bytes are there for the next time.
    """
    furthest, tries, met = position(), 0, False
    while True:
        try:
            return step()
        except Again as again:
            met = met or again.met
            if position() > furthest:
                furthest, tries = position(), 0
            waits_s = patience.waits_s if met else patience.waits_s[:_WAITS_FOR_A_STRANGER]
            asked_s = again.wait_s or 0.0
            if tries >= len(waits_s) or asked_s > patience.longest_s:
                raise DownloadError(
                    f"cannot fetch {url}: {again}{_outlook(again, tries, position())}",
                    status=again.status,
                ) from again
            wait_s = max(waits_s[tries], asked_s)
            tries += 1
            shown.note(f"{url}: {again}; again in {wait_s:g} s")
            patience.sleep(wait_s)


def _outlook(again: Again, tries: int, kept_bytes: int) -> str:
    """What the user can do, at the end of patience."""
    text = f", tried {tries + 1} times" if tries else ""
    if again.wait_s:
        text += f"; the server asks to wait {again.wait_s:.0f} s"
    if kept_bytes:
        text += f"; {kept_bytes / 1e6:.1f} MB are kept, and another fetch goes on from there"
    return text
