"""A rating page: its rules, and that nothing is lost; each test is one listener."""

import re

import httpx2
import pytest

from snacbench.listening import responses as sessions
from tests.support.listening_page import SYSTEMS, Visit, drag, next_page, rate_all, scores, script
from tests.support.listening_server import ScriptedListener
from tests.support.waiting import until


def numbers(tab):
    return [text.split()[0] for text in tab.locator(".condition").all_inner_texts()]


def hear(tab, number):
    """Until it may be rated."""
    tab.keyboard.press(str(number))
    tab.locator(".slider").nth(number - 1).and_(tab.locator("[aria-disabled=false]")).wait_for()


STYLES = "all => all.map((one) => getComputedStyle(one).borderTopStyle)"


def test_practice_help_and_sliders(visit):
    tab = visit(pages=1, training=1).to_first_page()
    sliders = tab.locator(".slider")
    assert tab.locator("h1").inner_text() == "Practice 1 of 1"
    assert "for practice" in tab.locator(".practice").inner_text()
    # No value until a slider is touched: its thumb is hollow.
    assert tab.locator(".thumb").evaluate_all(STYLES) == ["dashed"] * 4
    assert sliders.first.get_attribute("aria-valuetext") == "not rated"
    assert scores(tab) == ["–"] * 4
    assert tab.locator("#missing").inner_text() == "Still to hear: all. Still to rate: all."
    # The help lists the keys, which rest meanwhile.
    tab.keyboard.press("?")
    dialog = tab.locator("dialog")
    assert "Hear the reference" in dialog.inner_text()
    tab.keyboard.press("1")
    assert tab.locator("[data-playing]").count() == 0
    tab.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    # Only the slider of what plays moves.
    hear(tab, 1)
    sliders.nth(1).click(force=True)
    assert scores(tab) == ["–"] * 4
    assert tab.locator("#announcer").inner_text() == "Play Version 2 to rate it"
    hint = sliders.nth(1).locator(".refusal")  # where the eyes are, too
    assert hint.inner_text() == "Play Version 2 to rate it"
    sliders.nth(0).click()
    assert scores(tab) == ["50", "–", "–", "–"]
    assert tab.locator(".thumb").evaluate_all(STYLES) == ["solid", *["dashed"] * 3]
    hear(tab, 2)
    assert hint.count() == 0
    hear(tab, 1)
    tab.get_by_role("button", name="Stop").click()
    tab.locator(".column[data-playing]").wait_for(state="detached")
    sliders.nth(0).click(position={"x": 20, "y": 5}, force=True)
    assert scores(tab)[0] == "50"
    # Keys move what is heard even if another slider was clicked.
    hear(tab, 1)
    sliders.first.click()
    hear(tab, 3)
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("End")
    assert scores(tab) == ["50", "–", "100", "–"]
    rate_all(tab)
    next_page(tab)
    assert tab.locator("h1").inner_text() == "Page 1 of 1"
    assert tab.locator(".practice").count() == 0


def test_the_way_on_comments_and_sorting(visit):
    begun = visit()
    tab = begun.to_first_page()
    missing, next_button = tab.locator("#missing"), tab.get_by_role("button", name="Next")
    # Next waits until all was heard and rated, and says what is missing.
    assert next_button.get_attribute("aria-disabled") == "true"
    hear(tab, 1)
    tab.locator(".slider").first.click()
    hear(tab, 3)
    assert missing.inner_text() == "Still to hear: 2 and 4. Still to rate: 2, 3, and 4."
    next_button.click(force=True)
    assert not begun.stage.done
    rate_all(tab)
    assert missing.inner_text() == "All done: you may go on."
    # Shortcuts rest while a comment is written.
    tab.keyboard.press("Space")
    tab.locator("#comment").click()
    tab.keyboard.type("n 1 r?")
    assert tab.locator("[data-playing]").count() == 0
    assert tab.locator("dialog").count() == 0
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert body.comment == "n 1 r?"
    assert [rating.score for rating in body.ratings] == [30, 40, 50, 60]
    assert all(body.heard[rating.stimulus].plays >= 1 for rating in body.ratings)
    # Sorting puts the best first, leaves numbers with their signals, and outlives a reload.
    rate_all(tab)
    tab.get_by_role("button", name="Sort by score").click()
    assert scores(tab) == ["60", "50", "40", "30"]
    assert numbers(tab) == ["4", "3", "2", "1"]
    tab.keyboard.press("2")
    assert tab.locator(".column[data-playing] .condition").inner_text().split()[0] == "2"
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert numbers(tab) == ["4", "3", "2", "1"]
    # Nothing about conditions is in the page, and nothing came from elsewhere.
    markup = tab.content()
    assert not re.search(r"anchor|codec|kbps|hidden reference", markup, re.IGNORECASE)
    assert not any(rating.stimulus in markup for rating in body.ratings)
    assert not begun.complaints
    origins = (begun.stage.origin, "data:")
    assert not [url for url in begun.requests if not url.startswith(origins)]


