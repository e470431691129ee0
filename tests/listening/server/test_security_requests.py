"""What an attacker might send: paths, methods, bodies, texts; each with what it comes to."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from snacbench.listening.server.bodies import MAX_BODY_BYTES
from snacbench.listening.server.guard import HEADERS
from tests.listening.server.client import ScriptedListener, answers_to
from tests.listening.server.conftest import Program, Serve, Site


def call(site: Site, method: str, path: str, **headers: str):
    body = {"json": {}} if method == "POST" else {}
    return site.client.request(method, path, headers=headers, **body)


# -------------------------------------------------------------------------- paths and methods


TRAVERSALS = [
    "/page/../../test.yaml",
    "/page/..%2f..%2ftest.yaml",
    "/page/%2e%2e/%2e%2e/test.yaml",
    "/page/..\\..\\test.yaml",
    "/page//etc/passwd",
    "/page/%2fetc%2fpasswd",
    "/page/admin.js%00.html",
    "/page/../server/app.py",
    "/api/stimuli/../../test.yaml",
    "/api/stimuli/..%2f..%2fanswers.sqlite",
    "/api/stimuli/stimuli%2fitem-0%2freference.wav",
    "/stimuli/item-0/reference.wav",
    "/answers.sqlite",
    "/test.yaml",
    "/stimuli.json",
    "/api/admin/export/..%2ftidy.csv",
]


def raw_get(address: str, path: str, token: str = "") -> bytes:
    """A request whose path no client has tidied up."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n"
        auth = f"Authorization: Bearer {token}\r\n" if token else ""
        connection.sendall(f"{head}{auth}\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_no_path_leaves_the_tables(shared_program: Program) -> None:
    with shared_program.client() as client:
        token = ScriptedListener(client).begin().token
    for path in TRAVERSALS:
        answer = raw_get(shared_program.address, path, token)
        assert re.match(rb"HTTP/1.1 40[0-5] ", answer), (path, answer[:200])
        assert b"root:" not in answer
        assert b"run_id" not in answer
        assert b"RIFF" not in answer
        assert b"Traceback" not in answer


@pytest.mark.parametrize("path", ["/page/", "/page", "/stimuli/", "/api/", "/api/stimuli/", "/x"])
def test_no_folder_is_listed(site: Site, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code in (401, 404)
    assert answer.headers["content-type"] == "application/json"


def test_a_slash_too_many_redirects_nowhere(site: Site) -> None:
    answer = site.client.get("/api/test/", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "BREW"])
def test_other_methods(site: Site, method: str) -> None:
    for path in ("/", "/api/session", "/api/start", "/api/admin/progress", "/x"):
        answer = site.client.request(method, path, headers=site.admin)
        assert answer.status_code == 405, path
        assert "GET" in answer.headers["allow"], path
        assert method == "HEAD" or "This method is not used here" in answer.json()["error"], path


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("GET", "/api/start"), ("DELETE", "/api/session"),
                         ("POST", "/api/admin/progress"), ("GET", "/api/admin/listeners/x")],
)  # fmt: skip
def test_wrong_method_of_a_known_path(site: Site, method: str, path: str) -> None:
    assert call(site, method, path).status_code == 405


# ----------------------------------------------------------------------------- other websites


