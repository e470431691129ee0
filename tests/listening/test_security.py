"""What a listener, the admin and an attacker may ask for, and what it comes to."""

import csv
import io
import json
import re
from typing import Any
from unittest.mock import Mock

import pytest

from snacbench.forms import FORMS
from snacbench.listening import responses as sessions
from snacbench.listening.read import read_source
from snacbench.listening.responses import make_invitations, new_key, read_study, token_digest
from snacbench.listening.server import HEADERS, new_admin_token
from snacbench.listening.study import write_tidy
from tests.support.listening_server import ANSWERS, answers_to, conditions_by_key, told

API = [("GET", "session"), ("GET", "stimuli/x")]
API += [("POST", of) for of in ("consent", "questionnaire", "pages/x", "finish", "delete")]
ADMIN = [("GET", f"/api/admin/{path}") for path in ("progress", "export/tidy.csv")]
ADMIN.append(("DELETE", "/api/admin/listeners/x"))


def test_only_the_token_itself_in_its_header_is_a_token(site):
    needed = (401, "token", "This request needs a token")
    for method, path in API:
        assert told(site.call(method, f"/api/{path}")) == needed, path
    for header in ("Bearer wrong", "Bearer ", "Basic YTpi", "Bearer \xff", "x"):
        headers = {b"Authorization": header.encode("latin-1")}
        assert told(site.client.get("/api/session", headers=headers))[:2] == (401, "token")
    listener = site.listener().begin()
    token = listener.token
    for query in ("?token={}", "?access_token={}", "?authorization=Bearer%20{}"):
        assert site.call("GET", "/api/session" + query.format(token)).status_code == 401
    assert site.call("GET", "/api/session", Cookie=f"token={token}").status_code == 401
    answer = site.call("GET", "/api/session", Authorization=f"Bearer {token_digest(token)}")
    assert told(answer)[2] == "This session is not known; open the test anew"
    # Nothing of another listener.
    other = site.listener().begin().agree()
    page = listener.agree().pages()[0]
    refused = other.get(f"/api/stimuli/{page['stimuli'][0]}")
    assert told(refused) == (404, "stimulus", "There is no such stimulus in this session")
    assert told(other.submit(page)) == (404, "page", "There is no such page in this session")
    assert told(other.submit(other.pages()[0], answers_to(page)))[:2] == (422, "unrated")
    assert not listener.pages()[0]["submitted"]
    for method, path in ADMIN:
        for wrong in ("", "wrong", token):
            own = path.replace("/x", f"/{listener.name}")
            answer = site.call(method, own, Authorization=f"Bearer {wrong}")
            assert told(answer) == (401, "admin", "This is not the admin's token")
    assert site.client.get("/api/session", headers=site.admin).status_code == 401
    assert listener.get("/api/session").status_code == 200
    # Of 256 bits, keys of 128; only digests are kept.
    (code,) = make_invitations(site.service.responses, 1)
    admin = site.admin["Authorization"].removeprefix("Bearer ")
    assert ({len(token), len(admin)}, {len(new_key()) for _ in range(50)}) == ({43}, {22})
    kept = b"".join(path.read_bytes() for path in site.folder.glob("answers.sqlite*"))
    for secret in (token, admin, code):
        assert secret.encode() not in kept
        assert token_digest(secret).encode() in kept
    new_admin_token(site.service.responses)
    assert site.as_admin("progress").status_code == 401


def test_an_invitation_is_for_one(site):
    (code,) = make_invitations(site.service.responses, 1)
    assert site.client.get("/api/test").json()["invite_required"]
    asked = "This test is by invitation: open the link that you were sent"
    unknown = "This invitation is not known; ask for a new link"
    used = "This invitation has been used already"

    def refused(**body):
        status, _, sentence = told(site.client.post("/api/start", json=body))
        return status, sentence

    assert refused() == refused(invite="") == (403, asked)
    assert refused(invite="x") == refused(invite=token_digest(code)) == (403, unknown)
    lost = site.listener().begin(invite=code)
    again = site.listener().begin(invite=code).agree()  # the first answer got lost on its way
    assert lost.get("/api/session").status_code == 401
    assert refused(invite=code) == (403, used)
    again.post("/api/delete")
    assert refused(invite=code) == (403, used)


