"""A listener in a real browser, on the real server: from the first page to what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snacbench.listening.responses.overview import read_study
from snacbench.listening.test import Item
from tests.support.listening_page import Complaints, next_page, rate_all, scores
from tests.support.listening_server import Program, make_folder, program_for, small_test

ITEMS, SYSTEMS = 3, 2
TEST = small_test(
    id="whole",
    items=tuple(Item(id=f"item-{i}", clip=f"set/{i}", duration_s=0.5) for i in range(ITEMS)),
)

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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Program]:
    with program_for(make_folder(tmp_path / "test", TEST)) as program:
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


def test_a_listener_completes_a_test_while_the_server_is_killed(served: Program, tab: Any) -> None:
    complaints, shown = Complaints(), []
    complaints.hear(tab)

    def rate_page() -> None:
        """Other scores than on the pages before; what the page shows of them is kept."""
        rate_all(tab, first=20 + 2 * len(shown))
        shown.append([int(text) for text in scores(tab)])

    def saved() -> None:
        # Longer than the page's own longest wait for a server.
        tab.locator('.saved[data-state="saved"]').wait_for(timeout=90_000)

    to_first_page(tab, served.address)
    assert tab.locator("h1").inner_text() == "Practice 1 of 1"
    rate_all(tab)
    next_page(tab)
    assert tab.locator(".column").count() == SYSTEMS + 3

    # Page 1: no sample between any two of the signals.
    assert tab.evaluate(SWITCHES) == [[0, 0.0]] * (SYSTEMS + 4)
    rate_page()
    next_page(tab)
    saved()

    # Page 2: the server is killed and comes back, the page is loaded anew.
    tab.keyboard.press("3")
    tab.locator(".slider").nth(2).click()
    tab.locator("#comment").fill("the third")
    with complaints.outage():
        served.kill()
        served.start()
        tab.reload()
        tab.wait_for_selector("main.rating")
    assert tab.locator("h1").inner_text() == f"Page 2 of {ITEMS}"
    assert scores(tab)[2] == "50"
    assert tab.locator("#comment").input_value() == "the third"
    rate_page()

    # The server is gone while the answer is sent.
    with complaints.outage():
        served.kill()
        next_page(tab)
        tab.locator(".saved", has_text="Waiting for connection").wait_for()
        served.start()
        saved()
        again = tab.get_by_role("button", name="Try again")
        if again.count():  # unless the sounds had come before the server went
            again.click()
        tab.wait_for_selector("main.rating")
    rate_page()
    next_page(tab)
    listener = tab.locator(".listener").inner_text()
    assert not complaints
    served.stop()
    check_stored(served.folder, listener, shown)


def check_stored(folder: Path, listener: str, shown: list[list[int]]) -> None:
    """Every rating is there once, as the page showed it."""
    study = read_study(TEST, folder)
    (only,) = study.listeners
    assert (only.id, only.finished) == (listener, True)
    assert len(study.ratings) == ITEMS * (SYSTEMS + 3)
    assert len({(rating.item, rating.condition) for rating in study.ratings}) == len(study.ratings)
    for rating in study.ratings:
        assert rating.score == shown[rating.page][rating.place]
        assert rating.time_s > 0
    assert {rating.comment for rating in study.ratings if rating.page == 1} == {"the third"}