def test_no_cors(site: Site) -> None:
    origin = {"Origin": "https://evil.example"}
    asked = {"Access-Control-Request-Method": "POST", **origin}
    assert site.client.options("/api/start", headers=asked).status_code == 405
    answer = site.client.get("/api/test", headers=origin)
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
     "text/plain; application/json"],
)  # fmt: skip
def test_what_a_form_of_another_site_can_send_is_refused(site: Site, content_type: str) -> None:
    listener = site.listener().begin()
    for path in ("/api/start", "/api/consent", "/api/delete", "/api/pages/x"):
        headers = {**listener.headers, "Content-Type": content_type}
        answer = site.client.post(path, content=b'{"agreed": true}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "content-type")
        assert "Expected a body of type application/json" in answer.json()["error"]


def test_security_headers_on_every_kind_of_answer(site: Site) -> None:
    listener = site.listener().begin()
    key = listener.pages()[0]["stimuli"][0]
    answers = [
        site.client.get("/"),
        site.client.get("/page/admin.js"),
        site.client.get("/nothing"),
        site.client.put("/"),
        listener.get(f"/api/stimuli/{key}"),
        listener.get("/api/session"),
        listener.post("/api/consent", {"agreed": True}),
        site.client.get("/api/admin/export/tidy.csv", headers=site.admin),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers


def test_policy_lets_no_inline_code_and_no_frame(site: Site) -> None:
    policy = site.client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    for name in ("/", "/admin"):
        text = site.client.get(name).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|https?://", text)


def test_another_host_name(serve: Serve) -> None:
    site = serve(hosts=("test.example",))
    assert site.client.get("/api/test", headers={"Host": "evil.example"}).status_code == 400
    assert site.client.get("/api/test", headers={"Host": "test.example:8000"}).status_code == 200


# -------------------------------------------------------------------------------------- bodies


def test_bodies_have_a_limit(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    answer = listener.submit(page, {**answers_to(page), "comment": "x" * MAX_BODY_BYTES})
    assert answer.status_code == 413
    assert "content-too-large" in answer.text or "Content Too Large" in answer.text


def test_bodies_sent_in_chunks_have_a_limit(shared_program: Program) -> None:
    with shared_program.client() as client:
        listener = ScriptedListener(client).begin().agree()
        page = listener.pages()[0]
        chunks = (b" " * 8_192 for _ in range(16))
        headers = {**listener.headers, "Content-Type": "application/json"}
        answer = client.post(f"/api/pages/{page['key']}", content=chunks, headers=headers)
        assert answer.status_code == 413
        assert not listener.pages()[0]["submitted"]
        listener.finish()


def test_a_length_that_lies_is_no_way_around(shared_program: Program) -> None:
    parts = urlsplit(shared_program.address)
    head = (
        f"POST /api/start HTTP/1.1\r\nHost: {parts.hostname}\r\nContent-Type: application/json\r\n"
    )
    for extra in ("Content-Length: 9999999999\r\n\r\n{", "Content-Length: -1\r\n\r\n{}",
                  "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"):  # fmt: skip
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall((head + extra).encode())
            assert re.match(rb"HTTP/1.1 4(00|13) ", connection.recv(65_536)), extra


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe", b'{"agreed": "true"}',
     b'{"agreed": true, "x": 1}', b'{"agreed": NaN}', b"[" * 30_000, b'{"a":' * 10_000],
)  # fmt: skip
def test_bodies_that_are_something_else(site: Site, content: bytes) -> None:
    listener = site.listener().begin()
    headers = {**listener.headers, "Content-Type": "application/json"}
    answer = site.client.post("/api/consent", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "body")
    assert "The request cannot be understood" in answer.json()["error"]
    assert not listener.get("/api/session").json()["consented"]


@pytest.mark.parametrize(
    "playback",
    [{"a": {"b": 1}}, {"a": [1]}, {"k" * 65: 1}, {"a": "x" * 201}, {str(i): 1 for i in range(65)}],
)
def test_counts_of_playback_stay_small(site: Site, playback) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    assert listener.submit(page, {**answers_to(page), "playback": playback}).status_code == 422


@pytest.mark.parametrize("time_s", ["NaN", "Infinity", "-1", "1e12", '"5"x'])
def test_times_that_cannot_be(site: Site, time_s: str) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    text = json.dumps({**answers_to(page), "time_s": 0}).replace(
        '"time_s": 0', f'"time_s": {time_s}'
    )
    headers = {**listener.headers, "Content-Type": "application/json"}
    answer = site.client.post(f"/api/pages/{page['key']}", content=text, headers=headers)
    assert answer.status_code == 422


# ----------------------------------------------------------------------------------- injection


INJECTIONS = ["'; DROP TABLE ratings; --", '" OR 1=1 --', "x' UNION SELECT token_sha256 --", "%00"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_keys_names_and_texts_is_text(site: Site, text: str) -> None:
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    assert listener.get(f"/api/stimuli/{text}").status_code == 404
    assert listener.post(f"/api/pages/{text}", answers_to(page)).status_code == 404
    assert call(site, "GET", "/api/session", Authorization=f"Bearer {text}").status_code == 401
    deleted = site.client.delete(f"/api/admin/listeners/{text}", headers=site.admin)
    assert deleted.status_code == 404
    assert "There is no listener" in deleted.json()["error"]
    listener.submit(training)
    assert listener.submit(page, answers_to(page, text)).status_code == 201
    answers = {"age": "3", "phones": "yes", "note": text}
    assert listener.post("/api/questionnaire", {"answers": answers}).status_code == 204
    rows = exported(site, "tidy")
    assert len(rows) == 5
    assert {row["comment"] for row in rows} == {text}


def exported(site: Site, form: str) -> list[dict[str, str]]:
    answer = site.client.get(f"/api/admin/export/{form}.csv", headers=site.admin)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1+1", "-2", "@SUM(A1)", "\t=1", "\uff1d1"])
def test_no_formula_in_exports(site: Site, text: str) -> None:
    listener = site.listener().begin().agree()
    answers = {"age": "3", "phones": "yes", "note": text}
    listener.post("/api/questionnaire", {"answers": answers})
    training, page, *_ = listener.pages()
    listener.submit(training)
    listener.submit(page, answers_to(page, text))
    assert {row["comment"][0] for row in exported(site, "tidy")} == {"'"}
    rows = exported(site, "webmushra")
    assert {row["rating_comment"][0] for row in rows} == {"'"}
    assert {row["note"][0] for row in rows} == {"'"}


def test_comments_lose_control_characters_and_length(site: Site) -> None:
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    listener.submit(training)
    nasty = "a\x00b\x1b[31mc\r\nd\u202ee\u0085f" + "x" * 5_000
    assert listener.submit(page, answers_to(page, nasty)).status_code == 201
    kept = exported(site, "tidy")[0]["comment"]
    assert kept.startswith("ab[31mc de fx")
    assert len(kept) == 2_000


def test_markup_in_comments_is_kept_as_text_and_shown_nowhere(site: Site) -> None:
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    listener.submit(training)
    listener.submit(page, answers_to(page, "<img src=x onerror=alert(1)>"))
    progress = site.client.get("/api/admin/progress", headers=site.admin)
    assert "<img" not in progress.text
    assert "innerHTML" not in site.client.get("/page/admin.js").text


def test_the_log_can_neither_be_forged_nor_does_it_name_anybody(site: Site) -> None:
    listener = site.listener().begin()
    key = listener.pages()[0]["stimuli"][0]
    listener.get(f"/api/stimuli/{key}")
    site.client.delete(f"/api/admin/listeners/{listener.name}", headers=site.admin)
    site.client.get(f"/?invite={listener.token}&token={listener.token}")
    site.client.get("/x%0AGET /forged 200%1b[31m", headers=listener.headers)
    text = "\n".join(site.log)
    for secret in (listener.token, key, listener.name):
        assert secret not in text
    assert "GET /api/stimuli/* 200" in text
    assert "testclient" not in text
    assert all(re.fullmatch(r"[ -~]+ \d{3} \d+ ms", line) for line in site.log)


# --------------------------------------------------------------------------------------- faults


def test_our_own_faults_show_no_trace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("snacbench.listening.server.api.pages.pages_for", broken)
    answer = site.listener().begin().get("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (500, "server")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"]


def test_broken_requests_do_not_stop_the_server(shared_program: Program) -> None:
    parts = urlsplit(shared_program.address)
    for junk in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(junk)
            connection.settimeout(2)
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                answer = b""
            assert b"Traceback" not in answer
    with shared_program.client() as client:
        ScriptedListener(client).begin().agree().finish()


def test_no_address_of_a_listener_is_written_down(program: Program) -> None:
    with program.client() as client:
        ScriptedListener(client).begin().agree().finish()
    program.stop()
    written = b"".join(p.read_bytes() for p in program.folder.glob("*") if p.is_file())
    assert b"127.0.0.1" not in written
