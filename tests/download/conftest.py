"""A file host, a place for a file, and a progress that remembers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from snacbench.download import Silent, http
from tests.hosts import IMPATIENT, Host, serve

BODY = os.urandom(1 << 20)
SHA256, MD5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()
HALF = len(BODY) // 2
TAG = {"ETag": '"one"'}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(http, "PATIENCE", IMPATIENT)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("SNACBENCH_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serve() as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "set" / "file.bin"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Watched(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int | None, int]] = []
        self.done: list[int] = []
        self.notes: list[str] = []

    def begin(self, name: str, size_bytes: int | None, done_bytes: int) -> None:
        self.begun.append((name, size_bytes, done_bytes))

    def reached(self, done_bytes: int) -> None:
        self.done.append(done_bytes)

    def note(self, text: str) -> None:
        self.notes.append(text)
