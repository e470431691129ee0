"""Whatever hangs in a browser ends its test, and the trace says at which step."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.conftest import launch, limited, processes


@pytest.mark.parametrize("hangs", ["page", "audio"])
def test_what_hangs_is_ended_and_what_ends_in_time_is_left_alone(
    playwright: Any, hangs: str
) -> None:
    browser = launch(playwright)
    page = browser.new_page()
    with limited(browser, 60):
        assert page.evaluate("6 * 7") == 42
    if hangs == "page":
        page.evaluate("setTimeout(() => { while (true) {} })")
        step, name = page.locator("p").count, "Locator.count"
    else:
        page.wait_for_function("window.audio ??= new AudioContext(), audio.currentTime > 0")
        (audio,) = processes(browser, "audio.mojom.AudioService")
        os.kill(audio, signal.SIGSTOP)
        step, name = lambda: page.evaluate("new AudioContext().state"), "Page.evaluate"
    with (
        pytest.raises(AssertionError, match=r"killed after 1 s, where the trace ends"),
        limited(browser, 1),
        pytest.raises(Exception, match=rf"^{name}: .* has been closed"),
    ):
        step()
    assert not browser.is_connected()
    browser.close()
