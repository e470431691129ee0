from __future__ import annotations

import pytest

from snacbench.listening.answers.study import read_study
from tests.listening.server.client import ANSWERS, answers_to
from tests.listening.server.conftest import Serve, Site


def test_a_listener_from_start_to_finish(site: Site) -> None:
    facts = site.client.get("/api/test").json()
    assert facts["id"] == "small"
    assert facts["texts"]
    assert facts["min_loop_s"] == 0.5
    assert not facts["invite_required"]
    assert [question["id"] for question in facts["questionnaire"]] == ["age", "phones", "note"]

    listener = site.listener().begin()
    session = listener.get("/api/session").json()
    assert session["listener"] == listener.name
    assert (session["consented"], session["answered"], session["finished"]) == (False,) * 3
    listener.agree().finish()
    session = listener.get("/api/session").json()
    assert (session["consented"], session["answered"], session["finished"]) == (True,) * 3
    assert all(page["submitted"] for page in session["pages"])

    study = read_study(site.test, site.folder)
    assert [one.id for one in study.listeners] == [listener.name]
    assert study.listeners[0].finished
    assert study.listeners[0].answers == ANSWERS
    assert len(study.ratings) == 3 * 5


def test_pages_as_the_listener_sees_them(site: Site) -> None:
    first, *rated = site.listener().begin().pages()
    assert first["training"]
    assert [page["number"] for page in rated] == [1, 2, 3]
    assert not any(page["training"] for page in rated)
    for page in (first, *rated):
        assert page["kind"] == "mushra"
        assert page["duration_s"] == 0.5
        assert len(page["stimuli"]) == 5
        assert page["reference"] not in page["stimuli"]


def test_what_is_stored_is_what_was_rated(site: Site) -> None:
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    listener.submit(training)
    body = answers_to(page, "=nice\u0007 one\n\u202etwo")
    assert listener.submit(page, body).status_code == 201
    plan = {
        row["key"]: row["condition"]
        for row in site.service.answers._connection.execute("SELECT key, condition FROM stimuli")
    }
    study = read_study(site.test, site.folder)
    assert {r.condition: r.score for r in study.ratings} == {
        plan[rated["stimulus"]]: rated["score"] for rated in body["ratings"]
    }
    assert [r.place for r in study.ratings] == [0, 1, 2, 3, 4]
    assert {(r.page, r.time_s, r.comment) for r in study.ratings} == {(0, 30.5, "=nice one two")}
    assert study.ratings[0].item in {"item-0", "item-1", "item-2"}


def test_the_sound_behind_a_key_is_its_condition(site: Site) -> None:
    listener = site.listener().begin()
    rows = site.service.answers._connection.execute(
        "SELECT stimuli.key, condition, item FROM stimuli JOIN pages ON pages.id = stimuli.page"
    ).fetchall()
    for row in rows:
        answer = listener.get(f"/api/stimuli/{row['key']}")
        expected = site.service.stimuli[row["item"], row["condition"]].path.read_bytes()
        assert answer.content == expected


@pytest.mark.parametrize("form", ["ab", "abx"])
def test_pairs(serve: Serve, form: str) -> None:
    site = serve(form=form)
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert {page["kind"] for page in pages} == {form}
    assert {len(page["stimuli"]) for page in pages} == {2 if form == "ab" else 3}
    assert all(page["reference"] is None for page in pages)
    listener.finish()
    study = read_study(site.test, site.folder)
    rated = [page for page in pages if not page["training"]]
    assert [choice.answer for choice in study.choices] == [answers_to(p)["answer"] for p in rated]
    assert all((choice.x in (choice.a, choice.b)) == (form == "abx") for choice in study.choices)


def test_a_tie_only_where_it_is_allowed(serve: Serve) -> None:
    site = serve(form="ab", allow_tie=False)
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    refused = listener.submit(page, {**answers_to(page), "answer": "tie"})
    assert (refused.status_code, refused.json()["code"]) == (422, "answer")
    assert "Expected one answer of a, b" in refused.json()["error"]


def test_no_tie_in_abx(serve: Serve) -> None:
    listener = serve(form="abx").listener().begin().agree()
    page = listener.pages()[0]
    assert listener.submit(page, {"answer": "tie"}).status_code == 422


def test_the_next_page_is_told(site: Site) -> None:
    listener = site.listener().begin().agree()
    pages = listener.pages()
    for page, after in zip(pages, [*pages[1:], None], strict=True):
        assert listener.submit(page).json() == {"next": after and after["key"]}


# --------------------------------------------------------------------------------- the rules