def test_nothing_tells_which_condition_or_item_a_sound_is(site):
    test = site.service.test
    ids = [item.id for item in (*test.items, *test.training)]
    parts = [name.partition("@")[0] for name in test.conditions]
    names = [*test.conditions, *parts, *ids, "anchor"]
    listener = site.listener().begin().agree()
    facts = site.client.get("/api/test").json()
    facts.pop("texts")  # the same in every test
    pages = listener.pages()
    texts = [json.dumps(listener.session()).replace('"reference":', ""), json.dumps(facts)]
    rated = answers_to(pages[0])["ratings"]
    for body in ({"ratings": []}, {"answer": "a"}, {"ratings": rated[1:]}):
        texts.append(listener.submit(pages[0], body).text)
    assert not [(name, text) for name in names for text in texts if name in text]

    for page in pages:
        keys = [*page["stimuli"], page["reference"]]
        seen = {tuple(sorted(listener.get(f"/api/stimuli/{key}").headers.items())) for key in keys}
        assert len(seen) == 1
        headers = dict(seen.pop())
        assert not {"etag", "last-modified", "content-disposition"} & headers.keys()
        assert headers["cache-control"] == "no-store"
        assert not any(name in str(headers) for name in names)

    more = [*pages, *site.listener().begin().pages()]
    keys = [key for page in more for key in (page["key"], *page["stimuli"])]
    assert len(set(keys)) == len(keys)
    of = conditions_by_key(site.service.responses)
    # Keys are listed as the plan shuffled them, which differs from page to page.
    assert len({tuple(of[key][1] for key in page["stimuli"]) for page in pages}) > 1


def test_no_cors_no_other_host_and_no_form_of_another_site(serve):
    site = serve(hosts=("test.example", "testserver"))
    assert site.client.get("/api/test", headers={"Host": "evil.example"}).status_code == 400
    origin = {"Origin": "https://evil.example", "Host": "test.example:8000"}
    asked = {"Access-Control-Request-Method": "POST", **origin}
    assert site.client.options("/api/start", headers=asked).status_code == 405
    answer = site.client.get("/api/test", headers=origin)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    listener = site.listener().begin()
    form = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
    for content_type in (*form, "text/plain", "", "text/plain; application/json"):
        for path in ("/api/start", "/api/delete", "/api/pages/x"):
            found = told(listener.post_text(path, b'{"agreed": true}', content_type))
            assert found == (415, "content-type", "Expected a body of type application/json")


def test_security_headers_on_every_kind_of_answer_and_no_trace_of_our_own_faults(site, monkeypatch):
    listener = site.listener().begin()
    sound = f"/api/stimuli/{listener.pages()[0]['stimuli'][0]}"
    answers = [site.client.get(path) for path in ("/", "/admin", "/page/admin.js", "/nothing")]
    answers += [site.client.put("/"), listener.get(sound), site.as_admin("export/tidy.csv")]
    for answer in (*answers, listener.post("/api/consent", {"agreed": True})):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"
        assert not {"server", "x-powered-by", "set-cookie"} & answer.headers.keys()
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert ("unsafe" in policy, "frame-ancestors 'none'" in policy) == (False, True)
    inline = r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|https?://"
    assert not any(re.search(inline, page.text) for page in answers[:2])
    broken = Mock(side_effect=RuntimeError("secret detail"))
    monkeypatch.setattr("snacbench.listening.responses.seen", broken)
    answer = listener.get("/api/session")
    assert told(answer)[:2] == (500, "server")
    assert answer.headers["content-security-policy"] == policy
    assert not re.search("secret|Traceback", answer.text)
    flood = Mock(side_effect=sessions.Refused(429, "limit", "Too many", **{"Retry-After": "2"}))
    monkeypatch.setattr(site.service.requests, "take", flood)
    answer = site.client.get("/")
    assert (told(answer)[:2], answer.headers["retry-after"]) == ((429, "limit"), "2")
    assert answer.headers["content-security-policy"] == policy


