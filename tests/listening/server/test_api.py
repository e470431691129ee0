"""What the page of a listener and that of the admin ask for, and the rules of a session."""

from __future__ import annotations

import csv
import io

import pytest

from snacbench.listening.responses.overview import read_study
from snacbench.listening.responses.sessions import make_invitations
from snacbench.listening.study import Study
from snacbench.listening.tidy import read_tidy
from tests.listening.server.conftest import Serve, Site
from tests.support.listening_server import ANSWERS, answers_to, conditions_by_key, told


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

    listener.agree().finish()
    session = listener.session()
    assert (session["consented"], session["answered"], session["finished"]) == (True,) * 3
    assert all(page["submitted"] for page in session["pages"])
    study = stored(site)
    assert [one.id for one in study.listeners] == [listener.name]
    assert study.listeners[0].finished
    assert study.listeners[0].answers == ANSWERS
    assert len(study.ratings) == 3 * 5


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


def test_the_sound_behind_a_key_is_its_condition(site: Site) -> None:
    listener = site.listener().begin()
    for key, of in conditions_by_key(site.service.responses).items():
        answer = listener.get(f"/api/stimuli/{key}")
        assert answer.content == site.service.stimuli[of].path.read_bytes()


@pytest.mark.parametrize("form", ["ab", "abx"])
def test_pairs(serve: Serve, form: str) -> None:
    site = serve(form=form)
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert {page["kind"] for page in pages} == {form}
    assert {len(page["stimuli"]) for page in pages} == {2 if form == "ab" else 3}
    assert all(page["reference"] is None for page in pages)
    listener.finish()
    rated = [page for page in pages if not page["training"]]
    choices = stored(site).choices
    assert [choice.answer for choice in choices] == [answers_to(p)["answer"] for p in rated]
    assert all((choice.x in (choice.a, choice.b)) == (form == "abx") for choice in choices)
    assert all(choice.x is None for choice in choices) == (form == "ab")


@pytest.mark.parametrize("fields", [{"form": "ab", "allow_tie": False}, {"form": "abx"}])
def test_a_tie_only_where_it_is_allowed(serve: Serve, fields: dict[str, object]) -> None:
    listener = serve(**fields).listener().begin().agree()
    page = listener.pages()[0]
    status, code, text = told(listener.submit(page, {**answers_to(page), "answer": "tie"}))
    assert (status, code, text) == (422, "answer", "Expected one answer of a, b")


# --------------------------------------------------------------------------------- the rules


def test_pages_come_in_order_and_the_next_is_told(site: Site) -> None:
    listener = site.listener().begin().agree()
    pages = listener.pages()
    assert told(listener.submit(pages[1])) == (
        409, "order", "An earlier page is to be rated first",
    )  # fmt: skip
    for page, after in zip(pages, [*pages[1:], None], strict=True):
        assert listener.submit(page).json() == {"next": after and after["key"]}


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
        status, code, text = told(listener.submit(page, changed))
        assert (status, code) == (409, "submitted")
        assert "submitted with other answers" in text


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
        *(
            (lambda ratings, score=score: [*ratings[1:], {**ratings[0], "score": score}], "body")
            for score in (101, -1, 50.5, "50", True)
        ),
        (lambda ratings: [*ratings[1:], {**ratings[0], "condition": "snac"}], "body"),
        (lambda _: [], "unrated"),
    ],
)
def test_incomplete_or_impossible_ratings(site: Site, change, code: str) -> None:
    listener = site.listener().begin().agree()
    page = listener.pages()[0]
    body = answers_to(page)
    status, found, text = told(listener.submit(page, {**body, "ratings": change(body["ratings"])}))
    assert (status, found) == (422, code)
    assert TEXTS[code] in text
    assert not listener.pages()[0]["submitted"]
    with_reference = answers_to({**page, "stimuli": [*page["stimuli"], page["reference"]]})
    assert told(listener.submit(page, with_reference))[1] == "unrated"


