"""Several people at one browser, and browsers that keep nothing."""

import json

import pytest
from playwright.sync_api import expect

from snacbench.listening import responses as sessions
from tests.listening.test_page import answer_headphones, button
from tests.support.listening_page import SYSTEMS, next_page, rate_all, scores, script
from tests.support.waiting import until


def take_part(tab, *, again=False):
    """From the welcome to the first page; whoever is known is asked nothing again."""
    tab.locator("h1", has_text="Welcome back" if again else "A small test").wait_for()
    button(tab, "Begin").click()
    button(tab, "Play noise").click()
    button(tab, "The volume is set").click()
    answer_headphones(tab, [1, 1, 2, 2, 3])
    if not again:
        tab.locator("#agreed").check()
        button(tab, "Take part").click()
        tab.locator("#q-age").fill("33")
        tab.locator("#q-phones").select_option("yes")
        button(tab, "Go on").click()
    tab.wait_for_selector("main.rating")


def test_from_a_crowd_with_its_parameters_to_a_code_and_back(begin):
    begun = begin(
        pages=1, attention_checks=1, record_device=True, completion_code="C 1",
        address_parameters=("PROLIFIC_PID", "STUDY_ID"),
        completion_url="https://crowd.example/done?cc={code}&who={PROLIFIC_PID}&st={STUDY_ID}",
    )  # fmt: skip
    tab = begun.tab
    tab.goto(f"{begun.stage.origin}/?PROLIFIC_PID=a%26b&next=https://evil.example&STUDY_ID=")
    take_part(tab)
    rate_all(tab)
    next_page(tab)
    expect(tab.locator(".asked")).to_contain_text("set all sliders to 0")
    rate_all(tab, first=2, step=0)
    next_page(tab)
    assert tab.locator(".code").inner_text() == "C 1"
    link = tab.get_by_role("link", name="Back to where you came from")
    assert link.get_attribute("href") == "https://crowd.example/done?cc=C%201&who=a%26b&st="
    study = sessions.read_study(begun.stage.test, begun.stage.service.responses.path)
    observed = study.listeners[0].observed
    assert len(study.ratings) == 2
    assert (observed["attention_checks"], observed["attention_failed"]) == ("1", "0")
    assert (observed["headphones"], observed["headphones_right"]) == ("passed", "5 of 5")
    came = {n.removeprefix("came_with_"): t for n, t in observed.items() if "came_with" in n}
    assert came.pop("PROLIFIC_PID") == "a&b"
    assert came.keys() == {"browser", "system", "time_zone"}
    assert (came["browser"], came["system"]) == ("Chrome", "Linux")
    for who, title in (("a%26b", "Thank you"), ("b", "A small test")):  # b is somebody else
        tab.goto(f"{begun.stage.origin}/?PROLIFIC_PID={who}")
        expect(tab.locator("h1")).to_have_text(title)
    object.__setattr__(begun.stage.service, "max_listeners", 1)
    other = begun.context.browser.new_context().new_page()
    other.goto(begun.stage.origin)
    expect(other.locator("h1")).to_have_text("No more listeners are needed")


@pytest.fixture
def begin(visit):
    """A visit with little to hear before and on its pages; the browser's questions get a yes."""

    def begun(**fields):
        found = visit(systems=SYSTEMS[:1], **fields)
        found.context.add_init_script(script("short_tones"))
        found.context.on("dialog", lambda dialog: dialog.accept())
        return found

    return begun


POSTS = "**/api/pages/*"


def held_up(tab):
    """From now on no answer leaves the browser."""
    tab.route(POSTS, lambda route: route.abort())


def heading(tab):
    return tab.locator("h1").inner_text()


def kept(tab, storage="localStorage"):
    """Names of what the browser keeps for this test."""
    return {name.split(":")[2] for name in tab.evaluate(f"Object.keys({storage})")}


