"""Fetching one file: in good order, going on from a part, refusals, full disks, other processes."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from snacbench import download
from snacbench.download import fetch_file
from snacbench.errors import CannotKeep, DigestMismatch, DownloadError
from snacbench.progress import Notes
from tests.support.hosts import IMPATIENT, Host, Reply, redirect, serve, silent_address

BODY = os.urandom(1 << 20)
SHA256, MD5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()
HALF = len(BODY) // 2


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(download, "RETRIES", IMPATIENT)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in download.OFFLINE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serve() as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "set" / "file.bin"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Watched(Notes):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[tuple[str, int | None, int]] = []
        self.done = 0

    def begin(self, stage: str, steps: int | None, *, done: int = 0, unit: str = "") -> None:
        self.begun.append((stage, steps, done))
        self.done = done

    def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
        self.done += steps


# ----------------------------------------------------------------------------- in good order


def test_a_file_is_fetched_checked_and_placed(host, target):
    host.replies["/f"] = Reply(BODY)
    watched = Watched()
    known = {"sha256": SHA256.upper(), "md5": MD5, "size_bytes": len(BODY)}
    assert fetch_file(f"{host.address}/f", target, progress=watched, **known) == SHA256
    assert target.read_bytes() == BODY
    assert left_in(target.parent) == ["file.bin"]
    assert watched.begun == [("set/file.bin", len(BODY), 0)]
    assert watched.done == len(BODY)
    assert host.headers[0]["user-agent"].startswith("snacbench/")


def test_a_file_that_is_there_is_not_asked_for_again(host, target):
    target.parent.mkdir()
    target.write_bytes(BODY)
    for known in ({}, {"sha256": SHA256[:8]}, {"md5": MD5, "size_bytes": len(BODY)}):
        assert fetch_file(f"{host.address}/f", target, **known) == SHA256
    assert host.asked == []
    assert left_in(target.parent) == ["file.bin"]


@pytest.mark.parametrize("known", [{"sha256": SHA256}, {"md5": MD5}, {"size_bytes": len(BODY)}])
def test_a_file_that_is_there_and_not_what_it_must_be_is_replaced(host, target, known):
    host.replies["/f"] = Reply(BODY)
    target.parent.mkdir()
    target.write_bytes(b"cut off")
    assert fetch_file(f"{host.address}/f", target, **known) == SHA256
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"", {}), (BODY, {"Content-Length": ""}), (BODY, {"Content-Encoding": "gzip"})],
    ids=["empty", "size unknown", "called encoded"],
)
def test_bytes_are_kept_as_they_come(host, target, body, headers):
    host.replies["/f"] = Reply(body, headers=headers)
    assert fetch_file(f"{host.address}/f", target) == hashlib.sha256(body).hexdigest()
    assert left_in(target.parent) == ["file.bin"]
    assert host.headers[0]["accept-encoding"] == "identity"


def test_a_token_goes_to_the_host_it_is_for_and_not_where_that_redirects(host, target):
    token = {"Authorization": "Bearer secret"}
    with serve() as storage:
        host.replies["/f"] = redirect("/g")
        host.replies["/g"] = redirect(f"{storage.address}/signed?key=1")
        storage.replies["/signed"] = Reply(BODY)
        assert fetch_file(f"{host.address}/f", target, headers=token) == SHA256
        assert [seen.get("authorization") for seen in host.headers] == ["Bearer secret"] * 2
        assert "authorization" not in storage.headers[0]


def test_a_password_file_does_not_replace_a_token(host, target, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    host.replies["/f"] = Reply(BODY)
    fetch_file(f"{host.address}/f", target, headers={"Authorization": "Bearer secret"})
    assert host.headers[0]["authorization"] == "Bearer secret"


def test_a_slow_stream_that_moves_is_left_alone(host, target):
    host.replies["/f"] = Reply(BODY[:1000], block_bytes=100, block_s=0.12)
    started = time.monotonic()
    fetch_file(f"{host.address}/f", target)
    assert time.monotonic() - started > 2 * IMPATIENT.stall_s
    assert host.asked == ["GET /f"]


# --------------------------------------------------------------------------- going on from a part


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        ({"cut_after": HALF}, "the connection broke"),
        ({"stall_after": HALF}, "nothing came for 0.4"),
    ],
    ids=["breaks off", "stalls"],
)
def test_a_stream_that_ends_early_goes_on_where_it_was(host, target, fault, note):
    host.replies["/f"] = [Reply(BODY, ranges=True, **fault), Reply(BODY, ranges=True)]
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256, progress=watched) == SHA256
    assert [seen.get("range") for seen in host.headers] == [None, f"bytes={HALF}-"]
    assert watched.begun == [("set/file.bin", len(BODY), 0), ("set/file.bin", len(BODY), HALF)]
    assert note in watched.texts[0]
    assert left_in(target.parent) == ["file.bin"]


def test_as_long_as_something_comes_patience_does_not_end(host, target):
    cuts = [Reply(BODY, ranges=True, cut_after=1 << 17) for _ in range(8)]
    host.replies["/f"] = cuts
    assert len(cuts) > len(IMPATIENT.waits_s) + 1
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256


def broken_off(host: Host, target: Path) -> None:
    """A fetch that got the first half and gave up."""
    host.replies["/f"] = [Reply(BODY, cut_after=HALF), Reply(status=503)]
    text = rf"cannot fetch {host.address}/f: 503 .*, tried 4 times; 0.5 MB are kept, and another"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target, md5=MD5)
    assert left_in(target.parent) == [".file.bin.partial"]
    host.asked.clear()
    host.headers.clear()


@pytest.mark.parametrize("ranges", [True, False])
def test_what_a_failed_fetch_left_is_used_by_the_next_if_the_server_can(host, target, ranges):
    broken_off(host, target)
    host.replies["/f"] = Reply(BODY, ranges=ranges)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[0]["range"] == f"bytes={HALF}-"
    assert host.asked == ["GET /f"]
    assert left_in(target.parent) == ["file.bin"]


@pytest.mark.parametrize(
    ("left", "note"),
    [
        (b"x" * HALF, "set/file.bin: what was left of an earlier try is of no use; anew"),
        (BODY + b"more", "/f: the server cannot go on from an earlier try; again in 0.01 s"),
    ],
    ids=["of another file", "longer than the file"],
)
def test_a_part_that_is_of_no_use_is_thrown_away_once(host, target, left, note):
    target.parent.mkdir()
    (target.parent / ".file.bin.partial").write_bytes(left)
    host.replies["/f"] = Reply(BODY, ranges=True)
    watched = Watched()
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256, progress=watched) == SHA256
    assert len(watched.texts) == 1
    assert watched.texts[0].endswith(note)
    assert host.asked == ["GET /f", "GET /f"]


def test_a_part_that_lacks_only_the_last_step_is_taken_as_it_is(host, target):
    target.parent.mkdir()
    (target.parent / ".file.bin.partial").write_bytes(BODY)
    known = {"sha256": SHA256, "size_bytes": len(BODY)}
    assert fetch_file(f"{host.address}/f", target, **known) == SHA256
    assert host.asked == []


# ------------------------------------------------------------------------ refusals and other faults


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_busy_server_is_asked_again(host, target, status):
    host.replies["/f"] = [Reply(status=status), Reply(BODY)]
    assert fetch_file(f"{host.address}/f", target) == SHA256


@pytest.mark.parametrize(
    ("stated", "at_least_s"), [("7", 7.0), (None, 5.0), ("soon", 0.01)], ids=["s", "date", "odd"]
)
def test_a_server_that_asks_for_a_pause_gets_it(host, target, stated, at_least_s):
    slept: list[float] = []
    stated = stated or formatdate(time.time() + 7, usegmt=True)
    host.replies["/f"] = [Reply(status=429, headers={"Retry-After": stated}), Reply(BODY)]
    retries = replace(IMPATIENT, sleep=slept.append)
    assert fetch_file(f"{host.address}/f", target, retries=retries) == SHA256
    assert len(slept) == 1
    assert at_least_s <= slept[0] <= at_least_s + 2


def test_pauses_grow_and_come_to_an_end(host, target):
    slept: list[float] = []
    host.replies["/f"] = Reply(status=503)
    retries = replace(IMPATIENT, waits_s=(1.0, 2.0, 4.0), sleep=slept.append)
    with pytest.raises(DownloadError, match=r"503 Service Unavailable, tried 4 times$"):
        fetch_file(f"{host.address}/f", target, retries=retries)
    assert slept == [1.0, 2.0, 4.0]
    host.replies["/f"] = Reply(status=429, headers={"Retry-After": "3600"})
    text = r"/f: 429 Too Many Requests; the server asks to wait 3600 s$"
    with pytest.raises(DownloadError, match=text) as caught:
        fetch_file(f"{host.address}/f", target)
    assert caught.value.status == 429
    assert left_in(target.parent) == []


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (401, "Unauthorized")])
def test_a_refusal_is_final(host, target, status, reason):
    host.replies["/f"] = Reply(status=status)
    with pytest.raises(DownloadError, match=rf"^cannot fetch \S+/f: {status} {reason}$") as caught:
        fetch_file(f"{host.address}/f", target)
    assert caught.value.status == status
    assert host.asked == ["GET /f"]
    assert left_in(target.parent) == []


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_another_digest_leaves_nothing(host, target, kind):
    host.replies["/f"] = Reply(BODY)
    found = {"sha256": SHA256, "md5": MD5}[kind]
    text = f"/f has {kind} {found}, expected {'0' * len(found)}; the file was not kept"
    with pytest.raises(DigestMismatch, match=text):
        fetch_file(f"{host.address}/f", target, **{kind: "0" * len(found)})
    assert left_in(target.parent) == []
    assert host.asked == ["GET /f"]


@pytest.mark.parametrize("headers", [{}, {"Content-Length": ""}], ids=["told", "not told"])
def test_another_size_leaves_nothing(host, target, headers):
    host.replies["/f"] = Reply(BODY, headers=headers)
    with pytest.raises(DigestMismatch, match=f"/f has {len(BODY)} bytes, expected 10"):
        fetch_file(f"{host.address}/f", target, size_bytes=10)
    assert left_in(target.parent) == []


def test_a_file_that_stays_too_short_is_not_kept_as_the_file(host, target, monkeypatch):
    import requests

    host.replies["/f"] = Reply(BODY[:HALF], promised=len(BODY))
    with pytest.raises(DownloadError, match=r"the connection broke, tried 4 times"):
        fetch_file(f"{host.address}/f", target)
    host.replies["/f"] = Reply(BODY)  # and where the client overlooks it, the length tells
    monkeypatch.setattr(requests.Response, "iter_content", lambda *_, **__: [b"half"])
    with pytest.raises(DownloadError, match=f"broke off after 4 of {len(BODY)} bytes, tried"):
        fetch_file(f"{host.address}/f", target)
    assert left_in(target.parent) == []


@pytest.mark.usefixtures("host")
def test_where_nothing_listens_one_more_try_is_enough(target):
    slept: list[float] = []
    text = r"/f: no connection \(NewConnectionError\), tried 2 times$"
    retries = replace(IMPATIENT, sleep=slept.append)
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{silent_address()}/f", target, retries=retries)
    assert len(slept) == 1
    assert left_in(target.parent) == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("SSLError", "no trusted connection"),
        ("ConnectTimeout", r"no connection \(ConnectTimeout\), tried 2 times"),
        ("ProxyError", r"no connection \(ProxyError\), tried 2 times"),
        ("ReadTimeout", "nothing came for 0.4 s, tried 4 times"),
        ("ChunkedEncodingError", "the connection broke, tried 4 times"),
        ("ConnectionError", "the connection broke, tried 4 times"),
    ],
)
def test_what_the_client_raises_is_put_into_words(host, target, monkeypatch, error, text):
    import requests

    def fail(*_: object, **__: object) -> None:
        raise getattr(requests.exceptions, error)("why")

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(DownloadError, match=rf"cannot fetch {host.address}/f: {text}"):
        fetch_file(f"{host.address}/f", target)


def test_addresses_that_lead_nowhere_are_final(host, target):
    for url in ("no-scheme/f", "ftp://host/f", "http:///f"):
        with pytest.raises(DownloadError, match=f"cannot fetch {url}: "):
            fetch_file(url, target)
    host.replies["/f"] = redirect("/f")
    with pytest.raises(DownloadError, match="Exceeded 30 redirects"):
        fetch_file(f"{host.address}/f", target)


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


# ---------------------------------------------------------------------------------- the disk


def test_a_file_that_cannot_fit_is_refused_before_it_fills_the_disk(host, target, monkeypatch):
    host.replies["/f"] = Reply(BODY)
    little = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    text = r"no room for file.bin in .*/set: 1.0 MB are to come and 0.0 MB are free"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", target)
    assert left_in(target.parent) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile_keeps_what_came(host, target, monkeypatch, code):
    class Full(Watched):
        def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
            super().step(stage, steps)
            if self.done >= HALF:
                raise OSError(code, os.strerror(code))

    host.replies["/f"] = Reply(BODY, ranges=True)
    text = r"no room for file.bin in .*/set \(.*\); free some space and fetch again"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", target, sha256=SHA256, progress=Full())
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[1]["range"] == f"bytes={HALF}-"


def test_a_folder_that_cannot_be_made_is_not_blamed_on_the_network(host, tmp_path):
    (tmp_path / "file").write_text("taken")
    text = r"cannot keep f in .*/file/set \(Not a directory\); check its permissions"
    with pytest.raises(CannotKeep, match=text):
        fetch_file(f"{host.address}/f", tmp_path / "file" / "set" / "f")
    assert host.asked == []


# ------------------------------------------------------------------------------ other processes

_FETCH = """
import sys
from pathlib import Path
from snacbench.download import fetch_file
from snacbench.progress import Notes
notes = Notes()
try:
    print(fetch_file(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], progress=notes))