def test_bodies_that_are_something_else(site):
    listener = site.listener().begin()
    small = ("", "{", "[]", "null", '"x"', "{}", '{"agreed": "true"}', '{"agreed": NaN}')
    for content in (*small, '{"agreed": true, "x": 1}', b"\xff\xfe", "[" * 30_000, '{"a":' * 9_999):
        status, code, text = told(listener.post_text("/api/consent", content))
        assert (status, code) == (422, "body")
        assert "The request cannot be understood" in text
    assert not listener.session()["consented"]
    page = listener.agree().pages()[0]
    many = dict.fromkeys(map(str, range(65)), 1)
    counts = [json.dumps(c) for c in ({"a": [1]}, {"k" * 65: 1}, {"a": "x" * 201}, many)]
    heard = ('{"x": {"plays": -1, "heard_s": 1}}', '{"x": {"plays": 1, "heard_s": NaN}}')
    wrong = {"time_s": ("NaN", "Infinity", "-1", "1e12"), "playback": counts, "heard": heard}
    for field, value in ((field, value) for field, values in wrong.items() for value in values):
        text = json.dumps({**answers_to(page), field: None})
        text = text.replace(f'"{field}": null', f'"{field}": {value}')
        assert told(listener.post_text(f"/api/pages/{page['key']}", text))[:2] == (422, "body")


def test_sql_is_text_comments_are_no_formulas_and_the_log_names_nobody(site):
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    for text in ("'; DROP TABLE listeners; --", "x' UNION SELECT token_sha256 --", "%00"):
        assert listener.get(f"/api/stimuli/{text}").status_code == 404
        assert listener.post(f"/api/pages/{text}", answers_to(page)).status_code == 404
        assert site.call("GET", "/api/session", Authorization=f"Bearer {text}").status_code == 401
        status, _, sentence = told(site.as_admin(f"listeners/{text}", "DELETE"))
        assert status == 404
        assert "There is no listener" in sentence
    nasty = "=cmd|'/c calc'!A1\x00\x1b[31m\r\n\u202e<img src=x onerror=alert(1)>" + "x" * 5_000
    answers = {"age": "3", "phones": "yes", "note": nasty}
    assert listener.post("/api/questionnaire", {"answers": answers}).status_code == 204
    listener.submit(training)
    assert listener.submit(page, answers_to(page, nasty)).status_code == 201
    rows = csv.DictReader(io.StringIO(site.as_admin("export/tidy.csv").text, newline=""))
    (kept,) = {row["comment"] for row in rows}
    assert kept.startswith("'=cmd|'/c calc'!A1[31m <img src=x")
    assert len(kept) == 2_001
    shown = site.as_admin("progress")  # answers to questions, as text; comments are in the export
    assert (shown.headers["content-type"], "x" * 500 in shown.text) == ("application/json", False)

    key = page["stimuli"][0]
    listener.get(f"/api/stimuli/{key}")
    site.client.get(f"/?invite={listener.token}&token={listener.token}")
    site.client.get("/x%0AGET /forged 200%1b[31m", headers=listener.headers)
    site.as_admin(f"listeners/{listener.name}", "DELETE")
    text = "\n".join(site.log)
    for secret in (listener.token, key, listener.name, "testclient"):
        assert secret not in text
    assert "GET /api/stimuli/* 200" in text
    assert all(re.fullmatch(r"[ -~]+ \d{3} \d+ ms", line) for line in site.log)


def stored(site):
    return read_study(site.service.test, site.folder)