def test_twelve_versions_fit_and_everything_is_done_by_the_keyboard(visit):
    tab = visit(form="mushra", systems=SYSTEMS).to_first_page()
    for width, height in ((1024, 768), (820, 1180), (1280, 800)):
        tab.set_viewport_size({"width": width, "height": height})
        root = "document.documentElement"
        assert tab.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]") == [width, height]
        used = tab.locator("main :is(button, .slider, textarea, .handle)")
        boxes = used.evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
        assert min(min(box["width"], box["height"]) for box in boxes) >= 43.5
    heights = tab.locator(".slider").evaluate_all("all => all.map((one) => one.clientHeight)")
    assert len(heights) == 12
    assert min(heights) >= 378  # 10 cm, a px of CSS being 1/96 inch
    words = tab.locator(".words").inner_text().split()
    assert words == ["Excellent", "Good", "Fair", "Poor", "Bad"]

    for place, key in enumerate("1234567890ab"):
        tab.keyboard.press(key)
        tab.locator(".slider").nth(place).and_(tab.locator("[aria-disabled=false]")).wait_for()
        for step in ("ArrowUp", *["ArrowDown"] * place):
            tab.keyboard.press(step)
    assert scores(tab) == [str(50 - place) for place in range(12)]
    for keys, last in ((["PageUp"], ["40", "49"]), (["ArrowLeft", "PageDown"], ["30", "49"])):
        for key in keys:
            tab.keyboard.press(key)
        assert scores(tab)[10:] == last
    tab.keyboard.press("r")
    assert tab.locator(".reference[data-playing]").count() == 1
    tab.keyboard.press("Space")
    assert tab.locator("[data-playing]").count() == 0
    tab.keyboard.press("l")
    assert tab.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("n")
    tab.locator("h1", has_text="Page 2").wait_for()


def test_loops_are_set(visit):
    tab = visit().to_first_page()
    box = tab.locator(".track").bounding_box()
    start, end = (tab.locator(f".handle.{which}") for which in ("start", "end"))

    def region():
        return [float(handle.get_attribute("aria-valuenow")) for handle in (start, end)]

    drag(tab, box, 0.25, 0.75)
    assert region() == pytest.approx([0.5, 1.5], abs=0.02)
    start.press("ArrowRight")
    end.press("Shift+ArrowLeft")
    assert region() == pytest.approx([0.6, 1.49], abs=0.02)
    end.press("Home")  # no loop is shorter than 0.5 s
    assert region()[1] - region()[0] == pytest.approx(0.5, abs=0.011)
    hear(tab, 1)
    first, most = tab.wait_for_function(script("lap")).json_value()
    assert 0.5 <= first < most <= 1.2
    tab.get_by_role("button", name="Whole").click()
    assert region() == [0, 2]
    tab.keyboard.press("l")  # without a loop the excerpt ends, and its slider rests
    tab.locator(".column[data-playing]").wait_for(state="detached")
    assert tab.locator(".slider[aria-disabled=false]").count() == 0


