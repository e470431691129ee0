"""Nothing is rated unheard, and whoever hears nothing is told: sound that does not come.

What is broken is the browser's own AudioContext (`support/scripts/breakable_sound.js`), or the way
of the sounds from the server; all else is as listeners have it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.listening_page import SCRIPTS, SYSTEMS, Stage, next_page, rate_all, script
from tests.support.waiting import until

SILENT = "The sound does not start"
OPEN = ".slider[aria-disabled=false]"


def breakable(visit, fault="none", **fields):
    begun = visit(pages=1, least_heard_s=1.0, systems=SYSTEMS[:1], contact="Ada", **fields)
    begun.tab.add_init_script(f"window.fault = '{fault}'; {script('breakable_sound')}")
    return begun, begun.tab


def press(tab, name):
    tab.get_by_role("button", name=name).click()


def check_told(tab, text):
    """Beside the player, and nothing plays or can be rated."""
    tab.locator(".no-sound[role=alert] p", has_text=text).wait_for()
    assert tab.locator(f"[data-playing], {OPEN}, .tone:enabled").count() == 0


def mend(tab, name="Try again"):
    tab.evaluate("window.fault = null")
    press(tab, name)
    tab.locator("[data-playing]").first.wait_for()
    assert tab.locator(".no-sound > *").count() == 0


@pytest.mark.parametrize(("fault", "text", "code"), [
    ("throws", "no <b>rate</b>", "none"),
    *((f, SILENT, "silent") for f in ("suspended", "still")),
])  # fmt: skip
def test_sound_that_does_not_begin_is_told_and_opens_no_slider(visit, fault, text, code):
    begun, tab = breakable(visit, fault)
    begun.to_first_page().keyboard.press("1")
    check_told(tab, text)
    assert tab.locator("#missing").inner_text() == "Still to hear: all. Still to rate: all."
    mend(tab)
    rate_all(tab)
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert body.playback[f"sound_{code}"] == 1
    assert not begun.complaints


def test_sound_that_stops_by_itself_is_not_counted_and_goes_on_where_it_was(visit):
    begun, tab = breakable(visit)
    begun.to_first_page().keyboard.press("1")
    # Not when play was pressed, but when the clock went through a second of it.
    began = tab.locator(".column[data-playing]").evaluate("() => window.context.currentTime")
    assert tab.locator(OPEN).count() == 0
    tab.locator(OPEN).wait_for()
    assert tab.evaluate("window.context.currentTime") - began > 0.9
    rate_all(tab)
    for fault, text in (
        ("window.fault = 'still'", "stopped by itself"),
        ("window.context.suspend()", "stopped by itself"),
        ("window.context.close()", "stopped by itself"),
        ("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))", "connected or removed"),
    ):
        tab.locator(".clock", has_text="0.7 /").wait_for()
        tab.evaluate(fault)
        check_told(tab, text)
        at_s = float(tab.locator(".clock").inner_text().split()[0])
        mend(tab, "Go on")
        assert at_s >= 0.7
        assert tab.evaluate("window.from") == pytest.approx(at_s, abs=0.06)
    next_page(tab)
    (body,) = until(lambda: begun.stage.done)
    assert (body.playback["sound_lost"], body.playback["sound_changed"]) == (3, 1)
    first, last = (body.heard[rating.stimulus] for rating in body.ratings)
    assert 1 <= first.heard_s < body.time_s - last.heard_s
    assert last.plays == 5
    assert not begun.complaints


def test_level_and_headphones_end_in_a_sentence_where_nothing_sounds(visit):
    begun, tab = breakable(visit)
    begun.open()
    press(tab, "Begin")
    for play in ("Play noise", "Play the three tones"):
        tab.evaluate("window.fault = 'suspended'; window.context?.close()")
        press(tab, play)
        check_told(tab, SILENT)
        assert not tab.locator("button:text('The volume is set'):enabled").count()
        press(tab, "I hear nothing")
        assert "write to Ada" in tab.locator("main").inner_text()
        press(tab, "Try again")
        press(tab, play)
        check_told(tab, SILENT)
        mend(tab)
        tab.locator(".tone:enabled, button:text('The volume is set'):enabled").first.click()
    assert not begun.complaints


def test_sounds_that_stall_are_asked_for_again_and_then_it_is_told(visit):
    begun = visit(contact="Ada", systems=SYSTEMS[:1])
    stage, tab = begun.stage, begun.tab
    tab.add_init_script(script("hasty"))

    def asked():
        return [url for url in begun.requests if "/api/stimuli/" in url]

    def told(then_whole, then_part=0):
        tab.locator("[role=status]", has_text="of 3").wait_for()
        tab.locator("[role=alert]", has_text="stands still").wait_for()
        assert "write to Ada" in tab.locator("main").inner_text()
        stage.whole, stage.part = then_whole, then_part
        press(tab, "Try again")

    stage.whole = 0
    begun.to_pages()
    told(0, then_part=2)
    assert len(asked()) >= 9
    tab.wait_for_function("() => document.querySelector('main progress')?.value > 0.5")
    told(4)
    # The sounds of the first page, one of those that are fetched ahead, and then none.
    tab.wait_for_selector("main.rating")
    rate_all(tab)
    press(tab, "Next")
    told(None)
    tab.locator("main.rating h1", has_text="Page 2").wait_for()
    seen = asked()
    assert sorted(map(seen.count, {*seen}))[0] == 1  # what had come was kept
    assert len(stage.done) == 1


@pytest.mark.firefox
@pytest.mark.parametrize("device", [True, False])
def test_firefox_with_a_device_that_nobody_hears_and_without_any(device, tmp_path):
    if not (shutil.which("firefox-esr") and shutil.which("pulseaudio")):
        pytest.skip("firefox or pulseaudio is not here: apt-get install firefox-esr pulseaudio")
    node = Path(pytest.importorskip("playwright").__file__).parent / "driver/node"
    stage = Stage(tmp_path / "test", pages=1, systems=SYSTEMS[:1], contact="Ada")
    with stage.served():
        command = [node, SCRIPTS / "firefox.mjs", tmp_path, stage.origin]
        command += [] if device else [stage.enrol()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if device:
        (body,) = stage.done
        assert all(1 <= heard.heard_s < body.time_s for heard in body.heard.values())
        assert [rated.score for rated in body.ratings] == [75, 75]
