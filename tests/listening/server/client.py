"""A scripted listener: what the page does, without a browser."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import httpx2

ANSWERS = {"age": "33", "phones": "yes"}


@dataclass
class ScriptedListener:
    """Talks to the server through any client of httpx's kind, the test client included."""

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

    def begin(self, **body: str) -> ScriptedListener:
        answer = self.client.post("/api/start", json=body)
        assert answer.status_code == 201, answer.text
        self.token, self.name = answer.json()["token"], answer.json()["listener"]
        return self

    def agree(self) -> ScriptedListener:
        assert self.post("/api/consent", {"agreed": True}).status_code == 204
        assert self.post("/api/questionnaire", {"answers": ANSWERS}).status_code == 204
        return self

    def pages(self) -> list[dict[str, Any]]:
        answer = self.get("/api/session")
        assert answer.status_code == 200, answer.text
        pages: list[dict[str, Any]] = answer.json()["pages"]
        return pages

    def submit(self, page: dict[str, Any], body: dict[str, Any] | None = None) -> httpx2.Response:
        return self.post(f"/api/pages/{page['key']}", body or answers_to(page))

    def finish(self) -> ScriptedListener:
        for page in self.pages():
            if not page["submitted"]:
                assert self.submit(page).status_code == 201
        assert self.post("/api/finish").status_code == 204
        return self


def answers_to(page: dict[str, Any], comment: str = "") -> dict[str, Any]:
    """Complete answers to a page, always the same for the same page."""
    draw = random.Random(page["key"])
    common = {"comment": comment, "time_s": 30.5, "playback": {"switches": 12}}
    if page["kind"] == "mushra":
        ratings = [
            {"stimulus": key, "score": draw.randint(0, 100), "plays": 2} for key in page["stimuli"]
        ]
        return {"ratings": ratings, **common}
    return {"answer": draw.choice("ab"), **common}