@pytest.mark.parametrize(("form", "systems", "choices", "missing", "answer"), [
    ("ab", 2, 3, "A and B.", "tie"), ("abx", 1, 2, "A, B, and X.", "b"),
])  # fmt: skip
def test_pairs_are_answered_after_all_was_heard(visit, form, systems, choices, missing, answer):
    begun = visit(pages=1, form=form, systems=SYSTEMS[:systems])
    tab = begun.to_first_page()
    assert tab.locator("input[type=radio]:disabled").count() == choices
    assert tab.locator("#missing").inner_text() == f"Still to hear: {missing}"
    for key in form:
        assert tab.locator("input[type=radio]:checked").count() == 0
        tab.keyboard.press(key)
        tab.locator(f".signal.{key}[data-playing][data-heard]").wait_for()
        if key == "a":
            tab.keyboard.press("ArrowLeft")
            told = tab.locator(".choices .refusal").inner_text()
            assert told == tab.locator("#missing").inner_text()
    if answer == "tie":
        tab.locator(".choice", has_text="No preference").click()
    else:
        tab.keyboard.press("ArrowRight")
    tab.keyboard.press("n")
    tab.locator(".listener").wait_for()
    (body,) = begun.stage.done
    assert body.answer == answer
    assert [one.plays for one in body.heard.values()] == [1] * len(form)
    assert not begun.complaints


def saved(tab):
    return str(tab.locator(".saved").inner_text())


def on_page(tab, number):
    tab.locator("main.rating h1", has_text=f"Page {number} of").wait_for()


def confirm(tab, text):
    """Send the page, and read what the dialog says."""
    tab.get_by_role("button", name="Next").click()
    dialog = tab.locator("dialog")
    assert text in dialog.inner_text()
    dialog.get_by_role("button").click()


def accepted_dialogs(tab):
    """What the browser itself asks from now on, such as whether to leave."""
    dialogs: list[str] = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    return dialogs


def test_reloads_and_refusals(visit):
    begun = visit(pages=4, systems=SYSTEMS[:1])
    stage, tab = begun.stage, begun.tab
    # Sounds that cannot be had are asked for again.
    stage.spoilt_sounds = True
    begun.to_pages().get_by_role("button", name="Try again").wait_for()
    assert "could not be read" in tab.locator("[role=alert]").inner_text()
    stage.spoilt_sounds = False
    tab.get_by_role("button", name="Try again").click()
    tab.wait_for_selector("main.rating")
    # A reload goes on exactly there, and warns of nothing: all is kept.
    dialogs = accepted_dialogs(tab)
    tab.keyboard.press("2")
    tab.locator(".slider").nth(1).click()
    tab.locator("#comment").fill("two is <b>odd</b>")
    tab.locator(".handle.start").press("ArrowRight")
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert not dialogs
    assert scores(tab) == ["–", "50"]
    assert tab.locator("#comment").input_value() == "two is <b>odd</b>"
    assert tab.locator(".condition[data-heard]").count() == 1
    assert float(tab.locator(".handle.start").get_attribute("aria-valuenow")) > 0
    # A page that was refused comes again with what was entered.
    rate_all(tab)
    stage.refuse = ["No: <b>strange</b>."]
    confirm(tab, "No: <b>strange</b>.")
    on_page(tab, 1)
    tab.wait_for_selector(".value")
    assert scores(tab) == ["30", "40"]
    next_page(tab)
    (body,) = until(lambda: stage.done)
    assert body.playback["visits"] >= 2
    assert (body.headphones, body.headphones_right) == ("passed", "6 of 6")
    # One that was answered otherwise is explained.
    other = ScriptedListener(httpx2.Client(base_url=stage.origin), begun.token)
    assert other.submit(other.pages()[1]).status_code == 201
    rate_all(tab)
    confirm(tab, "answered this page already")
    on_page(tab, 3)
    assert stage.done[1].time_s == 30.5
    # A lost reply stores the page once.
    rate_all(tab)
    stage.lose_replies = 1
    next_page(tab)
    until(lambda: saved(tab) == "Saved")
    assert stage.sent("POST /api/pages/")[-1] == "200"
    assert len(stage.done) == 3


