"""What the page of a listener and that of the admin ask for, and the rules of a session."""

from __future__ import annotations

import io
from typing import Any

import pytest

from snacbench.listening.responses import sessions
from snacbench.listening.responses.overview import read_study
from snacbench.listening.study import Study
from snacbench.listening.tidy import write_tidy
from tests.support.listening_server import (
    ANSWERS,
    Serve,
    Site,
    answers_to,
    conditions_by_key,
    told,
)


def stored(site: Site) -> Study:
    return read_study(site.service.test, site.folder)


def test_a_listener_from_start_to_finish(site: Site) -> None:
    for path, kind in (("/", "html"), ("/page/admin.css", "css"), ("/page/app.js", "javascript")):
        assert site.client.get(path).headers["content-type"] == f"text/{kind}; charset=utf-8"
    assert told(site.client.get("/page/none.js")) == (404, "file", "There is no such file")
    facts = site.client.get("/api/test").json()
    assert (facts["id"], facts["min_loop_s"], facts["invite_required"]) == ("small", 0.5, False)
    assert facts["texts"]
    assert [question["id"] for question in facts["questionnaire"]] == ["age", "phones", "note"]

    listener = site.listener().begin()
    session = listener.session()
    assert session["listener"] == listener.name
    assert (session["consented"], session["answered"], session["finished"]) == (False,) * 3
    first, second, *_ = pages = session["pages"]
    assert [(page["number"], page["training"]) for page in pages] == [
        (number, number == 0) for number in range(4)
    ]
    for page in pages:
        assert (page["kind"], page["duration_s"], len(page["stimuli"])) == ("mushra", 0.5, 5)
        assert page["reference"] not in page["stimuli"]
    of = conditions_by_key(site.service.responses)
    for key, condition in of.items():
        sound = site.service.stimuli[condition].path.read_bytes()
        assert listener.get(f"/api/stimuli/{key}").content == sound

    listener.agree().submit(first)
    body = answers_to(second, "=nice\u0007 one\n\u202etwo")
    assert listener.submit(second, body).status_code == 201
    study = stored(site)
    assert {(r.item, r.condition): r.score for r in study.ratings} == {
        of[rated["stimulus"]]: rated["score"] for rated in body["ratings"]
    }
    assert [r.place for r in study.ratings] == [0, 1, 2, 3, 4]
    assert {(r.page, r.time_s, r.comment) for r in study.ratings} == {(0, 30.5, "=nice one two")}

    again = site.listener()  # goes on on another machine
    again.token = listener.token
    assert [page["key"] for page in again.pages()] == [page["key"] for page in pages]
    assert [page["submitted"] for page in again.pages()] == [True, True, False, False]
    session = again.finish().session()
    assert (session["consented"], session["answered"], session["finished"]) == (True,) * 3
    study = stored(site)
    (found,) = study.listeners
    assert (found.id, found.finished, found.answers) == (listener.name, True, ANSWERS)
    assert len(study.ratings) == 3 * 5
    assert listener.post("/api/delete").status_code == 204
    assert told(listener.get("/api/session"))[1] == "token"
    assert stored(site).listeners == ()


@pytest.mark.parametrize(("form", "sounds"), [("mushra", 5), ("ab", 2), ("abx", 3)])
def test_forms_and_their_export(serve: Serve, form: str, sounds: int) -> None:
    site = serve(form=form, allow_tie=form == "abx")
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert {(page["kind"], len(page["stimuli"])) for page in pages} == {(form, sounds)}
    assert {page["reference"] is None for page in pages} == {form != "mushra"}
    if form != "mushra":
        refused = told(listener.submit(pages[0], {**answers_to(pages[0]), "answer": "tie"}))
        assert refused == (422, "answer", "Expected one answer of a, b")
    listener.finish()
    study, stream = stored(site), io.StringIO()
    rated = [answers_to(page).get("answer") for page in pages if not page["training"]]
    assert [choice.answer for choice in study.choices] == (rated if form != "mushra" else [])
    write_tidy(study, stream)
    answer = site.as_admin("export/tidy.csv")
    assert answer.text == stream.getvalue()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="small-tidy.csv"'


