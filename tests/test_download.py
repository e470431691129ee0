"""Fetching one file: in good order, going on from a part, refusals, full disks, other processes."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from unittest.mock import Mock

import pytest
import requests
import urllib3

from snacbench import download
from snacbench.download import fetch_file
from snacbench.errors import CannotKeep, DigestMismatch, DownloadError
from snacbench.progress import Notes
from tests.support.hosts import Reply, be_impatient, redirect, serve, silent_address
from tests.support.waiting import PATIENCE_S, until

BODY = os.urandom(1 << 20)
SHA256, MD5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()
HALF = len(BODY) // 2


@pytest.fixture
def host(monkeypatch):
    be_impatient(monkeypatch)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in download.OFFLINE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serve() as running:
        yield running


@pytest.fixture
def target(tmp_path):
    return tmp_path / "set" / "file.bin"


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Watched(Notes):
    """Remembers what it was told."""

    def __init__(self):
        super().__init__()
        self.begun: list[tuple[str, int | None, int]] = []
        self.done = 0

    def begin(self, stage, steps, *, done=0, unit=""):
        self.begun.append((stage, steps, done))
        self.done = done

    def step(self, stage="", steps=1, *, failed=0):
        self.done += steps


@pytest.mark.parametrize("before", [None, b"cut off", BODY])
@pytest.mark.parametrize(
    "known", [{}, {"md5": MD5, "size_bytes": len(BODY)}, {"sha256": SHA256.upper()[:8]}]
)
def test_a_file_is_fetched_checked_and_placed_unless_it_is_there(host, target, known, before):
    host.replies["/f"] = Reply(BODY)
    target.parent.mkdir()
    if before:
        target.write_bytes(before)
    fetched = before is None or (before != BODY and bool(known))
    digest = fetch_file(f"{host.address}/f", target, progress=(seen := Watched()), **known)
    expected = before if before and not known else BODY
    assert (target.read_bytes(), digest) == (expected, hashlib.sha256(expected).hexdigest())
    assert left_in(target.parent) == ["file.bin"]
    assert host.asked == ["GET /f"] * fetched
    assert seen.begun == [("set/file.bin", len(BODY), 0)] * fetched
    assert seen.done == len(BODY) * fetched


@pytest.mark.parametrize("headers", [{"Content-Length": ""}, {"Content-Encoding": "gzip"}])
def test_bytes_are_kept_as_they_come(host, target, headers):
    for body in (b"", BODY):
        host.replies["/f"] = Reply(body, headers=headers)
        target.unlink(missing_ok=True)
        assert fetch_file(f"{host.address}/f", target) == hashlib.sha256(body).hexdigest()
    assert host.headers[0]["accept-encoding"] == "identity"


def test_a_token_goes_to_its_host_and_no_password_file_replaces_it(host, target, tmp_path,
                                                                   monkeypatch):  # fmt: skip
    token = {"Authorization": "Bearer secret"}
    with serve() as storage:
        (tmp_path / "netrc").write_text("default login me password mine\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        host.replies["/f"] = redirect("/g")
        host.replies["/g"] = redirect(f"{storage.address}/signed?key=1")
        storage.replies["/signed"] = Reply(BODY)
        assert fetch_file(f"{host.address}/f", target, headers=token) == SHA256
        assert [seen.get("authorization") for seen in host.headers] == ["Bearer secret"] * 2
        assert "authorization" not in storage.headers[0]


@pytest.mark.parametrize(("fault", "note"), [
    ({"cut_after": HALF}, "the connection broke"), ({"stall_after": HALF}, "ReadTimeoutError"),
])  # fmt: skip
def test_a_stream_that_ends_early_goes_on_where_it_was(host, target, fault, note):
    host.replies["/f"] = [Reply(BODY, ranges=True, **fault), Reply(BODY, ranges=True)]
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256, progress=watched) == SHA256
    assert [seen.get("range") for seen in host.headers] == [None, f"bytes={HALF}-"]
    assert watched.begun == [("set/file.bin", len(BODY), 0), ("set/file.bin", len(BODY), HALF)]
    assert note in watched.texts[0]
    assert left_in(target.parent) == ["file.bin"]
    # As long as something comes patience does not end.
    host.replies["/g"] = [Reply(BODY, ranges=True, cut_after=1 << 17)] * 8
    assert fetch_file(f"{host.address}/g", target.with_name("g"), sha256=SHA256) == SHA256


@pytest.mark.parametrize("ranges", [True, False])
def test_what_a_failed_fetch_left_is_used_by_the_next_if_the_server_can(host, target, ranges):
    host.replies["/f"] = [Reply(BODY, cut_after=HALF), Reply(status=503)]
    text = rf"cannot fetch {host.address}/f: 503 .*, tried 4 times; 0.5 MB are kept, and another"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target, md5=MD5)
    assert left_in(target.parent) == [".file.bin.partial"]
    host.asked.clear()
    host.replies["/f"] = Reply(BODY, ranges=ranges)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[-1]["range"] == f"bytes={HALF}-"
    assert host.asked == ["GET /f"]
    assert left_in(target.parent) == ["file.bin"]


@pytest.mark.parametrize(("left", "note"), [
    (b"x" * HALF, "set/file.bin: what was left of an earlier try is of no use; anew"),
    (BODY + b"more", "/f: the server cannot go on from an earlier try; again in 0.01 s"),
    (BODY, ""),  # lacks only the last step
])  # fmt: skip
def test_a_part_is_taken_as_it_is_or_thrown_away_once(host, target, left, note):
    target.parent.mkdir()
    (target.parent / ".file.bin.partial").write_bytes(left)
    host.replies["/f"] = Reply(BODY, ranges=True)
    known = {"sha256": SHA256, "size_bytes": len(BODY)}
    assert fetch_file(f"{host.address}/f", target, progress=(seen := Watched()), **known) == SHA256
    assert len(seen.texts) == bool(note)
    assert "".join(seen.texts).endswith(note)
    assert host.asked == ["GET /f"] * (2 if note else 0)


@pytest.mark.parametrize(("replies", "slept", "message"), [
    ([Reply(status=s) for s in (500, 503, 408)], [1.0, 2.0, 4.0], ""),
    ([Reply(status=503)] * 4, [1.0, 2.0, 4.0], r"503 Service Unavailable, tried 4 times$"),
    ([Reply(status=429, headers={"Retry-After": "7"})], [7.0], ""),
    ([Reply(status=429, headers={"Retry-After": formatdate(time.time() + 9e4)})], [],
     "/f: 429 Too Many Requests; the server asks to wait"),
    ([Reply(status=404)], [], r"^cannot fetch \S+/f: 404 Not Found$"),
    ([redirect("/f")] * 40, [], "Exceeded 30 redirects"),
    ([Reply(BODY[:HALF], promised=len(BODY))] * 4, [1.0, 2.0, 4.0], "the connection broke"),
])  # fmt: skip
def test_a_busy_server_is_asked_again_as_it_wishes_and_a_refusal_is_final(
        host, target, monkeypatch, replies, slept, message):  # fmt: skip
    waited: list[float] = []
    host.replies["/f"] = [*replies, Reply(BODY)]
    monkeypatch.setattr(download, "WAITS_S", (1.0, 2.0, 4.0))
    monkeypatch.setattr(download, "sleep", waited.append)
    if not message:
        assert fetch_file(f"{host.address}/f", target) == SHA256
    else:
        with pytest.raises(DownloadError, match=message) as caught:
            fetch_file(f"{host.address}/f", target)
        assert caught.value.status == (404 if "404" in message else None)
        assert left_in(target.parent) == []
    assert waited == slept


@pytest.mark.parametrize(("known", "message"), [
    ({"sha256": "0" * 64}, f"/f has sha256 {SHA256}, expected {'0' * 64}; the file was n"),
    ({"size_bytes": 10}, f"/f has {len(BODY)} bytes, expected 10"),
])  # fmt: skip
def test_another_digest_or_size_leaves_nothing(host, target, known, message):
    for headers in ({}, {"Content-Length": ""}):
        host.replies["/f"] = Reply(BODY, headers=headers)
        with pytest.raises(DigestMismatch, match=message):
            fetch_file(f"{host.address}/f", target, **known)
    assert left_in(target.parent) == []
    assert host.asked == ["GET /f"] * 2


@pytest.mark.parametrize(("error", "cause", "text"), [
    ("SSLError", "why", "no trusted connection"),
    ("ReadTimeout", "ReadTimeoutError", r"the connection broke \(R.*\), tried 4 times"),
    ("", "", rf"broke off after 4 of {len(BODY)} bytes, tried"),  # the client overlooks it
])  # fmt: skip
def test_what_the_client_raises_is_put_into_words(host, target, monkeypatch, error, cause, text):
    kind = getattr(urllib3.exceptions, cause, None)
    host.replies["/f"] = Reply(BODY)
    if error:
        raised = getattr(requests.exceptions, error)(kind(None, "", "") if kind else cause)
        monkeypatch.setattr(requests.Session, "get", Mock(side_effect=raised))
    monkeypatch.setattr(requests.Response, "iter_content", lambda *_, **__: [b"half"])
    with pytest.raises(DownloadError, match=rf"cannot fetch {host.address}/f: {text}"):
        fetch_file(f"{host.address}/f", target)
    assert left_in(target.parent) == []


@pytest.mark.usefixtures("host")
def test_addresses_that_lead_nowhere_are_final_or_tried_once_more(target):
    for url, text in (
        ("no-scheme/f", "Invalid URL"),
        ("ftp://host/f", "No connection adapters"),
        (f"{silent_address()}/f", r"no connection \(NewConnectionError\), tried 2 times$"),
    ):
        with pytest.raises(DownloadError, match=f"cannot fetch {url}: .*{text}"):
            fetch_file(url, target)


@pytest.mark.parametrize("by", ["argument", *download.OFFLINE_VARIABLES])
def test_offline_nothing_is_asked_but_what_is_there_is_found(host, target, monkeypatch, by):
    if by != "argument":
        monkeypatch.setenv(by, "1")
    wanted = {"offline": by == "argument"}
    text = r"cannot fetch .*/f: offline, so that nothing is asked of the network \(--offline, SNAC"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target, **wanted)
    assert not target.parent.exists()
    target.parent.mkdir()
    target.write_bytes(BODY)
    assert fetch_file(f"{host.address}/f", target, **wanted) == SHA256
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target, sha256="0" * 64, **wanted)
    assert target.read_bytes() == BODY
    assert host.asked == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_what_cannot_be_kept(host, target, monkeypatch, code):
    host.replies["/f"], url = Reply(BODY, ranges=True), f"{host.address}/f"
    with monkeypatch.context() as patch:
        little = shutil.disk_usage("/")._replace(free=1000)
        patch.setattr(shutil, "disk_usage", lambda _: little)
        with pytest.raises(CannotKeep, match=r"no room .* 1.0 MB are to come and 0.0 MB are free"):
            fetch_file(url, target)
    assert left_in(target.parent) == []
    full = Mock(side_effect=[None] * 3 + [OSError(code, os.strerror(code))])
    with monkeypatch.context() as patch:
        patch.setattr(watched := Watched(), "step", full)
        with pytest.raises(CannotKeep, match=r"no room .*free some space and fetch again"):
            fetch_file(url, target, sha256=SHA256, progress=watched)
    assert fetch_file(url, target, sha256=SHA256) == SHA256
    assert int(host.headers[-1]["range"][6:-1]) > 0
    text = r"cannot keep f in .*file.bin/set \(Not a directory\); check its permissions"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(url, target / "set" / "f")


_FETCH = """
import sys
from pathlib import Path
from unittest.mock import Mock
from snacbench.download import fetch_file
from snacbench.progress import Notes
notes = Notes()
try:
    print(fetch_file(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], progress=notes))
