"""What the page of a listener and that of the admin ask for, and the rules of a session."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from snacbench.listening.responses.overview import read_study
from snacbench.listening.responses.sessions import make_invitations
from snacbench.listening.study import Study
from snacbench.listening.tidy import read_tidy
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
    facts = site.client.get("/api/test").json()
    assert (facts["id"], facts["min_loop_s"], facts["invite_required"]) == ("small", 0.5, False)
    assert facts["texts"]
    assert [question["id"] for question in facts["questionnaire"]] == ["age", "phones", "note"]

    listener = site.listener().begin()
    session = listener.session()
    assert session["listener"] == listener.name
    assert (session["consented"], session["answered"], session["finished"]) == (False,) * 3
    first, *rated = session["pages"]
    assert first["training"]
    assert [(page["number"], page["training"]) for page in rated] == [(n, False) for n in (1, 2, 3)]
    for page in (first, *rated):
        assert (page["kind"], page["duration_s"], len(page["stimuli"])) == ("mushra", 0.5, 5)
        assert page["reference"] not in page["stimuli"]
    for key, of in conditions_by_key(site.service.responses).items():
        sound = site.service.stimuli[of].path.read_bytes()
        assert listener.get(f"/api/stimuli/{key}").content == sound

    listener.agree().submit(first)
    again = site.listener()  # goes on on another machine
    again.token = listener.token
    assert [page["key"] for page in again.pages()] == [page["key"] for page in (first, *rated)]
    assert [page["submitted"] for page in again.pages()] == [True, False, False, False]
    session = again.finish().session()
    assert (session["consented"], session["answered"], session["finished"]) == (True,) * 3
    assert all(page["submitted"] for page in session["pages"])
    study = stored(site)
    (found,) = study.listeners
    assert (found.id, found.finished, found.answers) == (listener.name, True, ANSWERS)
    assert len(study.ratings) == 3 * 5
    assert listener.post("/api/delete").status_code == 204
    assert told(listener.get("/api/session"))[1] == "token"
    assert stored(site).listeners == ()


def test_what_is_stored_is_what_was_rated(site: Site) -> None:
    listener = site.listener().begin().agree()
    training, page, *_ = listener.pages()
    listener.submit(training)
    body = answers_to(page, "=nice\u0007 one\n\u202etwo")
    assert listener.submit(page, body).status_code == 201
    of = conditions_by_key(site.service.responses)
    study = stored(site)
    assert {(r.item, r.condition): r.score for r in study.ratings} == {
        of[rated["stimulus"]]: rated["score"] for rated in body["ratings"]
    }
    assert [r.place for r in study.ratings] == [0, 1, 2, 3, 4]
    assert {(r.page, r.time_s, r.comment) for r in study.ratings} == {(0, 30.5, "=nice one two")}


@pytest.mark.parametrize("form", ["mushra", "ab", "abx"])
def test_forms_and_their_exports(serve: Serve, form: str, tmp_path: Path) -> None:
    site = serve(form=form, allow_tie=form == "abx")
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert {page["kind"] for page in pages} == {form}
    if form != "mushra":
        assert {len(page["stimuli"]) for page in pages} == {2 if form == "ab" else 3}
        assert all(page["reference"] is None for page in pages)
        refused = told(listener.submit(pages[0], {**answers_to(pages[0]), "answer": "tie"}))
        assert refused == (422, "answer", "Expected one answer of a, b")
    name = listener.finish().name
    choices = stored(site).choices
    if form != "mushra":
        rated = [answers_to(page)["answer"] for page in pages if not page["training"]]
        assert [choice.answer for choice in choices] == rated
    for choice in choices:
        assert choice.x is None if form == "ab" else choice.x in (choice.a, choice.b)

    answer = site.as_admin("export/tidy.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="small-tidy.csv"'
    path = tmp_path / "tidy.csv"
    path.write_bytes(answer.content)
    study, _ = read_tidy(path)
    assert (study.form, [listener.id for listener in study.listeners]) == (form, [name])
    assert len(study.ratings) == (15 if form == "mushra" else 0)
    answer = site.as_admin("export/webmushra.csv")
    if form == "mushra":
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert len(rows) == 15
        assert {(row["session_uuid"], row["phones"]) for row in rows} == {(name, "yes")}
    else:
        assert told(answer)[:2] == (409, "form")
        assert "export it as tidy" in told(answer)[2]
    other = told(site.as_admin("export/excel.csv"))
    assert other == (404, "form", "There are the forms tidy and webmushra")


# --------------------------------------------------------------------------------- the rules


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


TEXTS = {
    "unrated": "Every sound of the page must be rated, and nothing else",
    "unplayed": "Every sound of the page must be played",
    "twice": "A sound is rated twice on this page",
    "body": "The request cannot be understood: ratings",
}


def test_incomplete_or_impossible_ratings(site: Site) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to(page)
    first, *others = body["ratings"]
    (reference,) = answers_to({**page, "stimuli": [page["reference"]]})["ratings"]
    wrong: list[tuple[list[dict[str, Any]], str]] = [
        ([], "unrated"),
        (others, "unrated"),
        ([*others, {**first, "stimulus": "none"}], "unrated"),
        ([first, *others, reference], "unrated"),
        ([first, first, *others], "twice"),
        ([*others, {**first, "plays": 0}], "unplayed"),
        ([*others, {**first, "condition": "snac"}], "body"),
        *(([*others, {**first, "score": score}], "body") for score in (101, -1, 50.5, "50", True)),
    ]
    for ratings, code in wrong:
        status, found, text = told(listener.submit(page, {**body, "ratings": ratings}))
        assert (status, found) == (422, code)
        assert TEXTS[code] in text
    assert not listener.pages()[0]["submitted"]


def test_consent_comes_first_and_answers_fit_the_questions(site: Site) -> None:
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


def test_a_full_test_says_when_to_come_back(serve: Serve) -> None:
    site = serve(most=1)
    site.listener().begin()
    refused = site.client.post("/api/start", json={})
    sentence = "Too many listeners are under way; please try later"
    assert told(refused) == (503, "full", sentence)
    assert refused.headers["retry-after"] == "3600"


def test_the_page_and_its_files(site: Site) -> None:
    for path, kind in (
        ("/", "html"),
        ("/admin", "html"),
        ("/page/admin.js", "javascript"),
        ("/page/audio/player.js", "javascript"),
        ("/page/admin.css", "css"),
    ):
        answer = site.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == f"text/{kind}; charset=utf-8"
    missing = site.client.get("/page/none.js")
    assert told(missing) == (404, "file", "There is no such file")


def test_the_admin_sees_progress_and_deletes_a_listener(site: Site) -> None:
    make_invitations(site.service.responses, 2)
    found = site.as_admin("progress").json()
    assert (found["listeners"], found["invitations"]) == ([], {"made": 2, "used": 0})
    assert found["items"] == {"item-0": 0, "item-1": 0, "item-2": 0}
    with site.service.responses.transaction() as sql:
        sql.execute("DELETE FROM invitations")

    first, second = site.listener().begin(), site.listener().begin().agree()
    training, page, *_ = second.pages()
    second.submit(training)
    second.submit(page)
    found = site.as_admin("progress").json()
    idle, busy = found["listeners"]
    assert (idle["number"], idle["consented"], idle["pages_done"]) == (0, False, 0)
    assert idle["checks"]["reference_below_90_share"] is None
    assert (busy["listener"], busy["pages_done"], busy["pages_planned"]) == (second.name, 1, 3)
    assert busy["checks"]["reference_below_90_share"] in (0.0, 1.0)
    assert busy["checks"]["median_page_s"] == 30.5
    assert not busy["finished"]
    assert sum(found["items"].values()) == 1

    assert site.as_admin(f"listeners/{second.name}", "DELETE").status_code == 204
    assert site.as_admin(f"listeners/{second.name}", "DELETE").status_code == 404
    found = site.as_admin("progress").json()["listeners"]
    assert [row["listener"] for row in found] == [first.name]
    assert second.get("/api/session").status_code == 401
