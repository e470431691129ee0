"""A browser, a fake server, and a listener who clicks through the pages before the first rating."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.listening.page.fake_server import Fake, make_fake, serve


class Visit:
    """One listener's browser, and what it complained of."""

    def __init__(self, context: Any, fake: Fake) -> None:
        self.context, self.fake = context, fake
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab = self.open_tab()

    def open_tab(self, address: str = "/") -> Any:
        tab = self.context.new_page()
        tab.set_default_timeout(15_000)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(self.fake.origin + address)
        return tab

    def skip_checks(self) -> None:
        """As if level and headphones had been checked on this machine before."""
        self.tab.evaluate(
            """() => {
              for (const [name, value] of Object.entries({
                welcomed: true, level: true, headphones: { passed: true, right: [6], of: 6 },
              })) localStorage.setItem(`snacbench:tiny:${name}`, JSON.stringify(value));
            }"""
        )
        self.tab.reload()

    def to_first_page(self) -> Any:
        """Agree, answer the questions, and wait for the first rating page."""
        self.tab.wait_for_selector("h1")
        self.skip_checks()
        self.tab.locator("#agreed").check()
        self.tab.get_by_role("button", name="Take part").click()
        if self.fake.test["questionnaire"]:
            self.tab.locator("#q-age").select_option("< 30")
            self.tab.get_by_role("button", name="Go on").click()
        self.tab.wait_for_selector("main.rating")
        return self.tab


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Visit]]:
    """Open the page of a fake test: ``visit(kinds=..., conditions=...)``."""
    opened: list[tuple[Any, Any]] = []

    def begin(address: str = "/", **fake: Any) -> Visit:
        given = make_fake(**fake)
        invite = given.test.pop("invite", None)
        given.invite, given.test["invite_required"] = invite, invite is not None
        server = serve(given)
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        opened.append((server, context))
        visit = Visit(context, given)
        if address != "/":
            visit.tab.goto(given.origin + address)
        return visit

    yield begin
    for server, context in opened:
        context.close()
        server.shutdown()


@pytest.fixture(scope="module")
def modules(chromium: Any) -> Iterator[Any]:
    """A tab in which the page's modules can be imported and tried."""
    fake = make_fake()
    server = serve(fake)
    context = chromium.new_context()
    yield Visit(context, fake).tab
    context.close()
    server.shutdown()


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


def next_page(tab: Any) -> None:
    heading = tab.locator("h1").inner_text()
    tab.get_by_role("button", name="Next").click()
    tab.wait_for_function(
        "heading => document.querySelector('h1').innerText !== heading", arg=heading
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that runs beside a whole suite may get stuck: run these by hand, ``-m slow``."""
    for item in items:
        if item.path.parent.name == "page":
            item.add_marker(pytest.mark.slow)
