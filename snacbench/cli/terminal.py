"""What the verbs show: tables on standard output, progress and notes on standard error."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from snacbench.runner.execute import Outcome
from snacbench.tables.formats import notes, to_terminal
from snacbench.tables.summary import RunRows

_PIPED_WIDTH = 200
_FAILURES_SHOWN = 8
_SECONDS_BETWEEN_LINES = 15.0

out = Console(width=None if Console().is_terminal else _PIPED_WIDTH, highlight=False)
err = Console(stderr=True, highlight=False)


class ProgressBar:
    """A bar with ETA per stage; where there is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task = TaskID(0)
        self._stage, self._steps, self._done = "", 0, 0
        self._started = self._printed = 0.0

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, stage: str, steps: int) -> None:
        """A stage of so many steps begins."""
        self._task = self._bar.add_task(stage, total=steps)
        self._stage, self._steps, self._done = stage, steps, 0
        self._started = self._printed = time.monotonic()
        self._line(f"{stage}: {steps} to do")

    def step(self) -> None:
        """One step of the stage is done."""
        self._bar.advance(self._task)
        self._done += 1
        now = time.monotonic()
        if self._done == self._steps or now - self._printed > _SECONDS_BETWEEN_LINES:
            self._printed = now
            left_s = (now - self._started) / self._done * (self._steps - self._done)
            self._line(f"{self._stage}: {self._done} of {self._steps}, ETA {left_s:.0f} s")

    def _line(self, text: str) -> None:
        if not err.is_terminal:
            err.print(text)


def show_facts(facts: Mapping[str, str], *, to: Console = out) -> None:
    """Labels and their texts, aligned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in facts.items():
        grid.add_row(escape(label), escape(text))
    to.print(grid)


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


def show_summary(runs: Sequence[RunRows]) -> None:
    """The summary per domain and the notes under it."""
    for table in to_terminal(runs, width=out.width):
        out.print(table)
    for note in notes(runs):
        out.print(f"- {escape(note)}")


def show_failures(outcome: Outcome) -> None:
    """Which rows failed and why, the first few of each kind."""
    coded = [f"{r.codec} on {r.clip}: {r.reason}" for r in outcome.failed_coded]
    scored = [f"{r.metric} of {r.codec} on {r.clip}: {r.reason}" for r in outcome.failed_scores]
    for what, failures in (("codings failed", coded), ("scores failed", scored)):
        if not failures:
            continue
        err.print(f"{len(failures)} {what}:", style="bold red")
        for line in failures[:_FAILURES_SHOWN]:
            err.print(f"  {escape(line)}")
        if len(failures) > _FAILURES_SHOWN:
            err.print(f"  ... and {len(failures) - _FAILURES_SHOWN} more, in the run's rows")
