from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from snacbench.errors import WeightsMismatch, WeightsUnavailable
from snacbench.models import HostedFile, WeightsSource
from snacbench.weights.published import cached_files, fetch, host_address, reachable
from tests.weights.conftest import Reply

BODY = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BODY).hexdigest()
ONE_SENTENCE = (
    r"^cannot get model.bin of {repository} from 127.0.0.1:\d+ \({error}\); connect to a network, "
    "or pass --weights DIR with a local copy, or --weights embedded for the demonstration models$"
)


def source(host: str = "cdn", sha256: str = DIGEST) -> WeightsSource:
    return WeightsSource(host, "owner/name", (HostedFile("model.bin", "a/model.bin", sha256),))


@pytest.fixture
def caches(tmp_path) -> SimpleNamespace:
    return SimpleNamespace(
        cdn=tmp_path / "torch/hub/checkpoints",
        github=tmp_path / "home/.cache/descript/dac",
        hub=tmp_path / "hub",
    )


@pytest.fixture
def both(monkeypatch, host):
    """The CDN and GitHub are the local host."""
    for name in ("HF_ENDPOINT", "SNACBENCH_GITHUB_ENDPOINT", "SNACBENCH_ENCODEC_ENDPOINT"):
        monkeypatch.setenv(name, host.address)
    return host


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("kind", ["cdn", "github"])
def test_a_file_is_downloaded_once_into_the_cache_that_its_own_package_uses(both, caches, kind):
    both.replies["/a/model.bin"] = Reply(BODY)
    expected = getattr(caches, kind) / "model.bin"
    assert cached_files(source(kind)) is None
    assert fetch(source(kind)) == fetch(source(kind)) == {"model.bin": expected}
    assert expected.read_bytes() == BODY
    assert left_in(expected.parent) == ["model.bin"]
    assert both.asked == ["GET /a/model.bin"]


def test_the_leading_digits_of_a_digest_suffice(both):
    both.replies["/a/model.bin"] = Reply(BODY)
    assert fetch(source(sha256=DIGEST[:8]))


def test_a_file_without_a_pinned_digest_is_taken_as_it_comes(both):
    both.replies["/a/model.bin"] = Reply(BODY)
    assert fetch(source(sha256=""))


def test_a_redirect_is_followed(both):
    both.replies["/a/model.bin"] = Reply(status=302, headers={"Location": "/elsewhere"})
    both.replies["/elsewhere"] = Reply(BODY)
    assert fetch(source("github"))["model.bin"].read_bytes() == BODY


def test_a_file_that_the_host_does_not_have(both, caches):
    text = r"127.0.0.1:\d+ does not have model.bin of owner/name \(404 Not Found\); pass --weights"
    with pytest.raises(WeightsUnavailable, match=text):
        fetch(source())
    assert left_in(caches.cdn) == []


def test_a_download_that_breaks_off_leaves_nothing(both, caches):
    both.replies["/a/model.bin"] = Reply(BODY, promised=len(BODY) + 10)
    with pytest.raises(WeightsUnavailable, match=r"a/model.bin broke off \(.*\); run again"):
        fetch(source(sha256=""))
    assert left_in(caches.cdn) == []


def test_a_download_that_breaks_off_unnoticed_by_the_client_is_found_by_its_length(
    both, caches, monkeypatch
):
    import requests

    both.replies["/a/model.bin"] = Reply(BODY)
    monkeypatch.setattr(requests.Response, "iter_content", lambda self, size: [b"half"])
    text = rf"a/model.bin broke off \(4 of {len(BODY)} bytes came\); run again to fetch it anew"
    with pytest.raises(WeightsUnavailable, match=text):
        fetch(source(sha256=""))
    assert left_in(caches.cdn) == []


def test_a_download_with_another_digest_leaves_nothing(both, caches):
    both.replies["/a/model.bin"] = Reply(BODY)
    text = f"/a/model.bin has sha256 {DIGEST}, expected {'0' * 64}; the file was not kept"
    with pytest.raises(WeightsMismatch, match=text):
        fetch(source(sha256="0" * 64))
    assert left_in(caches.cdn) == []