def test_pages_come_in_order_and_each_is_taken_once(site: Site) -> None:
    listener = site.listener().begin().agree()
    pages = listener.pages()
    early = told(listener.submit(pages[1]))
    assert early == (409, "order", "An earlier page is to be rated first")
    for page, after in zip(pages, [*pages[1:], None], strict=True):
        assert listener.submit(page).json() == {"next": after and after["key"]}

    body = answers_to(pages[0])
    retry = {**body, "ratings": body["ratings"][::-1], "time_s": 99.0}
    assert listener.submit(pages[0], retry).status_code == 200
    first, *others = body["ratings"]
    other_score = {**first, "score": (first["score"] + 1) % 101}
    for changed in ({**body, "comment": "second"}, {**body, "ratings": [other_score, *others]}):
        refused = told(listener.submit(pages[0], changed))
        assert refused == (409, "submitted", "This page has been submitted with other answers")


def test_incomplete_or_impossible_ratings(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to(page)
    first, *others = body["ratings"]
    (reference,) = answers_to({**page, "stimuli": [page["reference"]]})["ratings"]
    unrated = ("unrated", "Every sound of the page must be rated, and nothing else")
    unknown = ("body", "The request cannot be understood: ratings")
    wrong: list[tuple[list[dict[str, Any]], tuple[str, str]]] = [
        ([], unrated),
        (others, unrated),
        ([*others, {**first, "stimulus": "none"}], unrated),
        ([first, *others, reference], unrated),
        ([first, first, *others], ("twice", "A sound is rated twice on this page")),
        ([*others, {**first, "plays": 0}], ("unplayed", "Every sound of the page must be played")),
        ([*others, {**first, "condition": "snac"}], unknown),
        *(([*others, {**first, "score": score}], unknown) for score in (101, -1, 50.5, "50", True)),
    ]
    for ratings, (code, sentence) in wrong:
        status, found, text = told(listener.submit(page, {**body, "ratings": ratings}))
        assert (status, found) == (422, code)
        assert sentence in text
    assert not listener.pages()[0]["submitted"]


def test_consent_comes_first_and_answers_fit_the_questions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = site.listener().begin()
    early = (
        listener.submit(listener.pages()[0]),
        listener.post("/api/questionnaire", {"answers": {}}),
    )
    for answer in early:
        assert told(answer) == (403, "consent", "Please agree to take part first")
    assert listener.post("/api/consent", {"agreed": False}).status_code == 422
    listener.post("/api/consent", {"agreed": True})
    for answers, text in (
        ({"age": "33"}, "Please answer: Headphones"),
        ({"age": "old", "phones": "yes"}, "Please enter a number: Your age"),
        ({"age": "inf", "phones": "yes"}, "Please enter a number: Your age"),
        ({"age": "33", "phones": "maybe"}, "Please choose one of the answers to: Headphones"),
        ({**ANSWERS, "shoe": "42"}, "There is no question 'shoe'"),
    ):
        status, code, found = told(listener.post("/api/questionnaire", {"answers": answers}))
        assert (status, code) == (422, "answer")
        assert text in found

    unfinished = (409, "unfinished", "4 pages are still to be rated")
    assert told(listener.post("/api/finish")) == unfinished
    for page in listener.pages():
        listener.submit(page)
    unanswered = (409, "questionnaire", "The questionnaire is still to be answered")
    assert told(listener.post("/api/finish")) == unanswered

    monkeypatch.setattr(sessions, "MAX_UNFINISHED", 1)
    refused = site.client.post("/api/start", json={})
    sentence = "Too many listeners are under way; please try later"
    assert told(refused) == (503, "full", sentence)
    assert refused.headers["retry-after"] == "3600"


def test_the_admin_sees_progress_and_deletes_a_listener(site: Site) -> None:
    first, second = site.listener().begin(), site.listener().begin().agree()
    sessions.make_invitations(site.service.responses, 2)
    for page in second.pages()[:2]:
        second.submit(page)
    found = site.as_admin("progress").json()
    assert found["invitations"] == {"made": 2, "used": 0}
    assert sorted(found["items"].values()) == [0, 0, 1]
    idle, busy = found["listeners"]
    assert (idle["number"], idle["consented"], idle["pages_done"]) == (0, False, 0)
    assert (busy["listener"], busy["pages_done"], busy["pages_planned"]) == (second.name, 1, 3)
    assert not busy["finished"]

    assert site.as_admin(f"listeners/{second.name}", "DELETE").status_code == 204
    assert site.as_admin(f"listeners/{second.name}", "DELETE").status_code == 404
    found = site.as_admin("progress").json()["listeners"]
    assert [row["listener"] for row in found] == [first.name]
    assert second.get("/api/session").status_code == 401
