"""What a listener does again and again in a browser, on the page of a listening test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.fake_listening_server import Fake


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
        token = self.fake.enrol()
        self.fake.only.update(consented=True, answered=True)
        return self.skip_checks(token=token)

    def to_first_page(self) -> Any:
        self.to_pages().wait_for_selector("main.rating")
        return self.tab


Begin = Callable[..., Visit]


def until(found: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What is found, once it is true. The page's own longest wait for a server is 38 s."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"it did not come to pass in {seconds:g} s"
        time.sleep(0.05)
    return value


def scores(tab: Any) -> list[str]:
    return list(tab.locator(".value").all_inner_texts())


def rate_all(tab: Any, first: int = 30, step: int = 10) -> None:
    """Hear and rate every version: scores `first`, `first` + `step`, ..."""
    for i in range(tab.locator(".column").count()):
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
