"""What servers refuse, and every other fault of a connection."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from snacbench.download import ask_about, fetch_file
from snacbench.errors import DigestMismatch, DownloadError
from tests.download.conftest import BODY, HALF, MD5, SHA256, TAG, left_in
from tests.hosts import IMPATIENT, Reply, redirect, silent_address

# ------------------------------------------------------------------------ refusals and other faults


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
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
    patience = replace(IMPATIENT, sleep=slept.append)
    assert fetch_file(f"{host.address}/f", target, patience=patience) == SHA256
    assert len(slept) == 1
    assert at_least_s <= slept[0] <= at_least_s + 2


def test_a_server_that_asks_for_too_long_a_pause_is_not_waited_for(host, target):
    host.replies["/f"] = Reply(status=429, headers={"Retry-After": "3600"})
    text = r"/f: 429 Too Many Requests; the server asks to wait 3600 s$"
    with pytest.raises(DownloadError, match=text) as caught:
        fetch_file(f"{host.address}/f", target)
    assert caught.value.status == 429
    assert left_in(target.parent) == []


def test_pauses_grow_and_come_to_an_end(host, target):
    slept: list[float] = []
    host.replies["/f"] = Reply(status=503)
    patience = replace(IMPATIENT, waits_s=(1.0, 2.0, 4.0), sleep=slept.append)
    with pytest.raises(DownloadError, match=r"503 Service Unavailable, tried 4 times$"):
        fetch_file(f"{host.address}/f", target, patience=patience)
    assert slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "Not Found"), (401, "Unauthorized"), (403, "Forbidden")]
)
def test_a_refusal_is_final(host, target, status, reason):
    host.replies["/f"] = Reply(status=status)
    text = rf"^cannot fetch {host.address}/f: {status} {reason}$"
    with pytest.raises(DownloadError, match=text) as caught:
        fetch_file(f"{host.address}/f", target)
    assert caught.value.status == status
    assert host.asked == ["GET /f"]
    assert left_in(target.parent) == []


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_another_digest_leaves_nothing(host, target, kind):
    host.replies["/f"] = Reply(BODY, headers=TAG)
    found = {"sha256": SHA256, "md5": MD5}[kind]
    expected = "0" * len(found)
    text = f"/f has {kind} {found}, expected {expected}; the file was not kept"
    with pytest.raises(DigestMismatch, match=text):
        fetch_file(f"{host.address}/f", target, **{kind: expected})
    assert left_in(target.parent) == []
    assert host.asked == ["GET /f"]


@pytest.mark.parametrize("told", [True, False])
def test_another_size_leaves_nothing(host, target, told):
    host.replies["/f"] = Reply(BODY, headers={} if told else {"Content-Length": ""})
    text = f"/f has {len(BODY)} bytes, expected 10"
    with pytest.raises(DigestMismatch, match=text):
        fetch_file(f"{host.address}/f", target, size_bytes=10)
    assert left_in(target.parent) == []


def test_a_file_that_stays_too_short_is_not_kept_as_the_file(host, target):
    host.replies["/f"] = Reply(BODY[:HALF], promised=len(BODY))
    with pytest.raises(DownloadError, match=r"the connection broke, tried 4 times; 0.5 MB are"):
        fetch_file(f"{host.address}/f", target)
    assert not target.exists()


def test_a_client_that_overlooks_a_short_file_is_found_out_by_the_length(host, target, monkeypatch):
    import urllib3

    host.replies["/f"] = Reply(BODY)
    monkeypatch.setattr(urllib3.HTTPResponse, "stream", lambda *_, **__: [b"half"])
    with pytest.raises(DownloadError, match=f"broke off after 4 of {len(BODY)} bytes, tried"):
        fetch_file(f"{host.address}/f", target)


def test_where_nothing_listens_one_more_try_is_enough(target, monkeypatch):
    slept: list[float] = []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    patience = replace(IMPATIENT, sleep=slept.append)
    text = r"/f: no connection \(NewConnectionError\), tried 2 times$"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{silent_address()}/f", target, patience=patience)
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

    monkeypatch.setattr(requests.Session, "get", fail)
    with pytest.raises(DownloadError, match=rf"cannot fetch {host.address}/f: {text}"):
        fetch_file(f"{host.address}/f", target)


@pytest.mark.parametrize("url", ["no-scheme/f", "ftp://host/f", "http:///f"])
def test_an_address_that_is_none_is_final(host, target, url):
    with pytest.raises(DownloadError, match=f"cannot fetch {url}: "):
        fetch_file(url, target)


def test_redirects_in_a_circle_are_final(host, target):
    host.replies["/f"] = redirect("/f")
    with pytest.raises(DownloadError, match="Exceeded 30 redirects"):
        fetch_file(f"{host.address}/f", target)


@pytest.mark.parametrize("name", ["SNACBENCH_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked_but_what_is_there_is_found(host, target, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    text = r"cannot fetch .*/f: offline, so that nothing is asked of the network \(--offline, SNAC"
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target)
    with pytest.raises(DownloadError, match=text):
        ask_about(f"{host.address}/f")
    assert not target.parent.exists()
    target.parent.mkdir()
    target.write_bytes(BODY)
    assert fetch_file(f"{host.address}/f", target) == SHA256
    with pytest.raises(DownloadError, match=text):
        fetch_file(f"{host.address}/f", target, sha256="0" * 64)
    assert target.read_bytes() == BODY
    assert host.asked == []


def test_a_question_reports_a_redirect_and_is_asked_again_if_need_be(host):
    host.replies["/f"] = [Reply(status=503), redirect("/elsewhere")]
    answer = ask_about(f"{host.address}/f", headers={"Authorization": "Bearer x"})
    assert answer["location"] == "/elsewhere"
    assert host.asked == ["HEAD /f", "HEAD /f"]
    assert host.headers[1]["authorization"] == "Bearer x"
    with pytest.raises(DownloadError, match="404 Not Found"):
        ask_about(f"{host.address}/gone")