def test_a_listener_from_start_to_finish(site):
    for path, kind in (("/", "html"), ("/page/admin.css", "css"), ("/page/app.js", "javascript")):
        media_type = site.client.get(path).headers["content-type"]
        assert re.fullmatch(rf"(text|application)/{kind}(; charset=utf-8)?", media_type)
    assert told(site.client.get("/page/none.js")) == (404, "not-found", "Not Found")
    facts = site.client.get("/api/test").json()
    assert (facts["id"], facts["min_loop_s"], facts["invite_required"]) == ("small", 0.5, False)
    assert [question["id"] for question in facts["questionnaire"]] == ["age", "phones", "note"]

    listener, state = site.listener().begin(), ("listener", "consented", "answered", "finished")
    session = listener.session()
    assert [session[key] for key in state] == [listener.name, *[False] * 3]
    first, second, *_ = pages = session["pages"]
    assert [page["training"] for page in pages] == [True, False, False, False]
    assert second["reference"] not in second["stimuli"]
    of = conditions_by_key(site.service.responses)
    for key in (*second["stimuli"], second["reference"]):
        sent, (path, _) = listener.get(f"/api/stimuli/{key}"), site.service.stimuli[of[key]]
        assert (sent.headers["content-type"], sent.content) == ("audio/wav", path.read_bytes())

    listener.agree().submit(first)
    body = answers_to(second, "=nice\u0007 one\n\u202etwo")
    listener.submit(second, body)
    rated = {of[one["stimulus"]]: one["score"] for one in body["ratings"]}
    study = stored(site)
    assert {(r.item, r.condition): r.score for r in study.ratings} == rated
    assert {(r.page, r.time_s, r.comment) for r in study.ratings} == {(0, 30.5, "=nice one two")}
    again = site.listener()  # goes on on another machine
    again.token = listener.token
    assert [page["key"] for page in again.pages()] == [page["key"] for page in pages]
    assert [page["submitted"] for page in again.pages()] == [True, True, False, False]
    session = again.finish().session()
    assert [session[key] for key in state] == [listener.name, *[True] * 3]
    (found,) = stored(site).listeners
    assert (found.id, found.pages_planned, found.answers) == (listener.name, 3, ANSWERS)
    assert listener.post("/api/delete").status_code == 204
    assert stored(site).listeners == ()


@pytest.mark.parametrize(("form", "kind", "sounds"), [
    *(("mushra", "mushra", 5), ("mushra-no-reference", "mushra", 5), ("acr", "single", 1)),
    *(("dcr", "single", 2), ("ccr", "single", 2), ("ab", "ab", 2), ("abx", "abx", 3)),
])  # fmt: skip
def test_forms_and_their_export(serve, form, kind, sounds):
    again = {"repeats": 2} if kind in ("ab", "abx") else {}
    site = serve(form=form, allow_tie=form == "abx", attention_checks=1, **again)
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert {(page["kind"], len(page["stimuli"])) for page in pages} == {(kind, sounds)}
    assert {page["reference"] is None for page in pages} == {form != "mushra"}
    body = answers_to(pages[0])
    wrong = [({"answer": "tie"}, "unrated" if "ratings" in body else "answer")]
    wrong.append(({"heard": {}}, "unheard"))
    if kind == "single":  # the last sound alone is rated, on the form's scale
        (rated,), other = body["ratings"], {"stimulus": pages[0]["stimuli"][0], "score": 1}
        low, high = ({**rated, "score": end} for end in (0, FORMS[form].scale[1] + 1))
        sent = [[], [rated] * 2, [rated, other], [other][: sounds - 1]]
        sent += [[high], [low][: form != "ccr"]]
        wrong += [({"ratings": of}, "score" if of in ([low], [high]) else "unrated") for of in sent]
    for more, code in wrong:
        assert told(listener.submit(pages[0], {**body, **more}))[:2] == (422, code)
    listener.finish()
    study, stream = stored(site), io.StringIO()
    checks = [page["asked"] is not None for page in pages]
    assert (sum(checks), checks[-len(study.answers) - 1 :][:1]) == (1, [False])  # not the first one
    answered = [answers_to(p) for p in pages if not (p["training"] or p["asked"])]
    assert [c.answer for c in study.choices] == [a["answer"] for a in answered if "answer" in a]
    given = [rated["score"] for a in answered for rated in a.get("ratings", ())]
    assert sorted(abs(r.score) for r in study.ratings) == sorted(given)
    write_tidy(study, stream)
    answer = site.as_admin("export/tidy.csv")
    assert answer.text == stream.getvalue()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    path = site.folder.parent / "answers.csv"
    path.write_bytes(answer.content)
    found = read_source(path, test_folder=site.folder).study
    assert (found.listeners, set(found.answers)) == (study.listeners, set(study.answers))
    assert len(found.answers) == len(study.answers)  # a line per answer, also where asked again


