"""Each form of one condition at a time, and MUSHRA without reference, from a run to the paper."""

import csv
import json

import pytest
from starlette.testclient import TestClient

from snacbench.forms import FORMS, REFERENCE
from snacbench.listening.read import read_source
from snacbench.listening.server import application, open_service
from tests.support.audio_run import make_audio_run
from tests.support.command_line import call
from tests.support.listening_page import SYSTEMS, next_page
from tests.support.listening_server import ScriptedListener, answers_to, conditions_by_key

LATE, QUIET = "late@8kbps", "quiet@4kbps"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_audio_run(tmp_path_factory.mktemp("forms")).path


def scores_of(folder):
    with (folder / "scores.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["domain"] == "all"]
    return {row["condition"]: float(row["mean"]) for row in rows if row["screening"] == "after"}


@pytest.mark.parametrize(
    ("form", "truth", "said"),
    [
        ("acr", {REFERENCE: 5, LATE: 4, QUIET: 2},
         ["and the hidden reference one at a time and rated the quality of each from 1 (bad)",
          "Mean opinion scores were late@8kbps 4.00 [", "] and reference 5.00 [5.00, 5.00]"]),
        ("dcr", {REFERENCE: 5, LATE: 4, QUIET: 2},
         ["and the reference itself, each after the reference, and rated its degradation",
          "Degradation mean opinion scores were late@8kbps 4.00 ["]),
        ("ccr", {REFERENCE: 0, LATE: -1, QUIET: 1},
         ["of the reference with 2 systems (", "and the reference itself, in random order",
          "were quiet@4kbps 1.00 [", "late@8kbps −1.00 [−1"]),
        ("mushra-no-reference", {REFERENCE: 70, LATE: 60, QUIET: 40, "anchor35": 9, "anchor70": 95},
         ["without a reference, listeners rated 2 systems", "7 kHz low-pass anchor side by side",
          "Mean scores were late@8kbps 60.0 ["]),
    ],
)  # fmt: skip
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
            # Opinions on systems vary between listeners, and what is heard first does not matter.
            opinion = {c: q + (number % 3 - 1) * (c in (LATE, QUIET)) for c, q in truth.items()}
            for page in listener.pages():
                body = answers_to(page)
                for one in body["ratings"]:
                    one["score"] = opinion[heard[one["stimulus"]][1]]
                    if form == "ccr":
                        one["score"] -= opinion[heard[page["stimuli"][0]][1]]
                assert listener.submit(page, body).status_code == 201
            assert len(listener.pages()) == 1 + 3 * (len(truth) if single else 1)
            assert listener.post("/api/finish").status_code == 204
    call("mushra", "export", target, "-o", out)
    assert read_source(out).study.form == form
    for source, folder in ((target, target / "analysis"), (out, tmp_path / "answers-analysis")):
        found = call("mushra", "analyse", source)
        assert scores_of(folder) == pytest.approx(truth)
        text = (folder / "paragraph.txt").read_text("utf-8")
        assert [part for part in said if part not in text] == []
        assert "none was excluded" in text
        assert "BS.1534" not in text + found.stderr
        assert (folder / "distribution.png").is_file()


@pytest.mark.parametrize(
    ("form", "choices", "key", "word", "scores"),
    [("acr", 5, "5", "Poor", [5, 2]), ("ccr", 7, "7", "Slightly worse", [3, -1])],
)
def test_in_a_browser(visit, form, choices, key, word, scores):
    begun = visit(pages=1, form=form, systems=SYSTEMS[:1])

    def asked(route):  # as for a check of attention on the second page
        session = route.fetch().json()
        session["pages"][1]["asked"] = scores[1]
        route.fulfill(json=session)

    def play(times):
        for early in [True] * (times - 1) + [False]:
            tab.keyboard.press("Space")
            tab.locator(".signal[data-playing]").wait_for()
            assert tab.locator("input:disabled").count() == choices  # until the end of all sounds
            tab.keyboard.press(key)
            assert tab.locator(":checked").count() == 0
            if early:  # the beginning is not enough
                tab.keyboard.press("Space")
                tab.locator(".signal[data-playing]").wait_for(state="detached")
        tab.locator("input[type=radio]:enabled").first.wait_for(state="attached")

    begun.tab.route("**/api/session", asked)
    tab = begun.to_first_page()
    assert tab.locator(".asked, .transport").count() == 0
    assert "to the end" in tab.locator(".hint").inner_text()
    play(2)
    for pressed in (key, "ArrowDown", "ArrowUp"):
        tab.keyboard.press(pressed)
    tab.reload()  # nothing is lost
    tab.locator(f"input[value='{scores[0]}']:checked").wait_for(state="attached")
    next_page(tab)
    assert f"please choose “{word}” here" in tab.locator(".asked").inner_text()
    play(1)
    tab.locator(".choice", has_text=word).click()
    tab.keyboard.press("n")
    tab.locator(".listener").wait_for()
    pages = json.loads(begun.stage.listeners[0]["pages"])
    judged = [(list(page["stimuli"])[-1], score) for page, score in zip(pages, scores, strict=True)]
    bodies = [one for body in begun.stage.done for one in body.ratings]
    assert [(one.stimulus, one.score) for one in bodies] == judged
    assert not begun.complaints
