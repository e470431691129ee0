"""A browser, a fake server, and what a listener does again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.listening.server.conftest import serve
from tests.support.fake_listening_server import Fake, enrol, make_fake


class Complaints(list[str]):
    """What a tab says to its developer: errors of its scripts, and what is in its console."""

    def hear(self, tab: Any) -> None:
        tab.on("pageerror", lambda error: self.append(str(error)))
        tab.on("console", lambda message: self.append(message.text))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Within, the test takes the server away, and waits until the page has got over it.

        That a request got no answer counts only outside: whatever is fetched ahead meets it too.
        """
        before = len(self)
        yield
        no_answer = "Failed to load resource: net::ERR_"
        self[before:] = [text for text in self[before:] if not text.startswith(no_answer)]


# Without an answer of its audio process, the browser stands still for 20 s, then plays to nobody.
AUDIO_PATIENCE = """
  window.AudioContext = class extends AudioContext {
    constructor(options) {
      const began = performance.now();
      super(options);
      const seconds = (performance.now() - began) / 1000;
      if (seconds > 10) console.error(`new AudioContext() took ${seconds} s`);
    }
  };
"""


class Visit:
    """One listener's browser, and what it complained of."""

    def __init__(self, context: Any, fake: Fake) -> None:
        self.context, self.fake = context, fake
        self.complaints = Complaints()
        self.requests: list[str] = []
        self.tab = self.new_tab()

    def new_tab(self) -> Any:
        tab = self.context.new_page()
        self.complaints.hear(tab)
        tab.on("request", lambda request: self.requests.append(request.url))
        return tab

    def open(self) -> Any:
        self.tab.goto(self.fake.origin)
        return self.tab

    def skip_checks(self, **more: Any) -> Any:
        """As if level and headphones had been checked on this machine before."""
        headphones = {"passed": True, "right": [6], "of": 6}
        known = {"welcomed": True, "level": True, "headphones": headphones, **more}
        stored = {f"snacbench:tiny:{name}": json.dumps(value) for name, value in known.items()}
        self.tab.goto(f"{self.fake.origin}/blank")
        self.tab.evaluate("(stored) => { Object.assign(localStorage, stored); }", stored)
        return self.open()

    def to_pages(self) -> Any:
        """As if the listener had agreed and answered the questions before."""
        token, listener = enrol(self.fake)
        listener.update(consented=True, answered=True)
        return self.skip_checks(token=token)

    def to_first_page(self) -> Any:
        self.to_pages().wait_for_selector("main.rating")
        return self.tab


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open the page of a fake test: ``visit(kinds=..., conditions=...)``."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def begin(**fake: Any) -> Visit:
            given = make_fake(**fake)
            invite = given.test.pop("invite", None)
            given.invite, given.test["invite_required"] = invite, invite is not None
            stack.enter_context(serve(given))
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            stack.callback(context.close)
            context.add_init_script(AUDIO_PATIENCE)
            visits.append(Visit(context, given))
            return visits[-1]

        yield begin
    for visit in visits:
        assert not [text for text in visit.complaints if text.startswith("new AudioContext()")]


@pytest.fixture(scope="module")
def modules(chromium: Any) -> Iterator[Any]:
    """A tab in which the page's modules can be imported and tried."""
    fake = make_fake()
    with serve(fake):
        context = chromium.new_context()
        yield Visit(context, fake).open()
        context.close()


def until(found: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What is found, once it is true. The page's own longest wait for a server is 38 s."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"it did not come to pass in {seconds:g} s"
        time.sleep(0.05)
    return value


def rate_all(tab: Any, first: int = 30, step: int = 10) -> None:
    """Hear and rate every version: scores `first`, `first` + `step`, ..."""
    count = tab.locator(".column").count()
    for i in range(count):
        tab.locator(".condition").nth(i).click()
        slider = tab.locator(".slider").nth(i)
        slider.and_(tab.locator("[aria-disabled=false]")).wait_for()
        box = slider.bounding_box()
        share = (first + step * i) / 100
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + (1 - share) * box["height"])


# While its sounds are loaded, a page has its heading already, and no use for keys.
ANOTHER_PAGE = """
(heading) => document.querySelector("h1").innerText !== heading
  && !document.querySelector("main.loading")
"""


def next_page(tab: Any) -> None:
    """Go on, and wait until what follows can be used."""
    heading = tab.locator("h1").inner_text()
    tab.get_by_role("button", name="Next").click()
    tab.wait_for_function(ANOTHER_PAGE, arg=heading)
