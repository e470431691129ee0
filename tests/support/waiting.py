"""Waiting for what another process does, on machines however busy."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 300.0  # ten times what ten processes on two cores have been seen to need


def until(found: Callable[[], Any], what: str = "it", seconds: float = PATIENCE_S) -> Any:
    """What is found, once it is true."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"{what} did not come to pass in {seconds:g} s"
        time.sleep(0.05)
    return value
