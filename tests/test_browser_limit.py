"""Whatever hangs in a browser ends its test, and the trace says at which step."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import launch, limited


def test_a_page_that_never_answers(playwright: Any) -> None:
    browser = launch(playwright)  # one that may be killed
    page = browser.new_page()
    page.evaluate("setTimeout(() => { while (true) {} })")
    with (
        pytest.raises(AssertionError, match=r"killed after 1 s, where the trace ends"),
        limited(browser, 1),
        pytest.raises(Exception, match=r"^Locator.count: .* has been closed"),
    ):
        page.locator("p").count()
    assert not browser.is_connected()
    browser.close()
