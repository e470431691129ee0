"""What the verbs show: tables on standard output, progress and notes on standard error."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from snacbench.progress import Unit

if TYPE_CHECKING:  # take numpy and scipy along, for which a list should not wait
    from snacbench.runner.engine import Outcome
    from snacbench.tables.table_model import Table as Numbers

_PIPED_WIDTH = 200
_SECONDS_BETWEEN_LINES = 15.0
_LINES_SHOWN = 20

out = Console(width=None if Console().is_terminal else _PIPED_WIDTH, highlight=False)
err = Console(stderr=True, highlight=False)


class ProgressBar:
    """A bar with ETA per stage; where there is no terminal, a line now and then.

    Stages overlap: the clock of each starts with its first step.
    """

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._ids: dict[str, TaskID] = {}
        self._printed_s = time.monotonic()

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, stage: str, steps: int | None, *, done: int = 0, unit: Unit = "") -> None:
        """A stage of so many steps is to be done; of files, bytes."""
        if stage in self._ids:
            self._bar.remove_task(self._ids.pop(stage))
        self._ids[stage] = self._bar.add_task(
            stage, start=False, total=steps, completed=done, count="", unit=unit, failed=0
        )
        if unit == "bytes":
            size = f"{steps / 1e6:.1f} MB" if steps is not None else "size unknown"
            whence = f", going on from {done / 1e6:.1f} MB" if done else ""
            self._line(f"fetching {stage}: {size}{whence}")
        else:
            self._line(f"{stage}: {steps} to do")

    def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
        """So many steps of a stage are done: of the one that was named last, if none is named."""
        named, now = self._ids[stage or next(reversed(self._ids))], time.monotonic()
        (task,) = (task for task in self._bar.tasks if task.id == named)
        if not task.started:
            self._bar.start_task(named)
        task.fields["failed"] += failed
        self._bar.update(named, advance=steps)
        self._bar.update(named, count=_count(task))
        ended = task.completed == task.total and not task.fields["unit"]
        if ended or now - self._printed_s > _SECONDS_BETWEEN_LINES:
            self._printed_s = now
            self._line("; ".join(map(_state, self._bar.tasks)))

    def note(self, text: str, *, warning: bool = False) -> None:
        """A sentence that a person should read, above the bars."""
        if warning:
            err.print(f"warning: {escape(text)}", style="bold yellow", soft_wrap=True)
        else:
            err.print(escape(text), soft_wrap=True)

    def _line(self, text: str) -> None:
        if not err.is_terminal:
            err.print(text, soft_wrap=True, markup=False)


def _count(task: Task) -> str:
    """How much of a stage is done, in words."""
    done, total = int(task.completed), task.total
    if task.fields["unit"] == "bytes":
        of = f" of {total / 1e6:.1f}" if total is not None else ""
        return f"{done / 1e6:.1f}{of} MB"
    failed = f", {task.fields['failed']} failed" if task.fields["failed"] else ""
    return f"{done} of {total:.0f}{failed}" if total is not None else f"{done}{failed}"


def _state(task: Task) -> str:
    """A stage in words, with the time it still takes at its own pace."""
    text = f"{task.description}: {_count(task)}"
    if not task.elapsed or task.total is None or task.completed in (0, task.total):
        return text
    left_s = task.elapsed / task.completed * (task.total - task.completed)
    return f"{text}, ETA {left_s:.0f} s"


def say(text: str, *, style: str | None = None) -> None:
    """A line for a person, on standard error, as it is: no markup, no wrapping."""
    err.print(text, style=style, markup=False, soft_wrap=True)


def show_line(text: str) -> None:
    """A line on standard output, as it is."""
    out.print(text, markup=False, soft_wrap=True)


def show_warnings(sentences: Sequence[str]) -> None:
    """What to know before believing the numbers."""
    for sentence in sentences:
        say(f"warning: {sentence}", style="yellow")


def show_first(lines: Sequence[str]) -> None:
    """The first lines, and how many more there are."""
    for line in lines[:_LINES_SHOWN]:
        show_line(f"  {line}")
    if len(lines) > _LINES_SHOWN:
        show_line(f"  ... and {len(lines) - _LINES_SHOWN} more")


def show_facts(facts: Mapping[str, str], *, to: Console = out) -> None:
    """Labels and their texts, aligned; labels without text are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in facts.items():
        if text:
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


def show_tables(tables: Sequence[Numbers]) -> None:
    """Tables with their notes, as wide as the terminal."""
    from snacbench.tables.writers import to_terminal

    for part in to_terminal(tables, width=out.width):
        out.print(part)


def show_failures(outcome: Outcome) -> None:
    """Which rows failed and why, the first few of each kind."""
    coded = [f"{r.codec} on {r.clip}: {r.reason}" for r in outcome.coded.first_failed]
    scored = [
        f"{r.metric} of {r.codec} on {r.clip}: {r.reason}" for r in outcome.scores.first_failed
    ]
    kinds = (
        ("codings failed", outcome.coded.failed, coded),
        ("scores failed", outcome.scores.failed, scored),
    )
    for what, count, shown in kinds:
        if not count:
            continue
        err.print(f"{count} {what}:", style="bold red")
        for line in shown:
            say(f"  {line}")
        if count > len(shown):
            say(f"  ... and {count - len(shown)} more, in the run's rows")
