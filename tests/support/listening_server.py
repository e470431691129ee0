"""A small listening test with stimuli, its servers, and listeners without a browser."""

import hashlib
import json
import random
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2
import numpy as np
import soundfile
from starlette.testclient import TestClient

from snacbench.forms import REFERENCE
from snacbench.listening import stimuli
from snacbench.listening.design import write_test
from snacbench.listening.responses import Responses, Session
from snacbench.listening.server import Service
from snacbench.listening.test import Item, ListeningTest, Question, System
from snacbench.store.jsonl import to_jsonable
from tests.support.command_line import snacbench_command
from tests.support.studies import a_test
from tests.support.waiting import PATIENCE_S, until

ANSWERS = {"age": "33", "phones": "yes"}
QUESTIONS = (
    Question(id="age", text="Your age", kind="number"),
    Question(id="phones", text="Headphones?", choices=("yes", "no")),
    Question(id="note", text="Anything else?", kind="text", required=False),
)


def small_test(**fields: Any) -> ListeningTest:
    given: dict[str, Any] = {
        "id": "small", "title": "A small test", "questionnaire": QUESTIONS, "consent": "I agree.",
        "systems": tuple(System(name=n, kbps=k) for n, k in (("opus@8kbps", 8.2), ("snac", 0.98))),
        "items": tuple(Item(id=f"item-{i}", clip=f"set/{i}", domain="music", duration_s=0.5)
                       for i in range(3)),
        "training": (Item(id="training-1", clip="set/9", duration_s=0.5),),
    }  # fmt: skip
    return a_test(**{**given, **fields})


def make_folder(folder: Path, test: ListeningTest, *, seconds: float = 0.5) -> Path:
    """The test's folder as `snacbench mushra stimuli` leaves it, with stimuli of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    write_test(folder, test)
    samples = round(48_000 * seconds)
    items = {}
    for item in (*test.items, *test.training):
        made = {}
        for number, condition in enumerate(test.conditions):
            path = folder / (file := stimuli.stimulus_file(item.id, condition))
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).uniform(-0.1, 0.1, samples)
            soundfile.write(path, noise, 48_000, subtype="PCM_24")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            size = path.stat().st_size
            made[condition] = stimuli.StimulusFacts(file, digest, size, 0.0, None, None)
        items[item.id] = stimuli.ItemFacts(item.clip, samples, 1, 0.0, None, (), made)
    told = ("0", stimuli.design_sha256(test), test.run_id, test.set_sha256)
    facts = stimuli.Facts(*told, 48_000, "wav", items)
    (folder / stimuli.FACTS_FILE).write_text(json.dumps(to_jsonable(facts)), "utf-8")
    return folder


def conditions_by_key(responses: Responses) -> dict[str, tuple[str, str]]:
    """Item and condition behind every key of every listener."""
    with responses.transaction() as sql:
        rows = sql.execute("SELECT * FROM listeners").fetchall()
    pages = [page for row in rows for page in Session.model_validate(dict(row)).pages]
    found = {key: (page.item, c) for page in pages for key, c in page.stimuli.items()}
    return found | {page.reference: (page.item, REFERENCE) for page in pages if page.reference}


@dataclass
class ScriptedListener:
    """Does what the page does, through any client of httpx's kind, the test client included."""

    client: Any
    token: str = ""
    name: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str) -> httpx2.Response:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: Any = None) -> httpx2.Response:
        return self.client.post(path, json=body if body is not None else {}, headers=self.headers)

    def post_text(self, path: str, content: Any, media_type: str = "application/json") -> Any:
        headers = {**self.headers, "Content-Type": media_type}
        return self.client.post(path, content=content, headers=headers)

    def begin(self, **body: str) -> Self:
        answer = self.client.post("/api/start", json=body)
        assert answer.status_code == 201, answer.text
        self.token, self.name = answer.json()["token"], answer.json()["listener"]
        return self

    def agree(self, answers: Mapping[str, str] = ANSWERS) -> Self:
        assert self.post("/api/consent", {"agreed": True}).status_code == 204
        assert self.post("/api/questionnaire", {"answers": answers}).status_code == 204
        return self

    def session(self) -> dict[str, Any]:
        answer = self.get("/api/session")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pages(self) -> list[dict[str, Any]]:
        return self.session()["pages"]

    def submit(self, page: dict[str, Any], body: dict[str, Any] | None = None) -> httpx2.Response:
        return self.post(f"/api/pages/{page['key']}", body or answers_to(page))

    def finish(self) -> Self:
        for page in self.pages():
            if not page["submitted"]:
                assert self.submit(page).status_code == 201
        assert self.post("/api/finish").status_code == 204
        return self


def answers_to(page: dict[str, Any], comment: str = "") -> dict[str, Any]:
    """Complete answers to a page, always the same for the same page."""
    draw = random.Random(page["key"])
    common = {"comment": comment, "time_s": 30.5, "playback": {"switches": 12}}
    common["heard"] = {key: {"plays": 2, "heard_s": 12.5} for key in page["stimuli"]}
    if page["kind"] in ("mushra", "single"):
        single = page["kind"] == "single"  # whose scales all have 1, 2 and 3
        ratings = [
            {"stimulus": key, "score": draw.randint(*((1, 3) if single else (0, 100)))}
            for key in page["stimuli"][-single:]
        ]
        return {"ratings": ratings, **common}
    return {"answer": draw.choice("ab"), **common}


def told(answer: Any) -> tuple[int, str, str]:
    """Status, code and sentence of a refusal."""
    found = json.loads(answer.text)
    return answer.status_code, found["code"], found["error"]


@dataclass
class Site:
    """A test that is served in this process."""

    folder: Path
    service: Service
    client: TestClient
    admin: dict[str, str]
    log: list[str]

    def listener(self) -> ScriptedListener:
        return ScriptedListener(self.client)

    def call(self, method: str, path: str, **headers: str) -> Any:
        body = {"json": {}} if method == "POST" else {}
        return self.client.request(method, path, headers=headers, **body)

    def as_admin(self, path: str, method: str = "GET") -> Any:
        return self.client.request(method, f"/api/admin/{path}", headers=self.admin)


Serve = Callable[..., Site]


@dataclass
class Program:
    """``snacbench mushra serve`` as users start it."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    address: str = ""
    printed: list[str] = field(default_factory=list)

    def start(self) -> Self:
        port = self.address.rpartition(":")[2] or "0"
        command = snacbench_command("mushra", "serve", self.folder, "--port", port, *self.arguments)
        log = (self.folder / "log.txt").open("a")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            self.printed.append(line.rstrip())
            if found := re.search(r"\): (http\S+)/$", line):
                self.address = found.group(1)
                break
        assert self.address, (self.folder / "log.txt").read_text()
        until(self.answers, "the server's first answer")
        return self

    def answers(self) -> bool:
        try:
            httpx2.get(f"{self.address}/api/test")
        except httpx2.TransportError:
            return False
        return True

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        code = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, timeout=PATIENCE_S)


@contextmanager
def program_for(folder: Path) -> Iterator[Program]:
    """The program of a folder, not yet started; killed at the end if it still runs."""
    program = Program(folder)
    yield program
    if program.process and program.process.poll() is None:
        program.kill()