def test_from_a_platform_and_back_and_no_more_than_so_many(serve):
    url = "https://platform.example/?cc={code}"
    site = serve(address_parameters=("PID",), completion_code="DONE-WITH-IT", completion_url=url)
    for came in ({"PIN": "1"}, {"PID": "1", "browser": "x"}):  # which this test does not record
        refused = told(site.client.post("/api/start", json={"came_with": came}))
        assert refused[:2] == (422, "parameter")
        assert f"keeps no parameter '{[*came][-1]}'" in refused[2]
    object.__setattr__(site.service, "max_listeners", 1)
    assert not site.client.get("/api/test").json()["full"]
    listener = site.listener().begin(came_with={"PID": "=1"}).agree()
    assert site.client.get("/api/test").json()["full"]
    enough = (403, "enough", "This test has all the listeners it needs; thank you")
    assert told(site.client.post("/api/start", json={})) == enough
    page = listener.pages()[0]
    for wrong in ({"headphones": "good"}, {"headphones_right": "5/6"}):
        assert told(listener.submit(page, answers_to(page) | wrong))[:2] == (422, "body")
    assert "DONE-WITH-IT" not in listener.get("/api/session").text
    listener.submit(page, answers_to(page) | {"headphones": "failed", "headphones_right": "2 of 6"})
    told_at_end = {"code": "DONE-WITH-IT", "url": url, "came_with": {"PID": "=1"}}
    assert told_at_end.items() <= listener.finish().session().items()
    assert told(site.client.post("/api/start", json={})) == enough
    (shown,) = site.as_admin("progress").json()["listeners"]
    row = next(csv.DictReader(io.StringIO(site.as_admin("export/tidy.csv").text, newline="")))
    for of, pid in ((shown, "=1"), (row, "'=1")):
        kept = [of[name] for name in ("headphones", "headphones_right", "came_with_PID")]
        assert kept == ["failed", "2 of 6", pid]
    found = (shown["plays"], shown["heard_s"], row["plays"], row["heard_s"])
    assert found == (2, 12.5, "2", "12.5")
    assert shown["started_utc"] <= shown["finished_utc"]


