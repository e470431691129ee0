"""Nothing is rated unheard, and whoever hears nothing is told: sound that does not come.

What is broken is the browser's own AudioContext, or the way of the sounds from the server; all else
is as listeners have it.
"""

import json

import pytest

from tests.support.listening_page import SYSTEMS, next_page, rate_all
from tests.support.waiting import until

# An audio context that fails as `window.fault` says, also while it runs.
BREAKABLE = """
  const Real = window.AudioContext, { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (when, offset) {
    start.call(this, when, window.from = offset);
  };
  window.fault = FAULT;
  window.AudioContext = class extends Real {
    constructor(...given) {
      if (window.fault === "throws") throw new DOMException("no <b>rate</b>", "NotSupportedError");
      super(...given);
      window.context = this;
    }
    get state() { return window.fault === "suspended" ? "suspended" : super.state; }
    get currentTime() {
      return window.fault === "still" ? (this.stuck ??= super.currentTime) : super.currentTime;
    }
    resume() { return window.fault === "suspended" ? new Promise(() => {}) : super.resume(); }
  };
"""
SILENT = "The sound does not start"
FREE = ".column[data-playing] .slider[aria-disabled=false]"


def breakable(visit, fault=None, **fields):
    begun = visit(pages=1, least_heard_s=1.0, **fields)
    begun.tab.add_init_script(BREAKABLE.replace("FAULT", json.dumps(fault)))
    return begun


def mended(tab, button="Try again"):
    """All is well again; the listener goes on."""
    tab.evaluate("window.fault = null")
    tab.locator(".no-sound").get_by_role("button", name=button).click()


@pytest.mark.parametrize(
    ("fault", "told"), [("throws", "no <b>rate</b>"), ("suspended", SILENT), ("still", SILENT)]
)
def test_sound_that_does_not_begin_is_told_and_opens_no_slider(visit, fault, told):
    begun = breakable(visit, fault, systems=SYSTEMS[:1])
    tab = begun.to_first_page()
    tab.keyboard.press("1")
    alert = tab.locator(".no-sound[role=alert] p")
    alert.wait_for()
    assert told in alert.inner_text()
    assert tab.locator("[data-playing], [data-heard], .slider[aria-disabled=false]").count() == 0
    assert tab.locator("#missing").inner_text() == "Still to hear: all. Still to rate: all."
    mended(tab)
    tab.locator(FREE).wait_for()
    assert tab.locator(".no-sound > *").count() == 0
    rate_all(tab)
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert body.playback[f"sound_{'none' if fault == 'throws' else 'silent'}"] == 1
    assert not begun.complaints


def test_sound_that_stops_by_itself_is_not_counted_and_goes_on_where_it_was(visit):
    begun = breakable(visit, systems=SYSTEMS[:1])
    tab = begun.to_first_page()
    tab.keyboard.press("1")
    # Not when play was pressed, but when the clock went through a second of it.
    began = tab.locator(".column[data-playing]").evaluate("() => window.context.currentTime")
    assert tab.locator(FREE).count() == 0
    tab.locator(FREE).wait_for()
    assert tab.evaluate("window.context.currentTime") - began > 0.9
    rate_all(tab)
    for fault, told in (
        ("window.fault = 'still'", "stopped by itself"),
        ("window.context.suspend()", "stopped by itself"),
        ("window.context.close()", "stopped by itself"),
        ("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))", "connected or removed"),
    ):
        tab.locator(".clock", has_text="0.7 /").wait_for()
        tab.evaluate(fault)
        tab.locator(".no-sound p", has_text=told).wait_for()
        assert tab.locator("[data-playing], .slider[aria-disabled=false]").count() == 0
        at = float(tab.locator(".clock").inner_text().split()[0])
        assert at >= 0.7
        mended(tab, "Go on")
        tab.locator(".column[data-playing]").wait_for()
        assert tab.evaluate("window.from") == pytest.approx(at, abs=0.06)
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert (body.playback["sound_lost"], body.playback["sound_changed"]) == (3, 1)
    first, last = (body.heard[rating.stimulus] for rating in body.ratings)
    assert 1 <= first.heard_s < body.time_s - last.heard_s
    assert last.plays == 5
    assert not begun.complaints


def test_level_and_headphones_end_in_a_sentence_where_nothing_sounds(visit):
    begun = breakable(visit, "suspended", contact="Ada <ada@example.org>")
    tab = begun.open()
    tab.get_by_role("button", name="Begin").click()
    for play, heard in (
        ("Play noise", "button:text('The volume is set'):enabled"),
        ("Play the three tones", ".tone:enabled"),
    ):
        tab.evaluate("window.fault = 'suspended'; window.context?.close()")
        tab.get_by_role("button", name=play).click()
        tab.locator(".no-sound p", has_text=SILENT).wait_for()
        assert tab.locator(heard).count() == 0
        tab.get_by_role("button", name="I hear nothing").click()
        assert "write to Ada <ada@example.org>" in tab.locator("main").inner_text()
        tab.get_by_role("button", name="Try again").click()
        tab.get_by_role("button", name=play).click()
        tab.locator(".no-sound p").wait_for()
        mended(tab)
        tab.locator(heard).first.click()
    assert not begun.complaints


# Seconds of the page's patience take a twentieth of their time.
HASTY = """
  const real = window.setTimeout;
  window.setTimeout = (act, ms, ...more) => real(act, ms > 500 ? ms / 20 : ms, ...more);
"""


def test_sounds_that_stall_are_asked_for_again_and_then_it_is_told(visit):
    begun = visit(contact="Ada", systems=SYSTEMS[:1])
    stage, tab = begun.stage, begun.tab
    tab.add_init_script(HASTY)

    def asked():
        return [url for url in begun.requests if "/api/stimuli/" in url]

    def told(then_whole, then_part=0):
        tab.locator("[role=status]", has_text="of 3").wait_for()
        tab.locator("[role=alert]", has_text="stands still").wait_for()
        assert "write to Ada" in tab.locator("main").inner_text()
        stage.whole, stage.part = then_whole, then_part
        tab.get_by_role("button", name="Try again").click()

    stage.whole = 0
    begun.to_pages()
    told(0, then_part=2)
    assert len(asked()) >= 9
    tab.wait_for_function("() => document.querySelector('main progress')?.value > 0.5")
    told(4)
    # The sounds of the first page, one of those that are fetched ahead, and then none.
    tab.wait_for_selector("main.rating")
    rate_all(tab)
    tab.get_by_role("button", name="Next").click()
    told(None)
    tab.locator("main.rating h1", has_text="Page 2").wait_for()
    seen = asked()
    assert sorted(map(seen.count, {*seen}))[0] == 1  # what had come was kept
    assert len(stage.done) == 1
