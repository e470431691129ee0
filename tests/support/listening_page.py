"""The page of a listening test in a browser, on the real server, with faults to switch on."""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import uvicorn
from starlette.responses import JSONResponse, Response

import snacbench.listening
from snacbench.listening import responses as sessions
from snacbench.listening.server import application, listen, open_service
from snacbench.listening.test import Item, System
from tests.conftest import BROWSER_STEP_S
from tests.support.listening_server import ANSWERS, make_folder, small_test

PAGE = Path(snacbench.listening.__file__).parent / "page"
SCRIPTS = Path(__file__).with_name("scripts")
SECONDS = 2.0  # every sound lasts so long
SYSTEMS = tuple(System(name=f"codec-{n}") for n in range(9))


def script(name: str) -> str:
    """A function, or what to do before a page loads, in the page's own language."""
    return (SCRIPTS / f"{name}.js").read_text("utf-8")


def page_texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((PAGE / "texts" / f"{language}.json").read_text("utf-8"))
    return found


class Stage:
    """A served test: gone while `down`, slow with sounds, and so on; `seen` is the server's log."""

    def __init__(self, folder: Path, *, pages: int = 2, training: int = 0, **fields: Any) -> None:
        items = [Item(id=f"i-{n}", clip=f"set/{n}", duration_s=SECONDS) for n in range(9)]
        fields = {"form": "mushra-no-anchors", "systems": SYSTEMS[:3], **fields}
        parts = {"items": items[:pages], "training": items[pages : pages + training]}
        self.test = small_test(id="tiny", **parts, **fields)
        self.service = open_service(make_folder(folder, self.test, seconds=SECONDS))
        self.seen: list[str] = []
        self.app = application(self.service, log=self.seen.append)
        self.down = self.spoilt_sounds = False
        self.sounds_wait_s, self.lose_replies = 0.0, 0
        self.whole, self.part = None, 0  # sounds that still come whole, and messages of others
        self.refuse: list[str] = []
        self.origin = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")

        async def hang_up() -> None:
            receive.__self__.transport.abort()
            await asyncio.sleep(0.01)

        if path.startswith("/api/stimuli/"):
            await asyncio.sleep(self.sounds_wait_s)
            if self.whole == 0:
                send = self.stalling(send)
            self.whole = self.whole and self.whole - 1
        if self.down and path:
            await hang_up()
        elif path == "/blank":  # of the same origin, for what is stored before the first page
            blank = Response('<link rel="icon" href="data:,">', media_type="text/html")
            await blank(scope, receive, send)
        elif path.startswith("/api/stimuli/") and self.spoilt_sounds:
            await Response("no sound at all", media_type="audio/wav")(scope, receive, send)
        elif path.startswith("/api/pages/") and self.refuse:
            told = {"error": self.refuse.pop(), "code": "strange"}
            await JSONResponse(told, status_code=422)(scope, receive, send)
        elif path.startswith("/api/pages/") and self.lose_replies:
            self.lose_replies -= 1
            await self.app(scope, receive, AsyncMock())  # the answer goes nowhere
            await hang_up()
        else:
            await self.app(scope, receive, send)

    def stalling(self, send: Any) -> Any:
        """Sends the first messages, the others once all is well again."""
        numbers = itertools.count()

        async def some(message: Any) -> None:
            number = next(numbers)
            while number >= self.part and self.whole is not None:
                await asyncio.sleep(0.02)
            await send(message)

        return some

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve on a free port of this machine."""
        with listen("127.0.0.1", 0) as listening:
            self.origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
            server = uvicorn.Server(uvicorn.Config(self, http="h11", ws="none", log_config=None))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            yield
            server.should_exit = server.force_exit = True
            thread.join()

    def enrol(self) -> str:
        """The token of a new listener who has agreed and answered the questions."""
        responses = self.service.responses
        _, token = sessions.begin(responses, self.test)
        sessions.consent(responses, token)
        sessions.answer_questionnaire(responses, self.test, token, ANSWERS)
        return token

    @property
    def listeners(self) -> list[dict[str, Any]]:
        """What is kept of each."""
        with self.service.responses.transaction() as sql:
            return [dict(row) for row in sql.execute("SELECT * FROM listeners ORDER BY id")]

    @property
    def rated(self) -> list[tuple[int, bool]]:
        """Of each listener: pages rated, and whether they finished."""
        return [(row["rated"], bool(row["finished_utc"])) for row in self.listeners]

    @property
    def done(self) -> list[sessions.Submission]:
        """What the one listener has submitted, page by page."""
        (listener,) = map(sessions.Session.model_validate, self.listeners)
        return [page.response for page in listener.pages if page.response is not None]

    def sent(self, start: str) -> list[str]:
        """Status of each request that began so."""
        return [line.split()[2] for line in self.seen if line.startswith(start)]


class Complaints(list[str]):
    """What a tab says to its developer: errors of its scripts, and what is in its console."""

    def hear(self, tab: Any) -> None:
        tab.on("pageerror", lambda error: self.append(str(error)))
        tab.on("console", lambda message: self.append(message.text))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Within, the test takes the server away, and waits until the page has got over it.

        That a request got no answer counts only outside: whatever is fetched ahead meets it too."""
        before = len(self)
        yield
        no_answer = "Failed to load resource: net::ERR_"
        self[before:] = [text for text in self[before:] if not text.startswith(no_answer)]


