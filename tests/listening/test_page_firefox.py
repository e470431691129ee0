"""The page in Debian's Firefox, which Playwright drives by WebDriver BiDi: ``pytest -m firefox``.

Sound goes to a PulseAudio server of the test's own, whose one device throws it away, or nowhere.
"""

import os
import shutil
import subprocess

import pytest

from tests.support.listening_page import SYSTEMS, Stage, Visit, rate_all
from tests.support.waiting import until

pytestmark = pytest.mark.firefox


@pytest.fixture
def visit_with(playwright, tmp_path):
    """Begin a visit in a Firefox whose sound goes to this PulseAudio socket."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no firefox on this machine: apt-get install firefox-esr")
    stage = Stage(tmp_path / "test", pages=1, systems=SYSTEMS[:1], contact="Ada")
    opened = []
    with stage.served():

        def begin(socket):
            env = {**os.environ, "PULSE_SERVER": f"unix:{socket}"}
            how = {"channel": "moz-firefox", "executable_path": path}
            opened.append(playwright.firefox.launch(env=env, **how))
            return Visit(opened[-1].new_context(viewport={"width": 1280, "height": 800}), stage)

        yield begin
        for browser in opened:
            browser.close()


@pytest.fixture
def null_sink(tmp_path):
    """The socket of a sound server whose one device is heard by nobody."""
    if not shutil.which("pulseaudio"):
        pytest.skip("no pulseaudio on this machine: apt-get install pulseaudio")
    socket = tmp_path / "pulse"
    listen = f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}"
    command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--load=module-null-sink", listen]
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        until(socket.exists, "the sound server", 30)
        yield socket
        process.terminate()


def press(tab, name):
    tab.get_by_role("button", name=name).click()


def test_with_a_sound_device_a_listener_comes_from_the_welcome_to_the_thanks(visit_with, null_sink):
    begun = visit_with(null_sink)
    tab = begun.open()
    press(tab, "Begin")
    press(tab, "Play noise")
    press(tab, "The volume is set")
    while not tab.locator("#agreed").count():
        press(tab, "Play the three tones")
        tab.locator(".tone:enabled").first.click()
        tab.locator("h1").wait_for()
        for name in ("Try once more", "Go on"):
            if tab.get_by_role("button", name=name).count():
                press(tab, name)
    tab.locator("#agreed").check()
    press(tab, "Take part")
    tab.locator("#q-age").fill("34")
    tab.locator("#q-phones").select_option("yes")
    press(tab, "Go on")
    tab.wait_for_selector("main.rating")
    rate_all(tab)
    press(tab, "Next")
    tab.locator(".listener").wait_for()
    (body,) = until(lambda: begun.stage.done)
    assert all(1 <= body.heard[rated.stimulus].heard_s < body.time_s for rated in body.ratings)
    assert [rated.score for rated in body.ratings] == [30, 40]
    assert not begun.complaints


def test_without_any_sound_device_it_is_told_and_nothing_can_be_rated(visit_with, tmp_path):
    begun = visit_with(tmp_path / "nothing")
    tab = begun.open()
    press(tab, "Begin")
    press(tab, "Play noise")
    tab.locator(".no-sound p", has_text="The sound does not start").wait_for()
    assert tab.get_by_role("button", name="The volume is set").is_disabled()
    press(tab, "I hear nothing")
    assert "write to Ada" in tab.locator("main").inner_text()
    begun.to_first_page()
    press(tab, "Version 1")
    tab.locator(".no-sound p", has_text="The sound does not start").wait_for()
    assert tab.locator("[data-heard], .slider[aria-disabled=false]").count() == 0
