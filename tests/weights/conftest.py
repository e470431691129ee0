"""A weights host on this machine, and none of the user's own caches, settings or network."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import hosts
from tests.support.hosts import ENDPOINTS, Host, be_alone, be_impatient, serve


@pytest.fixture
def host() -> Iterator[Host]:
    """A running host; nobody asks it until a test points an endpoint to it."""
    with serve() as running:
        yield running


@pytest.fixture
def all_hosts(monkeypatch: pytest.MonkeyPatch, host: Host) -> Host:
    """The hub, GitHub and the CDN are the local host."""
    for name in ENDPOINTS:
        monkeypatch.setenv(name, host.address)
    return host


@pytest.fixture
def silent_address() -> str:
    """An address at which nothing listens."""
    return hosts.silent_address()


@pytest.fixture
def places(tmp_path: Path) -> SimpleNamespace:
    """Where things are in a test's own home."""
    found = {"own": "cache/weights/our-name", "lock": "state/weights.lock", "hub": "hub",
             "cdn": "torch/hub/checkpoints", "github": "home/.cache/descript/dac"}  # fmt: skip
    return SimpleNamespace(**{name: tmp_path / path for name, path in found.items()})


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch, tmp_path, silent_address):
    """No test finds the user's caches, settings or network."""
    be_alone(monkeypatch, tmp_path)
    be_impatient(monkeypatch)
    for name in ENDPOINTS:
        monkeypatch.setenv(name, silent_address)