def test_a_new_invitation_begins_a_new_session_and_the_same_one_goes_on(begin):
    begun = begin(pages=2)
    stage, tab = begun.stage, begun.tab
    codes = sessions.make_invitations(stage.service.responses, 2)
    first, second = (f"{stage.origin}/?invite={code}" for code in codes)
    tab.goto(first)
    take_part(tab)
    rate_all(tab)
    # The first person's page cannot be sent, and they leave the next one half done.
    held_up(tab)
    next_page(tab)
    tab.keyboard.press("1")
    tab.locator(".slider").first.click()
    tab.reload()
    tab.wait_for_selector("main.rating")  # the same address is the same person
    assert heading(tab) == "Page 2 of 2"

    tab.goto(second)
    take_part(tab)
    assert heading(tab) == "Page 1 of 2"
    assert scores(tab) == ["–"] * 2
    assert stage.rated == [(0, False), (0, False)]
    tab.unroute(POSTS)
    tab.reload()
    until(lambda: stage.rated[0] == (1, False))  # sent for whoever gave it, and for nobody else
    tab.wait_for_selector("main.rating")
    assert stage.rated == [(1, False), (0, False)]
    rate_all(tab, first=10)
    next_page(tab)
    until(lambda: stage.rated[1] == (1, False))

    tab.goto(first)
    take_part(tab, again=True)
    assert heading(tab) == "Page 2 of 2"
    assert scores(tab) == ["50", "–"]
    rate_all(tab)
    next_page(tab)
    tab.locator(".listener").wait_for()
    tab.goto(second)
    take_part(tab, again=True)
    assert heading(tab) == "Page 2 of 2"
    assert stage.rated == [(2, True), (1, False)]
    for listener, low in zip(stage.listeners, (30, 10), strict=True):
        (page, *_) = json.loads(listener["pages"])
        assert page["response"]["ratings"][0]["score"] == low
        assert json.loads(listener["questionnaire"])["age"] == "33"


def test_someone_else_takes_part_after_a_pause_or_the_end(begin):
    begun = begin(pages=1, address_parameters=("PROLIFIC_PID",))
    stage, tab = begun.stage, begun.tab
    # Whom a platform sends, it names in the address.
    tab.goto(f"{stage.origin}/?PROLIFIC_PID=1")
    take_part(tab)
    tab.goto(f"{stage.origin}/?PROLIFIC_PID=2")
    expect(tab.locator("h1")).to_have_text("A small test")
    tab.goto(f"{stage.origin}/?PROLIFIC_PID=1")
    take_part(tab, again=True)
    rate_all(tab)
    held_up(tab)
    button(tab, "Pause").click()
    button(tab, "Someone else takes part here").click()
    button(tab, "No, go back").click()
    rate_all(tab)
    button(tab, "Next").click()
    tab.locator("h1", has_text="Almost done").wait_for()
    # A link of somebody else is opened meanwhile: what waits is sent, and ends the test it is of.
    tab.goto(f"{stage.origin}/#resume={stage.enrol()}")
    tab.unroute(POSTS)
    until(lambda: stage.rated[0] == (1, True))
    tab.wait_for_selector("h1")
    take_part(tab, again=True)
    rate_all(tab)
    button(tab, "Next").click()
    tab.locator(".listener").wait_for()
    assert stage.rated == [(1, True), (1, True)]
    button(tab, "Someone else takes part here").click()
    button(tab, "Yes, begin anew").click()
    expect(tab.locator("h1")).to_have_text("A small test")
    assert tab.url == f"{stage.origin}/"
    assert kept(tab) == {"owner", "kept"}  # for the first, should they come back
    take_part(tab)
    assert heading(tab) == "Page 1 of 1"
    # Half an hour later the page does not take it for granted who sits there.
    tab.evaluate("localStorage.setItem('snacbench:tiny:seen', Date.now() - 31 * 60_000)")
    name = stage.listeners[2]["name"]
    tab.goto(stage.origin)
    expect(tab.locator("main")).to_contain_text(f"under the name {name}")
    button(tab, "Go on").click()
    tab.wait_for_selector("main.rating")
    # A session that the server does not know, and a page of it that is on its way.
    sessions.delete_listener(stage.service.responses, name)
    rate_all(tab)
    button(tab, "Next").click()
    tab.locator("h1", has_text="Unknown listener").wait_for()
    button(tab, "Begin anew").click()
    expect(tab.locator("h1")).to_have_text("A small test")
    assert kept(tab) == {"owner", "kept"}


