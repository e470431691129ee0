"""What an attacker or a curious listener might try with tokens, keys, and sheer number."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from snacbench.listening.answers.listeners import invite
from snacbench.listening.answers.tokens import digest, new_key, new_token
from snacbench.listening.server.limits import Rate, Rates
from snacbench.listening.server.service import new_admin_token
from tests.listening.server.client import answers_to
from tests.listening.server.conftest import Serve, Site

LOOSE = Rates()

API = [
    ("GET", "/api/session"),
    ("POST", "/api/consent"),
    ("POST", "/api/questionnaire"),
    ("GET", "/api/stimuli/x"),
    ("POST", "/api/pages/x"),
    ("POST", "/api/finish"),
    ("POST", "/api/delete"),
]
ADMIN = [
    ("GET", "/api/admin/progress"),
    ("GET", "/api/admin/export/tidy.csv"),
    ("GET", "/api/admin/export/webmushra.csv"),
    ("DELETE", "/api/admin/listeners/x"),
]


def call(site: Site, method: str, path: str, **headers: str):
    body = {"json": {}} if method == "POST" else {}
    return site.client.request(method, path, headers=headers, **body)


# ------------------------------------------------------------------------------------- tokens


def test_tokens_have_256_bits_and_keys_128() -> None:
    assert {len(new_token()) for _ in range(50)} == {43}
    assert {len(new_key()) for _ in range(50)} == {22}
    assert len({new_token() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(("method", "path"), API)
def test_no_token(site: Site, method: str, path: str) -> None:
    answer = call(site, method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "token")
    assert "needs a token" in answer.json()["error"]


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer \xff", "x"])
def test_wrong_token(site: Site, header: str) -> None:
    answer = site.client.get("/api/session", headers={b"Authorization": header.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "token")


def test_a_session_that_is_not_known(site: Site) -> None:
    answer = call(site, "GET", "/api/session", Authorization=f"Bearer {new_token()}")
    assert "This session is not known" in answer.json()["error"]


@pytest.mark.parametrize("place", ["?token={}", "?access_token={}", "?authorization=Bearer%20{}"])
def test_token_in_the_address_is_no_token(site: Site, place: str) -> None:
    token = site.listener().begin().token
    assert site.client.get("/api/session" + place.format(token)).status_code == 401


def test_token_in_a_cookie_is_no_token_and_none_is_set(site: Site) -> None:
    listener = site.listener().begin()
    answer = call(site, "GET", "/api/session", Cookie=f"token={listener.token}")
    assert answer.status_code == 401
    for path in ("/", "/admin", "/api/test"):
        assert "set-cookie" not in site.client.get(path).headers


def test_digest_of_a_token_is_no_token(site: Site) -> None:
    token = site.listener().begin().token
    stolen = {"Authorization": f"Bearer {digest(token)}"}
    assert site.client.get("/api/session", headers=stolen).status_code == 401


def test_tokens_are_kept_as_digests(site: Site) -> None:
    token = site.listener().begin().token
    admin = site.admin["Authorization"].removeprefix("Bearer ")
    kept = b"".join(path.read_bytes() for path in site.folder.glob("answers.sqlite*"))
    assert digest(token).encode() in kept
    assert token.encode() not in kept
    assert admin.encode() not in kept


@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_admin_needs_the_admins_token(site: Site, method: str, path: str) -> None:
    listener = site.listener().begin()
    for token in ("", "wrong", listener.token):
        answer = call(site, method, path, Authorization=f"Bearer {token}")
        assert (answer.status_code, answer.json()["code"]) == (401, "admin")
        assert "not the admin's token" in answer.json()["error"]
        site.service.limits.admin_failures._buckets.clear()


def test_admins_token_is_no_listeners_token(site: Site) -> None:
    assert site.client.get("/api/session", headers=site.admin).status_code == 401


def test_an_older_admin_token_is_useless(site: Site) -> None:
    new_admin_token(site.service.answers)
    assert site.client.get("/api/admin/progress", headers=site.admin).status_code == 401


def test_no_deleting_without_being_admin(site: Site) -> None:
    victim, other = site.listener().begin(), site.listener().begin()
    answer = site.client.delete(f"/api/admin/listeners/{victim.name}", headers=other.headers)
    assert answer.status_code == 401
    assert victim.get("/api/session").status_code == 200


# ------------------------------------------------------------------------ of other listeners


def test_no_stimulus_of_another_listener(site: Site) -> None:
    one, other = site.listener().begin(), site.listener().begin()
    key = one.pages()[1]["stimuli"][0]
    assert one.get(f"/api/stimuli/{key}").status_code == 200
    refused = other.get(f"/api/stimuli/{key}")
    assert (refused.status_code, refused.json()["code"]) == (404, "stimulus")
    assert "no such stimulus in this session" in refused.json()["error"]


def test_no_page_of_another_listener(site: Site) -> None:
    one, other = site.listener().begin().agree(), site.listener().begin().agree()
    page = one.pages()[0]
    refused = other.submit(page)
    assert (refused.status_code, refused.json()["code"]) == (404, "page")
    assert "no such page in this session" in refused.json()["error"]
    assert not one.pages()[0]["submitted"]


def test_keys_of_another_listener_do_not_rate(site: Site) -> None:
    one, other = site.listener().begin().agree(), site.listener().begin().agree()
    refused = other.submit(other.pages()[0], answers_to(one.pages()[0]))
    assert (refused.status_code, refused.json()["code"]) == (422, "unrated")


# ------------------------------------------------------------------- what conditions give away


def names_of(site: Site) -> list[str]:
    parts = [name.partition("@")[0] for name in site.test.conditions]
    ids = [item.id for item in (*site.test.items, *site.test.training)]
    return [*site.test.conditions, *parts, *ids, "anchor"]


def test_json_names_no_condition_and_no_item(site: Site) -> None:
    listener = site.listener().begin()
    session = json.dumps(listener.get("/api/session").json()).replace('"reference":', "")
    facts = site.client.get("/api/test").json()
    facts.pop("texts")  # the same in every test
    for name in names_of(site):
        assert name not in session
        assert name not in json.dumps(facts)


def test_headers_of_stimuli_are_all_the_same(site: Site) -> None:
    listener = site.listener().begin()
    for page in listener.pages():
        keys = [*page["stimuli"], page["reference"]]
        seen = {tuple(sorted(listener.get(f"/api/stimuli/{key}").headers.items())) for key in keys}
        assert len(seen) == 1
        headers = dict(seen.pop())
        assert not {"etag", "last-modified", "content-disposition"} & headers.keys()
        assert headers["cache-control"] == "no-store"
        assert not any(name in str(headers) for name in names_of(site))


def test_keys_and_orders_differ_between_listeners(site: Site) -> None:
    one, other = site.listener().begin().pages(), site.listener().begin().pages()
    keys = [key for page in (*one, *other) for key in (page["key"], *page["stimuli"])]
    assert len(set(keys)) == len(keys)


def test_order_of_keys_tells_nothing_of_when_they_were_made(site: Site) -> None:
    """Keys are listed as the plan shuffled them, and the plan differs from page to page."""
    listener = site.listener().begin()
    rows = dict(
        site.service.answers._connection.execute("SELECT key, condition FROM stimuli").fetchall()
    )
    orders = {tuple(rows[key] for key in page["stimuli"]) for page in listener.pages()}
    assert len(orders) > 1


def test_errors_name_no_condition(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    for body in ({"ratings": []}, {"answer": "a"}, {"ratings": answers_to(page)["ratings"][1:]}):
        text = listener.submit(page, body).text
        assert not any(name in text for name in names_of(site))


def test_listeners_see_nothing_of_the_admin(site: Site) -> None:
    listener = site.listener().begin()
    assert listener.get("/api/admin/progress").status_code == 401


# ---------------------------------------------------------------------------------- invitations


def test_without_an_invitation(site: Site) -> None:
    (code,) = invite(site.service.answers, 1)
    assert site.client.get("/api/test").json()["invite_required"]
    for body, text in (
        ({}, "by invitation"),
        ({"invite": ""}, "by invitation"),
        ({"invite": "x"}, "not known"),
        ({"invite": digest(code)}, "not known"),
    ):
        answer = site.client.post("/api/start", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "invite")
        assert text in answer.json()["error"]
    kept = b"".join(path.read_bytes() for path in site.folder.glob("answers.sqlite*"))
    assert code.encode() not in kept


def test_an_invitation_is_for_one(site: Site) -> None:
    (code,) = invite(site.service.answers, 1)
    lost = site.listener().begin(invite=code)
    again = site.listener().begin(invite=code).agree()  # the first answer got lost on its way
    assert lost.get("/api/session").status_code == 401
    answer = site.client.post("/api/start", json={"invite": code})
    assert (answer.status_code, answer.json()["code"]) == (403, "invite-used")
    assert "has been used already" in answer.json()["error"]
    again.post("/api/delete")
    assert site.client.post("/api/start", json={"invite": code}).status_code == 403


# --------------------------------------------------------------------------------------- limits


def limited(answer) -> bool:
    wait_s = answer.headers.get("retry-after", "")
    return answer.status_code == 429 and int(wait_s) >= 1 and answer.json()["code"] == "limit"


def test_guessing_tokens_is_slowed_down_but_locks_nobody_out(serve: Serve) -> None:
    site = serve(rates=replace(LOOSE, failures=Rate(5, 0.01)))
    listener = site.listener().begin()
    guesses = [call(site, "GET", "/api/session", Authorization="Bearer x") for _ in range(8)]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429] * 3
    assert limited(guesses[-1])
    assert "Too many requests" in guesses[-1].json()["error"]
    assert listener.get("/api/session").status_code == 200


def test_guessing_the_admins_token_is_slowed_down(site: Site) -> None:
    guesses = [call(site, "GET", "/api/admin/progress", Authorization="Bearer x") for _ in range(7)]
    assert [answer.status_code for answer in guesses] == [401] * 5 + [429] * 2
    assert limited(guesses[-1])
    assert site.client.get("/api/admin/progress", headers=site.admin).status_code == 200


def test_one_listener_cannot_flood(serve: Serve) -> None:
    site = serve(rates=replace(LOOSE, listener=Rate(10, 0.01)))
    busy, calm = site.listener().begin(), site.listener().begin()
    assert limited([busy.get("/api/session") for _ in range(11)][-1])
    assert calm.get("/api/session").status_code == 200


def test_one_address_cannot_begin_without_end(serve: Serve) -> None:
    site = serve(rates=replace(LOOSE, starts=Rate(3, 0.01)))
    answers = [site.client.post("/api/start", json={}) for _ in range(4)]
    assert limited(answers[-1])


def test_one_address_cannot_flood(serve: Serve) -> None:
    site = serve(rates=replace(LOOSE, address=Rate(20, 0.01)))
    assert limited([site.client.get("/") for _ in range(21)][-1])


def test_a_class_of_thirty_behind_one_address_meets_no_limit(site: Site) -> None:
    for listener in [site.listener().begin() for _ in range(30)]:
        for page in listener.agree().pages():
            for key in (*page["stimuli"], page["reference"]):
                assert listener.get(f"/api/stimuli/{key}").status_code == 200
        listener.finish()
