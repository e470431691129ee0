"""What the verbs that download share: the option ``--offline``, and a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from snacbench.cli.terminal import err

_SECONDS_BETWEEN_LINES = 15.0

Command = TypeVar("Command", bound=Callable[..., Any])


def weights_option(command: Command) -> Command:
    """Add ``--weights``: where the weights of models come from."""
    return click.option(
        "--weights",
        multiple=True,
        default=("auto",),
        show_default=True,
        help="auto, published, embedded, DIR, or MODEL=DIR; may be repeated.",
    )(command)


def offline_option(command: Command) -> Command:
    """Add ``--offline``: nothing is asked of the network."""
    return click.option(
        "--offline",
        is_flag=True,
        help="Ask nothing of the network; what is missing is an error at once.",
    )(command)


class DownloadBar:
    """Bytes, rate and ETA of each file; where there is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            console=err,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._name = ""
        self._size_bytes: int | None = None
        self._from_bytes, self._started, self._printed = 0, 0.0, 0.0

    def __enter__(self) -> DownloadBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, name: str, size_bytes: int | None, done_bytes: int) -> None:
        """A file begins to come, or goes on from where an earlier try ended."""
        if name in self._tasks:
            self._bar.remove_task(self._tasks[name])
        self._tasks[name] = self._bar.add_task(name, total=size_bytes, completed=done_bytes)
        self._name, self._size_bytes, self._from_bytes = name, size_bytes, done_bytes
        self._started = self._printed = time.monotonic()
        size = f"{size_bytes / 1e6:.1f} MB" if size_bytes is not None else "size unknown"
        whence = f", going on from {done_bytes / 1e6:.1f} MB" if done_bytes else ""
        self._line(f"fetching {name}: {size}{whence}")

    def reached(self, done_bytes: int) -> None:
        """So much of the file is on this disk."""
        self._bar.update(self._tasks[self._name], completed=done_bytes)
        now = time.monotonic()
        if now - self._printed > _SECONDS_BETWEEN_LINES:
            self._printed = now
            self._line(self._report(done_bytes, now - self._started))

    def note(self, text: str) -> None:
        """Something that a person may want to know, above the bars."""
        err.print(f"note: {escape(text)}", soft_wrap=True)

    def _report(self, done_bytes: int, elapsed_s: float) -> str:
        rate = (done_bytes - self._from_bytes) / elapsed_s
        text = f"{self._name}: {done_bytes / 1e6:.1f} MB, {rate / 1e6:.2f} MB/s"
        if self._size_bytes is not None and rate:
            text += f", ETA {(self._size_bytes - done_bytes) / rate:.0f} s"
        return text

    def _line(self, text: str) -> None:
        if not err.is_terminal:
            err.print(escape(text), soft_wrap=True)