def test_a_lab_computer_keeps_nothing_between_people(begin):
    begun = begin(pages=2, shared_computer=True)
    stage, tab = begun.stage, begun.tab
    tab.goto(f"{stage.origin}/blank")
    tab.evaluate("localStorage.setItem('snacbench:tiny:token', '\"older\"')")
    begun.open()
    take_part(tab)
    rate_all(tab)
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert scores(tab) == ["30", "40"]
    assert kept(tab) == {"owner"}
    assert {"token", "draft"} < kept(tab, "sessionStorage")
    button(tab, "Pause").click()
    expect(tab.locator("dialog")).to_contain_text("keeps nothing of you")
    button(tab, "Go on").click()
    next_page(tab)
    until(lambda: stage.rated == [(1, False)])
    # Closed half-way: the next one begins at the welcome, and what waited is sent all the same.
    held_up(begun.context)
    rate_all(tab)
    button(tab, "Next").click()
    tab.locator("h1", has_text="Almost done").wait_for()
    assert kept(tab) == {"owner", "queue"}
    with tab.expect_event("close"):
        tab.close(run_before_unload=True)
    begun.context.unroute(POSTS)
    begun.tab = tab = begun.new_tab()
    begun.open()
    until(lambda: stage.rated == [(2, True)])
    take_part(tab)
    assert kept(tab) == {"owner"}
    for _ in range(2):
        rate_all(tab)
        next_page(tab)
    expect(tab.locator("main")).to_contain_text("make room for the next one")
    button(tab, "Begin for the next person").click()
    expect(tab.locator("h1")).to_have_text("A small test")
    assert kept(tab) | kept(tab, "sessionStorage") == {"owner"}
    take_part(tab)  # level and headphones, too
    assert stage.rated == [(2, True), (2, True), (0, False)]


BLOCKED = """
  const got = { get() { throw new DOMException("denied", "SecurityError"); } };
  Object.defineProperties(window, { localStorage: got, sessionStorage: got });
"""
FULL = """
  const { setItem } = Storage.prototype;
  Storage.prototype.setItem = function (key, text) {
    if (/%s/.test(key)) throw new DOMException("full", "QuotaExceededError");
    setItem.call(this, key, text);
  };
"""


@pytest.mark.parametrize("refusal", [BLOCKED, FULL % ".", FULL % "token|queue|draft"])
def test_a_browser_that_keeps_nothing_says_so_and_the_session_outlives_a_reload(begin, refusal):
    begun = begin(pages=2)
    begun.context.add_init_script(refusal)
    stage, tab = begun.stage, begun.open()
    take_part(tab)
    expect(tab.locator("#warning")).to_contain_text("This browser keeps nothing")
    rate_all(tab)
    held_up(tab)
    with begun.complaints.outage():
        next_page(tab)
        until(lambda: "Waiting" in tab.locator(".saved").inner_text())
        tab.keyboard.press("1")
        tab.locator(".slider").first.click()
        tab.reload()
        tab.wait_for_selector("main.rating")
        assert heading(tab) == "Page 2 of 2"
        assert scores(tab) == ["–"] * 2  # what it said would be lost
        assert tab.locator("#warning").is_visible()
        tab.unroute(POSTS)
        until(lambda: stage.rated == [(1, False)])
    rate_all(tab)
    next_page(tab)
    tab.locator(".listener").wait_for()
    assert stage.rated == [(2, True)]
    assert not begun.complaints
