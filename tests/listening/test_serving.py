"""Servers as programs, also under attack and killed; stimuli that may be served; slow requests."""

import asyncio
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from unittest.mock import Mock
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.requests import Request

from snacbench.errors import UserError
from snacbench.listening import server
from snacbench.listening.design import pages_of
from snacbench.listening.responses import Body, Refused, read_study
from snacbench.listening.stimuli import FACTS_FILE, stimulus_file
from snacbench.listening.test import read_test
from tests.support import listening_server as served

SNAC = stimulus_file("item-1", "snac")


TRAVERSALS = (
    "/page/../../test.yaml", "/page/..%2f..%2ftest.yaml", "/page/%2e%2e/%2e%2e/test.yaml",
    "/page//etc/passwd", "/page/%2fetc%2fpasswd", "/page/admin.js%00.html",
    "/api/stimuli/../../test.yaml", "/api/stimuli/..%2f..%2fanswers.sqlite",
    "/api/stimuli/stimuli%2fitem-0%2freference.wav", "/stimuli/item-0/reference.wav",
    "/answers.sqlite",
)  # fmt: skip


def exchange(address, sent, *, wait_s=120):
    """What the server says to bytes that no client has tidied up."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=wait_s) as connection:
        connection.sendall(sent)
        try:
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except TimeoutError:
            return b""


def test_no_path_leaves_the_tables_and_broken_requests_do_not_stop_the_server(program):
    with program.client() as client:
        token = served.ScriptedListener(client).begin().token
    for path in TRAVERSALS:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        sent = f"{head}Authorization: Bearer {token}\r\n\r\n"
        answer = exchange(program.address, sent.encode())
        assert re.match(rb"HTTP/1.1 40[0-5] ", answer), (path, answer[:200])
        assert not re.search(rb"root:|run_id|RIFF|Traceback", answer)
    post = b"POST /api/start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    for extra in (b"9999999999", b"-1", b"2\r\nContent-Length: 3"):
        sent = post + b"Connection: close\r\nContent-Length: " + extra + b"\r\n\r\n{}"
        assert re.match(rb"HTTP/1.1 4(00|13) ", exchange(program.address, sent)), extra
    for junk in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        assert b"Traceback" not in exchange(program.address, junk, wait_s=1)
    with program.client() as client:
        listener = served.ScriptedListener(client).begin().agree()
        page = listener.pages()[0]
        whole = listener.submit(
            page, {**served.answers_to(page), "comment": "x" * server.MAX_BODY_BYTES}
        )
        chunks = (b" " * 8_192 for _ in range(16))
        for answer in (whole, listener.post_text(f"/api/pages/{page['key']}", chunks)):
            assert answer.status_code == 413
        assert not listener.pages()[0]["submitted"]
        listener.finish()


def stubborn(listener, path, body):
    """What the page does: try until the server has said that it has it."""
    for _ in range(300):
        try:
            return listener.post(path, body)
        except httpx2.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not come back")


def submit_all(listener, pages):
    for page in pages:
        answer = stubborn(listener, f"/api/pages/{page['key']}", served.answers_to(page))
        assert answer.status_code in (200, 201), answer.text
        time.sleep(0.1)
    assert stubborn(listener, "/api/finish", {}).status_code == 204


def test_killed_again_and_again_while_six_submit(program):
    """What was acknowledged before a kill is there after it; everything is there once."""
    folder, test = program.folder, read_test(program.folder)
    program.kill()
    for path in folder.glob("answers.sqlite*"):
        path.unlink()
    program.start()
    with ExitStack() as stack, ThreadPoolExecutor(5) as pool:
        clients = [stack.enter_context(program.client()) for _ in range(6)]
        patient, *listeners = [
            served.ScriptedListener(client).begin().agree() for client in clients
        ]
        training, page, *_ = patient.pages()
        patient.submit(training)
        body = served.answers_to(page, "kept")
        assert patient.submit(page, body).status_code == 201
        under_way = [pool.submit(submit_all, one, one.pages()) for one in listeners]
        for wait_s in (0.05, 0.15):
            time.sleep(wait_s)
            program.kill()
            study = read_study(test, folder)
            own = [r.score for r in study.ratings if r.listener == patient.name]
            assert sorted(own) == sorted(float(rated["score"]) for rated in body["ratings"])
            assert study.listeners[0].answers == served.ANSWERS
            program.start()
        for one in under_way:
            one.result()
        assert stubborn(patient, f"/api/pages/{page['key']}", body).status_code == 200
        assert [p["submitted"] for p in patient.pages()] == [True, True, False, False]
        patient.finish()
    assert program.stop() == 0
    study = read_study(test, folder)
    assert len(study.listeners) == 6
    heard: dict[str, list[tuple[str, str]]] = {}
    for r in study.ratings:
        heard.setdefault(r.listener, []).append((r.item, r.condition))
    planned = [[p for p in pages_of(test, number) if not p.training] for number in range(6)]
    plans = [[(p.item, c) for p in pages for c in p.conditions] for pages in planned]
    assert sorted(heard.values()) == sorted(plans)
    written = b"".join(p.read_bytes() for p in folder.glob("*") if p.is_file())
    assert b"127.0.0.1" not in written  # no address of a listener is kept


def test_stimuli_of_the_test_are_served_and_no_others(site, monkeypatch):
    folder, path = site.folder, site.folder / SNAC
    assert len(site.service.stimuli) == 4 * 5
    assert site.service.stimuli["item-1", "snac"] == (path, path.stat().st_size)
    with pytest.raises(UserError, match=r"no texts in 'xx'; .*: de, en; .* put xx.json beside it"):
        server.open_service(served.make_folder(folder / "other", served.small_test(language="xx")))
    forbidden = Mock(side_effect=PermissionError(13, "Permission denied"))
    changed = r"snac.wav is not the stimulus that was made \({}.*mushra stimuli"
    with monkeypatch.context() as patched:
        patched.setattr("snacbench.listening.server.sha256_of_file", forbidden)
        with pytest.raises(UserError, match=r"reference.wav is not .*Permission denied"):
            server.open_service(folder)
    path.write_bytes(path.with_stem("anchor35").read_bytes())
    with pytest.raises(UserError, match=changed.format("its sha256 has changed")):
        server.open_service(folder)
    told = json.loads((folder / FACTS_FILE).read_text())
    del told["items"]["item-1"]["conditions"]["snac"]
    (folder / FACTS_FILE).write_text(json.dumps(told))
    with pytest.raises(UserError, match=changed.format("'snac'")):
        server.open_service(folder)
    # What is changed while it is served is not sent.
    listener = site.listener().begin()
    key = listener.pages()[0]["stimuli"][0]
    for sound in (folder / "stimuli").rglob("*.wav"):
        sound.write_bytes(b"RIFF")
    assert listener.get(f"/api/stimuli/{key}").status_code == 500


def test_a_language_is_added_by_a_file_beside_the_test(site, tmp_path):
    english = site.client.get("/page/texts/en.json").json()
    french = {key: f"« {text} »" for key, text in english.items()}
    folder = served.make_folder(tmp_path / "french", served.small_test(language="fr"))
    (folder / "fr.json").write_text(json.dumps(french), "utf-8")
    assert server.open_service(folder).texts == french
    less = {key: text for key, text in french.items() if key not in ("welcome.on", "wave.end")}
    head = r"fr.json, held against en.json, lacks {}, and has besides {}$".format
    for texts, message in (
        (json.dumps(less), head("wave.end, welcome.on", "nothing")),
        (json.dumps({**french, "wave.en": "Fin"}), head("nothing", "wave.en")),
        (json.dumps({**french, "head.page": "Page {m}"}), r"lacks .*e{n}, .*e{of}, .* .*e{m}$"),
        ('{"head.page": "Page', r"fr.json, line 1: not YAML"),
        ('{"head.page": ["Page"]}', r"fr.json, line 1: head.page: Input should be a valid string"),
    ):
        (folder / "fr.json").write_text(texts, "utf-8")
        with pytest.raises(UserError, match=message):
            server.open_service(folder)


@pytest.mark.parametrize(("parts", "message"), [
    (["wait"], "took too long to arrive"), ([b"{", "gone"], "The request ended early"),
])  # fmt: skip
def test_bodies_that_do_not_arrive(monkeypatch, parts, message):
    monkeypatch.setattr(server, "BODY_WAIT_S", 0.05)
    left = iter(parts)

    async def receive():
        if (part := next(left)) == "gone":
            return {"type": "http.disconnect"}
        await asyncio.sleep(10 * (part == "wait"))
        return {"type": "http.request", "body": part, "more_body": True}

    headers = [(b"content-type", b"application/json; charset=utf-8")]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    # In a thread of its own: the browser that other tests of this process drive has a loop here.
    with ThreadPoolExecutor(1) as thread, pytest.raises(Refused, match=message):
        thread.submit(asyncio.run, server.read_body(request, Body)).result()


def test_a_bucket_empties_and_fills_per_address_and_their_number_is_bounded(monkeypatch):
    now_s = [0.0]
    limiter = server.Limiter(3, 0.5, lambda: now_s[0])

    def take(count, then=""):
        for _ in range(count):
            limiter.take("a")
        for _ in range(100):  # what is refused costs nothing
            with pytest.raises(Refused, match=f"Too many requests; try again in {then}") as refused:
                limiter.take("a")
        assert refused.value.headers["Retry-After"].isdigit()

    take(3, "2 s")
    limiter.take("b")
    now_s[0] = 2.0
    take(1)
    now_s[0] = 100.0
    take(3)
    monkeypatch.setattr(server, "_MOST_BUCKETS", 100)
    for number in range(1000):
        now_s[0] += 0.001
        limiter.take(str(number))
        assert len(limiter._buckets) <= 100
    for host, network in (
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ):
        assert server.address_of((host, 1)) == network
