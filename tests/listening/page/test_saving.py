"""Nothing that a listener did is lost, whatever happens to page, network and server."""

from __future__ import annotations

from typing import Any

import httpx2

from snacbench.listening.responses import sessions
from tests.support.listening_page import Begin, Visit, next_page, rate_all, scores, until
from tests.support.listening_server import ScriptedListener


def saved(tab: Any) -> str:
    return str(tab.locator(".saved").inner_text())


def on_page(tab: Any, number: int) -> None:
    tab.locator("main.rating h1", has_text=f"Page {number} of").wait_for()


def confirm(tab: Any, text: str) -> None:
    """Send the page, and read what the dialog says."""
    tab.get_by_role("button", name="Next").click()
    dialog = tab.locator("dialog")
    assert text in dialog.inner_text()
    dialog.get_by_role("button").click()


def accepted_dialogs(tab: Any) -> list[str]:
    """What the browser itself asks from now on, such as whether to leave."""
    dialogs: list[str] = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    return dialogs


def test_reloads_and_refusals(visit: Begin) -> None:
    begun = visit(pages=4)
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
    assert scores(tab) == ["–", "50", "–", "–"]
    assert tab.locator("#comment").input_value() == "two is <b>odd</b>"
    assert tab.locator(".condition[data-heard]").count() == 1
    assert float(tab.locator(".handle.start").get_attribute("aria-valuenow")) > 0

    # A page that was refused comes again with what was entered.
    rate_all(tab)
    stage.refuse = ["No: <b>strange</b>."]
    confirm(tab, "No: <b>strange</b>.")
    on_page(tab, 1)
    tab.wait_for_selector(".value")
    assert scores(tab) == ["30", "40", "50", "60"]
    next_page(tab)
    (body,) = until(lambda: stage.done)
    assert body.playback["visits"] >= 2
    assert body.playback["headphones_passed"] is True
    assert body.time_s > 0

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


def test_windows_machines_and_strangers(visit: Begin, chromium: Any) -> None:
    begun = visit()
    stage, tab = begun.stage, begun.to_first_page()

    # Of two windows the last goes on.
    tab.keyboard.press("1")
    second = begun.new_tab()
    second.goto(stage.origin)
    second.wait_for_selector("main.rating")
    tab.locator("h1", has_text="Open in another window").wait_for()
    tab.keyboard.press("2")
    assert tab.locator("[data-playing]").count() == 0
    second.keyboard.press("3")
    second.locator(".slider").nth(2).click()
    tab.get_by_role("button", name="Go on here").click()
    tab.wait_for_selector("main.rating")
    assert scores(tab) == ["–", "–", "50", "–"]
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
    assert "resume" not in other.tab.url
    other.skip_checks()
    on_page(other.tab, 2)
    context.close()

    # Whoever is not known is told, and may begin anew.
    sessions.delete_listener(stage.service.responses, stage.listeners[0]["name"])
    tab.reload()
    tab.locator("h1", has_text="Unknown listener").wait_for()
    tab.get_by_role("button", name="Begin anew").click()
    tab.get_by_role("button", name="Begin").wait_for()


def test_connections_that_break(visit: Begin) -> None:
    begun = visit(pages=3)
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
    until(lambda: len(stage.sent("GET /api/stimuli/")) == 10)
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


def test_answers_that_wait_at_the_end(visit: Begin) -> None:
    begun = visit()
    stage, tab = begun.stage, begun.to_first_page()

    # They outlive the page, whose end is warned of.
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
    on_page(tab, 2)
    until(lambda: len(stage.done) == 1)

    # The last page waits for them.
    rate_all(tab)
    stage.down = True
    next_page(tab)
    assert "keep this page open" in tab.locator("main").inner_text()
    stage.down = False
    tab.locator(".listener").wait_for()
    assert stage.listeners[0]["finished_utc"]
