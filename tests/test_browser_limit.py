"""Whatever hangs in a browser ends its test, and the trace says at which step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import launch, limited, processes


@pytest.fixture
def browser(playwright: Any) -> Iterator[Any]:
    """One that may be killed."""
    browser = launch(playwright)
    yield browser
    browser.close()


def check_ended(browser: Any, step: Callable[[], Any], name: str) -> None:
    with (
        pytest.raises(AssertionError, match=r"killed after 1 s, where the trace ends"),
        limited(browser, 1),
        pytest.raises(Exception, match=rf"^{name}: .* has been closed"),
    ):
        step()
    assert not browser.is_connected()


def test_a_page_that_never_answers(browser: Any) -> None:
    page = browser.new_page()
    page.evaluate("setTimeout(() => { while (true) {} })")
    check_ended(browser, page.locator("p").count, "Locator.count")


def test_an_audio_process_that_is_stopped(browser: Any) -> None:
    page = browser.new_page()
    page.wait_for_function("window.audio ??= new AudioContext(), audio.currentTime > 0")
    (audio,) = processes(browser, "audio.mojom.AudioService")
    os.kill(audio, signal.SIGSTOP)
    check_ended(browser, lambda: page.evaluate("new AudioContext().state"), "Page.evaluate")


def test_what_ends_in_time_is_left_alone(browser: Any) -> None:
    with limited(browser, 60):
        assert browser.new_page().evaluate("6 * 7") == 42
    assert browser.is_connected()