def test_the_same_page_twice(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to(page, "first")
    assert listener.submit(page, body).status_code == 201
    retry = {**body, "ratings": body["ratings"][::-1], "time_s": 99.0}
    assert listener.submit(page, retry).status_code == 200
    first, *others = body["ratings"]
    other_score = {**first, "score": (first["score"] + 1) % 101}
    for changed in ({**body, "comment": "second"}, {**body, "ratings": [other_score, *others]}):
        refused = listener.submit(page, changed)
        assert (refused.status_code, refused.json()["code"]) == (409, "submitted")
        assert "submitted with other answers" in refused.json()["error"]


def test_pages_come_in_order(site: Site) -> None:
    listener = site.listener().begin().agree()
    refused = listener.submit(listener.pages()[1])
    assert (refused.status_code, refused.json()["code"]) == (409, "order")
    assert "An earlier page is to be rated first" in refused.json()["error"]


TEXTS = {
    "unrated": "Every sound of the page must be rated, and nothing else",
    "unplayed": "Every sound of the page must be played",
    "twice": "A sound is rated twice on this page",
    "body": "The request cannot be understood: ratings",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda ratings: ratings[1:], "unrated"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "stimulus": "none"}], "unrated"),
        (lambda ratings: [*ratings, ratings[0]], "twice"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "plays": 0}], "unplayed"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "score": 101}], "body"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "score": -1}], "body"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "score": 50.5}], "body"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "score": "50"}], "body"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "score": True}], "body"),
        (lambda ratings: [*ratings[1:], {**ratings[0], "condition": "snac"}], "body"),
        (lambda _: [], "unrated"),
    ],
)
def test_incomplete_or_impossible_ratings(site: Site, change, code: str) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to(page)
    refused = listener.submit(page, {**body, "ratings": change(body["ratings"])})
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert TEXTS[code] in refused.json()["error"]
    assert not listener.pages()[0]["submitted"]


def test_the_open_reference_is_not_rated(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to({**page, "stimuli": [*page["stimuli"], page["reference"]]})
    assert listener.submit(page, body).json()["code"] == "unrated"


def test_nothing_before_consent(site: Site) -> None:
    listener = site.listener().begin()
    refused = [
        listener.submit(listener.pages()[0]),
        listener.post("/api/questionnaire", {"answers": ANSWERS}),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (403, "consent")
        assert "agree to take part first" in answer.json()["error"]
    assert listener.post("/api/consent", {"agreed": False}).status_code == 422


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({"age": "33"}, "Please answer: Headphones"),
        ({"age": "old", "phones": "yes"}, "Please enter a number: Your age"),
        ({"age": "inf", "phones": "yes"}, "Please enter a number: Your age"),
        ({"age": "33", "phones": "maybe"}, "Please choose one of the answers to: Headphones"),
        ({**ANSWERS, "shoe": "42"}, "There is no question 'shoe'"),
    ],
)
def test_answers_that_do_not_fit_the_questions(site: Site, answers, text: str) -> None:
    listener = site.listener().begin()
    listener.post("/api/consent", {"agreed": True})
    refused = listener.post("/api/questionnaire", {"answers": answers})
    assert (refused.status_code, refused.json()["code"]) == (422, "answer")
    assert text in refused.json()["error"]


def test_not_finished_before_the_end(site: Site) -> None:
    listener = site.listener().begin()
    listener.post("/api/consent", {"agreed": True})
    refused = listener.post("/api/finish")
    assert (refused.status_code, refused.json()["code"]) == (409, "unfinished")
    assert "4 pages are still to be rated" in refused.json()["error"]
    for page in listener.pages():
        listener.submit(page)
    refused = listener.post("/api/finish")
    assert (refused.status_code, refused.json()["code"]) == (409, "questionnaire")
    assert "questionnaire is still to be answered" in refused.json()["error"]


def test_a_session_goes_on_on_another_machine(site: Site) -> None:
    listener = site.listener().begin().agree()
    before = listener.pages()
    listener.submit(before[0])
    again = site.listener()
    again.token = listener.token
    after = again.pages()
    assert [page["key"] for page in after] == [page["key"] for page in before]
    assert [page["submitted"] for page in after] == [True, False, False, False]
    again.finish()


def test_listeners_delete_themselves(site: Site) -> None:
    listener = site.listener().begin().agree()
    listener.submit(listener.pages()[0])
    assert listener.post("/api/delete").status_code == 204
    assert listener.get("/api/session").json()["code"] == "token"
    assert read_study(site.test, site.folder).listeners == ()


def test_a_full_test_says_when_to_come_back(serve: Serve) -> None:
    site = serve(most=2)
    for _ in range(2):
        site.listener().begin()
    refused = site.client.post("/api/start", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "full")
    assert "Too many listeners are under way" in refused.json()["error"]
    assert refused.headers["retry-after"] == "3600"


def test_the_page_and_its_files(site: Site) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/admin", "text/html; charset=utf-8"),
        ("/page/admin.js", "text/javascript; charset=utf-8"),
        ("/page/admin.css", "text/css; charset=utf-8"),
    ):
        answer = site.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
