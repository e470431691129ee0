"""A listener in a real browser, on the real server: from the first page to what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snacbench.listening.responses.overview import read_study
from snacbench.listening.test import Item, ListeningTest, System
from tests.listening.page.conftest import Complaints, next_page, rate_all
from tests.support.listening_server import Program, make_folder, program_for, small_test

NAMES = ("opus@8kbps", "opus@14kbps", "snac", "dac", "encodec")
ITEMS = 6

# What is heard of a page's own stimuli, rendered offline with a switch to each of them: for every
# stretch between switches the lag at which it equals the signal, and by how much it differs there.
SWITCHES = """
async () => {
  const { Mixer } = await import("/page/audio/mixer.js");
  const { loadSignals } = await import("/page/audio/load.js");
  const token = JSON.parse(localStorage.getItem("snacbench:whole:token"));
  const headers = { Authorization: `Bearer ${token}` };
  const session = await (await fetch("/api/session", { headers })).json();
  const page = session.pages.find(({ submitted }) => !submitted);
  const buffers = await loadSignals([page.reference, ...page.stimuli], { token, rateHz: 48000 });
  const length = buffers[0].length, stretch = Math.floor(length / buffers.length);
  const context = new OfflineAudioContext(1, length, 48000);
  const mixer = new Mixer(context, buffers);
  mixer.start(0, 0, null, 0);
  buffers.forEach((_, i) => i && mixer.select(i, (i * stretch + 7) / 48000));
  const heard = (await context.startRendering()).getChannelData(0);
  return buffers.map((buffer, i) => {
    const signal = buffer.getChannelData(0), from = i * stretch + 300, to = (i + 1) * stretch;
    const error = (lag) => {
      let most = 0;
      for (let n = from; n < to; n++) most = Math.max(most, Math.abs(heard[n] - signal[n + lag]));
      return most;
    };
    const errors = [-3, -2, -1, 0, 1, 2, 3].map((lag) => [error(lag), lag]);
    const [least, lag] = errors.reduce((a, b) => (b[0] < a[0] ? b : a));
    return [lag, least];
  });
}
"""

CHECKED = """
() => {
  for (const name of ["welcomed", "level", "headphones"]) {
    localStorage.setItem(`snacbench:whole:${name}`, '{"passed": true, "right": [6]}');
  }
}
"""

AGAIN = """
async () => {
  const token = JSON.parse(localStorage.getItem("snacbench:whole:token"));
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const session = await (await fetch("/api/session", { headers })).json();
  const { key, stimuli } = session.pages.find(({ submitted }) => submitted);
  const ratings = stimuli.map((stimulus) => ({ stimulus, score: 1, plays: 1 }));
  const body = JSON.stringify({ ratings, comment: "", time_s: 1, playback: {} });
  return (await fetch(`/api/pages/${key}`, { method: "POST", headers, body })).status;
}
"""


def whole_test() -> ListeningTest:
    items = tuple(Item(id=f"item-{i}", clip=f"set/{i}", duration_s=0.5) for i in range(ITEMS))
    systems = tuple(System(name=name, kbps=8.0) for name in NAMES)
    return small_test(id="whole", items=items, systems=systems)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Program]:
    with program_for(make_folder(tmp_path / "test", whole_test())) as program:
        yield program.start()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def to_first_page(tab: Any, address: str) -> None:
    """Past level and headphones, which have tests of their own, and through consent."""
    tab.goto(address)
    tab.evaluate(CHECKED)
    tab.reload()
    tab.locator("#agreed").check()
    tab.get_by_role("button", name="Take part").click()
    tab.get_by_label("Your age").fill("34")
    tab.get_by_label("Headphones?").select_option("yes")
    tab.get_by_role("button", name="Go on").click()
    tab.wait_for_selector("main.rating")


def rate_page(tab: Any, shown: list[list[int]]) -> None:
    """Other scores than on the pages before; what the page shows of them is added to `shown`."""
    rate_all(tab, first=20 + 2 * len(shown))
    shown.append([int(text) for text in tab.locator(".value").all_inner_texts()])


def saved(tab: Any) -> None:
    # Longer than the page's own longest wait for a server.
    tab.locator('.saved[data-state="saved"]').wait_for(timeout=90_000)


def test_a_listener_completes_a_test_while_the_server_is_killed(served: Program, tab: Any) -> None:
    complaints = Complaints()
    complaints.hear(tab)
    shown: list[list[int]] = []
    to_first_page(tab, served.address)
    assert tab.locator("h1").inner_text() == "Practice 1 of 1"
    rate_all(tab)
    next_page(tab)
    assert tab.locator(".column").count() == 8

    # Page 1: no sample between any two of the nine signals.
    assert tab.evaluate(SWITCHES) == [[0, 0.0]] * 9
    rate_page(tab, shown)
    next_page(tab)
    saved(tab)
    assert tab.evaluate(AGAIN) == 409
    assert len(complaints) == 1  # of the browser, about the 409
    complaints.clear()

    # Page 2: the server is killed and comes back, the page is loaded anew.
    tab.keyboard.press("3")
    tab.locator(".slider").nth(2).click()
    tab.locator("#comment").fill("the third")
    with complaints.outage():
        served.kill()
        served.start()
        tab.reload()
        tab.wait_for_selector("main.rating")
    assert tab.locator("h1").inner_text() == "Page 2 of 6"
    assert tab.locator(".value").nth(2).inner_text() == "50"
    assert tab.locator("#comment").input_value() == "the third"
    rate_page(tab, shown)
    next_page(tab)
    saved(tab)

    # Page 3: the server is gone while the answer is sent.
    rate_page(tab, shown)
    with complaints.outage():
        served.kill()
        next_page(tab)
        tab.locator(".saved", has_text="Waiting for connection").wait_for()
        served.start()
        saved(tab)
        again = tab.get_by_role("button", name="Try again")
        if again.count():  # unless the sounds had come before the server went
            again.click()
        tab.wait_for_selector("main.rating")

    for number in range(3, ITEMS):
        assert tab.locator("h1").inner_text() == f"Page {number + 1} of 6"
        rate_page(tab, shown)
        next_page(tab)
    listener = tab.locator(".listener").inner_text()
    assert not complaints
    served.stop()
    check_stored(served.folder, listener, shown)


def check_stored(folder: Path, listener: str, shown: list[list[int]]) -> None:
    """Every rating is there once, as the page showed it."""
    study = read_study(whole_test(), folder)
    (only,) = study.listeners
    assert (only.id, only.finished) == (listener, True)
    assert len(study.ratings) == ITEMS * 8
    assert len({(rating.item, rating.condition) for rating in study.ratings}) == ITEMS * 8
    for rating in study.ratings:
        assert rating.page is not None
        assert rating.place is not None
        assert rating.score == shown[rating.page][rating.place]
        assert rating.time_s is not None
        assert rating.time_s > 0
    assert {rating.comment for rating in study.ratings if rating.page == 1} == {"the third"}
