"""Jobs for tests of workers: what they do is a word, so that any process can be sent one."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.errors import StoreError
from snacbench.runner.pool import Job, Rows


class Odd(Exception):
    """Of a kind that cannot be sent from one process to another."""

    def __init__(self, number: int, kind: str) -> None:
        super().__init__(f"of a {kind} kind")


@dataclass(frozen=True)
class Do(Job):
    """Gives its values, each after what the word says; with several it can be taken apart."""

    what: str
    values: tuple[object, ...] = (0,)
    lane: str = "cpu"

    def run(self) -> Rows:
        return [self.done(value) for value in self.values]

    def apart(self) -> Sequence[Job]:
        return [Do(self.what, (value,), self.lane) for value in self.values]

    def lost(self, reason: str) -> Rows:
        assert "died twice" in reason
        return ["lost"]

    def done(self, value: object) -> object:
        first, own = not Path(str(value)).exists(), os.getpid()
        if "once" in self.what and first:
            Path(str(value)).touch()
        match self.what:
            case "pid":
                return own
            case "environment":
                return os.environ[str(value)]
            case "talk":
                os.write(2, b"a library talks\n")
            case "wait":
                time.sleep(float(str(value)))
            case "full disk":
                raise StoreError("the disk is full")
            case "raise what cannot be sent":
                raise Odd(1, "strange")
            case "crash on 7" if value == 7:
                os.kill(own, signal.SIGKILL)
            case "crash once" if first:
                os.kill(own, signal.SIGKILL)
            case "lose the worker once" if first:
                os.kill(parent_of(os.getppid()), signal.SIGKILL)  # of what this is forked from
                time.sleep(60)
        return value


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/status").read_text().partition("PPid:")[2].split()[0])
