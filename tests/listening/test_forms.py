"""Forms of one condition at a time, and MUSHRA without reference, from a run to the paper."""

import csv
import re

import pytest
from starlette.testclient import TestClient

from snacbench.forms import FORMS, REFERENCE
from snacbench.listening.responses import read_study
from snacbench.listening.server import application, open_service
from tests.support.audio_run import make_audio_run
from tests.support.command_line import call
from tests.support.listening_page import SYSTEMS, next_page
from tests.support.listening_server import ScriptedListener, answers_to, conditions_by_key

LATE, QUIET, AFTER = "late@8kbps", "quiet@4kbps", ("all", "after")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_audio_run(tmp_path_factory.mktemp("forms")).path


@pytest.mark.parametrize(("form", "truth", "said"), [
    ("acr", {REFERENCE: 5, LATE: 4, QUIET: 2},
     ["the hidden reference one at a time and rated the quality of each from 1 (bad) to",
      "Mean opinion scores were late@8kbps 4.00 [", "] and reference 5.00 [5.00, 5.00]"]),
    ("dcr", {REFERENCE: 5, LATE: 4, QUIET: 2},
     ["the reference itself, each after the reference, and rated its degradation from 1 (very",
      "Degradation mean opinion scores were late@8kbps 4.00 ["]),
    ("ccr", {REFERENCE: 0, LATE: -1, QUIET: 1},
     ["pairs of the reference with 2 systems (", "and the reference itself, in random order",
      "were quiet@4kbps 1.00 [", "late@8kbps −1.00 [−1"]),
    ("mushra-no-reference", {REFERENCE: 70, LATE: 60, QUIET: 40, "anchor35": 9, "anchor70": 95},
     ["without a reference, listeners rated 2 systems", "Mean scores were late@8kbps 60.0 ["]),
])  # fmt: skip
def test_from_a_run_to_the_paper(run, tmp_path, monkeypatch, form, truth, said):
    monkeypatch.setattr("snacbench.listening.publish.FIGURE_FORMATS", ("png",))
    target, out = tmp_path / "test", tmp_path / "answers.csv"
    asked = ("--items", 3, "--systems", "late@8,quiet", "--form", form)
    call("mushra", "design", run, "-o", target, *asked)
    service, single = open_service(target), FORMS[form].kind == "single"
    with TestClient(application(service, hosts=("*",), log=lambda line: None)) as client:
        questions = client.get("/api/test").json()["questionnaire"]
        told = {q["id"]: q["choices"][0] if q["choices"] else "x" for q in questions}
        for number in range(6):
            listener = ScriptedListener(client).begin().agree(told)
            heard = conditions_by_key(service.responses)
            opinion = {c: q + (number % 3 - 1) * (c in (LATE, QUIET)) for c, q in truth.items()}
            for page in listener.pages():
                body = answers_to(page)
                for one in body["ratings"]:
                    first = heard[page["stimuli"][0]][1] if form == "ccr" else None
                    one["score"] = opinion[heard[one["stimulus"]][1]] - opinion.get(first, 0)
                assert listener.submit(page, body).status_code == 201
            rated = [page for page in listener.pages() if not page["training"]]
            assert len(rated) == 3 * (len(truth) if single else 1)
            assert listener.post("/api/finish").status_code == 204
    call("mushra", "export", target, "-o", out)
    for source, folder in ((target, target / "analysis"), (out, tmp_path / "answers-analysis")):
        found = call("mushra", "analyse", source)
        with (folder / "scores.csv").open() as stream:
            rows = [r for r in csv.DictReader(stream) if (r["domain"], r["screening"]) == AFTER]
        assert {r["condition"]: float(r["mean"]) for r in rows} == pytest.approx(truth)
        text = (folder / "paragraph.txt").read_text("utf-8")
        assert [part for part in [*said, "none was excluded"] if part not in text] == []
        assert "BS.1534" not in text + found.stderr
        assert {"summary.md", "distribution.png"} <= {path.name for path in folder.iterdir()}
        assert text[:60] in found.stdout
        assert ("the results went into no run" in found.stderr) == (source == out)


@pytest.mark.parametrize(("form", "choices", "key", "word", "score"), [
    ("acr", 5, "5", "Excellent", 5), ("ccr", 7, "3", "Slightly worse", -1),
])  # fmt: skip
def test_in_a_browser(visit, form, choices, key, word, score):
    begun = visit(pages=1, form=form, systems=SYSTEMS[:1], attention_checks=1)
    tab = begun.to_first_page()
    assert "to the end" in tab.locator(".unheard").inner_text()
    for number in (1, 2, 3):
        tab.locator("h1", has_text=f"Page {number} of 3").wait_for()
        for early in (True, False):  # the beginning is not enough
            tab.keyboard.press("Space")
            tab.locator(".signal[data-playing]").wait_for()
            assert tab.locator("input:disabled").count() == choices
            tab.keyboard.press(key)
            assert tab.locator(":checked").count() == 0
            if early:
                tab.keyboard.press("Space")
                tab.locator(".signal[data-playing]").wait_for(state="detached")
        tab.locator("input[type=radio]:enabled").first.wait_for(state="attached")
        for asked in tab.locator(".asked").all_inner_texts():
            tab.get_by_role("radio", name=re.findall("“(.+)”", asked)[0], exact=True).check()
            break
        else:
            for pressed in (key, "ArrowDown", "ArrowUp"):
                tab.keyboard.press(pressed)
            tab.reload()  # nothing is lost
            tab.get_by_role("radio", name=word, exact=True, checked=True).wait_for(state="attached")
        next_page(tab)
    tab.locator(".listener").wait_for()
    study = read_study(begun.stage.test, begun.stage.service.responses.path)
    assert study.listeners[0].observed["attention_failed"] == "0"
    assert {abs(rating.score) for rating in study.ratings} == {abs(score)}
    bodies = [one.score for body in begun.stage.done for one in body.ratings]
    assert bodies.count(score) >= len(study.ratings) == 2
    assert not begun.complaints