def test_windows_machines_and_strangers(visit, chromium):
    begun = visit(systems=SYSTEMS[:1])
    stage, tab = begun.stage, begun.to_first_page()
    # Of two windows the last goes on.
    tab.keyboard.press("1")
    second = begun.new_tab()
    second.goto(stage.origin)
    second.wait_for_selector("main.rating")
    tab.locator("h1", has_text="Open in another window").wait_for()
    tab.keyboard.press("2")
    assert tab.locator("[data-playing]").count() == 0
    second.keyboard.press("2")
    second.locator(".slider").nth(1).click()
    tab.get_by_role("button", name="Go on here").click()
    tab.wait_for_selector("main.rating")
    assert scores(tab) == ["–", "50"]
    second.locator("h1", has_text="Open in another window").wait_for()
    second.close()
    assert not begun.complaints
    # A link goes on in another browser.
    rate_all(tab)
    next_page(tab)
    tab.get_by_role("button", name="Pause").click()
    link = tab.get_by_label("Link to go on elsewhere").input_value()
    assert link.endswith(f"/#resume={begun.token}")
    context = chromium.new_context()
    other = Visit(context, stage)
    other.tab.goto(link)
    other.tab.locator("h1", has_text="Welcome back").wait_for()
    other.skip_checks()
    on_page(other.tab, 2)
    context.close()
    # Whoever is not known is told, and may begin anew.
    sessions.delete_listener(stage.service.responses, stage.listeners[0]["name"])
    tab.reload()
    tab.locator("h1", has_text="Unknown listener").wait_for()
    tab.get_by_role("button", name="Begin anew").click()
    tab.get_by_role("button", name="Begin").wait_for()


def test_connections_that_break_and_answers_that_wait(visit):
    begun = visit(pages=4, systems=SYSTEMS[:1])
    stage, complaints = begun.stage, begun.complaints
    tab = begun.to_first_page()
    # A server that is gone is waited for.
    tab.route("**/api/test", lambda route: route.abort())
    tab.reload()
    tab.locator("[role=alert]", has_text="does not answer").wait_for()
    stage.seen.clear()
    tab.unroute("**/api/test")
    tab.wait_for_selector("main.rating")
    complaints.clear()
    # An answer waits, and says so; what was fetched ahead needs no connection.
    until(lambda: len(stage.sent("GET /api/stimuli/")) == 6)
    rate_all(tab)
    stage.sounds_wait_s = 1.0
    with complaints.outage():
        stage.down = True
        next_page(tab)
        assert tab.locator("main.rating").count() == 1
        until(lambda: saved(tab) == "Waiting for connection")
        assert not stage.done
        # One that breaks while sounds are fetched ahead harms nothing.
        rate_all(tab)
        next_page(tab)
        stage.down, stage.sounds_wait_s = False, 0.5
        tab.get_by_role("button", name="Try again").click()
        # Nobody is on the next page before its sounds are.
        on_page(tab, 3)
        tab.keyboard.press("2")
        tab.locator(".column[data-playing]").wait_for()
        until(lambda: saved(tab) == "Saved")
    assert len(stage.done) == 2
    assert not complaints
    # Answers that wait outlive the page, whose end is warned of.
    dialogs = accepted_dialogs(tab)
    rate_all(tab)
    stage.down = True
    next_page(tab)
    until(lambda: saved(tab) == "Waiting for connection")
    with tab.expect_event("close"):
        tab.close(run_before_unload=True)
    assert dialogs == ["beforeunload"]
    stage.down = False
    tab = begun.new_tab()
    tab.goto(stage.origin)
    on_page(tab, 4)
    until(lambda: len(stage.done) == 3)
    # The last page waits for them.
    rate_all(tab)
    stage.down = True
    next_page(tab)
    assert "keep this page open" in tab.locator("main").inner_text()
    stage.down = False
    tab.locator(".listener").wait_for()
    assert stage.listeners[0]["finished_utc"]