@pytest.mark.parametrize("kind", ["cdn", "github"])
def test_a_host_that_cannot_be_reached_gives_one_clear_sentence(kind):
    text = ONE_SENTENCE.format(repository="owner/name", error="ConnectionError")
    with pytest.raises(WeightsUnavailable, match=text):
        fetch(source(kind))


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_network(both, tmp_path):
    both.replies["/a/model.bin"] = Reply(BODY)
    (tmp_path / "torch").write_text("a file where the cache should be")
    text = r"cannot keep model.bin in .*torch/hub/checkpoints \(.*\); check its permissions and the"
    with pytest.raises(WeightsUnavailable, match=text):
        fetch(source())


def test_addresses_can_be_pointed_elsewhere(monkeypatch, both):
    assert host_address(source("github")) == both.address
    monkeypatch.setenv("SNACBENCH_GITHUB_ENDPOINT", "https://mirror.example/")
    assert host_address(source("github")) == "https://mirror.example"
    monkeypatch.delenv("SNACBENCH_GITHUB_ENDPOINT")
    assert host_address(source("github")) == "https://github.com"


def test_torch_home_defaults_to_the_cache_folder(monkeypatch, tmp_path):
    path = tmp_path / "xdg/torch/hub/checkpoints/model.bin"
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cached_files(source()) == {"model.bin": path}


def test_a_host_that_answers_anything_is_reachable(host, silent_address):
    assert reachable([host.address, silent_address], 5.0) == {
        host.address: True,
        silent_address: False,
    }
    assert host.asked == ["HEAD /"]


def test_asking_ends_in_time_even_if_a_host_hangs(monkeypatch, host):
    import requests

    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: time.sleep(5))
    started = time.monotonic()
    assert reachable([host.address], 0.1) == {host.address: False}
    assert time.monotonic() - started < 2


def test_nobody_is_asked_where_the_hub_is_told_to_stay_offline(monkeypatch, host):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert reachable([host.address], 5.0) == {host.address: False}
    assert host.asked == []


# The hub's client reads its addresses when it is imported, so it gets a process of its own.
_ASK_THE_HUB = """
import json, sys
from snacbench.errors import UserError
from snacbench.models import HostedFile, WeightsSource
from snacbench.weights.published import cached_files, fetch
source = WeightsSource("hub", "owner/name", (HostedFile("model.bin", "model.bin"),))
try:
    print(json.dumps([str(fetch(source)["model.bin"]), str(cached_files(source)["model.bin"])]))
except UserError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def ask_the_hub(address: str, home: Path) -> list[str]:
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", _ASK_THE_HUB],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hub_is_asked_through_its_own_client_and_cache(host, tmp_path):
    headers = {"ETag": f'"{DIGEST}"', "X-Repo-Commit": _COMMIT}
    host.replies["/owner/name/resolve/main/model.bin"] = Reply(BODY, headers=headers)
    fetched, cached = ask_the_hub(host.address, tmp_path / "hf")
    assert fetched == cached
    assert Path(fetched).read_bytes() == BODY
    assert f"models--owner--name/snapshots/{_COMMIT}/model.bin" in fetched


def test_a_hub_that_cannot_be_reached_gives_the_same_sentence(silent_address, tmp_path):
    kind, text = ask_the_hub(silent_address, tmp_path / "hf")
    assert kind == "WeightsUnavailable"
    assert re.match(ONE_SENTENCE.format(repository="owner/name", error="ConnectionError"), text)


def test_a_file_that_the_hub_does_not_have(host, tmp_path):
    missing = Reply(status=404, headers={"X-Error-Code": "EntryNotFound"})
    host.replies["/owner/name/resolve/main/model.bin"] = missing
    kind, text = ask_the_hub(host.address, tmp_path / "hf")
    assert kind == "WeightsUnavailable"
    assert "does not have model.bin of owner/name (404 Not Found)" in text


def test_the_hubs_cache_is_found_without_asking(caches):
    snapshot = caches.hub / "models--owner--name" / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "model.bin").write_bytes(BODY)
    refs = caches.hub / "models--owner--name" / "refs"
    refs.mkdir()
    (refs / "main").write_text(_COMMIT)
    assert cached_files(source("hub")) == {"model.bin": snapshot / "model.bin"}