finally:
    print(*notes.texts, file=sys.stderr)
"""


def fetcher(url, target):
    arguments = [sys.executable, "-c", _FETCH, url, str(target), SHA256]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_fetchers_at_once_others_wait_and_try_only_if_need_be(host, target):
    host.replies["/f"] = [Reply(status=404), Reply(BODY, block_s=0.15)]
    three = [fetcher(f"{host.address}/f", target) for _ in range(3)]
    outputs = [process.communicate(timeout=PATIENCE_S) for process in three]
    assert sorted(out.strip() for out, _ in outputs) == ["", SHA256, SHA256]
    assert host.asked == ["GET /f"] * 2
    assert left_in(target.parent) == ["file.bin"]
    assert any("waiting for another process that fetches" in err for _, err in outputs)


def test_after_a_fetcher_is_killed_half_way_the_next_goes_on(host, target):
    host.replies["/f"] = Reply(BODY, ranges=True, block_s=0.1)
    partial = target.parent / ".file.bin.partial"
    killed = fetcher(f"{host.address}/f", target)
    until(lambda: partial.exists() and partial.stat().st_size, "the first block")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    came = partial.stat().st_size
    assert left_in(target.parent) == [".file.bin.partial"]
    assert 0 < came < len(BODY)
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[-1]["range"] == f"bytes={came}-"
    assert left_in(target.parent) == ["file.bin"]