finally:
    print(*notes.texts, file=sys.stderr)
"""


def fetcher(url: str, target: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", _FETCH, url, str(target), SHA256]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("first_fails", [False, True])
def test_of_two_fetchers_at_once_the_other_waits_and_tries_only_if_need_be(
    host, target, first_fails
):
    good = Reply(BODY, block_s=0.15)
    host.replies["/f"] = [Reply(status=404), good] if first_fails else good
    both = [fetcher(f"{host.address}/f", target) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert sorted(out.strip() for out, _ in outputs) == ["" if first_fails else SHA256, SHA256]
    assert host.asked == ["GET /f"] * (1 + first_fails)
    assert left_in(target.parent) == ["file.bin"]
    if not first_fails:
        assert any("waiting for another process that fetches" in err for _, err in outputs)


def test_after_a_fetcher_is_killed_half_way_the_next_goes_on(host, target):
    host.replies["/f"] = Reply(BODY, ranges=True, block_s=0.1)
    partial = target.parent / ".file.bin.partial"
    killed = fetcher(f"{host.address}/f", target)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    came = partial.stat().st_size
    assert left_in(target.parent) == [".file.bin.partial"]
    assert 0 < came < len(BODY)
    host.replies["/f"] = Reply(BODY, ranges=True)
    assert fetch_file(f"{host.address}/f", target, sha256=SHA256) == SHA256
    assert host.headers[-1]["range"] == f"bytes={came}-"
    assert left_in(target.parent) == ["file.bin"]
