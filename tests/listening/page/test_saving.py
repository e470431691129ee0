"""Nothing that a listener did is lost, whatever happens to page, network and server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.listening.page.conftest import Visit, next_page, rate_all, until

Begin = Callable[..., Visit]


def saved(tab: Any) -> str:
    return str(tab.locator(".saved").inner_text())


def test_a_reload_goes_on_exactly_there(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    tab.keyboard.press("2")
    tab.locator(".slider").nth(1).click()
    tab.locator("#comment").fill("two is <b>odd</b>")
    tab.locator(".handle.start").press("ArrowRight")
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert tab.locator(".value").all_inner_texts() == ["–", "50", "–", "–"]
    assert tab.locator("#comment").input_value() == "two is <b>odd</b>"
    assert tab.locator(".condition[data-heard]").count() == 1
    assert float(tab.locator(".handle.start").get_attribute("aria-valuenow")) > 0
    rate_all(tab)
    next_page(tab)
    until(lambda: begun.fake.only["done"])
    body = begun.fake.only["done"]["p0"]
    assert body["playback"]["visits"] == 2
    assert body["playback"]["headphones_passed"] is True
    assert body["time_s"] > 0
    tab.reload()
    tab.locator("h1", has_text="Page 2 of 2").wait_for()


def test_without_connection_the_answer_waits_and_says_so(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    until(lambda: sum("stimuli/s1" in line for line in begun.fake.seen) == 5)  # fetched ahead
    rate_all(tab)
    with begun.complaints.outage():
        begun.fake.down = True
        next_page(tab)  # what was fetched ahead needs no connection
        assert tab.locator("main.rating").count() == 1
        until(lambda: saved(tab) == "Waiting for connection")
        assert not begun.fake.only["done"]
        begun.fake.down = False
        until(lambda: saved(tab) == "Saved")
    assert list(begun.fake.only["done"]) == ["p0"]
    assert not begun.complaints


def test_a_connection_that_breaks_while_sounds_are_fetched_ahead_harms_nothing(
    visit: Begin,
) -> None:
    begun = visit()
    begun.fake.sounds_wait_s = 1.0
    tab = begun.to_first_page()
    with begun.complaints.outage():
        begun.fake.down = True
        rate_all(tab)
        next_page(tab)
        begun.fake.down, begun.fake.sounds_wait_s = False, 0.0
        tab.get_by_role("button", name="Try again").click()
        tab.wait_for_selector("main.rating")
        until(lambda: saved(tab) == "Saved")
    assert not begun.complaints


ASK = "async (path) => { try { return (await fetch(path)).status; } catch { return null; } }"


def test_a_lost_connection_counts_as_a_complaint_unless_the_test_cut_it(visit: Begin) -> None:
    begun = visit()
    tab, fake, complaints = begun.open(), begun.fake, begun.complaints
    with complaints.outage():
        fake.down = True
        assert tab.evaluate(ASK, "/api/test") is None
        tab.evaluate("console.warn('by the page')")
        fake.down = False
        assert tab.evaluate(ASK, "/api/session") == 401
    assert complaints[0] == "by the page"
    assert "401" in complaints[1]
    fake.down = True
    assert tab.evaluate(ASK, "/api/test") is None
    assert complaints[2:] == ["Failed to load resource: net::ERR_EMPTY_RESPONSE"]


def test_nobody_is_on_the_next_page_before_its_sounds_are(visit: Begin) -> None:
    begun = visit()
    begun.fake.sounds_wait_s = 0.5
    tab = begun.to_first_page()
    rate_all(tab)
    next_page(tab)
    tab.keyboard.press("2")
    tab.locator(".column[data-playing]").wait_for()
    assert tab.locator("h1").inner_text() == "Page 2 of 2"


def test_an_answer_that_waits_outlives_the_page(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    begun.fake.down = True
    next_page(tab)
    until(lambda: saved(tab) == "Waiting for connection")
    tab.close(run_before_unload=False)
    begun.fake.down = False
    tab = begun.new_tab()
    tab.goto(begun.fake.origin)
    tab.locator("main.rating h1", has_text="Page 2 of 2").wait_for()
    until(lambda: list(begun.fake.only["done"]) == ["p0"])


def test_a_lost_reply_stores_the_page_once(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    begun.fake.lose_replies = 1
    next_page(tab)
    until(lambda: saved(tab) == "Saved")
    assert begun.fake.seen.count("POST /api/pages/p0") == 2
    assert list(begun.fake.only["done"]) == ["p0"]


def test_the_last_page_waits_for_its_answers(visit: Begin) -> None:
    begun = visit(kinds=("mushra",))
    tab = begun.to_first_page()
    rate_all(tab)
    begun.fake.down = True
    next_page(tab)
    assert "keep this page open" in tab.locator("main").inner_text()
    begun.fake.down = False
    tab.locator(".listener").wait_for()
    assert begun.fake.only["finished"]


def test_leaving_warns_only_while_something_is_unsaved(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    dialogs: list[str] = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    rate_all(tab)
    tab.reload()
    tab.wait_for_selector("main.rating")
    assert not dialogs
    rate_all(tab)
    begun.fake.down = True
    next_page(tab)
    until(lambda: saved(tab) == "Waiting for connection")
    with tab.expect_event("close"):
        tab.close(run_before_unload=True)
    assert dialogs == ["beforeunload"]


def test_a_page_that_was_answered_otherwise_is_explained(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    begun.fake.only["done"]["p0"] = {"other": True}
    rate_all(tab)
    tab.get_by_role("button", name="Next").click()
    dialog = tab.locator("dialog")
    assert "answered this page already" in dialog.inner_text()
    dialog.get_by_role("button").click()
    tab.locator("main.rating h1", has_text="Page 2 of 2").wait_for()
    assert begun.fake.only["done"] == {"p0": {"other": True}}


def test_a_page_that_was_refused_comes_again_with_what_was_entered(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    begun.fake.refuse = [(422, "<b>strange</b>")]
    tab.get_by_role("button", name="Next").click()
    dialog = tab.locator("dialog")
    assert "No: <b>strange</b>." in dialog.inner_text()
    dialog.get_by_role("button").click()
    tab.locator("main.rating h1", has_text="Page 1 of 2").wait_for()
    tab.wait_for_selector(".value")
    assert tab.locator(".value").all_inner_texts() == ["30", "40", "50", "60"]
    next_page(tab)
    until(lambda: list(begun.fake.only["done"]) == ["p0"])


def test_of_two_windows_the_last_goes_on(visit: Begin) -> None:
    begun = visit()
    first = begun.to_first_page()
    first.keyboard.press("1")
    second = begun.new_tab()
    second.goto(begun.fake.origin)
    second.wait_for_selector("main.rating")
    first.locator("h1", has_text="Open in another window").wait_for()
    first.keyboard.press("2")
    assert first.locator("[data-playing]").count() == 0
    second.keyboard.press("3")
    second.locator(".slider").nth(2).click()
    first.get_by_role("button", name="Go on here").click()
    first.wait_for_selector("main.rating")
    assert first.locator(".value").all_inner_texts() == ["–", "–", "50", "–"]
    second.locator("h1", has_text="Open in another window").wait_for()
    assert not begun.complaints


def test_a_link_goes_on_in_another_browser(visit: Begin, chromium: Any) -> None:
    begun = visit()
    tab = begun.to_first_page()
    rate_all(tab)
    next_page(tab)
    tab.wait_for_selector("main.rating")
    tab.get_by_role("button", name="Pause").click()
    link = tab.get_by_label("Link to go on elsewhere").input_value()
    assert link.endswith("/#resume=token0")
    context = chromium.new_context()
    other = Visit(context, begun.fake)
    other.tab.goto(link)
    other.tab.locator("h1", has_text="Welcome back").wait_for()
    assert "resume" not in other.tab.url
    other.skip_checks()
    other.tab.locator("main.rating h1", has_text="Page 2 of 2").wait_for()
    context.close()


def test_a_stranger_is_told_and_may_begin_anew(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    begun.fake.listeners.clear()
    tab.reload()
    tab.locator("h1", has_text="Unknown listener").wait_for()
    tab.get_by_role("button", name="Begin anew").click()
    tab.get_by_role("button", name="Begin").wait_for()


def test_audio_that_cannot_be_had_is_asked_for_again(visit: Begin) -> None:
    begun = visit()
    sound = begun.fake.sounds.pop("s0x1")
    begun.fake.sounds["s0x1"] = b"no sound at all"
    begun.to_pages().get_by_role("button", name="Try again").wait_for()
    assert "could not be read" in begun.tab.locator("[role=alert]").inner_text()
    begun.fake.sounds["s0x1"] = sound
    begun.tab.get_by_role("button", name="Try again").click()
    begun.tab.wait_for_selector("main.rating")


def test_a_server_that_is_gone_is_waited_for(visit: Begin) -> None:
    begun = visit()
    tab = begun.to_first_page()
    tab.route("**/api/test", lambda route: route.abort())
    tab.reload()
    tab.locator("[role=alert]", has_text="does not answer").wait_for()
    tab.unroute("**/api/test")
    tab.wait_for_selector("main.rating")