def test_pages_come_in_order_each_once_and_complete(site):
    listener = site.listener().begin().agree()
    page, second, *_ = pages = listener.pages()
    assert told(listener.submit(second)) == (409, "order", "An earlier page is to be rated first")

    body = answers_to(page)
    first, *others = body["ratings"]
    (reference,) = answers_to({**page, "stimuli": [page["reference"]]})["ratings"]
    unrated = ("unrated", "Every sound that is asked about must be rated, each once")
    unknown = ("body", "The request cannot be understood: ratings")
    none = [*others, {**first, "stimulus": "none"}]
    several = ([], others, none, [first, *others, reference], [first, first, *others])
    wrong: list[tuple[list[dict[str, Any]], tuple[str, str]]] = [
        *((ratings, unrated) for ratings in several),
        ([*others, {**first, "condition": "snac"}], unknown),
        *(([*others, {**first, "score": score}], unknown) for score in (101, -4, 50.5, "50", True)),
        ([*others, {**first, "score": -1}], ("score", "Scores on this page are from 0 to 100")),
    ]
    for ratings, (code, sentence) in wrong:
        status, found, text = told(listener.submit(page, {**body, "ratings": ratings}))
        assert (status, found) == (422, code)
        assert sentence in text
    assert not listener.pages()[0]["submitted"]
    # What was not played, or for less than all of a sound of 0.5 s, cannot be judged.
    unheard = (422, "unheard", "Every sound of the page must be heard for 0.5 s or longer")
    enough = {"plays": 1, "heard_s": 0.495}
    for less in ({"plays": 1, "heard_s": 0.48}, {"plays": 0, "heard_s": 0.5}):
        heard = {**body["heard"], first["stimulus"]: less}
        assert told(listener.submit(page, {**body, "heard": heard})) == unheard
    body["heard"] = dict.fromkeys(page["stimuli"], enough)
    assert listener.submit(page, body).json() == {"next": second["key"]}

    for one, after in zip(pages[1:], [*pages[2:], None], strict=True):
        assert listener.submit(one).json() == {"next": after and after["key"]}
    retry = {**body, "ratings": body["ratings"][::-1], "heard": answers_to(page)["heard"]}
    assert listener.submit(page, retry).status_code == 200
    other_score = {**first, "score": (first["score"] + 1) % 101}
    for changed in ({**body, "comment": "second"}, {**body, "ratings": [other_score, *others]}):
        refused = told(listener.submit(page, changed))
        assert refused == (409, "submitted", "This page has been submitted with other answers")


def test_consent_comes_first_and_answers_fit_the_questions(site, monkeypatch):
    listener, ask = site.listener().begin(), "/api/questionnaire"
    for early in (listener.submit(listener.pages()[0]), listener.post(ask, {"answers": {}})):
        assert told(early) == (403, "consent", "Please agree to take part first")
    assert listener.post("/api/consent", {"agreed": False}).status_code == 422
    listener.post("/api/consent", {"agreed": True})
    for answers, text in (
        ({"age": "33"}, "Please answer: Headphones"),
        ({"age": "inf", "phones": "yes"}, "Please enter a number: Your age"),
        ({"age": "33", "phones": "maybe"}, "Please choose one of the answers to: Headphones"),
        ({**ANSWERS, "shoe": "42"}, "There is no question 'shoe'"),
    ):
        status, code, found = told(listener.post(ask, {"answers": answers}))
        assert (status, code, text in found) == (422, "answer", True)

    unfinished = (409, "unfinished", "4 pages are still to be rated")
    assert told(listener.post("/api/finish")) == unfinished
    for page in listener.pages():
        listener.submit(page)
    unanswered = (409, "questionnaire", "The questionnaire is still to be answered")
    assert told(listener.post("/api/finish")) == unanswered
    monkeypatch.setattr(sessions, "MAX_UNFINISHED", 1)
    refused = site.client.post("/api/start", json={})
    assert (told(refused)[:2], refused.headers["retry-after"]) == ((503, "full"), "3600")


def test_the_admin_sees_progress_and_deletes_a_listener(site):
    first, second = site.listener().begin(), site.listener().begin().agree()
    make_invitations(site.service.responses, 2)
    for page in second.pages()[:2]:
        second.submit(page)
    found = site.as_admin("progress").json()
    assert found["invitations"] == {"made": 2, "used": 0}
    assert sorted(found["items"].values()) == [0, 0, 1]
    idle, busy = found["listeners"]
    assert (idle["number"], idle["consented_utc"], idle["rated"]) == (0, None, 0)
    assert (busy["name"], busy["rated"], busy["planned"]) == (second.name, 1, 3)
    for status in (204, 404):
        assert site.as_admin(f"listeners/{second.name}", "DELETE").status_code == status
    found = site.as_admin("progress").json()["listeners"]
    assert [row["name"] for row in found] == [first.name]
    assert second.get("/api/session").status_code == 401
