"""The pages before the first rating, and the one after the last."""

import json
import re

import numpy as np
import pyloudnorm
import pytest
from playwright.sync_api import expect

from snacbench.listening.responses import make_invitations
from snacbench.listening.test import RATE_HZ, Question
from tests.support.listening_page import PAGE, SYSTEMS, page_texts, rate_all, script

EVIL = "</title><img src=x onerror=alert(1)>"


def button(tab, name):
    return tab.get_by_role("button", name=name)


def answer_headphones(tab, tones):
    """Tones that seem the softest, round by round; rounds follow by themselves."""
    button(tab, "Play the three tones").click()
    for number, tone in enumerate(tones, 1):
        tab.get_by_text(f"Round {number} of at most 6").wait_for()
        tab.wait_for_function("() => !document.querySelector('.tone').disabled")
        button(tab, f"Tone {tone}").click()


def test_a_listener_comes_from_the_welcome_to_the_thanks_and_deletes_all(visit):
    """Whatever the author of the test wrote is text, and nothing else."""
    question = {"text": EVIL, "choices": (EVIL, "other")}
    questions = (Question(id="q", **question), Question(id="r", required=False, **question))
    texts = dict.fromkeys(("title", "welcome", "consent", "contact"), EVIL)
    begun = visit(pages=1, systems=SYSTEMS[:1], questionnaire=questions, **texts)
    begun.tab.add_init_script(script("short_tones"))
    tab = begun.open()
    assert tab.locator("h1").inner_text() == EVIL
    needs = tab.locator(".needs").inner_text()
    assert all(word in needs for word in ("headphones", "quiet room", "10 minutes", "break"))
    assert not tab.locator(".screen").is_visible()
    tab.set_viewport_size({"width": 390, "height": 844})
    assert "A laptop or a desktop" in tab.locator(".screen").inner_text()
    tab.set_viewport_size({"width": 1280, "height": 800})
    button(tab, "Begin").click()
    assert button(tab, "The volume is set").is_disabled()
    button(tab, "Play noise").click()
    button(tab, "The volume is set").click()
    # It is over when it is decided, asks again, fails, and lets go on all the same.
    answer_headphones(tab, [1, 3, 3])
    button(tab, "Try once more").click()
    answer_headphones(tab, [1, 1, 2, 1, 1])
    expect(tab.locator("main")).to_contain_text("does not sound like headphones")
    button(tab, "Go on").click()
    assert not begun.stage.listeners  # nothing is known of anybody who has not agreed
    expect(tab.locator("main")).to_contain_text(EVIL)
    assert button(tab, "Take part").is_disabled()
    tab.locator("#agreed").check()
    button(tab, "Take part").click()
    button(tab, "Go on").click()
    assert tab.locator("#q-q:invalid").count() == 1
    tab.locator("#q-q").select_option(EVIL)
    button(tab, "Go on").click()
    tab.wait_for_selector("main.rating")
    assert json.loads(begun.stage.listeners[0]["questionnaire"]) == {"q": EVIL}
    rate_all(tab)
    button(tab, "Next").click()
    assert tab.locator(".listener").inner_text() == begun.stage.listeners[0]["name"]
    done = begun.stage.done[0]
    assert (done.headphones, done.headphones_right) == ("failed", "3 of 5")
    assert tab.locator("img").count() == 0
    assert not begun.complaints

    button(tab, "Delete my data").click()
    button(tab, "Keep my data").click()
    assert begun.stage.listeners[0]["finished_utc"]
    button(tab, "Delete my data").click()
    button(tab, "Delete everything").click()
    tab.locator("h1", has_text="Deleted").wait_for()
    assert not begun.stage.listeners
    assert tab.evaluate("Object.keys(localStorage)") == ["snacbench:tiny:owner"]


def test_an_invitation_comes_with_the_link_or_is_typed_and_a_language_can_be_added(visit):
    german, begun = page_texts("de"), visit(language="de")
    (invitation,) = make_invitations(begun.stage.service.responses, 1)
    tab = begun.skip_checks()
    assert tab.locator("#invite").input_value() == ""
    tab.locator("#invite").fill("cat")
    tab.locator("#agreed").check()
    button(tab, german["consent.next"]).click()
    tab.locator(".trouble", has_text="This invitation is not known").wait_for()
    tab.locator("#invite").fill(invitation)
    assert tab.locator("html").get_attribute("lang") == "de"
    tab.locator("#agreed").check()
    button(tab, german["consent.next"]).click()
    tab.locator("#q-age").fill("34")
    tab.locator("#q-phones").select_option("yes")
    button(tab, german["questionnaire.next"]).click()
    tab.wait_for_selector("main.rating")
    tab.keyboard.press("1")
    tab.locator(".slider").first.click()
    assert "2, 3 und 4" in tab.locator("#missing").inner_text()
    tab.evaluate("localStorage.clear()")  # whoever has lost their session is told how to go on
    begun.skip_checks()
    tab.locator("#invite").fill(invitation)
    tab.locator("#agreed").check()
    button(tab, german["consent.next"]).click()
    tab.locator(".trouble", has_text=german["consent.used"]).wait_for()


def test_texts_are_all_used_in_every_language_and_no_data_is_read_as_html():
    english, german, files = page_texts("en"), page_texts("de"), list(PAGE.rglob("*.js"))
    assert german.keys() == english.keys()
    for key, text in german.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key]))
    code = "\n".join(p.read_text("utf-8") for p in files if not p.name.startswith("admin"))
    used = set(re.findall(r'"([a-z]+(?:\.[a-z]+)+)"', code))
    composed = map(re.escape, re.findall(r"say\(`([^`]+)`", code))
    patterns = [re.compile(re.sub(r"\\\$\\\{.+?\\\}", "[a-z]+", text)) for text in composed]
    for key in english.keys() - used:
        assert any(pattern.fullmatch(key) for pattern in patterns), key
    assert set(re.findall(r'say\("([^"]+)"', code)) <= english.keys()
    for path in files:
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text), path


def test_sounds_of_the_checks_are_what_they_should_be(modules):
    made = modules.evaluate(script("check_sounds"))
    noise = np.array(made["noise"])
    assert pyloudnorm.Meter(RATE_HZ).integrated_loudness(noise) == pytest.approx(-23, abs=0.5)
    power, hertz = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(noise.size, 1 / RATE_HZ)
    octaves = [power[(hertz >= f) & (hertz < 2 * f)].sum() for f in (125, 250, 500, 1000, 2000)]
    assert np.ptp(10 * np.log10(octaves)) < 3  # pink: the same power in every octave
    assert abs(noise[0] - noise[-1]) < 0.2
    trials = made["trials"]
    assert len({tuple(trial) for trial in trials}) == 6
    assert [sum(t.index("quiet") == place for t in trials) for place in range(3)] == [2, 2, 2]
    starts = [round(start_s * RATE_HZ) for start_s in made["startsS"]]
    tones = [np.array(made["channels"])[:, s : s + round(0.4 * RATE_HZ)] for s in starts]
    quiet, anti, plain = tones
    assert 20 * np.log10(np.std(quiet[0]) / np.std(plain[0])) == pytest.approx(-6, abs=0.01)
    assert np.array_equal(anti[0], -anti[1])
    assert np.array_equal(plain[0], plain[1])