class Visit:
    """One listener's browser, and what it complained of."""

    def __init__(self, context: Any, stage: Any) -> None:
        self.context, self.stage = context, stage
        self.complaints = Complaints()
        self.requests: list[str] = []
        self.tab, self.token = self.new_tab(), ""

    def new_tab(self) -> Any:
        tab = self.context.new_page()
        tab.set_default_timeout(BROWSER_STEP_S * 1000)
        self.complaints.hear(tab)
        tab.on("request", lambda request: self.requests.append(request.url))
        return tab

    def open(self) -> Any:
        self.tab.goto(self.stage.origin)
        return self.tab

    def described(self) -> str:
        """What its tabs show, what they complained of, and what the server was asked last."""
        shown = []
        for tab in self.context.pages:
            shown.append(tab.url)
            with suppress(Exception):  # the browser may be gone
                shown.append(tab.locator("body").inner_text(timeout=5_000))
        return "\n".join([*shown, *self.complaints, *self.stage.seen[-10:]])

    def skip_checks(self, **more: Any) -> Any:
        """As if level and headphones had been checked on this machine before."""
        headphones = {"passed": True, "right": [6], "of": 6}
        known = {"welcomed": True, "level": True, "headphones": headphones, **more}
        stored = {f"snacbench:tiny:{name}": json.dumps(value) for name, value in known.items()}
        self.tab.goto(f"{self.stage.origin}/blank")
        self.tab.evaluate("(stored) => { Object.assign(localStorage, stored); }", stored)
        return self.open()

    def to_pages(self) -> Any:
        """As if the listener had agreed and answered the questions before."""
        self.token = self.stage.enrol()
        return self.skip_checks(token=self.token)

    def to_first_page(self) -> Any:
        self.to_pages().wait_for_selector("main.rating")
        return self.tab


Begin = Callable[..., Visit]


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
        # Waits until nothing moves any more, as where a message above has just gone.
        slider.click(position={"x": box["width"] / 2, "y": (1 - share) * box["height"]})


def drag(tab: Any, box: dict[str, float], start: float, end: float) -> None:
    """With the mouse over a box, from one share of its width to another."""
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + start * box["width"], middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + (start + end) / 2 * box["width"], middle)
    tab.mouse.move(box["x"] + end * box["width"], middle)
    tab.mouse.up()


def next_page(tab: Any) -> None:
    """Go on, and wait until what follows can be used."""
    heading = tab.locator("h1").inner_text()
    tab.get_by_role("button", name="Next").click()
    tab.wait_for_function(script("another_page"), arg=heading)
