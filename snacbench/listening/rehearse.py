"""Simulated listeners who take a test over HTTP: the server, the store and the way back, rehearsed.

They do what the page does, only faster, and many at once if need be. What is behind a key the
server does not say; they know it by the sound, whose digest is in the test's ``stimuli.json``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from snacbench.errors import UserError
from snacbench.listening.simulate import manners_of, true_quality
from snacbench.listening.simulated_listener import Model, SimulatedListener
from snacbench.listening.stimuli import Facts
from snacbench.listening.study import Study
from snacbench.listening.test import ListeningTest, Question

MARK = "simulated"
"""Comment on every page, and answer to every question that takes a text."""

_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 30.0
_BUSY = (429, 503)

Sounds = Mapping[str, tuple[str, str]]
"""Digest of a stimulus -> its item and condition."""


@dataclass(frozen=True)
class Rehearsal:
    """What was done, and how the server stood it; shorter times are better.

    Attributes
    ----------
    listeners : tuple of str
        The names that the server gave them.
    seconds, slowest_s : float
        Wall-clock time of all, and of the slowest single request, waits that the server asked for
        left out.
    waits : int
        How often the server asked somebody to come back later.
    """

    listeners: tuple[str, ...]
    pages: int
    requests: int
    seconds: float
    slowest_s: float
    waits: int


def rehearse(  # noqa: PLR0913 - keyword-only options of one rehearsal
    url: str,
    test: ListeningTest,
    facts: Facts,
    model: Model,
    listeners: int,
    *,
    seed: int = 0,
    at_once: int | None = None,
) -> Rehearsal:
    """Let simulated listeners take the test that is served at an address.

    Parameters
    ----------
    facts : Facts
        Of the test's stimuli.
    at_once : int or None
        Listeners at the same time; None: all.

    Raises
    ------
    UserError
        If there is no server, it serves another test, or it refuses something.
    """
    quality = true_quality(test, model)
    manners, dropouts = manners_of(model, listeners, seed)
    _check_same_test(url, test)
    sounds = _sounds(facts)
    tasks = [
        _Visit(
            _Client(url),
            test,
            SimulatedListener.of(model, quality, manner, seed, "listener", number),
            sounds,
            leaves=number in dropouts,
        )
        for number, manner in enumerate(manners)
    ]
    start = time.monotonic()
    with ThreadPoolExecutor(at_once or listeners) as pool:
        names = tuple(pool.map(_Visit.take, tasks))
    clients = [task.client for task in tasks]
    return Rehearsal(
        listeners=names,
        pages=sum(task.pages for task in tasks),
        requests=sum(client.asked for client in clients),
        seconds=time.monotonic() - start,
        slowest_s=max(client.slowest_s for client in clients),
        waits=sum(client.waits for client in clients),
    )


def check_nobody_else(study: Study) -> None:
    """Refuse to mix simulated answers with those of people.

    Raises
    ------
    UserError
        If an answer lacks the mark of a rehearsal.
    """
    comments = [(r.listener, r.comment) for r in study.ratings]
    comments += [(c.listener, c.comment) for c in study.choices]
    people = {listener for listener, comment in comments if comment != MARK}
    if people:
        raise UserError(
            f"the test {study.name} has answers of {len(people)} real listeners, with which "
            "simulated ones must not mix; copy the folder without its answers and rehearse there"
        )


def _sounds(facts: Facts) -> Sounds:
    return {
        stimulus.sha256: (item, condition)
        for item, known in facts.items.items()
        for condition, stimulus in known.conditions.items()
    }


def _check_same_test(url: str, test: ListeningTest) -> None:
    served = _Client(url).get("/api/test")
    if served["id"] != test.id:
        raise UserError(f"{url} serves the test {served['id']!r}, not {test.id!r}")
    if served["invite_required"]:
        raise UserError(
            f"the test at {url} is by invitation; rehearse on a copy of its folder without answers"
        )


@dataclass
class _Client:
    """Asks the server, waits where it says so, and keeps the time."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    asked: int = 0
    slowest_s: float = 0.0
    waits: int = 0

    def get(self, path: str) -> Any:
        return self._ask("GET", path).json()

    def digest(self, path: str) -> str:
        return hashlib.sha256(self._ask("GET", path).content).hexdigest()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self._ask("POST", path, body)
        return answer.json() if answer.content else None

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> requests.Response:
        address = f"{self.url.rstrip('/')}{path}"
        while True:
            start = time.monotonic()
            try:
                answer = self.session.request(method, address, json=body, timeout=_TIMEOUT_S)
            except requests.RequestException as error:
                raise UserError(
                    f"no answer from {self.url} ({type(error).__name__}); is it served there? "
                    "See snacbench mushra serve"
                ) from error
            self.asked += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)
            wait_s = float(answer.headers.get("Retry-After") or "inf")
            if answer.status_code not in _BUSY or wait_s > _LONGEST_WAIT_S:
                return _accepted(answer, f"{method} {path}")
            self.waits += 1
            time.sleep(wait_s)


def _accepted(answer: requests.Response, asked: str) -> requests.Response:
    if not answer.ok:
        raise UserError(f"the server refused {asked}: {answer.status_code} {answer.text:.200}")
    return answer


@dataclass
class _Visit:
    """One simulated listener at the page, from the welcome to the thanks."""

    client: _Client
    test: ListeningTest
    person: SimulatedListener
    sounds: Sounds
    leaves: bool
    pages: int = 0

    def take(self) -> str:
        """Take the test; the name that the server gave."""
        newcomer = self.client.post("/api/start", {})
        self.client.session.headers["Authorization"] = f"Bearer {newcomer['token']}"
        self.client.post("/api/consent", {"agreed": True})
        answers = {q.id: _answer_to(q) for q in self.test.questionnaire}
        self.client.post("/api/questionnaire", {"answers": answers})
        pages = self.client.get("/api/session")["pages"]
        for page in pages[: len(pages) // 2] if self.leaves else pages:
            self.client.post(f"/api/pages/{page['key']}", self._answers(page))
            self.pages += 1
        if not self.leaves:
            self.client.post("/api/finish", {})
        return str(newcomer["listener"])

    def _answers(self, page: Mapping[str, Any]) -> dict[str, Any]:
        keys: list[str] = page["stimuli"]
        heard = [self._hear(key) for key in keys]
        if page["reference"]:
            self._hear(page["reference"])
        item, conditions = heard[0][0], [condition for _, condition in heard]
        common = {
            "comment": MARK,
            "time_s": self.person.page_time_s(len(keys)),
            "playback": {MARK: True},
        }
        if page["kind"] == "mushra":
            scores = zip(keys, self.person.rate(item, conditions), strict=True)
            ratings = [{"stimulus": key, "score": score, "plays": 1} for key, score in scores]
            return {"ratings": ratings, **common}
        if page["kind"] == "ab":
            a, b = conditions
            allow_tie = self.test.allow_tie
            return {"answer": self.person.prefer(item, a, b, allow_tie=allow_tie), **common}
        a, b, x = conditions
        return {"answer": self.person.identify(item, a, b, x), **common}

    def _hear(self, key: str) -> tuple[str, str]:
        digest = self.client.digest(f"/api/stimuli/{key}")
        if digest not in self.sounds:
            raise UserError(
                f"{self.client.url} serves a sound that is not among the stimuli of "
                f"{self.test.id}: it serves another folder"
            )
        return self.sounds[digest]


def _answer_to(question: Question) -> str:
    if question.kind == "choice":
        return question.choices[0]
    return "0" if question.kind == "number" else MARK