def test_nothing_before_consent(site: Site) -> None:
    listener = site.listener().begin()
    refused = [
        listener.submit(listener.pages()[0]),
        listener.post("/api/questionnaire", {"answers": ANSWERS}),
    ]
    for answer in refused:
        assert told(answer) == (403, "consent", "Please agree to take part first")
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
    status, code, found = told(listener.post("/api/questionnaire", {"answers": answers}))
    assert (status, code) == (422, "answer")
    assert text in found


def test_not_finished_before_the_end(site: Site) -> None:
    listener = site.listener().begin()
    listener.post("/api/consent", {"agreed": True})
    unfinished = (409, "unfinished", "4 pages are still to be rated")
    assert told(listener.post("/api/finish")) == unfinished
    for page in listener.pages():
        listener.submit(page)
    assert told(listener.post("/api/finish")) == (
        409, "questionnaire", "The questionnaire is still to be answered",
    )  # fmt: skip


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
    assert told(listener.get("/api/session"))[1] == "token"
    assert stored(site).listeners == ()


def test_a_full_test_says_when_to_come_back(serve: Serve) -> None:
    site = serve(most=2)
    for _ in range(2):
        site.listener().begin()
    refused = site.client.post("/api/start", json={})
    sentence = "Too many listeners are under way; please try later"
    assert told(refused) == (503, "full", sentence)
    assert refused.headers["retry-after"] == "3600"


def test_the_page_and_its_files(site: Site) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/admin", "text/html; charset=utf-8"),
        ("/page/admin.js", "text/javascript; charset=utf-8"),
        ("/page/audio/player.js", "text/javascript; charset=utf-8"),
        ("/page/admin.css", "text/css; charset=utf-8"),
    ):
        answer = site.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    missing = site.client.get("/page/none.js")
    assert told(missing) == (404, "file", "There is no such file")


# --------------------------------------------------------------------------------- the admin


def test_progress(site: Site) -> None:
    make_invitations(site.service.responses, 2)
    found = site.as_admin("progress").json()
    assert found["invitations"] == {"made": 2, "used": 0}
    assert found["listeners"] == []
    assert found["items"] == {"item-0": 0, "item-1": 0, "item-2": 0}


def test_progress_of_listeners(site: Site) -> None:
    site.listener().begin()
    second = site.listener().begin().agree()
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


@pytest.mark.parametrize("form", ["mushra", "ab", "abx"])
def test_exports(serve: Serve, form: str, tmp_path) -> None:
    site = serve(form=form)
    name = site.listener().begin().agree().finish().name
    answer = site.as_admin("export/tidy.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="small-tidy.csv"'
    path = tmp_path / "tidy.csv"
    path.write_bytes(answer.content)
    study, _ = read_tidy(path)
    assert (study.form, [listener.id for listener in study.listeners]) == (form, [name])
    assert len(study.ratings) == (15 if form == "mushra" else 0)

    answer = site.as_admin("export/webmushra.csv")
    if form != "mushra":
        status, code, text = told(answer)
        assert (status, code) == (409, "form")
        assert "export it as tidy" in text
        return
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 15
    assert {(row["session_uuid"], row["phones"]) for row in rows} == {(name, "yes")}
    other = site.as_admin("export/excel.csv")
    assert told(other) == (404, "form", "There are the forms tidy and webmushra")


def test_the_admin_deletes_a_listener(site: Site) -> None:
    one, other = site.listener().begin().agree(), site.listener().begin().agree()
    one.submit(one.pages()[0], answers_to(one.pages()[0], "gone soon"))
    assert site.as_admin(f"listeners/{one.name}", "DELETE").status_code == 204
    assert site.as_admin(f"listeners/{one.name}", "DELETE").status_code == 404
    found = site.as_admin("progress").json()["listeners"]
    assert [row["listener"] for row in found] == [other.name]
    assert one.get("/api/session").status_code == 401
