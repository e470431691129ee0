"""The pages before the first rating, and the one after the last."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyloudnorm
import pytest
from playwright.sync_api import expect

from tests.listening.page.conftest import Visit, rate_all
from tests.support.fake_listening_server import PAGE, RATE_HZ

Begin = Callable[..., Visit]
EVIL = "</title><img src=x onerror=alert(1)>"


def to_headphones(tab: Any) -> None:
    tab.get_by_role("button", name="Begin").click()
    next_button = tab.get_by_role("button", name="The volume is set")
    assert next_button.is_disabled()
    tab.get_by_role("button", name="Play noise").click()
    next_button.click()


def answer_headphones(tab: Any, rounds: int = 6) -> None:
    for n in range(rounds):
        tab.get_by_text(f"Round {n + 1} of {rounds}").wait_for()
        tab.get_by_role("button", name="Play the three tones").click()
        tone = tab.get_by_role("button", name="Tone 1")
        tone.wait_for()
        tab.wait_for_function("() => !document.querySelector('.tone').disabled")
        tone.click()


# Ends the tones of the headphone check at once: all twelve trials would take a minute.
SHORT_TONES = """
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...when) {
    start.apply(this, when);
    if (!this.loop && this.buffer.numberOfChannels === 2) this.stop(0.01);
  };
