"""Official caches and hosts of published weights: the hub, release assets, a plain CDN."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from snacbench.audio.io import sha256_of_file
from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import HostedFile, WeightsSource

# Each address can be pointed elsewhere (a mirror, a test server) by an environment variable.
_ADDRESSES = {
    "hub": ("HF_ENDPOINT", "https://huggingface.co"),
    "github": ("SNACBENCH_GITHUB_ENDPOINT", "https://github.com"),
    "cdn": ("SNACBENCH_ENCODEC_ENDPOINT", "https://dl.fbaipublicfiles.com"),
}
_BLOCK_BYTES = 1 << 20
_CONNECT_S, _READ_S = 5.0, 60.0


def host_address(source: WeightsSource) -> str:
    """Base address of the host that publishes these weights."""
    variable, default = _ADDRESSES[source.host]
    return os.environ.get(variable, default).rstrip("/")


def _cache_folder(source: WeightsSource) -> Path:
    """Where the model's own package keeps its download; shared so that nothing is fetched twice."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    if source.host == "github":
        return Path("~/.cache/descript/dac").expanduser()  # DAC ignores XDG_CACHE_HOME
    return Path(os.environ.get("TORCH_HOME", cache / "torch")) / "hub" / "checkpoints"


def cached_files(source: WeightsSource) -> dict[str, Path] | None:
    """Files of a model in the official cache, or None if any is missing."""
    found: dict[str, Path] = {}
    for file in source.files:
        path = _cached_hub_file(source, file) if source.host == "hub" else None
        if source.host != "hub":
            candidate = _cache_folder(source) / file.name
            path = candidate if candidate.is_file() else None
        if path is None:
            return None
        found[file.name] = path
    return found


def _cached_hub_file(source: WeightsSource, file: HostedFile) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repository, file.name, revision=source.revision)
    return Path(found) if isinstance(found, str) else None


def fetch(source: WeightsSource) -> dict[str, Path]:
    """Files of a model, from the official cache or else downloaded into it.

    Raises
    ------
    WeightsUnavailable
        If the host cannot be reached or does not have the file.
    WeightsMismatch
        If what was downloaded does not have the pinned digest; it is not kept.
    """
    if found := cached_files(source):
        return found
    if source.host == "hub":
        return {file.name: _fetch_from_hub(source, file) for file in source.files}
    return {file.name: _fetch_url(source, file) for file in source.files}


def _fetch_from_hub(source: WeightsSource, file: HostedFile) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    address = host_address(source)
    try:
        # The hub's client would try again for half a minute before it gives up.
        if not reachable([address], _CONNECT_S)[address]:
            raise ConnectionError(f"no answer from {address}")
        return Path(hf_hub_download(source.repository, file.name, revision=source.revision))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise WeightsUnavailable(_unreachable(source, file, error)) from error


def _fetch_url(source: WeightsSource, file: HostedFile) -> Path:
    import requests

    target = _cache_folder(source) / file.name
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    url = f"{host_address(source)}/{file.url_path}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(url, partial)
        _check_digest(partial, file, url)
        partial.replace(target)
    except requests.exceptions.ChunkedEncodingError as error:
        text = f"{url} broke off ({error}); run again to fetch it anew"
        raise WeightsUnavailable(text) from error
    except requests.RequestException as error:
        raise WeightsUnavailable(_unreachable(source, file, error)) from error
    except OSError as error:
        raise WeightsUnavailable(
            f"cannot keep {file.name} in {target.parent} ({error.strerror or error}); check its "
            "permissions and the free space"
        ) from error
    finally:
        with suppress(OSError):  # nothing to remove where the folder could not even be made
            partial.unlink()
    return target


def _download(url: str, target: Path) -> None:
    import requests

    plain = {"Accept-Encoding": "identity"}  # else Content-Length is not the length of the file
    with requests.get(url, stream=True, headers=plain, timeout=(_CONNECT_S, _READ_S)) as response:
        response.raise_for_status()
        with target.open("wb") as out:
            for block in response.iter_content(_BLOCK_BYTES):
                out.write(block)
        size, promised = target.stat().st_size, response.headers.get("Content-Length")
    if promised is not None and size != int(promised):  # urllib3 notices only from version 2
        raise requests.exceptions.ChunkedEncodingError(f"{size} of {promised} bytes came")


def _check_digest(path: Path, file: HostedFile, origin: str) -> None:
    digest = sha256_of_file(path)
    if file.sha256 and not digest.startswith(file.sha256):
        raise WeightsMismatch(
            f"{origin} has sha256 {digest}, expected {file.sha256}; the file was not kept"
        )


def _unreachable(source: WeightsSource, file: HostedFile, error: Exception) -> str:
    host = urlsplit(host_address(source)).netloc
    if getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.NOT_FOUND:
        return (
            f"{host} does not have {file.name} of {source.repository} (404 Not Found); pass "
            "--weights DIR with a local copy, or --weights embedded for the demonstration models"
        )
    return (
        f"cannot get {file.name} of {source.repository} from {host} ({type(error).__name__}); "
        "connect to a network, or pass --weights DIR with a local copy, or --weights embedded "
        "for the demonstration models"
    )


def reachable(addresses: Sequence[str], timeout_s: float) -> dict[str, bool]:
    """Whether each address answers a request at all, all asked at once within `timeout_s`."""
    answers = dict.fromkeys(addresses, False)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
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