"""


def test_a_listener_comes_from_the_welcome_to_the_thanks(visit: Begin) -> None:
    begun = visit(kinds=("mushra",))
    begun.tab.add_init_script(SHORT_TONES)
    tab = begun.open()
    to_headphones(tab)
    # Always the first tone: 2 of 6 are right, so it asks again, fails, and lets go on all the same.
    answer_headphones(tab)
    tab.get_by_role("button", name="Try once more").click()
    answer_headphones(tab)
    expect(tab.locator("main")).to_contain_text("does not sound like headphones")
    tab.get_by_role("button", name="Go on").click()
    assert not begun.fake.listeners  # nothing is known of anybody who has not agreed
    agree = tab.get_by_role("button", name="Take part")
    assert agree.is_disabled()
    tab.locator("#agreed").check()
    agree.click()
    tab.get_by_role("button", name="Go on").click()
    assert tab.locator("#q-age:invalid").count() == 1
    tab.locator("#q-age").select_option("30 or more")
    tab.get_by_role("button", name="Go on").click()
    tab.wait_for_selector("main.rating")
    assert begun.fake.only["answers"] == {"age": "30 or more"}
    rate_all(tab)
    tab.get_by_role("button", name="Next").click()
    assert tab.locator(".listener").inner_text() == "k7m3-p2v0"
    body = begun.fake.only["done"]["p0"]
    assert body["playback"]["headphones_passed"] is False
    assert body["playback"]["headphones_right"] == "2 2"
    assert not begun.complaints


def test_a_listener_deletes_their_data(visit: Begin) -> None:
    begun = visit(kinds=("ab",), questionnaire=[])
    tab = begun.to_first_page()
    tab.keyboard.press("a")
    tab.locator(".signal.a[data-playing]").wait_for()
    for key in ("b", "ArrowLeft", "n"):
        tab.keyboard.press(key)
    delete = tab.get_by_role("button", name="Delete my data")
    delete.click()
    tab.get_by_role("button", name="Keep my data").click()
    assert begun.fake.only["finished"]
    delete.click()
    tab.get_by_role("button", name="Delete everything").click()
    tab.locator("h1", has_text="Deleted").wait_for()
    assert not begun.fake.listeners
    assert tab.evaluate("Object.keys(localStorage)") == ["snacbench:tiny:owner"]


def test_an_invitation_comes_with_the_link_or_is_typed(visit: Begin) -> None:
    begun = visit(invite="owl")
    tab = begun.skip_checks()
    tab.locator("#invite").fill("cat")
    tab.locator("#agreed").check()
    tab.get_by_role("button", name="Take part").click()
    tab.locator(".trouble", has_text="No: invite.").wait_for()
    tab.goto(begun.fake.origin + "/?invite=owl")
    tab.locator("#agreed").check()
    tab.get_by_role("button", name="Take part").click()
    tab.wait_for_selector("#q-age")


def test_texts_of_the_author_are_text_and_nothing_else(visit: Begin) -> None:
    question = {"id": "q", "text": EVIL, "kind": "choice", "choices": [EVIL], "required": True}
    begun = visit(title=EVIL, welcome=EVIL, consent=EVIL, questionnaire=[question], contact=EVIL)
    tab = begun.open()
    assert tab.locator("h1").inner_text() == EVIL
    begun.skip_checks()
    expect(tab.locator("main")).to_contain_text(EVIL)
    tab.locator("#agreed").check()
    tab.get_by_role("button", name="Take part").click()
    tab.locator("#q-q").select_option(EVIL)
    assert tab.locator("img").count() == 0
    assert not begun.complaints


def test_german_proves_that_a_language_can_be_added(visit: Begin) -> None:
    german = json.loads((PAGE / "texts" / "de.json").read_text("utf-8"))
    begun = visit(language="de", texts=german)
    tab = begun.skip_checks()
    tab.get_by_role("button", name=german["consent.next"]).wait_for()
    assert tab.locator("html").get_attribute("lang") == "de"
    tab.locator("#agreed").check()
    tab.get_by_role("button", name=german["consent.next"]).click()
    tab.locator("#q-age").select_option("< 30")
    tab.get_by_role("button", name=german["questionnaire.next"]).click()
    tab.wait_for_selector("main.rating")
    tab.keyboard.press("1")
    tab.locator(".slider").first.click()
    assert "2, 3 und 4" in tab.locator("#missing").inner_text()


def test_texts_of_all_languages_have_the_same_keys_and_names() -> None:
    texts = {
        path.stem: json.loads(path.read_text("utf-8")) for path in (PAGE / "texts").glob("*.json")
    }
    english = texts.pop("en")
    assert "de" in texts
    for language, other in texts.items():
        assert other.keys() == english.keys(), language
        for key, text in other.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key]))


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    english = json.loads((PAGE / "texts" / "en.json").read_text("utf-8"))
    code = "\n".join(
        path.read_text("utf-8") for path in PAGE.rglob("*.js") if not path.name.startswith("admin")
    )
    literal = set(re.findall(r'"([a-z]+(?:\.[a-z]+)+)"', code)) - {"audio.js"}
    patterns = [
        re.compile(re.sub(r"\\\$\\\{.+?\\\}", "[a-z]+", re.escape(text)))
        for text in re.findall(r"say\(`([^`]+)`", code)
    ]
    unused = {
        key
        for key in english
        if key not in literal and not any(pattern.fullmatch(key) for pattern in patterns)
    }
    assert not unused
    said = set(re.findall(r'say\("([^"]+)"', code))
    assert said <= english.keys()


def test_no_file_reads_data_as_html() -> None:
    for path in PAGE.rglob("*.js"):
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text), path
        assert text.count("\n") < 300, path


SOUNDS = """
async () => {
  const { pinkNoise, headphoneTrials, trialSound } = await import("/page/audio/checks.js");
  const context = new OfflineAudioContext(1, 1, 48000);
  const trials = headphoneTrials(6);
  const times = { toneS: 0.4, gapS: 0.1 };
  const { buffer, startsS } = trialSound(context, ["quiet", "anti", "plain"], times);
  const channels = [0, 1].map((c) => [...buffer.getChannelData(c)]);
  return { noise: [...pinkNoise(context, 2).getChannelData(0)], trials, channels, startsS };
}
"""


def test_sounds_of_the_checks_are_what_they_should_be(modules: Any) -> None:
    made = modules.evaluate(SOUNDS)
    noise = np.array(made["noise"])
    assert pyloudnorm.Meter(RATE_HZ).integrated_loudness(noise) == pytest.approx(-23, abs=0.5)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(noise.size, 1 / RATE_HZ)
    octaves = [power[(hertz >= f) & (hertz < 2 * f)].sum() for f in (125, 250, 500, 1000, 2000)]
    assert np.ptp(10 * np.log10(octaves)) < 3  # pink: the same power in every octave
    assert abs(noise[0] - noise[-1]) < 0.2
    trials = made["trials"]
    assert len({tuple(trial) for trial in trials}) == 6
    assert [sum(t.index("quiet") == place for t in trials) for place in range(3)] == [2, 2, 2]
    left, right = (np.array(channel) for channel in made["channels"])
    tones = [slice(round(s * RATE_HZ), round((s + 0.4) * RATE_HZ)) for s in made["startsS"]]
    rms = [np.sqrt(np.mean(left[tone] ** 2)) for tone in tones]
    assert 20 * np.log10(rms[0] / rms[2]) == pytest.approx(-6, abs=0.01)
    assert np.array_equal(left[tones[1]], -right[tones[1]])
    assert np.array_equal(left[tones[2]], right[tones[2]])
